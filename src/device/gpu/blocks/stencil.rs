//! Stencils: weighted sums of neighbours, in the CPU's order and with its roundings.
//!
//! An invocation whose neighbours all lie where their indices say reads them at fixed distances, and
//! gives the results of some rows together, which share most of what they read; what is near an end
//! of an axis looks every neighbour up in tables. Caches serve what neighbouring invocations share.

use super::columns::{bound, check, loaded, register, stored_as};
use crate::device::gpu::expression::stored;
use crate::device::gpu::launch::{Launch, Need};
use crate::device::gpu::template::fill;
use crate::device::gpu::{Gpu, library};
use crate::device::{BlockTask, Operand, OutMut};
use crate::expr::StencilForm;
use crate::{DType, Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use tilewise_kernels::{Kind, Scalar};

/// Rows of results that an invocation gives.
const ROWS: usize = 4;
/// Taps that are written one by one.
const UNROLLED: usize = 64;
/// Words of parameters before those of the axes.
const HEAD: usize = 7;
/// What tables say of an index that has no place.
const NOWHERE: u32 = u32::MAX;

/// Why a stencil of `dtype` has no exact kernel on this adapter.
///
/// # Errors
/// Names the dtype and what is lacking.
pub(super) fn supports(gpu: &Gpu, dtype: DType) -> std::result::Result<(), String> {
    let lacks = match dtype {
        DType::F64 if !gpu.abilities.f64 => "64-bit floats",
        DType::I64 | DType::U64 if !gpu.abilities.i64 => "64-bit integers",
        _ => return Ok(()),
    };
    Err(format!(
        "a stencil of {dtype} needs {lacks} in shaders, which this adapter lacks"
    ))
}

/// Computes a block.
///
/// # Errors
/// When the device fails, or the block is too large for its indices.
pub(super) fn run(gpu: &Gpu, form: StencilForm<'_>, task: &BlockTask<'_>, out: OutMut<'_>) -> Result<()> {
    check(task)?;
    let operand = &task.operands[0];
    if operand.dtype != task.dtype {
        return Err(Error::invalid("a stencil over a part of another dtype"));
    }
    let shape = &task.block.shape;
    let size = task.dtype.size();
    let points = task.block.len();
    let (range, base) = bound(operand);
    let parameters = parameters(form, task, operand, base);
    let text = Text::new(form, task.dtype, shape);
    let invocations = text.invocations(shape);

    let mut need = Need::new(gpu);
    need.operand(&operand.bytes, range.len());
    need.upload(4 * parameters.len());
    need.output(&out, points * size);
    let mut launch = Launch::new(gpu, need)?;
    let elements = launch.operand(operand.bytes, range)?;
    let p = launch.words(&parameters)?;
    let result = launch.output(points * size)?;
    let pipeline = gpu.pipelines.text(&gpu.home.context, &text.wgsl())?;
    let groups = invocations.div_ceil(64) as u32;
    launch.dispatch(&pipeline, &[&p, &elements, &result], groups)?;
    launch.finish(vec![(result, out)])
}

/// The parameters of a block's kernel, with all lists.
fn parameters(form: StencilForm<'_>, task: &BlockTask<'_>, operand: &Operand<'_>, base: usize) -> Vec<u32> {
    let rank = task.block.shape.len();
    let strides = &operand.strides;
    let mut axes = Vec::new();
    let mut lists: Vec<u32> = Vec::new();
    let start = HEAD + 5 * rank;
    // Wraps where the part begins after the first neighbour of index 0.
    let mut plain = base as u32;
    for (axis, (&n, &step)) in task.block.shape.iter().zip(strides).enumerate() {
        let table = form.table(axis, task.block);
        let (low, high) = form.plain(axis, task.block);
        let reach = table.len() - n;
        let first = table.get(low).copied().flatten().unwrap_or(0);
        plain = plain.wrapping_add((first as u32).wrapping_sub(low as u32).wrapping_mul(step as u32));
        let end = high.saturating_sub(reach);
        axes.extend([
            n as u32,
            step as u32,
            low as u32,
            end as u32,
            (start + lists.len()) as u32,
        ]);
        lists.extend(table.iter().map(|at| at.map_or(NOWHERE, |at| (at * step) as u32)));
    }
    let mut begin = |list: &mut dyn Iterator<Item = u32>| {
        let at = (start + lists.len()) as u32;
        lists.extend(list);
        at
    };
    let taps = form.taps();
    let weights = begin(&mut taps.iter().flat_map(|(_, weight)| number(weight)));
    let places = begin(&mut taps.iter().flat_map(|(at, _)| at.iter().map(|&i| i as u32)));
    let distance = |at: &[usize]| at.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>() as u32;
    let distances = begin(&mut taps.iter().map(|(at, _)| distance(at)));
    let fills = begin(&mut form.fills().iter().flat_map(number));
    let head = [
        task.block.len() as u32,
        base as u32,
        plain,
        weights,
        places,
        distances,
        fills,
    ];
    [&head[..], &axes, &lists].concat()
}

/// A number as words of the type that sums are in.
fn number(value: &Scalar) -> Vec<u32> {
    let (bits, dtype) = (value.bits(), value.dtype());
    match (dtype.kind(), dtype.size()) {
        (_, 8) => vec![bits as u32, (bits >> 32) as u32],
        (Kind::Float, _) => vec![(value.to_f64() as f32).to_bits()],
        (Kind::Signed, 1) => vec![i32::from(bits as i8) as u32],
        (Kind::Signed, 2) => vec![i32::from(bits as i16) as u32],
        _ => vec![bits as u32],
    }
}

/// The kernel of a stencil.
struct Text {
    dtype: DType,
    taps: Vec<Vec<usize>>,
    rank: usize,
    /// Whether invocations give several rows.
    rows: bool,
}

impl Text {
    fn new(form: StencilForm<'_>, dtype: DType, shape: &[usize]) -> Text {
        let rank = shape.len();
        let taps: Vec<Vec<usize>> = form.taps().iter().map(|(at, _)| at.clone()).collect();
        let few = (1..=UNROLLED).contains(&taps.len());
        Text {
            rows: dtype.size() >= 4 && rank > 1 && few && shape[rank - 2] >= ROWS,
            dtype,
            taps,
            rank,
        }
    }

    /// Results that a word holds.
    fn per(&self) -> usize {
        4 / self.dtype.size().min(4)
    }

    fn invocations(&self, shape: &[usize]) -> usize {
        let points: usize = shape.iter().product();
        if self.rows {
            let second = shape[self.rank - 2];
            points / second * second.div_ceil(ROWS)
        } else {
            points.div_ceil(self.per())
        }
    }

    fn wgsl(&self) -> String {
        let dtype = self.dtype;
        let ring = match (dtype.is_float(), dtype.size()) {
            (true, _) => register(dtype),
            (false, 8) => "u64",
            _ => "u32",
        };
        let load = match register(dtype) {
            "i32" => format!("bitcast<u32>({})", loaded(dtype)),
            "i64" => format!("bitcast<u64>({})", loaded(dtype)),
            _ => loaded(dtype),
        };
        let (number, zero, add) = match (ring, dtype) {
            ("f32", _) => (
                "bitcast<f32>(p[at])",
                "bitcast<f32>(tw_zero)",
                "tw_opaque(weight * x) + sum",
            ),
            ("f64", _) => (
                "bitcast<f64>(u64(p[at]) | (u64(p[at + 1u]) << 32u))",
                "bitcast<f64>(u64(tw_zero))",
                "tw_opaque_f64(weight * x) + sum",
            ),
            ("u64", _) => ("u64(p[at]) | (u64(p[at + 1u]) << 32u)", "0lu", "weight * x + sum"),
            (_, DType::Bool) => ("p[at]", "0u", "(weight & x) | sum"),
            _ => ("p[at]", "0u", "weight * x + sum"),
        };
        let per = self.per();
        let bits = narrowed(dtype);
        let joined = if per == 1 {
            bits
        } else {
            format!("word | ({bits} << ({}u * k))", 32 / per)
        };
        let own = [
            ("JOINED", joined.as_str()),
            ("STORED", stored_as(dtype)),
            ("INSIDE", &self.inside(zero)),
            (
                "SECOND",
                if self.rank > 1 {
                    "p[AXES + 5u * (RANK - 2u)]"
                } else {
                    "1u"
                },
            ),
        ];
        let main = if self.rows {
            include_str!("../../../../shaders/blocks/stencil_rows.wgsl")
        } else {
            include_str!("../../../../shaders/blocks/stencil_points.wgsl")
        };
        let values = [
            ("WORD", stored_as(dtype)),
            ("STORED", stored_as(dtype)),
            ("RING", ring),
            ("LOAD", &load),
            ("NUMBER", number),
            ("WORDS", if dtype.size() == 8 { "2" } else { "1" }),
            ("ZERO", zero),
            ("ADD", add),
            ("RANK", &self.rank.to_string()),
            ("TAPS", &self.taps.len().to_string()),
            ("PER", &per.to_string()),
            ("ROWS", &ROWS.to_string()),
            ("MAIN", &fill(main, &own)),
        ];
        let text = fill(include_str!("../../../../shaders/blocks/stencil.wgsl"), &values);
        format!("{}\n{text}", library::needed_by(&text))
    }

    /// The results of all rows of an invocation. Each neighbour is loaded once, in row-major order, in
    /// which each result meets its taps in their own.
    fn inside(&self, zero: &str) -> String {
        if !self.rows {
            return String::new();
        }
        let mut text = String::new();
        for axis in 0..self.rank {
            let _ = writeln!(text, "        let step{axis} = p[{}];", HEAD + 5 * axis + 1);
        }
        for tap in 0..self.taps.len() {
            let _ = writeln!(text, "        let weight{tap} = weight({tap}u);");
        }
        let mut met: BTreeMap<Vec<usize>, Vec<(usize, usize)>> = BTreeMap::new();
        for (tap, at) in self.taps.iter().enumerate() {
            for row in 0..ROWS {
                let mut at = at.clone();
                at[self.rank - 2] += row;
                met.entry(at).or_default().push((row, tap));
            }
        }
        for row in 0..ROWS {
            let _ = writeln!(text, "        var y{row} = {zero};");
        }
        for (number, (at, results)) in met.iter().enumerate() {
            let terms = at.iter().enumerate().filter(|(_, i)| **i > 0);
            let terms: String = terms.map(|(axis, i)| format!(" + {i}u * step{axis}")).collect();
            let _ = writeln!(text, "        let x{number} = load(at{terms});");
            for (row, tap) in results {
                let _ = writeln!(text, "        y{row} = add(y{row}, weight{tap}, x{number});");
            }
        }
        for row in 0..ROWS {
            let bits = narrowed(self.dtype);
            let _ = writeln!(text, "        {{\n            let y = y{row};");
            let _ = writeln!(
                text,
                "            out[start + {row}u * width] = {bits};\n        }}"
            );
        }
        text.trim_end().to_string()
    }
}

/// What stores a sum `y` in a dtype.
fn narrowed(dtype: DType) -> String {
    match dtype {
        DType::Bool | DType::I32 | DType::U32 | DType::U64 => "y".into(),
        DType::I8 | DType::U8 => "(y & 0xffu)".into(),
        DType::I16 | DType::U16 => "(y & 0xffffu)".into(),
        DType::I64 => "bitcast<i64>(y)".into(),
        DType::F16 => stored(dtype, "tw_f16_round(y)"),
        DType::BF16 => stored(dtype, "tw_bf16_round(y)"),
        DType::F32 | DType::F64 => stored(dtype, "y"),
        DType::C64 | DType::C128 => DType::complex_is_refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::valid::validate;
    use super::*;
    use crate::Boundary;
    use crate::expr::{BlockForm, Expr, NodeKind};
    use tilewise_kernels::dispatch_real;

    fn kernel(dtype: DType, shape: &[usize], extents: &[usize]) -> Text {
        let one = |dtype: DType| dispatch_real!(dtype, T => Scalar::new(T::default()));
        let weight = dispatch_real!(dtype, T => Scalar::from_bytes(dtype, &vec![1u8; size_of::<T>()]));
        let x = Expr::full(shape, one(dtype)).unwrap();
        let weights = vec![weight; extents.iter().product()];
        let y = x
            .stencil(extents, &weights, &vec![Boundary::Mirror; shape.len()])
            .unwrap();
        let NodeKind::Block(op) = &y.kind else {
            panic!("no block operation");
        };
        let Some(BlockForm::Stencil(form)) = op.form() else {
            panic!("no stencil");
        };
        Text::new(form, dtype, shape)
    }

    #[test]
    fn every_kernel_is_valid() {
        for dtype in DType::real() {
            for (shape, extents) in [
                (&[9][..], &[3][..]),
                (&[9, 9], &[3, 3]),
                (&[3, 9], &[3, 3]),
                (&[9, 9], &[9, 9]),
                (&[4, 5, 6], &[2, 3, 2]),
            ] {
                validate(&kernel(dtype, shape, extents).wgsl(), dtype.size() == 8);
            }
        }
    }

    #[test]
    fn rows_share_their_neighbours_and_keep_the_order_of_taps() {
        let text = kernel(DType::F32, &[9, 9], &[3, 3]).inside("0.0f");
        assert_eq!(text.matches("load(").count(), (ROWS + 2) * 3);
        for row in 0..ROWS {
            let lines: Vec<&str> = text
                .lines()
                .filter(|l| l.contains(&format!("add(y{row},")))
                .collect();
            assert_eq!(lines.len(), 9);
            let taps = lines.iter().enumerate();
            assert!(
                taps.clone()
                    .all(|(tap, line)| line.contains(&format!("weight{tap},")))
            );
        }
    }
}
