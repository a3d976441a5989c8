//! Contractions: products of matrices and tensors.
//!
//! Both factors are packed into planes that the inner loops read without a question, and those sum
//! tiles of the result in registers (`shaders/blocks/gemm.wgsl`). A factor that lies so already is
//! read where it lies; a result of a wide dtype whose columns are neighbours is written where it
//! belongs, any other is made from the sums by a last pass, which also adds the parts of sums that
//! were split. Matrices smaller than a tile are summed element by element; products of f16 are summed by
//! matrix units where these are asked for.

mod inner;
mod packed;
mod plan;
mod problem;
mod ring;
#[cfg(test)]
mod tests;
mod thin;
mod tiling;
mod tune;
mod units;

pub(in crate::device::gpu) use self::tune::Tilings;
pub(in crate::device::gpu) use self::units::{Units, matrix_unit_facts};

use self::problem::{Layout, Problem, Side};
use self::ring::Ring;
use super::walk::{PLACE, Walk};
use crate::device::gpu::Gpu;
use crate::device::gpu::launch::{Launch, Need, Span, alignment, padded};
use crate::device::gpu::library;
use crate::device::gpu::template::fill;
use crate::device::{BlockTask, Operand, OutMut};
use crate::{DType, Error, Result};
use std::ops::Range;
use tilewise_kernels::gemm::Axes;

/// Elements that a workgroup of the passes beside the inner loops takes.
const GROUP: usize = 64;

/// Why the adapter cannot sum products of a dtype.
pub(super) fn supports(gpu: &Gpu, dtype: DType) -> std::result::Result<(), String> {
    let (has, what) = match Ring::of(dtype) {
        Ring::F64 => (gpu.abilities.f64, "64-bit floats"),
        Ring::U64 => (gpu.abilities.i64, "64-bit integers"),
        Ring::F32 | Ring::U32 => return Ok(()),
    };
    match has {
        true => Ok(()),
        false => Err(format!("contract of {dtype}: this adapter has no {what}")),
    }
}

/// Computes a block of a contraction of two operands of `dtype`, or a step of one: then the result has
/// the dtype of sums, and a third operand, if there is one, the sums of the steps before.
pub(super) fn run(gpu: &Gpu, axes: &Axes, dtype: DType, task: &BlockTask<'_>, out: OutMut<'_>) -> Result<()> {
    contract(
        gpu,
        axes,
        task.operands,
        &task.block.shape,
        (dtype, task.dtype),
        out,
    )
}

/// Contracts operands of the first dtype to a result of that shape and the second one.
fn contract(
    gpu: &Gpu,
    axes: &Axes,
    operands: &[Operand<'_>],
    shape: &[usize],
    (dtype, result): (DType, DType),
    out: OutMut<'_>,
) -> Result<()> {
    let (a, b, so_far) = match operands {
        [a, b] => (a, b, None),
        [a, b, so_far] => (a, b, Some(so_far)),
        _ => return Err(Error::invalid("a contraction has two operands and sums")),
    };
    let sums = Ring::of(dtype).dtype();
    if a.dtype != dtype || b.dtype != dtype || so_far.is_some_and(|s| s.dtype != sums) {
        return Err(Error::invalid("a contraction of parts of another dtype"));
    }
    if result != dtype && result != sums {
        return Err(Error::invalid("a contraction to another dtype"));
    }
    let problem = Problem::new(axes, layout(a), layout(b), shape);
    let operands = if problem.swapped { [b, a] } else { [a, b] };
    let job = Job {
        gpu,
        dtype,
        result,
        so_far,
        ring: Ring::of(dtype),
        factors: [
            Factor::new(operands[0], &problem.a),
            Factor::new(operands[1], &problem.b),
        ],
        problem,
    };
    job.check()?;
    match plan::is_thin(&job.problem) {
        true => thin::run(&job, out),
        false => packed::run(&job, out),
    }
}

fn layout<'a>(operand: &'a Operand<'_>) -> Layout<'a> {
    Layout {
        offset: operand.offset,
        shape: &operand.region.shape,
        strides: &operand.strides,
    }
}

/// A factor in memory.
struct Factor<'a> {
    operand: &'a Operand<'a>,
    /// The bytes that are bound.
    window: Range<usize>,
    /// The element of its first point in the window.
    offset: usize,
}

impl<'a> Factor<'a> {
    fn new(operand: &'a Operand<'a>, side: &Side) -> Factor<'a> {
        let size = operand.dtype.size();
        let unit = alignment(&operand.bytes);
        let start = side.offset * size / unit * unit;
        let end = (side.offset + side.reach() + 1) * size;
        Factor {
            operand,
            window: start..end.min(operand.bytes.count()).max(start),
            offset: side.offset - start / size,
        }
    }
}

/// A contraction to be run.
struct Job<'a> {
    gpu: &'a Gpu,
    /// The dtypes of the factors and of the result.
    dtype: DType,
    result: DType,
    /// The sums of the steps before, dense in the order of the result.
    so_far: Option<&'a Operand<'a>>,
    ring: Ring,
    problem: Problem,
    /// Those with the rows and with the columns.
    factors: [Factor<'a>; 2],
}

impl Job<'_> {
    /// Refuses what no binding can hold.
    fn check(&self) -> Result<()> {
        let factors = self.factors.iter().map(|f| f.window.len());
        let so_far = self.so_far.map_or(0, |_| self.so_far_bytes());
        factors
            .chain([self.result_bytes(), so_far])
            .try_for_each(|bytes| self.bind(bytes))
    }

    /// Refuses so many bytes if no binding holds them.
    fn bind(&self, bytes: usize) -> Result<()> {
        match padded(bytes) > self.gpu.binding_bytes {
            true => Err(self.too_large(bytes)),
            false => Ok(()),
        }
    }

    fn too_large(&self, bytes: usize) -> Error {
        Error::Device(format!(
            "contract: an array of {bytes} bytes, of which this adapter binds {}; smaller chunks would do",
            self.gpu.binding_bytes
        ))
    }

    /// Bytes of the result.
    fn result_bytes(&self) -> usize {
        self.problem.cells() * self.result.size()
    }

    /// Bytes of the sums of the steps before, if there are any.
    fn so_far_bytes(&self) -> usize {
        self.problem.cells() * self.ring.size()
    }

    /// Whether sums of a ring are the result, if they lie as it does.
    fn sums_are_result(&self) -> bool {
        self.so_far.is_none() && self.ring.is_native(self.result)
    }

    /// Adds what the last pass takes beside sums and result.
    fn need_finish(&self, need: &mut Need<'_>) {
        need.upload(4 * self.finish_words());
        if let Some(so_far) = self.so_far {
            need.operand(&so_far.bytes, self.so_far_bytes());
        }
    }

    /// How the sides of the problem lie, in the order of the factors.
    fn side(&self, number: usize) -> &Side {
        [&self.problem.a, &self.problem.b][number]
    }

    /// Words of parameters of the last pass, at most.
    fn finish_words(&self) -> usize {
        4 + 2 * self.problem.rank()
    }

    /// Records a pass over `groups` workgroups; its parameters are `words`.
    fn pass(
        &self,
        launch: &mut Launch<'_>,
        text: &str,
        words: &[u32],
        bindings: &[&Span],
        groups: usize,
    ) -> Result<()> {
        let pipeline = self.gpu.pipelines.text(&self.gpu.home.context, text)?;
        let words = launch.words(words)?;
        let all: Vec<&Span> = std::iter::once(&words).chain(bindings.iter().copied()).collect();
        launch.dispatch(&pipeline, &all, groups as u32)
    }

    /// Makes the result from `splits` parts of sums, `apart` elements from each other, through which
    /// its index goes by `walk`.
    fn finish(
        &self,
        launch: &mut Launch<'_>,
        sums: &Span,
        made: &Span,
        (splits, apart): (usize, usize),
        walk: &Walk,
    ) -> Result<()> {
        let (cells, per) = (self.problem.cells(), per_word(self.result));
        let mut words = vec![cells as u32, splits as u32, apart as u32];
        words.extend(walk.words());
        let groups = cells.div_ceil(per).div_ceil(GROUP);
        let text = finish_text(self.result, self.so_far.is_some());
        match self.so_far {
            None => self.pass(launch, &text, &words, &[sums, made], groups),
            Some(so_far) => {
                let so_far = launch.operand(so_far.bytes, 0..self.so_far_bytes())?;
                self.pass(launch, &text, &words, &[sums, made, &so_far], groups)
            }
        }
    }
}

/// Elements in a word of a result.
fn per_word(dtype: DType) -> usize {
    (4 / dtype.size()).max(1)
}

/// The text of the last pass to a dtype, which goes on with the sums of the steps before or not.
fn finish_text(dtype: DType, goes_on: bool) -> String {
    let (per, narrow) = (per_word(dtype), Ring::narrow(dtype));
    let store = match per {
        1 => format!("word = {narrow};"),
        _ => format!("word = word | ({narrow} << (part * {}u));", 8 * dtype.size()),
    };
    let (so_far, add) = match goes_on {
        false => (String::new(), ""),
        true => (
            format!(
                "@group(0) @binding(3) var<storage, read> so_far: array<{}>;\n",
                Ring::of(dtype).name()
            ),
            "sum = so_far[thread * PER + part] + sum;",
        ),
    };
    let add = &add.replace("PER", &format!("{per}u"));
    pass_text(
        include_str!("../../../../../shaders/blocks/gemm_finish.wgsl"),
        dtype,
        &[
            ("PER", &per.to_string()),
            ("STORE", &store),
            ("SO_FAR", &so_far),
            ("ADD", add),
        ],
    )
}

/// The text of a pass over elements of a dtype, with what it needs of the library.
fn pass_text(text: &str, dtype: DType, values: &[(&str, &str)]) -> String {
    let ring = Ring::of(dtype);
    let shared = [("R", ring.name()), ("WORD", ring.word()), ("PLACE", PLACE)];
    let values: Vec<(&str, &str)> = shared.iter().chain(values).copied().collect();
    let main = fill(text, &values);
    format!("{}\n{main}", library::needed_by(&main))
}
