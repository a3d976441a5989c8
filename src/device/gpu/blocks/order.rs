//! Sorted elements and their indices, along any axis.

use super::super::Gpu;
use super::super::launch::{Launch, Need};
use super::super::template;
use super::order_keys::{Keys, out};
use super::order_lanes::{Lanes, PARAMETER_BYTES, dispatch, loading, parameters};
use super::order_sort::{Sort, TILE, passes, rows};
use crate::device::{BlockTask, OutMut};
use crate::expr::order::Order;
use crate::{DType, Result};

/// Workgroup memory of the largest kernel: records of 12 bytes, sums and starts of `sort_scatter.wgsl`.
const WORKGROUP_BYTES: usize = 12 * 2112 + 8 * 512 + 4 * 256;

const STORE: &str = include_str!("../../../../shaders/blocks/sort_store.wgsl");
const STORE_TURNED: &str = include_str!("../../../../shaders/blocks/sort_store_turned.wgsl");

/// Why sorting is left to the CPU.
pub(super) fn supports(gpu: &Gpu) -> Result<(), String> {
    let have = gpu
        .home
        .context
        .device
        .limits()
        .max_compute_workgroup_storage_size as usize;
    match have < WORKGROUP_BYTES {
        true => Err(format!(
            "sorting takes {WORKGROUP_BYTES} bytes of workgroup memory, of which this adapter has {have}"
        )),
        false => Ok(()),
    }
}

/// Computes a block of elements in `order` along `axis`, or of their indices. A partition is a
/// sort, which is one of its results.
pub(super) fn run(
    gpu: &Gpu,
    task: &BlockTask<'_>,
    out_to: OutMut<'_>,
    (order, indices, axis): (&Order, bool, usize),
) -> Result<()> {
    let operand = &task.operands[0];
    let lanes = Lanes::new(operand, &[axis]);
    let keys = Keys {
        dtype: operand.dtype,
        places: indices,
        ranks: indices,
        turned: matches!(order, Order::Largest(_)),
    };
    let keep = task.block.shape[axis];
    let sort = Sort {
        keys,
        lanes: lanes.count,
        len: lanes.len,
        keep,
    };
    let results = lanes.count * keep;
    let out_bytes = results * task.dtype.size();

    let mut need = Need::new(gpu);
    lanes.need(operand, &mut need);
    need.scratch(lanes.record_bytes(keys));
    sort.need(&mut need);
    need.output(&out_to, out_bytes);
    need.upload(PARAMETER_BYTES);
    need.upload(PARAMETER_BYTES);
    let mut launch = Launch::new(gpu, need)?;
    let (source, first) = lanes.bind(operand, &mut launch)?;
    let records = launch.scratch(lanes.record_bytes(keys))?;
    let room = sort.room(&mut launch)?;
    let result = launch.output(out_bytes)?;
    lanes.load(gpu, &mut launch, keys, (&source, first), &records)?;
    let (sorted, step) = sort.run(gpu, &mut launch, &records, &room)?;

    let inner: usize = task.block.shape[axis + 1..].iter().product();
    let together = out(task.dtype).1;
    let turned = inner > 1 && keep > 1 && together == 1;
    let groups = match turned {
        true => lanes.count.div_ceil(32) * keep.div_ceil(32),
        false => results.div_ceil(256 * together),
    };
    let params = parameters(&mut launch, [results, keep, inner, step])?;
    let text = storing(keys, task.dtype, turned);
    dispatch(gpu, &mut launch, &text, &[&params, sorted, &result], groups)?;
    launch.finish(vec![(result, out_to)])
}

/// The kernel that turns records into results: places, or elements of `dtype`.
fn storing(keys: Keys, dtype: DType, turned: bool) -> String {
    let (word, together) = out(dtype);
    let (bits, result) = match keys.places {
        true => (String::new(), "vec2<u32>(place_of(r), 0u)"),
        false => (keys.unloader(), "bits_of(key_of(r))"),
    };
    let result = format!("fn result(r: Record) -> Out {{\n    return {result};\n}}\n");
    let text = match turned {
        true => STORE_TURNED.to_string(),
        false => template::fill(STORE, &[("TOGETHER", &together.to_string())]),
    };
    keys.kernel(&[&word, &bits, &result, &text])
}

/// Every kernel that sorts elements of a dtype, each with whether it computes in f64.
pub(super) fn texts(dtype: DType) -> Vec<(String, bool)> {
    let mut texts = Vec::new();
    for (places, turned) in [(false, false), (false, true), (true, false), (true, true)] {
        let keys = Keys {
            dtype,
            places,
            ranks: places,
            turned,
        };
        texts.extend([2, 64, TILE].map(|length| rows(keys, length)));
        texts.extend(passes(keys));
        let to = if places { DType::I64 } else { dtype };
        for square in [false, true] {
            texts.push(loading(keys, square));
            if !square || out(to).1 == 1 {
                texts.push(storing(keys, to, square));
            }
        }
    }
    texts.into_iter().map(|text| (text, false)).collect()
}
