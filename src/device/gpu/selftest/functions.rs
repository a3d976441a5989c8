//! The functions that a GPU shares with the CPU, compared with it: which of them are within what the
//! op states, and whether numbers below the normal range are kept.

use super::{Probe, Verdict};
use crate::device::gpu::Gpu;
use crate::{DType, Op};
use std::fmt::LowerExp;
use std::ops::{Add, Mul};
use tilewise_kernels::Element;
use tilewise_kernels::math::{FUNCTIONS, Function};

/// How far a result may be off where an adapter takes numbers below the normal range for zero: what it
/// loses of a result or of a step on the way there is less than the smallest normal number.
const FLUSHED: f32 = 2.0 * f32::MIN_POSITIVE;

/// Functions of one kernel: one that a driver cannot compile denies these only.
const TOGETHER: usize = 6;

impl Gpu {
    /// Every function with a twin, and the operations that they are made of, against the CPU;
    /// `flushes` where numbers below the normal range are taken for zero.
    pub(super) fn function_facts(&self, flushes: bool, verdicts: &mut Vec<Verdict>) {
        let (x, y) = samples();
        let basics: [(&str, f32, Function); 4] = [
            ("add", 0.0, Function::Binary(|a, b| a + b)),
            ("multiply", 0.0, Function::Binary(|a, b| a * b)),
            ("divide", 0.0, Function::Binary(|a, b| a / b)),
            ("sqrt", 0.0, Function::Unary(f32::sqrt)),
        ];
        let all: Vec<_> = basics.iter().chain(FUNCTIONS).collect();
        for few in all.chunks(TOGETHER) {
            let mut probe = Probe::new(&[DType::F32; 2]);
            let mut asked = Vec::new();
            for (name, _, function) in few {
                let args = match function {
                    Function::Unary(_) => vec![0],
                    Function::Binary(_) => vec![0, 1],
                };
                if probe.store(name, args).is_ok() {
                    asked.push((*name, *function));
                }
            }
            let buffers = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&y)];
            let found = probe.run(self, &buffers, x.len());
            for (number, (name, function)) in asked.into_iter().enumerate() {
                let outcome = match &found {
                    Ok(found) => compare_function(name, function, (&x, &y), &found[number], flushes),
                    Err(why) => Err(why.clone()),
                };
                let (ok, detail) = match outcome {
                    Ok(detail) => (true, detail),
                    Err(detail) => (false, detail),
                };
                verdicts.push(Verdict {
                    fact: format!("float32 {name}"),
                    ok,
                    detail,
                });
            }
        }
    }

    /// Numbers below `normal`, the smallest normal number of a dtype, are kept by arithmetic, as
    /// operands and as results.
    pub(super) fn subnormal_facts<T>(&self, normal: T) -> Result<(), String>
    where
        T: bytemuck::Pod + Element + Mul<Output = T> + Add<Output = T> + From<f32> + LowerExp,
    {
        let x = [1.0f32, 0.25, -0.001, 1e-5].map(|k| normal * T::from(k));
        let y = [0.5f32, 3.0, 1.0, 8388608.0].map(T::from);
        let mut probe = Probe::new(&[T::DTYPE; 2]);
        probe.store("multiply", vec![0, 1])?;
        probe.store("add", vec![0, 0])?;
        let found = probe.run(
            self,
            &[bytemuck::cast_slice(&x), bytemuck::cast_slice(&y)],
            x.len(),
        )?;
        for (at, (&x, &y)) in x.iter().zip(&y).enumerate() {
            for (what, found, want) in [("multiply", &found[0], x * y), ("add", &found[1], x + x)] {
                let got = bytemuck::pod_collect_to_vec::<u8, T>(found)[at];
                if got != want {
                    return Err(format!(
                        "numbers below {normal:e} are taken for zero: {what} of {x:e} gives {got:e}, not {want:e}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Arguments for functions: special values, then all orders of magnitude.
fn samples() -> (Vec<f32>, Vec<f32>) {
    let edges = [
        0.0,
        f32::NAN,
        f32::INFINITY,
        1.0,
        0.5,
        2.0,
        3e9,
        88.7,
        103.0,
        1e-8,
        f32::MIN_POSITIVE,
        f32::MAX,
    ];
    let spread = (0..200u32).map(|k| f32::from_bits(0x3000_0000 + k * 0x0015_4321) % 1e4);
    let near = (1..40).map(|k| k as f32 * 0.173);
    let x: Vec<f32> = edges
        .into_iter()
        .chain(spread)
        .chain(near)
        .flat_map(|v| [v, -v])
        .collect();
    let y = (0..x.len()).map(|i| x[(i * 7 + 3) % x.len()]).collect();
    (x, y)
}

/// The largest distance in units of the last place from the CPU's function, which must stay
/// within what the op states for both; see [`FLUSHED`] for `flushes`.
fn compare_function(
    name: &str,
    function: Function,
    (x, y): (&[f32], &[f32]),
    found: &[u8],
    flushes: bool,
) -> Result<String, String> {
    let op = Op::find(name).ok_or("no such op")?;
    let allowed = f64::from(op.ulp.f32 + op.ulp.gpu).ceil();
    let found: Vec<f32> = bytemuck::pod_collect_to_vec(found);
    let mut worst = 0.0f64;
    for ((&x, &y), &got) in x.iter().zip(y).zip(&found) {
        let want = match function {
            Function::Unary(f) => f(x),
            Function::Binary(f) => f(x, y),
        };
        // `logaddexp` may cancel to zero and is measured in units of ln 2 there.
        let unit = f64::from(want.abs().max(std::f32::consts::LN_2)) * f64::from(f32::EPSILON);
        let apart = match (want.is_nan(), got.is_nan()) {
            (true, true) => 0.0,
            (false, false) if flushes && (want - got).abs() <= FLUSHED => 0.0,
            (false, false) if name == "logaddexp" && want.is_finite() => f64::from((want - got).abs()) / unit,
            (false, false) => (line_place(want) - line_place(got)).abs() as f64,
            _ => f64::INFINITY,
        };
        if apart > allowed {
            return Err(format!("{name} of {x:e} and {y:e} is {got:e}, not {want:e}"));
        }
        worst = worst.max(apart);
    }
    Ok(format!("within {worst} ulp of the cpu"))
}

/// A float's place on the line of all f32.
fn line_place(x: f32) -> i64 {
    let magnitude = i64::from(x.to_bits() & 0x7fff_ffff);
    if x.is_sign_negative() {
        -magnitude
    } else {
        magnitude
    }
}
