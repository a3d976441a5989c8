//! Reductions against NumPy's results, through every way of feeding a state.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tilewise::kernels::Isa;
use tilewise::kernels::reduce::{Rows, State};
use tilewise::{DType, ReduceKind, Reduction, Scalar};

/// The bytes of an oracle's words: bit patterns in hexadecimal, most significant digit first.
fn bytes(words: &str) -> Vec<u8> {
    words
        .split_whitespace()
        .flat_map(|word| {
            let bits = u64::from_str_radix(word, 16).unwrap();
            bits.to_le_bytes()[..word.len() / 2].to_vec()
        })
        .collect()
}

fn numbers(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|n| n.as_u64().unwrap() as usize).collect()
}

/// The reduction that an op of the oracle names; `None` for what a state does not do.
fn reduction(op: &str) -> Option<Reduction> {
    let (name, ddof) = match op.strip_suffix(".ddof1") {
        Some(name) => (name, 1),
        None => (op, 0),
    };
    let (name, skipna) = match name.strip_prefix("nan") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (kind, skipna) = match name {
        "count_nonzero" => return None,
        "count" => (ReduceKind::Count, true),
        _ => (ReduceKind::parse(name).unwrap(), skipna),
    };
    Some(Reduction { kind, skipna, ddof })
}

/// Elements regrouped so that each output element's are together, in C order of the reduced axes.
fn regroup(shape: &[usize], axes: &[usize], size: usize, data: &[u8]) -> (usize, usize, Vec<u8>) {
    let kept: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
    let count = |list: &[usize]| list.iter().map(|&a| shape[a]).product::<usize>();
    let (outer, inner) = (count(&kept), count(axes));
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let strides = tilewise::geometry::row_major_strides(shape);
    let mut out = Vec::new();
    for mut flat in 0..outer * inner {
        let mut from = 0;
        for &axis in order.iter().rev() {
            from += flat % shape[axis] * strides[axis];
            flat /= shape[axis];
        }
        out.extend_from_slice(&data[from * size..][..size]);
    }
    (outer, inner, out)
}

fn transpose(rows: usize, columns: usize, size: usize, data: &[u8]) -> Vec<u8> {
    let pick = |at: usize| &data[(at % rows * columns + at / rows) * size..][..size];
    (0..rows * columns).flat_map(|at| pick(at).to_vec()).collect()
}

/// The state of `outer` output elements of `inner` elements each, by each way of feeding.
fn fed(
    reduction: Reduction,
    dtype: DType,
    outer: usize,
    inner: usize,
    data: &[u8],
    isa: Isa,
) -> Vec<(&'static str, State)> {
    let new = || State::with_isa(reduction, dtype, outer, isa).unwrap();
    let count = |n: usize| (0..n).collect::<Vec<usize>>();
    let indices: Vec<i64> = (0..inner as i64).collect();

    let mut along = new();
    let starts: Vec<usize> = (0..outer).map(|row| row * inner).collect();
    along.feed_along(&Rows {
        values: data,
        starts: &starts,
        len: inner,
        cells: &count(outer),
        indices: &vec![0; outer],
        index_step: 1,
    });

    let turned = transpose(outer, inner, dtype.size(), data);
    let starts: Vec<usize> = (0..inner).map(|row| row * outer).collect();
    let rows = Rows {
        values: &turned,
        starts: &starts,
        len: outer,
        cells: &vec![0; inner],
        indices: &indices,
        index_step: 0,
    };
    let mut across = new();
    across.feed_across(&rows);

    let mut grouped = new();
    let labels: Vec<u32> = (0..outer as u32).collect();
    grouped.feed_grouped(&rows, &labels, outer, 1);

    // The halves are fed in the wrong order where indices tell the order.
    let middle = inner / 2;
    let half = |from: usize, to: usize| {
        let mut state = new();
        state.feed_across(&Rows {
            starts: &starts[from..to],
            cells: &vec![0; to - from],
            indices: &indices[from..to],
            ..rows
        });
        state
    };
    let (low, high) = (half(0, middle), half(middle, inner));
    let merged = if reduction.kind.uses_index() {
        let mut state = high;
        state.merge(&low);
        state
    } else {
        let mut state = low;
        state.merge(&high);
        state
    };
    vec![
        ("along", along),
        ("across", across),
        ("grouped", grouped),
        ("merged", merged),
    ]
}

/// Whether two results agree: bits, any NaN for a NaN, any zero for a zero, and for floats some
/// units in the last place or `slack`.
fn agree(dtype: DType, got: &[u8], want: &[u8], units: u64, slack: f64) -> bool {
    let near = |a: i64, b: i64| a.abs_diff(b) <= units;
    match dtype {
        DType::F32 => {
            let (a, b): (f32, f32) = (
                bytemuck::pod_read_unaligned(got),
                bytemuck::pod_read_unaligned(want),
            );
            a == b || (a.is_nan() && b.is_nan()) || near(i64::from(a.to_bits()), i64::from(b.to_bits()))
        }
        DType::F64 => {
            let (a, b): (f64, f64) = (
                bytemuck::pod_read_unaligned(got),
                bytemuck::pod_read_unaligned(want),
            );
            let close = near(a.to_bits() as i64, b.to_bits() as i64) || (a - b).abs() <= slack;
            a == b || (a.is_nan() && b.is_nan()) || close
        }
        _ => got == want,
    }
}

/// The largest magnitude of the elements.
fn largest(dtype: DType, data: &[u8]) -> f64 {
    data.chunks(dtype.size())
        .map(|bytes| Scalar::from_bytes(dtype, bytes).to_f64().abs())
        .fold(0.0, f64::max)
}

#[test]
fn reductions_are_numpys() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/reductions.json");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let isas: Vec<Isa> = [Isa::Baseline, Isa::Avx2, Isa::Avx512]
        .into_iter()
        .filter(|isa| isa.available())
        .collect();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for case in whole["cases"].as_array().unwrap() {
        let name = case["array"].as_str().unwrap();
        let array = &whole["arrays"][name];
        let dtype = DType::parse(array["dtype"].as_str().unwrap()).unwrap();
        let shape = numbers(&array["shape"]);
        let axes = numbers(&case["axes"]);
        let data = bytes(array["values"].as_str().unwrap());
        let (outer, inner, data) = regroup(&shape, &axes, dtype.size(), &data);
        for (op, result) in case["results"].as_object().unwrap() {
            let (Some(reduction), Some(words)) = (reduction(op), result["values"].as_str()) else {
                continue;
            };
            let want = bytes(words);
            let result = reduction.result(dtype);
            assert_eq!(Some(result.name()), case["results"][op]["dtype"].as_str(), "{op}");
            // Where f64 is the accumulator too, a variance is as good as the order it was added in
            // and a product loses up to half a unit per factor.
            // NumPy's results for integers are rounded on the way and cancel: a few units of the
            // largest element are all they hold.
            let units = match (reduction.kind, result) {
                (ReduceKind::Var | ReduceKind::Std, DType::F64) => 6,
                (ReduceKind::Prod, DType::F64) => 1 + inner as u64 / 2,
                _ => 1,
            };
            let slack = match dtype.is_float() {
                true => 0.0,
                false => 4.0 * f64::EPSILON * largest(dtype, &data),
            };
            for &isa in &isas {
                for (way, state) in fed(reduction, dtype, outer, inner, &data, isa) {
                    let mut got = vec![0; outer * result.size()];
                    state.finish(&mut got, 0..outer);
                    let size = result.size();
                    let same = got.len() == want.len()
                        && (got.chunks(size).zip(want.chunks(size)))
                            .all(|(g, w)| agree(result, g, w, units, slack));
                    checked += 1;
                    if !same {
                        wrong.push(format!(
                            "{op} of {name} over {axes:?}, {way}, {isa:?}: {:x?} is not {:x?}",
                            &got[..got.len().min(16)],
                            &want[..want.len().min(16)]
                        ));
                    }
                }
            }
        }
    }
    assert!(checked > 4000, "only {checked} results were checked");
    assert!(
        wrong.is_empty(),
        "{} of {checked} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}
