//! Discrete Fourier transforms along axes, with the names and meanings of `numpy.fft`.
//!
//! One node transforms one axis, so transforms over several are passes, each of which may be cut
//! along the other axes: arrays larger than memory are transformed pass by pass.

use super::block::{BlockCall, BlockForm, BlockOp, along};
use super::order::axis::{bound_along, chunks_along, whole_along};
use super::{Boundary, Expr, SliceItem, named};
use crate::geometry::{Region, normalize_axis};
use crate::{Error, Result};
use std::fmt;
use std::sync::{Arc, OnceLock};
use tilewise_kernels::fft::{Planned, Real, Transform};
use tilewise_kernels::{Complex, DType, Literal};

/// By what the results of a transform of `n` points are multiplied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Norm {
    /// Inverse transforms by `1 / n`.
    #[default]
    Backward,
    /// All by `1 / sqrt(n)`.
    Ortho,
    /// Forward transforms by `1 / n`.
    Forward,
}

impl Norm {
    /// NumPy's name of it.
    pub fn parse(name: &str) -> Option<Norm> {
        Some(match name {
            "backward" => Norm::Backward,
            "ortho" => Norm::Ortho,
            "forward" => Norm::Forward,
            _ => return None,
        })
    }

    fn scale(self, inverse: bool, n: usize) -> f64 {
        match (self, inverse) {
            (Norm::Ortho, _) => 1.0 / (n as f64).sqrt(),
            (Norm::Backward, true) | (Norm::Forward, false) => 1.0 / n as f64,
            _ => 1.0,
        }
    }

    /// The one of transforms that turn the other way.
    fn turned(self) -> Norm {
        match self {
            Norm::Backward => Norm::Forward,
            Norm::Forward => Norm::Backward,
            Norm::Ortho => Norm::Ortho,
        }
    }
}

/// A transform along an axis.
struct Along {
    transform: Transform,
    axis: usize,
    /// Points of the transform.
    len: usize,
    scale: f64,
    /// The dtype of the parts.
    part: DType,
    /// The operand's shape.
    shape: Vec<usize>,
    single: OnceLock<Planned<f32>>,
    double: OnceLock<Planned<f64>>,
}

impl fmt::Debug for Along {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fft")
            .field("transform", &self.transform)
            .field("axis", &self.axis)
            .field("len", &self.len)
            .field("scale", &self.scale.to_bits())
            .field("part", &self.part)
            .field("shape", &self.shape)
            .finish()
    }
}

impl Along {
    fn planned<'a, T: Real>(&self, plan: &'a OnceLock<Planned<T>>) -> &'a Planned<T> {
        plan.get_or_init(|| Planned::new(self.transform, self.len, self.scale))
    }

    fn transform<T: Real>(&self, plan: &OnceLock<Planned<T>>, call: BlockCall<'_, '_>) -> Result<()>
    where
        Complex<T>: bytemuck::Pod,
    {
        let plan = self.planned(plan);
        let (part, out, axis) = (&call.operands[0], call.out, self.axis);
        match self.transform {
            Transform::Forward | Transform::Inverse => {
                along::<Complex<T>, Complex<T>>(part, out, axis, |from, to| {
                    plan.complex(from, to);
                    Ok(())
                })
            }
            Transform::RealForward => along::<T, Complex<T>>(part, out, axis, |from, to| {
                plan.real_forward(from, to);
                Ok(())
            }),
            Transform::RealInverse => along::<Complex<T>, T>(part, out, axis, |from, to| {
                plan.real_inverse(from, to);
                Ok(())
            }),
        }
    }
}

impl BlockOp for Along {
    fn name(&self) -> &str {
        match self.transform {
            Transform::Forward => "fft",
            Transform::Inverse => "ifft",
            Transform::RealForward => "rfft",
            Transform::RealInverse => "irfft",
        }
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        whole_along(&[self.axis], &self.shape, block)
    }

    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        bound_along(&[self.axis], &self.shape, block)
    }

    fn spans(&self, axis: usize) -> bool {
        axis == self.axis
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let inner = block[self.axis + 1..].iter().product();
        match self.part {
            DType::F32 => self.planned(&self.single).bytes(inner),
            _ => self.planned(&self.double).bytes(inner),
        }
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Fft {
            transform: self.transform,
            axis: self.axis,
            len: self.len,
            scale: self.scale,
        })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        match self.part {
            DType::F32 => self.transform(&self.single, call),
            _ => self.transform(&self.double, call),
        }
    }
}

/// The dtype of the parts that an array is transformed in: that of floats and of complex numbers'
/// parts, f32 of half floats, f64 of integers.
fn part_of(dtype: DType) -> DType {
    match dtype.has_nan() {
        true => dtype.with_imaginary().part(),
        false => DType::F64,
    }
}

impl Expr {
    /// The transform of `n` points (the axis' extent when `None`; for [`Transform::RealInverse`] twice
    /// that of all but one) along an axis that is cut or continued by zeros.
    ///
    /// # Errors
    /// An axis out of range; no point; complex numbers for a real transform.
    pub fn fft(&self, transform: Transform, n: Option<usize>, axis: isize, norm: Norm) -> Result<Expr> {
        let axis = normalize_axis(axis, self.rank())?;
        let extent = self.shape[axis];
        let len = n.unwrap_or(match transform {
            Transform::RealInverse => 2 * extent.saturating_sub(1),
            _ => extent,
        });
        if len == 0 {
            return Err(Error::invalid(format!(
                "a Fourier transform of no point: shape {:?}, axis {axis}",
                self.shape
            )));
        }
        let part = part_of(self.dtype);
        let ([from, to], [taken, given]) = (transform.extents(len), transform.dtypes(part));
        if self.dtype.is_complex() && !taken.is_complex() {
            return Err(Error::invalid(format!(
                "rfft of {}: it takes real numbers; use fft, or real(x)",
                self.dtype
            )));
        }
        let operand = self.cast(taken).fitted(from, axis)?;
        let mut shape = operand.shape.clone();
        shape[axis] = to;
        let inverse = matches!(transform, Transform::Inverse | Transform::RealInverse);
        let op = Along {
            transform,
            axis,
            len,
            scale: norm.scale(inverse, len),
            part,
            shape: operand.shape.clone(),
            single: OnceLock::new(),
            double: OnceLock::new(),
        };
        let chunks = chunks_along(&operand.chunks, &[(axis, to)]);
        Expr::block_op(Arc::new(op), vec![operand], &shape, given, chunks)
    }

    /// The array with that extent along an axis: cut, or continued by zeros.
    fn fitted(&self, extent: usize, axis: usize) -> Result<Expr> {
        let own = self.shape[axis];
        if extent < own {
            let mut items = vec![SliceItem::ALL; axis];
            items.push(SliceItem::Slice {
                start: None,
                stop: Some(extent as isize),
                step: None,
            });
            return self.slice(&items);
        }
        let mut widths = vec![(0, 0); self.rank()];
        widths[axis] = (0, extent - own);
        match extent == own {
            true => Ok(self.clone()),
            false => self.pad(&widths, Boundary::Constant(Literal::Int(0))),
        }
    }

    /// The real transform of an array whose other half would be its conjugate (`hfft`), and with
    /// `inverse` the way back (`ihfft`).
    ///
    /// # Errors
    /// As [`Expr::fft`].
    pub fn hfft(&self, inverse: bool, n: Option<usize>, axis: isize, norm: Norm) -> Result<Expr> {
        let conjugate = |z: Expr| Expr::op(named("conj")?, &[z]);
        let norm = norm.turned();
        match inverse {
            false => conjugate(self.clone())?.fft(Transform::RealInverse, n, axis, norm),
            true => conjugate(self.fft(Transform::RealForward, n, axis, norm)?),
        }
    }

    /// The transform over several axes, one after another (`fftn` and its kin): `sizes` are the points
    /// along each. A real transform is that of the last axis, the others are complex.
    ///
    /// # Errors
    /// As [`Expr::fft`]; no axis; sizes that are not one per axis.
    pub fn fftn(
        &self,
        transform: Transform,
        sizes: Option<&[usize]>,
        axes: &[isize],
        norm: Norm,
    ) -> Result<Expr> {
        if axes.is_empty() || sizes.is_some_and(|sizes| sizes.len() != axes.len()) {
            return Err(Error::invalid(format!(
                "a Fourier transform over axes {axes:?} needs one size for each, not {sizes:?}"
            )));
        }
        let size = |number: usize| sizes.map(|sizes| sizes[number]);
        let last = axes.len() - 1;
        let pass =
            |expr: Expr, number: usize, one: Transform| expr.fft(one, size(number), axes[number], norm);
        match transform {
            Transform::Forward | Transform::Inverse => (0..=last)
                .rev()
                .try_fold(self.clone(), |expr, k| pass(expr, k, transform)),
            Transform::RealForward => {
                let first = pass(self.clone(), last, Transform::RealForward)?;
                (0..last)
                    .rev()
                    .try_fold(first, |expr, k| pass(expr, k, Transform::Forward))
            }
            Transform::RealInverse => {
                let others = (0..last).try_fold(self.clone(), |expr, k| pass(expr, k, Transform::Inverse))?;
                pass(others, last, Transform::RealInverse)
            }
        }
    }

    /// The array with the zero frequency moved to the middle of `axes` (`fftshift`), or with `inverse`
    /// back to the front.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn fftshift(&self, axes: &[isize], inverse: bool) -> Result<Expr> {
        axes.iter().try_fold(self.clone(), |expr, &axis| {
            let half = expr.shape[normalize_axis(axis, expr.rank())?] as i64 / 2;
            let odd = expr.shape[normalize_axis(axis, expr.rank())?] as i64 - half;
            expr.roll(if inverse { odd } else { half }, axis)
        })
    }
}

/// The frequencies of a transform of `n` points that lie `spacing` apart (`fftfreq`), in cycles per
/// unit of it; with `real` those of a real transform (`rfftfreq`).
pub fn frequencies(n: usize, spacing: f64, real: bool) -> Vec<f64> {
    let unit = n as f64 * spacing;
    let count = if real { n / 2 + 1 } else { n };
    let number = |k: usize| match real || k < n.div_ceil(2) {
        true => k as f64,
        false => k as f64 - n as f64,
    };
    (0..count).map(|k| number(k) / unit).collect()
}
