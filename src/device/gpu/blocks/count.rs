//! Histograms, counts of numbers, and places in sorted tables.
//!
//! Edges are f64, which not every adapter has, so each becomes the first key whose element reaches
//! it: comparing keys then is comparing elements with edges, exactly. Counts are whole numbers, which
//! add up to the same in any order; sums of weights do not, and stay on the CPU.

use super::super::Gpu;
use super::super::launch::{Launch, Need, Span};
use super::super::template;
use super::order_keys::Keys;
use super::order_lanes::{Lanes, PARAMETER_BYTES, dispatch, parameters};
use crate::device::{BlockTask, Bytes, Operand, OutMut};
use crate::{DType, Error, Result};
use tilewise_kernels::dispatch_real;
use tilewise_kernels::order::{Bins, Ordered, Side, Word};

const CLEAR: &str = include_str!("../../../../shaders/blocks/count_clear.wgsl");
const BINS: &str = include_str!("../../../../shaders/blocks/count_bins.wgsl");
const BIN_EDGES: &str = include_str!("../../../../shaders/blocks/count_bin_edges.wgsl");
const BIN_VALUES: &str = include_str!("../../../../shaders/blocks/count_bin_values.wgsl");
const PLACES: &str = include_str!("../../../../shaders/blocks/count_places.wgsl");

/// Elements that a workgroup counts.
const COUNTED: usize = 1 << 14;

/// Stands for counting up from the first key.
const UPWARD: usize = u32::MAX as usize;

/// Why counts are left to the CPU.
pub(super) fn supports(name: &str, weighted: bool) -> Result<(), String> {
    match weighted {
        true => Err(format!(
            "{name} of weights is a sum in float64, whose order a GPU does not keep"
        )),
        false => Ok(()),
    }
}

/// The first key whose element reaches `edge` in the order of numbers, with NaN behind all; with
/// `beyond` the first that passes it. None where no element does.
fn first_key<T: Ordered>(edge: f64, beyond: bool) -> Option<u64> {
    let edge = f64::rank(edge);
    let reaches = |key: u64| {
        let rank = f64::rank(T::load(T::from_key(T::Key::narrowed(key))).to_f64());
        if beyond { rank > edge } else { rank >= edge }
    };
    let (mut first, mut last) = (0, T::Key::MAX.widened());
    if !reaches(last) {
        return None;
    }
    while first < last {
        let middle = first + (last - first) / 2;
        match reaches(middle) {
            true => last = middle,
            false => first = middle + 1,
        }
    }
    Some(first)
}

/// The first keys of rising edges, as many as any element reaches.
fn first_keys(dtype: DType, edges: &[f64], beyond: bool) -> Vec<u64> {
    dispatch_real!(dtype, T => edges.iter().map_while(|&e| first_key::<T>(e, beyond)).collect())
}

/// Computes the counts of a histogram's piece.
pub(super) fn histogram(gpu: &Gpu, task: &BlockTask<'_>, out: OutMut<'_>) -> Result<()> {
    let [array, edges] = task.operands else {
        return Err(Error::Device("histogram: weights are added up on the CPU".into()));
    };
    let bins =
        Bins::new(floats(edges)?).map_err(|_| Error::Device("histogram: the edges do not rise".into()))?;
    let (count, edges) = (bins.len(), bins.edges());
    let keys = Keys::of(array.dtype);
    let mut table = first_keys(array.dtype, &edges[..count], false);
    let lower = table.len();
    table.extend(first_keys(array.dtype, &edges[count..], true));
    let words: Vec<u32> = table.iter().flat_map(|&key| keys.words(key)).collect();
    let ends = [lower, table.len() - lower];
    tally(gpu, array, (keys, BIN_EDGES, Some(&words)), (count, ends), out).map(drop)
}

/// Computes how often each number below `length` occurs in a piece.
pub(super) fn bincount(gpu: &Gpu, task: &BlockTask<'_>, out: OutMut<'_>, length: usize) -> Result<()> {
    let keys = Keys::of(DType::I64);
    let missed = tally(
        gpu,
        &task.operands[0],
        (keys, BIN_VALUES, None),
        (length, [0, 0]),
        out,
    )?;
    match missed {
        0 => Ok(()),
        n => Err(Error::Device(format!(
            "bincount: {n} numbers are not from 0 to below {length}"
        ))),
    }
}

/// Counts elements by bin; gives how many fall into none.
fn tally(
    gpu: &Gpu,
    array: &Operand<'_>,
    (keys, bin, table): (Keys, &str, Option<&[u32]>),
    (bins, ends): (usize, [usize; 2]),
    out: OutMut<'_>,
) -> Result<u32> {
    let elements = Lanes::whole(array);
    let mut need = Need::new(gpu);
    elements.need(array, &mut need);
    need.output(&out, 8 * bins);
    need.read(4);
    need.upload(4 * table.map_or(0, <[u32]>::len));
    for _ in 0..3 {
        need.upload(PARAMETER_BYTES);
    }
    let mut launch = Launch::new(gpu, need)?;
    let (source, first) = elements.bind(array, &mut launch)?;
    let counts = launch.output(8 * bins)?;
    let missed = launch.output(4)?;
    for (span, words) in [(&counts, 2 * bins), (&missed, 1)] {
        let params = parameters(&mut launch, [words])?;
        dispatch(
            gpu,
            &mut launch,
            &keys.kernel(&[CLEAR]),
            &[&params, span],
            words.div_ceil(256),
        )?;
    }
    let len = elements.len;
    let [axes, _] = elements.axes();
    let numbers = [len, bins, COUNTED, first, axes].into_iter().chain(ends);
    let params = parameters(&mut launch, numbers.chain(elements.walked()))?;
    let keyed = table.map(|words| launch.words(words)).transpose()?;
    let bound: Vec<_> = [&params, &source, &counts, &missed]
        .into_iter()
        .chain(&keyed)
        .collect();
    dispatch(
        gpu,
        &mut launch,
        &tallying(keys, bin),
        &bound,
        len.div_ceil(COUNTED),
    )?;
    let mut found = [0u32];
    let missed_out = OutMut::Store(bytemuck::cast_slice_mut(&mut found));
    launch.finish(vec![(counts, out), (missed, missed_out)])?;
    Ok(found[0])
}

/// Computes the bins of elements between rising edges, counted from the last one if `falling`.
pub(super) fn digitize(
    gpu: &Gpu,
    task: &BlockTask<'_>,
    out: OutMut<'_>,
    (edges, falling, right): (&[f64], bool, bool),
) -> Result<()> {
    let array = &task.operands[0];
    let keys = Keys::of(array.dtype);
    let table = first_keys(array.dtype, edges, right);
    let words: Vec<u32> = table.iter().flat_map(|&key| keys.words(key)).collect();
    let elements = Lanes::whole(array);
    let mut need = Need::new(gpu);
    elements.need(array, &mut need);
    need.output(&out, 8 * elements.len);
    need.upload(4 * words.len());
    need.upload(PARAMETER_BYTES);
    let mut launch = Launch::new(gpu, need)?;
    let source = elements.bind(array, &mut launch)?;
    let places = launch.output(8 * elements.len)?;
    let table_span = launch.words(&words)?;
    let from = if falling { edges.len() } else { UPWARD };
    let text = looking_up(keys, Side::Right);
    let params = looked_up(&mut launch, &elements, source.1, table.len(), from)?;
    let bound = [&params, &source.0, &table_span, &places];
    dispatch(gpu, &mut launch, &text, &bound, elements.len.div_ceil(256))?;
    launch.finish(vec![(places, out)])
}

/// Computes the places of values in a table.
pub(super) fn searchsorted(gpu: &Gpu, task: &BlockTask<'_>, out: OutMut<'_>, side: Side) -> Result<()> {
    let [table, values] = task.operands else {
        return Err(Error::Device("searchsorted: two operands are needed".into()));
    };
    let keys = Keys::ranks(values.dtype);
    let (rows, elements) = (Lanes::whole(table), Lanes::whole(values));
    let mut need = Need::new(gpu);
    rows.need(table, &mut need);
    elements.need(values, &mut need);
    need.scratch(rows.record_bytes(keys));
    need.output(&out, 8 * elements.len);
    need.upload(PARAMETER_BYTES);
    need.upload(PARAMETER_BYTES);
    let mut launch = Launch::new(gpu, need)?;
    let (unkeyed, first) = rows.bind(table, &mut launch)?;
    let source = elements.bind(values, &mut launch)?;
    let ranks = launch.scratch(rows.record_bytes(keys))?;
    let places = launch.output(8 * elements.len)?;
    if rows.len > 0 {
        rows.load(gpu, &mut launch, keys, (&unkeyed, first), &ranks)?;
    }
    let params = looked_up(&mut launch, &elements, source.1, rows.len, UPWARD)?;
    let bound = [&params, &source.0, &ranks, &places];
    let groups = elements.len.div_ceil(256);
    dispatch(gpu, &mut launch, &looking_up(keys, side), &bound, groups)?;
    launch.finish(vec![(places, out)])
}

/// The kernel that counts elements.
fn tallying(keys: Keys, bin: &str) -> String {
    keys.kernel(&[&keys.loader(), bin, BINS])
}

/// The kernel that looks elements up.
fn looking_up(keys: Keys, side: Side) -> String {
    let behind = match side {
        Side::Left => "before(table[at], key)",
        Side::Right => "!before(key, table[at])",
    };
    keys.kernel(&[&keys.loader(), &template::fill(PLACES, &[("BEHIND", behind)])])
}

/// Its parameters.
fn looked_up(
    launch: &mut Launch<'_>,
    elements: &Lanes,
    first: usize,
    table: usize,
    from: usize,
) -> Result<Span> {
    let [axes, _] = elements.axes();
    let numbers = [elements.len, table, from, first, axes];
    parameters(launch, numbers.into_iter().chain(elements.walked()))
}

/// The elements of a row of f64, here.
fn floats(row: &Operand<'_>) -> Result<Vec<f64>> {
    let mut bytes = Vec::new();
    let bytes = match row.bytes {
        Bytes::Host(bytes) => bytes,
        Bytes::Resident(tile) => {
            bytes.resize(tile.len(), 0);
            tile.download(&mut bytes)?;
            &bytes
        }
    };
    let at = |i: usize| 8 * (row.offset + i * row.strides[0]);
    Ok((0..row.region.shape[0])
        .map(|i| bytemuck::pod_read_unaligned(&bytes[at(i)..at(i) + 8]))
        .collect())
}

/// Every kernel that counts elements of a dtype or looks them up.
pub(super) fn texts(dtype: DType) -> Vec<(String, bool)> {
    let keys = Keys::of(dtype);
    let mut texts = vec![keys.kernel(&[CLEAR]), tallying(keys, BIN_EDGES)];
    if dtype == DType::I64 {
        texts.push(tallying(keys, BIN_VALUES));
    }
    for keys in [keys, Keys::ranks(dtype)] {
        texts.extend([Side::Left, Side::Right].map(|side| looking_up(keys, side)));
    }
    texts.into_iter().map(|text| (text, false)).collect()
}
