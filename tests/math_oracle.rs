//! The stated errors of the f64 functions against exact values, and the same bits from every
//! instruction set.
//!
//! `tests/oracle/double.json` has mpmath's values with what rounding took from them, so that
//! errors are known to a hundredth of a unit in the last place. Special values are in
//! `tests/ops_oracle.rs`.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use serde_json::Value;
use std::collections::BTreeSet;
use tilewise_kernels::math::{Function, double};
use tilewise_kernels::{DType, Isa, Op};

fn isas() -> impl Iterator<Item = Isa> {
    let all = [Isa::Baseline, Isa::Avx2, Isa::Avx512];
    all.into_iter().filter(|isa| isa.available())
}

/// The op's results for elements of `dtype`, as bytes.
fn apply(op: Op, dtype: DType, isa: Isa, args: &[&[u8]]) -> Vec<u8> {
    let kernel = (op.kernel)(&vec![dtype; op.arity], isa).unwrap();
    let mut out = vec![0.0f64; args[0].len().div_ceil(8)];
    let bytes = &mut bytemuck::cast_slice_mut(&mut out)[..args[0].len()];
    kernel(&args[..op.arity], bytes);
    bytes.to_vec()
}

fn numbers(text: &Value) -> Vec<f64> {
    let word = |w| f64::from_bits(u64::from_str_radix(w, 16).unwrap());
    text.as_str()
        .unwrap()
        .split_ascii_whitespace()
        .map(word)
        .collect()
}

/// What the exact value is more than the expected one, in units of its last place.
fn rests(text: &Value) -> Vec<f64> {
    let part = |w| f64::from(u8::from_str_radix(w, 16).unwrap() as i8) / 254.0;
    text.as_str()
        .unwrap()
        .split_ascii_whitespace()
        .map(part)
        .collect()
}

/// The exponent of the last place of `x`.
fn place(x: f64) -> i32 {
    (((x.to_bits() >> 52) & 0x7ff) as i32).max(1) - 1075
}

/// The distance of `found` from `expect + rest` units, in units of the last place of `expect`, or of
/// `ln 2` where that is larger and `floored`.
fn error(found: f64, expect: f64, rest: f64, floored: bool) -> f64 {
    // Two steps, because a difference may have no place among the normal numbers.
    let units = |x: f64, place: i32| x * 2.0f64.powi(-place / 2) * 2.0f64.powi(-place + place / 2);
    let own = place(expect);
    let off = units(found - expect, own) - rest;
    let floor = place(std::f64::consts::LN_2);
    let off = if floored && own < floor {
        off * 2.0f64.powi(own - floor)
    } else {
        off
    };
    off.abs()
}

#[test]
fn errors_in_f64_stay_within_what_is_stated() {
    let path = format!("{}/tests/oracle/double.json", env!("CARGO_MANIFEST_DIR"));
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut seen = BTreeSet::new();
    let mut failures = Vec::new();
    for case in json["cases"].as_array().unwrap() {
        let name = case["op"].as_str().unwrap();
        let op = Op::find(name).unwrap();
        let x = numbers(&case["x"]);
        let y = if op.arity == 2 {
            numbers(&case["y"])
        } else {
            x.clone()
        };
        let (expect, rest) = (numbers(&case["expect"]), rests(&case["rest"]));
        assert!(x.len() >= 100 && x.len() == y.len() && x.len() == expect.len() && x.len() == rest.len());
        seen.insert(name.to_string());
        for isa in isas() {
            let args = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&y)];
            let found: Vec<f64> = bytemuck::pod_collect_to_vec(&apply(op, DType::F64, isa, &args));
            let mut worst = (0.0, 0);
            for i in 0..x.len() {
                let off = error(found[i], expect[i], rest[i], name == "logaddexp");
                if off.is_nan() || off > worst.0 {
                    worst = (off, i);
                }
            }
            let (off, i) = worst;
            println!("{name:10} {isa:?} {off:.3} of {}", x.len());
            // The rest is rounded to a part of 254.
            if off.is_nan() || off > f64::from(op.ulp.f64) + 0.004 {
                let (x, y, found, expect) = (x[i], y[i], found[i], expect[i]);
                failures.push(format!(
                    "{name}({x:e}, {y:e}) with {isa:?} is {found:e}, {off} ULP from {expect:e}"
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for (name, ulp, _) in double::FUNCTIONS {
        assert_eq!(*ulp > 0.5, seen.contains(*name), "{name}");
    }
}

/// A deterministic sequence of 64 bits (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Half numbers of any bits, half of exponents from −16 to 15, in runs so that some strips have rare
/// arguments and some have none.
fn mixture(seed: u64, len: usize) -> Vec<f64> {
    let mut state = seed;
    (0..len)
        .map(|i| match random(&mut state) {
            bits if i / 700 % 2 == 0 => f64::from_bits(bits),
            bits => f64::from_bits((bits & 0x800f_ffff_ffff_ffff) | ((((bits >> 52) & 31) + 1007) << 52)),
        })
        .collect()
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let (x, y) = (mixture(1, 7001), mixture(2, 7001));
    let narrow = |v: &[f64]| -> Vec<f32> { v.iter().map(|&v| v as f32).collect() };
    let (x32, y32) = (narrow(&x), narrow(&y));
    let wide = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&y)];
    let single = [bytemuck::cast_slice(&x32), bytemuck::cast_slice(&y32)];
    let same_f64 = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let same_f32 = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    for &(name, _, function) in double::FUNCTIONS {
        let op = Op::find(name).unwrap();
        let scalar = |i: usize| match function {
            Function::Unary(f) => f(x[i]),
            Function::Binary(f) => f(x[i], y[i]),
        };
        let expect: Vec<f32> = bytemuck::pod_collect_to_vec(&apply(op, DType::F32, Isa::Baseline, &single));
        for isa in isas() {
            let found: Vec<f64> = bytemuck::pod_collect_to_vec(&apply(op, DType::F64, isa, &wide));
            let wrong = (0..x.len()).find(|&i| !same_f64(found[i], scalar(i)));
            assert_eq!(
                wrong.map(|i| (x[i], y[i], found[i])),
                None,
                "{name} of f64 with {isa:?}"
            );
            let found: Vec<f32> = bytemuck::pod_collect_to_vec(&apply(op, DType::F32, isa, &single));
            let wrong = (0..x.len()).find(|&i| !same_f32(found[i], expect[i]));
            assert_eq!(
                wrong.map(|i| (x32[i], y32[i])),
                None,
                "{name} of f32 with {isa:?}"
            );
        }
    }
}
