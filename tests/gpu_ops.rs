//! Every op of the table on the GPU, against NumPy's and mpmath's values for each dtype that they
//! have, and against the CPU's loops for the one they lack (bfloat16).
//!
//! Ops with the same arguments share a program, so a handful of kernels covers the table.

#[path = "common/compare.rs"]
mod compare;
#[path = "common/gpu.rs"]
mod gpu;
#[path = "common/reference.rs"]
mod reference;

use reference::Expected;
use serde_json::Value;
use std::collections::BTreeMap;
use tilewise::device::gpu::{Gpu, Options};
use tilewise::device::{Binding, Device, Task};
use tilewise::geometry::{Access, AxisStep};
use tilewise::plan::program::{Action, Inst, Output, Program};
use tilewise::{DType, Op, Scalar};
use tilewise_kernels::{Signature, cast_wgsl};

/// A program of one axis that stores an op (or a cast) of its inputs per output.
struct Builder {
    program: Program,
}

impl Builder {
    fn new(inputs: &[DType]) -> Builder {
        let load = |(n, &dtype): (usize, &DType)| Inst {
            action: Action::Load(n),
            args: vec![],
            dtype,
        };
        Builder {
            program: Program {
                rank: 1,
                inputs: inputs.to_vec(),
                insts: inputs.iter().enumerate().map(load).collect(),
                outputs: vec![],
            },
        }
    }

    fn push(&mut self, action: Action, args: Vec<usize>, dtype: DType) -> usize {
        self.program.insts.push(Inst { action, args, dtype });
        self.program.insts.len() - 1
    }

    /// Adds an op of all inputs, cast to its signature.
    fn op(&mut self, op: Op, signature: &Signature) {
        let args = (0..signature.args.len())
            .map(|n| match signature.args[n] {
                to if to == self.program.inputs[n] => n,
                to => self.push(Action::Cast, vec![n], to),
            })
            .collect();
        let value = self.push(Action::Op(op), args, signature.result);
        self.program.outputs.push(Output::Store(value));
    }

    fn cast(&mut self, to: DType) {
        let value = self.push(Action::Cast, vec![0], to);
        self.program.outputs.push(Output::Store(value));
    }
}

fn line(len: usize) -> Access {
    Access {
        offset: 0,
        steps: vec![AxisStep::Step(if len == 1 { 0 } else { 1 })],
    }
}

/// Runs a program over lines of `len` elements.
fn run(gpu: &Gpu, program: &Program, buffers: &[&[u8]], len: usize) -> Vec<Vec<u8>> {
    program.verify().expect("a program that holds together");
    let bindings: Vec<Binding> = (0..buffers.len())
        .map(|buffer| Binding {
            buffer,
            access: line(len),
        })
        .collect();
    let task = Task {
        program,
        shape: &[len],
        origin: &[0],
        buffers,
        bindings: &bindings,
        labels: None,
    };
    reference::run(gpu, &task)
        .unwrap_or_else(|e| panic!("{program}: {e}"))
        .into_iter()
        .map(|found| match found {
            Expected::Store(bytes) => bytes,
            Expected::Reduce(_) => unreachable!("only stores"),
        })
        .collect()
}

fn bytes(dtype: DType, words: &str) -> Vec<u8> {
    words
        .split_ascii_whitespace()
        .map(|w| u64::from_str_radix(w, 16).expect("hexadecimal words"))
        .flat_map(|bits| bits.to_le_bytes()[..dtype.size()].to_vec())
        .collect()
}

fn dtype(value: &Value) -> DType {
    value["dtype"].as_str().and_then(DType::parse).expect("a dtype")
}

/// The element with a number below the normal range taken for zero.
fn without_subnormals(dtype: DType, data: &[u8]) -> Vec<u8> {
    let mut out = data.to_vec();
    for element in out.chunks_mut(dtype.size()) {
        let x = Scalar::from_bytes(dtype, element).to_f64().abs();
        if x < smallest(dtype) {
            let end = element.len() - 1;
            element[..end].fill(0);
            element[end] &= 0x80;
        }
    }
    out
}

/// The smallest normal number.
fn smallest(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::MIN_POSITIVE,
        _ => f64::from(f32::MIN_POSITIVE),
    }
}

/// What a program gives on the CPU where some or all operands with numbers below the normal range
/// are taken for zero; nothing where the adapter keeps them.
fn flushed(gpu: &Gpu, program: &Program, buffers: &[&[u8]], len: usize) -> Vec<Vec<Vec<u8>>> {
    let changes: Vec<bool> = program.inputs.iter().map(|&d| gpu::flushes(gpu, d)).collect();
    let bindings: Vec<Binding> = (0..buffers.len())
        .map(|buffer| Binding {
            buffer,
            access: line(len),
        })
        .collect();
    let chosen = (1..1u32 << buffers.len()).filter(|_| changes.contains(&true));
    chosen
        .map(|mask| {
            let data: Vec<Vec<u8>> = (0..buffers.len())
                .map(|n| match mask >> n & 1 {
                    1 if changes[n] => without_subnormals(program.inputs[n], buffers[n]),
                    _ => buffers[n].to_vec(),
                })
                .collect();
            let views: Vec<&[u8]> = data.iter().map(|d| &d[..]).collect();
            let results = reference::evaluate(&Task {
                program,
                shape: &[len],
                origin: &[0],
                buffers: &views,
                bindings: &bindings,
                labels: None,
            });
            let bytes = |result| match result {
                Expected::Store(bytes) => bytes,
                Expected::Reduce(_) => unreachable!("only stores"),
            };
            results.into_iter().map(bytes).collect()
        })
        .collect()
}

/// Drops the elements that are right because the adapter takes numbers below the normal range for
/// zero: those near what the CPU gives for such operands, and those off by less than such numbers.
fn accept_flushed(
    dtype: DType,
    want: &[u8],
    got: &mut [u8],
    others: &[Vec<Vec<u8>>],
    output: usize,
    ulp: f64,
) {
    if others.is_empty() {
        return;
    }
    let size = dtype.size();
    for at in (0..got.len()).step_by(size) {
        let scalar = |data: &[u8]| Scalar::from_bytes(dtype, &data[at..at + size]);
        let found = scalar(got);
        let near =
            |other: &Vec<Vec<u8>>| compare::distance(dtype, scalar(&other[output]), found) <= ulp + 1.0;
        let lost = (scalar(want).to_f64() - found.to_f64()).abs() <= 2.0 * smallest(dtype);
        if (lost && gpu_float(dtype)) || others.iter().any(near) {
            got[at..at + size].copy_from_slice(&want[at..at + size]);
        }
    }
}

fn gpu_float(dtype: DType) -> bool {
    matches!(dtype, DType::BF16 | DType::F32 | DType::F64)
}

/// Lists elements further apart than allowed, a few a case.
fn differences(
    what: &str,
    dtype: DType,
    (want, got): (&[u8], &[u8]),
    ulp: f64,
    zero_sign: bool,
    failures: &mut Vec<String>,
) {
    let size = dtype.size();
    let pairs = want.chunks(size).zip(got.chunks(size)).enumerate();
    let wrong = pairs
        .map(|(at, (w, g))| (at, Scalar::from_bytes(dtype, w), Scalar::from_bytes(dtype, g)))
        .filter(|(_, w, g)| {
            let zeros = dtype.is_float() && w.to_f64() == 0.0 && g.to_f64() == 0.0;
            let apart = compare::distance(dtype, *w, *g);
            apart > ulp || (zeros && zero_sign && w.bits() != g.bits())
        });
    for (at, w, g) in wrong.take(3) {
        failures.push(format!("{what}, element {at}: {g:?}, not {w:?}"));
    }
}

fn report(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures[..failures.len().min(80)].join("\n")
    );
}

#[test]
fn every_op_agrees_with_the_oracle() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/elementwise.json");
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the oracle")).expect("JSON");
    let mut by_args: BTreeMap<Vec<&str>, Vec<&Value>> = BTreeMap::new();
    for case in json["cases"].as_array().expect("cases") {
        let args = case["args"].as_array().expect("args");
        let args = args.iter().map(|a| a.as_str().expect("a set")).collect();
        by_args.entry(args).or_default().push(case);
    }
    let (mut failures, mut ran) = (Vec::new(), 0);
    for (args, cases) in by_args {
        let sets: Vec<&Value> = args.iter().map(|a| &json["sets"][*a]).collect();
        let dtypes: Vec<DType> = sets.iter().map(|s| dtype(s)).collect();
        let data: Vec<Vec<u8>> = sets
            .iter()
            .zip(&dtypes)
            .map(|(s, &d)| bytes(d, s["values"].as_str().expect("values")))
            .collect();
        let buffers: Vec<&[u8]> = data.iter().map(|d| &d[..]).collect();
        let mut builder = Builder::new(&dtypes);
        let mut kept = Vec::new();
        for case in cases {
            let name = case["op"].as_str().expect("a name");
            if name == "cast" {
                assert!(cast_wgsl(dtypes[0], dtype(case)).is_some());
                builder.cast(dtype(case));
                kept.push((case, 0.0));
                continue;
            }
            let op = Op::find(name).expect("an op of the table");
            let signature = op.infer(&dtypes).expect("a signature");
            if (op.wgsl)(&signature.args).is_none() {
                let mut alone = Builder::new(&dtypes);
                alone.op(op, &signature);
                let why = gpu.supports(&alone.program).expect_err("an op without a shader");
                assert!(why.contains(op.name), "{why}");
                continue;
            }
            builder.op(op, &signature);
            // The oracle is rounded once from the exact value, hence half a place more; a half
            // float is computed in single precision, where the stated error is no place at all.
            let exact = case["exact"] == Value::Bool(true);
            let ulp = match (exact, signature.result) {
                (true, _) => op.ulp.gpu,
                (false, DType::F16) => 1.0,
                (false, _) => op.ulp.gpu + 0.5,
            };
            kept.push((case, f64::from(ulp).floor()));
        }
        if kept.is_empty() {
            continue;
        }
        gpu.supports(&builder.program)
            .unwrap_or_else(|why| panic!("{args:?}: {why}"));
        let len = data[0].len() / dtypes[0].size();
        let mut found = run(&gpu, &builder.program, &buffers, len);
        let others = flushed(&gpu, &builder.program, &buffers, len);
        for (number, ((case, ulp), got)) in kept.into_iter().zip(&mut found).enumerate() {
            let want = bytes(dtype(case), case["expect"].as_str().expect("values"));
            accept_flushed(dtype(case), &want, got, &others, number, ulp);
            let what = format!("{} of {args:?}", case["op"]);
            let zero_sign = case["zero_sign"].as_bool() != Some(false);
            differences(&what, dtype(case), (&want, &*got), ulp, zero_sign, &mut failures);
            ran += 1;
        }
    }
    report(&failures);
    assert!(ran > 500, "only {ran} cases have a shader");
}

#[test]
fn bfloat16_agrees_with_the_cpu() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let edges = [
        0, 1, 0x7f, 0x80, 0x3f80, 0x3f81, 0x4049, 0x42f7, 0x4300, 0x7f7f, 0x7f80, 0x7fc0,
    ];
    let words: Vec<u16> = edges
        .iter()
        .flat_map(|&e: &u16| [e, e | 0x8000])
        .chain((0..200).map(|i| (i * 327) as u16))
        .collect();
    let first: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let second: Vec<u8> = words.iter().rev().flat_map(|w| w.to_le_bytes()).collect();
    let mut failures = Vec::new();
    for arity in [1, 2] {
        let dtypes = vec![DType::BF16; arity];
        let mut builder = Builder::new(&dtypes);
        let mut ops = Vec::new();
        for op in Op::all() {
            if let Ok(signature) = op.infer(&dtypes)
                && op.arity == arity
                && (op.wgsl)(&signature.args).is_some()
            {
                builder.op(op, &signature);
                ops.push(op);
            }
        }
        assert!(ops.len() > 10);
        let buffers = [&first[..], &second];
        let mut got = run(&gpu, &builder.program, &buffers[..arity], words.len());
        let others = flushed(&gpu, &builder.program, &buffers[..arity], words.len());
        let bindings: Vec<Binding> = (0..arity)
            .map(|buffer| Binding {
                buffer,
                access: line(words.len()),
            })
            .collect();
        let want = reference::evaluate(&Task {
            program: &builder.program,
            shape: &[words.len()],
            origin: &[0],
            buffers: &buffers[..arity],
            bindings: &bindings,
            labels: None,
        });
        for (number, (((want, got), op), output)) in want
            .iter()
            .zip(&mut got)
            .zip(ops)
            .zip(&builder.program.outputs)
            .enumerate()
        {
            let Expected::Store(want) = want else { continue };
            let dtype = builder.program.insts[output.value()].dtype;
            let ulp = if op.ulp.gpu == 0.0 { 0.0 } else { 1.0 };
            accept_flushed(dtype, want, got, &others, number, ulp);
            differences(op.name, dtype, (want, &*got), ulp, false, &mut failures);
        }
    }
    report(&failures);
}

#[test]
fn every_cast_agrees_with_the_cpu() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let mut failures = Vec::new();
    for from in DType::real() {
        let mut data = Vec::new();
        for k in 0..160u64 {
            let x = (k as f64 - 80.0) * 1.37f64.powi((k % 70) as i32);
            let special = [
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                2147483648.0,
                -9.3e18,
                1.9e19,
            ];
            let x = special.get(k as usize).copied().unwrap_or(x);
            match from {
                DType::Bool => data.push((k & 1) as u8),
                DType::F16 => data.extend(tilewise::f16::from_f64(x).to_le_bytes()),
                DType::BF16 => data.extend(tilewise::bf16::from_f64(x).to_le_bytes()),
                DType::F32 => data.extend((x as f32).to_le_bytes()),
                DType::F64 => data.extend(x.to_le_bytes()),
                _ => {
                    let word = k.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k as u32);
                    data.extend(&word.to_le_bytes()[..from.size()]);
                }
            }
        }
        let len = data.len() / from.size();
        let mut builder = Builder::new(&[from]);
        DType::real().for_each(|to| builder.cast(to));
        let got = run(&gpu, &builder.program, &[&data], len);
        let binding = Binding {
            buffer: 0,
            access: line(len),
        };
        let want = reference::evaluate(&Task {
            program: &builder.program,
            shape: &[len],
            origin: &[0],
            buffers: &[&data],
            bindings: &[binding],
            labels: None,
        });
        for ((want, got), to) in want.iter().zip(&got).zip(DType::real()) {
            let Expected::Store(want) = want else { continue };
            differences(
                &format!("{from} to {to}"),
                to,
                (want, got),
                0.0,
                true,
                &mut failures,
            );
        }
    }
    report(&failures);
}
