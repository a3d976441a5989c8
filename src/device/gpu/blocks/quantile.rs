//! Quantiles over one axis or several.
//!
//! Short lanes are sorted; of longer ones the few records that quantiles are made of are selected,
//! unless there are too many of these. Places and weights are computed here, as on the CPU, for each
//! number of numbers that lanes have; only the blending is left to the device.

use super::super::Gpu;
use super::super::launch::{Launch, Need};
use super::super::template;
use super::order;
use super::order_keys::{Keys, out};
use super::order_lanes::{Lanes, PARAMETER_BYTES, dispatch, parameters};
use super::order_sort::{Sort, TILE};
use super::quantile_select::{MOST, Selection, passes};
use crate::device::{BlockTask, Operand, OutMut};
use crate::{DType, Result};
use half::{bf16, f16};
use tilewise_kernels::order::{Blend, Place, QuantileRule};

const COUNT: &str = include_str!("../../../../shaders/blocks/select_count.wgsl");
const QUANTILE: &str = include_str!("../../../../shaders/blocks/select_quantile.wgsl");
const PICK: &str = include_str!("../../../../shaders/blocks/select_pick.wgsl");
const BLEND_F32: &str = include_str!("../../../../shaders/blocks/select_blend_f32.wgsl");
const BLEND_F64: &str = include_str!("../../../../shaders/blocks/select_blend_f64.wgsl");

/// Words of a place in `select_quantile.wgsl`.
const PLACE_WORDS: usize = 5;

/// The most places of a table that has them for each number of numbers in a lane.
const MOST_PLACES: usize = 1 << 20;

/// Stands for no record.
const NONE: u32 = u32::MAX;

/// Which places a lane's quantiles have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sets {
    /// All lanes the same.
    One = 0,
    /// Those for the number of its numbers.
    ByNumber = 1,
    /// Those of its own.
    ByLane = 2,
}

/// Why quantiles of lanes of `len` elements are left to the CPU.
pub(super) fn supports(
    gpu: &Gpu,
    dtype: DType,
    (rule, skipna, len): (&QuantileRule, bool, usize),
) -> Result<(), String> {
    order::supports(gpu)?;
    if rule.result(dtype) == DType::F64 && !rule.picks() && !gpu.abilities.f64 {
        return Err(format!(
            "quantiles of {dtype} are blended in float64, which this adapter lacks"
        ));
    }
    if skipna && dtype.is_float() && len <= TILE && (len + 1) * rule.count() > MOST_PLACES {
        return Err(format!(
            "{} quantiles of any number of elements up to {len} are more than {MOST_PLACES} places",
            rule.count()
        ));
    }
    Ok(())
}

/// Computes a block of quantiles over rising `axes`.
pub(super) fn run(
    gpu: &Gpu,
    task: &BlockTask<'_>,
    out_to: OutMut<'_>,
    (rule, skipna, axes): (&QuantileRule, bool, &[usize]),
) -> Result<()> {
    let operand = &task.operands[0];
    let (lanes, keys) = (Lanes::new(operand, axes), Keys::of(operand.dtype));
    let (count, float) = (rule.count(), operand.dtype.is_float());
    let sets = match float && skipna {
        false => Sets::One,
        true if lanes.len <= TILE => Sets::ByNumber,
        true => Sets::ByLane,
    };
    let of_numbers: Vec<u32> = match sets {
        Sets::One => vec![lanes.len as u32],
        Sets::ByNumber => (0..=lanes.len as u32).collect(),
        Sets::ByLane => numbers(gpu, operand, &lanes, keys)?,
    };
    // The two records of each quantile, and the last one, which is NaN where one is.
    let spoiled = float && !skipna;
    let selection = Selection {
        keys,
        lanes: lanes.count,
        len: lanes.len,
        count: 2 * count + usize::from(spoiled),
    };
    let sort = Sort {
        keys,
        lanes: lanes.count,
        len: lanes.len,
        keep: lanes.len,
    };
    let select = lanes.len > TILE && selection.count <= MOST;
    let out_bytes = lanes.count * count * task.dtype.size();

    let mut need = Need::new(gpu);
    lanes.need(operand, &mut need);
    need.scratch(lanes.record_bytes(keys));
    match select {
        true => selection.need(&mut need),
        false => sort.need(&mut need),
    }
    need.upload(4 * PLACE_WORDS * of_numbers.len() * count);
    need.output(&out_to, out_bytes);
    for _ in 0..3 {
        need.upload(PARAMETER_BYTES);
    }
    let mut launch = Launch::new(gpu, need)?;
    let (source, first) = lanes.bind(operand, &mut launch)?;
    let records = launch.scratch(lanes.record_bytes(keys))?;
    let result = launch.output(out_bytes)?;
    lanes.load(gpu, &mut launch, keys, (&source, first), &records)?;

    let places: Vec<Vec<Place>> = of_numbers
        .iter()
        .map(|&n| {
            if n == 0 {
                Vec::new()
            } else {
                rule.places(n as usize)
            }
        })
        .collect();
    let last = lanes.len as u32 - 1;
    let found;
    let room;
    let (records, step, keys, last) = if select {
        let sought: Vec<u32> = (0..lanes.count)
            .flat_map(|lane| sought(&places[lane % places.len()], count, spoiled.then_some(last)))
            .collect();
        found = selection.run(gpu, &mut launch, &records, &sought)?;
        (&found, selection.count, selection.found(), 2 * count as u32)
    } else {
        room = sort.room(&mut launch)?;
        let (sorted, step) = sort.run(gpu, &mut launch, &records, &room)?;
        (sorted, step, keys, last)
    };
    let table: Vec<u32> = places
        .iter()
        .flat_map(|p| table(p, count, operand.dtype, select))
        .collect();
    let table = launch.words(&table)?;
    let inner = task.block.shape[axes[0] + 1..].iter().product();
    let last = if spoiled { last } else { NONE } as usize;
    let params = parameters(
        &mut launch,
        [lanes.count * count, count, inner, step, sets as usize, last],
    )?;
    let (text, together) = (blending(keys, rule.picks(), task.dtype), out(task.dtype).1);
    let groups = (lanes.count * count).div_ceil(256 * together);
    dispatch(
        gpu,
        &mut launch,
        &text,
        &[&params, records, &table, &result],
        groups,
    )?;
    launch.finish(vec![(result, out_to)])
}

/// How many records of each lane are numbers.
fn numbers(gpu: &Gpu, operand: &Operand<'_>, lanes: &Lanes, keys: Keys) -> Result<Vec<u32>> {
    let mut need = Need::new(gpu);
    lanes.need(operand, &mut need);
    need.scratch(lanes.record_bytes(keys));
    need.read(4 * lanes.count);
    need.upload(PARAMETER_BYTES);
    need.upload(PARAMETER_BYTES);
    let mut launch = Launch::new(gpu, need)?;
    let (source, first) = lanes.bind(operand, &mut launch)?;
    let records = launch.scratch(lanes.record_bytes(keys))?;
    let counts = launch.output(4 * lanes.count)?;
    lanes.load(gpu, &mut launch, keys, (&source, first), &records)?;
    let params = parameters(&mut launch, [lanes.count, lanes.len])?;
    dispatch(
        gpu,
        &mut launch,
        &counting(keys),
        &[&params, &records, &counts],
        lanes.count,
    )?;
    let mut numbers = vec![0u32; lanes.count];
    launch.finish(vec![(
        counts,
        OutMut::Store(bytemuck::cast_slice_mut(&mut numbers)),
    )])?;
    Ok(numbers)
}

/// The places of the records that a lane's quantiles need; any where it has no number.
fn sought(places: &[Place], count: usize, last: Option<u32>) -> Vec<u32> {
    let mut sought: Vec<u32> = places
        .iter()
        .flat_map(|p| [p.low as u32, p.high as u32])
        .collect();
    sought.resize(2 * count, 0);
    sought.extend(last);
    sought
}

/// A set of places as words; `selected` records stand in the order of their quantiles.
fn table(places: &[Place], count: usize, dtype: DType, selected: bool) -> Vec<u32> {
    if places.is_empty() {
        return vec![NONE; PLACE_WORDS * count];
    }
    let words = |(q, place): (usize, &Place)| {
        let [low, high] = match selected {
            true => [2 * q, 2 * q + 1],
            false => [place.low, place.high],
        };
        let (kind, weight) = match place.blend {
            Blend::Low | Blend::Middle => (2, 0.0),
            Blend::Weight(weight) if weight < 0.5 => (0, weight),
            Blend::Weight(weight) => (1, 1.0 - weight),
        };
        let bits = match dtype {
            DType::F16 => u64::from(f16::from_f64(weight).to_f32().to_bits()),
            DType::BF16 => u64::from(bf16::from_f64(weight).to_f32().to_bits()),
            DType::F32 => u64::from((weight as f32).to_bits()),
            _ => weight.to_bits(),
        };
        [low as u32, high as u32, kind, bits as u32, (bits >> 32) as u32]
    };
    places.iter().enumerate().flat_map(words).collect()
}

/// The kernel that counts numbers.
fn counting(keys: Keys) -> String {
    keys.kernel(&[&keys.nan_test(), COUNT])
}

/// The kernel that makes quantiles of records.
fn blending(keys: Keys, picks: bool, dtype: DType) -> String {
    let (word, together) = out(dtype);
    let nan = match dtype {
        DType::F16 => "0x7e00u",
        DType::BF16 => "0x7fc0u",
        DType::F32 => "0x7fc00000u",
        DType::F64 => "vec2<u32>(0u, 0x7ff80000u)",
        _ => "Out()",
    };
    let missing = format!("fn missing() -> Out {{\n    return {nan};\n}}\n");
    let blend = match picks {
        true => PICK.to_string(),
        false => blend(keys.dtype),
    };
    let text = template::fill(QUANTILE, &[("TOGETHER", &together.to_string())]);
    let parts = [&word, &keys.unloader(), &keys.nan_test(), &missing, &blend, &text];
    keys.kernel(&parts.map(String::as_str))
}

/// What makes a quantile of two elements.
fn blend(dtype: DType) -> String {
    let float = |element, rounded, bits| {
        template::fill(
            BLEND_F32,
            &[("ELEMENT", element), ("ROUNDED", rounded), ("BITS", bits)],
        )
    };
    let wide = |element, step| template::fill(BLEND_F64, &[("ELEMENT", element), ("STEP", step)]);
    let narrow = "f64(high - low)";
    match dtype {
        DType::F32 => float("bitcast<f32>(bits)", "x", "bitcast<u32>(quantile)"),
        DType::F16 => float("tw_f16_load(bits)", "tw_f16_round(x)", "tw_f16_store(quantile)"),
        DType::BF16 => float(
            "bitcast<f32>(bits << 16u)",
            "tw_bf16_round(x)",
            "tw_bf16_store(quantile)",
        ),
        DType::F64 => wide("bitcast<f64>(whole(bits))", "y - x"),
        DType::I64 => wide("f64(bitcast<i64>(whole(bits)))", "f64(whole(high) - whole(low))"),
        DType::U64 => wide("f64(whole(bits))", "f64(whole(high) - whole(low))"),
        DType::I8 => wide("f64(i32(bits << 24u) >> 24u)", narrow),
        DType::I16 => wide("f64(i32(bits << 16u) >> 16u)", narrow),
        DType::I32 => wide("f64(bitcast<i32>(bits))", narrow),
        DType::Bool | DType::U8 | DType::U16 | DType::U32 => wide("f64(bits)", narrow),
        DType::C64 | DType::C128 => DType::complex_is_refused(),
    }
}

/// Every kernel that makes quantiles of a dtype, each with whether it computes in f64.
pub(super) fn texts(dtype: DType) -> Vec<(String, bool)> {
    let mut texts = vec![(counting(Keys::of(dtype)), false)];
    texts.extend(passes(Keys::of(dtype)).map(|text| (text, false)));
    let blended = if dtype.is_float() { dtype } else { DType::F64 };
    for places in [false, true] {
        let keys = Keys {
            places,
            ..Keys::of(dtype)
        };
        texts.push((blending(keys, true, dtype), false));
        texts.push((blending(keys, false, blended), blended == DType::F64));
    }
    texts
}
