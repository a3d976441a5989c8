//! Reductions on the GPU against NumPy's results: special values, wrapping integers, empty arrays.

#[path = "common/compare.rs"]
mod compare;
#[path = "common/gpu.rs"]
mod gpu;
#[path = "common/reference.rs"]
mod reference;

use serde_json::Value;
use tilewise::device::gpu::Options;
use tilewise::device::{Binding, Device, Task};
use tilewise::geometry::{Access, AxisStep, row_major_strides};
use tilewise::plan::program::{Action, AxisRole, Inst, Output, Program};
use tilewise::{DType, ReduceKind, Reduction, Scalar};

fn dtype(value: &Value) -> DType {
    value["dtype"].as_str().and_then(DType::parse).expect("a dtype")
}

fn numbers(value: &Value) -> Vec<usize> {
    let list = value.as_array().expect("a list").iter();
    list.map(|n| n.as_u64().expect("a number") as usize).collect()
}

/// The bytes of an oracle's words.
fn bytes(value: &Value) -> Vec<u8> {
    let words = value["values"].as_str().expect("values").split_whitespace();
    words
        .flat_map(|word| {
            let bits = u64::from_str_radix(word, 16).expect("hexadecimal words");
            bits.to_le_bytes()[..word.len() / 2].to_vec()
        })
        .collect()
}

/// The reduction that an op of the oracle names; `None` for what a state does not do.
fn reduction(op: &str) -> Option<Reduction> {
    let (name, ddof) = op.strip_suffix(".ddof1").map_or((op, 0), |name| (name, 1));
    let (name, skipna) = name
        .strip_prefix("nan")
        .map_or((name, false), |name| (name, true));
    let (kind, skipna) = match name {
        "count_nonzero" => return None,
        "count" => (ReduceKind::Count, true),
        _ => (ReduceKind::parse(name)?, skipna),
    };
    Some(Reduction { kind, skipna, ddof })
}

#[test]
fn reductions_agree_with_numpy() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/reductions.json");
    let oracle: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the oracle")).expect("JSON");
    let (mut ran, mut failures) = (0, Vec::new());
    for case in oracle["cases"].as_array().expect("cases") {
        let array = &oracle["arrays"][case["array"].as_str().expect("an array")];
        let (of, shape, axes) = (dtype(array), numbers(&array["shape"]), numbers(&case["axes"]));
        // One axis kept inside, one kept outside, and none; the CPU's test walks every set.
        if shape.len() == 3 && ![vec![0], vec![1, 2], vec![0, 1, 2]].contains(&axes) {
            continue;
        }
        let role = |axis: usize| match axes.contains(&axis) {
            true => AxisRole::Reduce,
            false => AxisRole::Keep,
        };
        let roles: Vec<AxisRole> = (0..shape.len()).map(role).collect();
        // Indices count the reduced axes in C order.
        let reduced: Vec<usize> = axes.iter().map(|&a| shape[a]).collect();
        let mut index_steps = vec![0; shape.len()];
        for (&axis, stride) in axes.iter().zip(row_major_strides(&reduced)) {
            index_steps[axis] = stride as i64;
        }
        let (mut outputs, mut wanted) = (Vec::new(), Vec::new());
        for (op, result) in case["results"].as_object().expect("results") {
            if let (Some(reduction), false) = (reduction(op), result["error"].is_string()) {
                outputs.push(Output::Reduce {
                    value: 0,
                    reduction,
                    roles: roles.clone(),
                    index_steps: index_steps.clone(),
                });
                wanted.push((op, result));
            }
        }
        let program = Program {
            rank: shape.len(),
            inputs: vec![of],
            insts: vec![Inst {
                action: Action::Load(0),
                args: vec![],
                dtype: of,
            }],
            outputs,
        };
        if let Err(why) = gpu.supports(&program) {
            assert!(why.contains("64-bit"), "{why}");
            continue;
        }
        let data = bytes(array);
        let steps = row_major_strides(&shape).into_iter();
        let task = Task {
            program: &program,
            shape: &shape,
            origin: &vec![0; shape.len()],
            buffers: &[&data],
            bindings: &[Binding {
                buffer: 0,
                access: Access {
                    offset: 0,
                    steps: steps.map(|k| AxisStep::Step(k as isize)).collect(),
                },
            }],
            labels: None,
        };
        let found = reference::run(&gpu, &task).expect("a run");
        for (number, ((op, result), found)) in wanted.iter().zip(&found).enumerate() {
            let (got_dtype, got) = reference::elements(&task, number, found);
            let (want_dtype, want) = (dtype(result), bytes(result));
            assert_eq!((got_dtype, got.len()), (want_dtype, want.len()), "{op} of {of}");
            // Products and variances round in f64 at every step.
            let allowed = if want_dtype == DType::F64 { 64.0 } else { 1.0 };
            let size = want_dtype.size();
            for (w, g) in want.chunks(size).zip(got.chunks(size)) {
                let (w, g) = (
                    Scalar::from_bytes(want_dtype, w),
                    Scalar::from_bytes(want_dtype, g),
                );
                if compare::distance(want_dtype, w, g) > allowed {
                    failures.push(format!(
                        "{op} of {} along {axes:?}: {g:?}, not {w:?}",
                        case["array"]
                    ));
                }
            }
            ran += 1;
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(ran > 100, "only {ran} results");
}
