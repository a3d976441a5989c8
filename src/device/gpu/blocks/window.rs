//! Windows that move along an axis: each invocation gathers the elements of its own.
//!
//! A short window is gathered element by element, in the order in which the CPU's loops take them
//! in. A long one is gathered from the states of blocks of 16 elements, of 16 such blocks and so on,
//! which lie where multiples of their size lie on the axis, so that results do not depend on how the
//! axis is cut. Nothing is ever taken out of a state: no error drifts, infinities leave.

use super::columns::{Columns, check, loaded, register, stored_as};
use crate::device::gpu::expression::{Abilities, stored};
use crate::device::gpu::launch::{Launch, Need};
use crate::device::gpu::template::fill;
use crate::device::gpu::{Gpu, library};
use crate::device::{BlockTask, OutMut};
use crate::{DType, Error, Result};
use tilewise_kernels::window::{Window, WindowKind};
use tilewise_kernels::{Kind, cast_wgsl};

/// The longest window that is gathered element by element.
const SHORT: usize = 48;
/// Elements or blocks of a block.
const RADIX: usize = 16;

/// Why a window over `dtype` has no exact kernel on this adapter.
///
/// # Errors
/// Names the window, the dtype and what is lacking.
pub(super) fn supports(gpu: &Gpu, window: &Window, dtype: DType) -> std::result::Result<(), String> {
    let Abilities { f64, i64 } = gpu.abilities;
    let extreme = matches!(window.kind, WindowKind::Min | WindowKind::Max);
    let lacks = match dtype {
        DType::I64 | DType::U64 if !i64 => Some("64-bit integers"),
        _ if (!extreme || window.result(dtype) == DType::F64) && !f64 => Some("64-bit floats"),
        _ => None,
    };
    lacks.map_or(Ok(()), |what| {
        Err(format!(
            "a rolling {} of {dtype} needs {what} in shaders, which this adapter lacks",
            window.kind.name()
        ))
    })
}

/// Gathers the windows of a block.
///
/// # Errors
/// When the device fails.
pub(super) fn run(
    gpu: &Gpu,
    window: &Window,
    axis: usize,
    task: &BlockTask<'_>,
    out: OutMut<'_>,
) -> Result<()> {
    check(task)?;
    let operand = &task.operands[0];
    let columns = Columns::new(operand, axis);
    let size = task.dtype.size();
    let per = 4 / size.min(4);
    let count = task.block.shape[axis];
    let points = columns.count * count;
    let first = operand.region.start[axis];
    let end = task.block.start[axis] + window.ahead;
    let levels = Levels::new(window.len, columns.len, first);
    let texts = Texts::new(window, operand.dtype, task.dtype, per);
    let parameters = columns.parameters(&[
        points,
        count,
        end - first,
        end % window.len,
        window.len,
        window.least,
        levels.shift,
        window.ddof as usize,
    ]);
    let state = texts.state_bytes();

    let mut need = Need::new(gpu);
    need.operand(&operand.bytes, columns.range.len());
    need.upload(4 * parameters.len());
    if levels.count() > 0 {
        need.scratch(levels.blocks * columns.count * state);
        need.upload(4 * (levels.count() + 1));
        (0..levels.count()).for_each(|_| need.upload(4 * columns.parameters(&[0; 4]).len()));
    }
    need.output(&out, points * size);
    if levels.blocks * columns.count >= 1 << 31 {
        return Err(Error::Device(format!(
            "{}: a block of too many columns",
            task.op.name()
        )));
    }

    let mut launch = Launch::new(gpu, need)?;
    let compiled = |text: &str| gpu.pipelines.text(&gpu.home.context, text);
    let elements = launch.operand(operand.bytes, columns.range.clone())?;
    let p = launch.words(&parameters)?;
    let result = launch.output(points * size)?;
    let groups = points.div_ceil(per).div_ceil(64) as u32;
    if levels.count() == 0 {
        launch.dispatch(&compiled(&texts.short())?, &[&p, &elements, &result], groups)?;
    } else {
        let blocks = launch.scratch(levels.blocks * columns.count * state)?;
        for level in 0..levels.count() {
            let (start, number) = levels.at[level];
            let below = match level {
                0 => (levels.shift, 0),
                _ => levels.at[level - 1],
            };
            let invocations = number * columns.count;
            let p = launch.words(&columns.parameters(&[invocations, start, below.0, below.1]))?;
            let pipeline = compiled(&texts.blocks(level == 0))?;
            let groups = invocations.div_ceil(64) as u32;
            launch.dispatch(&pipeline, &[&p, &elements, &blocks], groups)?;
        }
        let table = launch.words(&levels.table())?;
        let pipeline = compiled(&texts.long())?;
        launch.dispatch(&pipeline, &[&p, &elements, &result, &blocks, &table], groups)?;
    }
    launch.finish(vec![(result, out)])
}

/// The blocks that long windows are gathered from.
struct Levels {
    /// Where the blocks of each level begin among all of a column, and how many they are.
    at: Vec<(usize, usize)>,
    /// Blocks of all levels.
    blocks: usize,
    /// Where the part of the operand begins in a block of the highest level.
    shift: usize,
}

impl Levels {
    /// For windows of `len` over `rows` from the index `first` of the axis on.
    fn new(len: usize, rows: usize, first: usize) -> Levels {
        let mut this = Levels {
            at: Vec::new(),
            blocks: 0,
            shift: 0,
        };
        // More levels than the longest window there can be do not help.
        let longest = len.min(rows);
        if len <= SHORT || longest < RADIX {
            return this;
        }
        let levels = longest.ilog(RADIX);
        this.shift = first % RADIX.pow(levels);
        let mut number = rows + this.shift;
        for _ in 0..levels {
            number = number.div_ceil(RADIX);
            this.at.push((this.blocks, number));
            this.blocks += number;
        }
        this
    }

    fn count(&self) -> usize {
        self.at.len()
    }

    /// How many levels there are, and where each begins.
    fn table(&self) -> Vec<u32> {
        let starts = self.at.iter().map(|(start, _)| *start as u32);
        std::iter::once(self.count() as u32).chain(starts).collect()
    }
}

/// The kernels of a window.
struct Texts {
    values: Vec<(&'static str, String)>,
    kind: WindowKind,
    dtype: DType,
}

impl Texts {
    fn new(window: &Window, dtype: DType, result: DType, per: usize) -> Texts {
        let (mean, root) = (window.kind == WindowKind::Mean, window.kind == WindowKind::Std);
        let max = window.kind == WindowKind::Max;
        // As on the CPU: elements of f32 are worth a product with the reciprocal, f64 a quotient.
        let single = dtype == DType::F32;
        let extreme = matches!(window.kind, WindowKind::Min | WindowKind::Max);
        let value = match window.kind {
            WindowKind::Sum => "state.sum",
            _ if mean && single => "state.sum * (1.0lf / n)",
            _ if mean => "state.sum / n",
            _ if single => "state.squares * (1.0lf / n)",
            _ => "state.squares / n",
        };
        let from = if extreme { dtype } else { DType::F64 };
        let cast = match (from, result) {
            (DType::Bool, _) => "f64($0)".to_string(),
            _ => cast_wgsl(from, result).unwrap_or_default(),
        };
        let bits = stored(result, "y");
        let joined = if per == 1 {
            bits
        } else {
            format!("word | ({bits} << ({}u * k))", 32 / per)
        };
        let (missing, nan) = match (dtype.is_float(), dtype, result) {
            (true, DType::F64, _) => ("tw_is_nan_f64(x)", NAN_F64),
            (true, ..) if result == DType::F64 => ("tw_is_nan(x)", NAN_F64),
            (true, ..) => ("tw_is_nan(x)", "tw_nan()"),
            (false, ..) => ("false", NAN_F64),
        };
        let values = vec![
            ("X", register(dtype).to_string()),
            ("Y", register(result).to_string()),
            ("WORD", stored_as(dtype).to_string()),
            ("LOAD", loaded(dtype)),
            ("STORED", stored_as(result).to_string()),
            ("JOINED", joined),
            ("PER", per.to_string()),
            ("MISSING", missing.to_string()),
            ("NAN", nan.to_string()),
            ("VALUE", value.to_string()),
            (
                "ROOT",
                if root { "sqrt(variance)" } else { "variance" }.to_string(),
            ),
            ("RESULT", cast.replace("$0", "value")),
            ("BEATS", beats(dtype, max)),
            ("NOTHING", worst(dtype, max)),
        ];
        Texts {
            values,
            kind: window.kind,
            dtype,
        }
    }

    /// Bytes of a state in a buffer.
    fn state_bytes(&self) -> usize {
        match self.kind {
            WindowKind::Var | WindowKind::Std => 24,
            WindowKind::Mean | WindowKind::Sum => 16,
            WindowKind::Min | WindowKind::Max => 2 * self.dtype.size().max(4),
            WindowKind::Count => 4,
        }
    }

    fn state(&self) -> &'static str {
        match self.kind {
            WindowKind::Mean | WindowKind::Sum => include_str!("../../../../shaders/blocks/window_sum.wgsl"),
            WindowKind::Var | WindowKind::Std => {
                include_str!("../../../../shaders/blocks/window_spread.wgsl")
            }
            WindowKind::Min | WindowKind::Max => {
                include_str!("../../../../shaders/blocks/window_extreme.wgsl")
            }
            WindowKind::Count => include_str!("../../../../shaders/blocks/window_count.wgsl"),
        }
    }

    fn filled(&self, parts: &[&str], more: &[(&str, &str)]) -> String {
        let values: Vec<(&str, &str)> = self.values.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let columns = include_str!("../../../../shaders/blocks/columns.wgsl");
        let text = [&[columns, self.state()], parts].concat().join("\n");
        let text = fill(&text, &[&values, more].concat());
        format!("{}\n{text}", library::needed_by(&text))
    }

    fn short(&self) -> String {
        let output = include_str!("../../../../shaders/blocks/window_output.wgsl");
        let body = include_str!("../../../../shaders/blocks/window_short.wgsl");
        self.filled(&[output, body], &[])
    }

    fn long(&self) -> String {
        let output = include_str!("../../../../shaders/blocks/window_output.wgsl");
        let body = include_str!("../../../../shaders/blocks/window_long.wgsl");
        self.filled(&[output, body], &[])
    }

    /// The blocks of the lowest level, or of another.
    fn blocks(&self, lowest: bool) -> String {
        let body = include_str!("../../../../shaders/blocks/window_blocks.wgsl");
        self.filled(&[body], &[("ELEMENTS", if lowest { "true" } else { "false" })])
    }
}

const NAN_F64: &str = "bitcast<f64>(0x7ff8000000000000lu ^ u64(tw_zero))";

/// Whether `x` takes the place of `best`; neither is NaN.
fn beats(dtype: DType, max: bool) -> String {
    match (dtype, max) {
        (DType::F64, true) => "tw_f64_less_than(best, x)".into(),
        (DType::F64, false) => "tw_f64_less_than(x, best)".into(),
        (_, true) => "best < x".into(),
        (_, false) => "x < best".into(),
    }
}

/// What every element beats, or equals.
fn worst(dtype: DType, max: bool) -> String {
    match (register(dtype), dtype.kind(), max) {
        ("f64", _, true) => "bitcast<f64>(0xfff0000000000000lu ^ u64(tw_zero))".into(),
        ("f64", ..) => "bitcast<f64>(0x7ff0000000000000lu ^ u64(tw_zero))".into(),
        ("f32", _, true) => "tw_negate(tw_inf())".into(),
        ("f32", ..) => "tw_inf()".into(),
        ("i32", _, true) => "bitcast<i32>(0x80000000u)".into(),
        ("i32", ..) => "0x7fffffffi".into(),
        ("i64", _, true) => "bitcast<i64>(0x8000000000000000lu)".into(),
        ("i64", ..) => "0x7fffffffffffffffli".into(),
        ("u64", Kind::Unsigned, false) => "0xfffffffffffffffflu".into(),
        ("u32", _, false) => "0xffffffffu".into(),
        ("u64", ..) => "0lu".into(),
        _ => "0u".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::valid::validate;
    use super::*;

    #[test]
    fn every_kernel_is_valid() {
        for (dtype, kind) in DType::real().flat_map(|d| WindowKind::ALL.map(|(k, _)| (d, k))) {
            let window = Window::new(kind, 5, 1, false);
            let result = window.result(dtype);
            let texts = Texts::new(&window, dtype, result, 4 / result.size().min(4));
            let wide = dtype.size() == 8 || result == DType::F64;
            let wide = wide || !matches!(kind, WindowKind::Min | WindowKind::Max);
            for text in [
                texts.short(),
                texts.long(),
                texts.blocks(true),
                texts.blocks(false),
            ] {
                validate(&text, wide);
            }
        }
    }

    #[test]
    fn levels_lie_where_multiples_of_their_size_do() {
        let levels = Levels::new(300, 1000, 70_001);
        assert_eq!((levels.count(), levels.shift), (2, 70_001 % 256));
        assert_eq!(levels.at[0], (0, (1000 + 70_001 % 256usize).div_ceil(16)));
        assert_eq!(levels.at[1].0, levels.at[0].1);
        assert_eq!(levels.table(), [2, 0, levels.at[0].1 as u32]);
        assert_eq!(Levels::new(SHORT, 1000, 5).count(), 0);
        // A window longer than what there is needs no level above it.
        assert_eq!(Levels::new(1 << 30, 100, 7).count(), 1);
    }
}
