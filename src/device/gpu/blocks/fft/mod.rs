//! Discrete Fourier transforms along an axis, of any length, of complex numbers or real ones.
//!
//! A workgroup transforms whole columns where its memory holds them: stages of short transforms in
//! registers, which exchange their points between (`shaders/blocks/fft.wgsl`). Longer columns are
//! cut into pieces, a pass over memory for each; lengths with large prime factors are products
//! with a chirp. Every factor comes from a table, rounded once.

mod codelet;
mod factor;
mod kernel;
mod plan;
mod run;
mod tables;
#[cfg(test)]
mod tests;

pub(in crate::device::gpu) use self::tables::Transforms;

use self::codelet::Real;
use crate::device::gpu::Gpu;
use crate::device::{BlockTask, OutMut};
use crate::{DType, Error, Result};
use tilewise_kernels::fft::Transform;

/// Points of the longest transform that is a product with a chirp, whose tables the host makes.
const CHIRPED: usize = 1 << 20;

/// A transform along an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub transform: Transform,
    pub axis: usize,
    /// Points.
    pub len: usize,
    /// What results are multiplied by.
    pub scale: f64,
}

impl Form {
    pub fn new(transform: Transform, axis: usize, len: usize, scale: f64) -> Form {
        Form {
            transform,
            axis,
            len,
            scale,
        }
    }

    /// Bytes of an element of operand and result.
    fn element_bytes(&self, real: Real) -> [usize; 2] {
        match self.transform {
            Transform::RealForward => [real.size(), 2 * real.size()],
            Transform::RealInverse => [2 * real.size(), real.size()],
            _ => [2 * real.size(); 2],
        }
    }
}

/// Why a transform has no kernel for an operand of that dtype on this adapter.
pub(super) fn supports(gpu: &Gpu, form: &Form, operand: DType) -> std::result::Result<(), String> {
    if real_of(form, operand)? == Real::F64 && !gpu.abilities.f64 {
        return Err(format!("fft of {operand}: this adapter has no 64-bit floats"));
    }
    match form.len > CHIRPED && !factor::is_smooth(form.len) {
        true => Err(format!(
            "fft of {} points, a number with a prime factor above 13: kernels take {CHIRPED} at most",
            form.len
        )),
        false => Ok(()),
    }
}

/// The dtype of the parts, of which operand and result are made.
fn real_of(form: &Form, operand: DType) -> std::result::Result<Real, String> {
    let real = match operand.part() {
        DType::F32 => Some(Real::F32),
        DType::F64 => Some(Real::F64),
        _ => None,
    };
    real.filter(|_| form.transform.dtypes(operand.part())[0] == operand)
        .ok_or_else(|| format!("fft of {operand} is no transform of its own"))
}

/// Transforms a block.
pub(super) fn run(gpu: &Gpu, form: &Form, task: &BlockTask<'_>, out: OutMut<'_>) -> Result<()> {
    let [operand] = task.operands else {
        return Err(Error::invalid("a Fourier transform has one operand"));
    };
    let real = real_of(form, operand.dtype).map_err(Error::Device)?;
    let mut made = operand.region.shape.clone();
    let extents = form.transform.extents(form.len);
    if std::mem::replace(&mut made[form.axis], extents[1]) != extents[0] || made != task.block.shape {
        return Err(Error::invalid("a Fourier transform of a part of another extent"));
    }
    run::run(gpu, form, operand, real, out, run::limits(gpu))
}
