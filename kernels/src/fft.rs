//! Discrete Fourier transforms of columns, by `rustfft` and `realfft`.
//!
//! The forward transform is `X[k] = scale · Σ x[j] exp(-2πi jk / n)`, the inverse one has the other
//! sign. Any length is transformed in O(n log n) steps. Lanes that lie apart are gathered a few at a
//! time, so that neighbours are read together.

use crate::{Columns, ColumnsMut, Complex, DType};
use bytemuck::Pod;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftNum, FftPlanner};
use std::fmt;
use std::sync::Arc;

/// Which transform.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transform {
    /// Complex numbers to as many.
    Forward,
    /// The same with the other sign.
    Inverse,
    /// `n` real numbers to the `n / 2 + 1` complex ones that are not conjugates of others.
    RealForward,
    /// These to `n` real numbers. The imaginary part of the first, and of the last where `n` is even,
    /// is taken for 0.
    RealInverse,
}

impl Transform {
    /// Elements of a column of operand and result, for a transform of `len` points.
    pub fn extents(self, len: usize) -> [usize; 2] {
        match self {
            Transform::Forward | Transform::Inverse => [len, len],
            Transform::RealForward => [len, len / 2 + 1],
            Transform::RealInverse => [len / 2 + 1, len],
        }
    }

    /// Dtypes of operand and result with parts of `part`.
    pub fn dtypes(self, part: DType) -> [DType; 2] {
        let whole = part.with_imaginary();
        match self {
            Transform::Forward | Transform::Inverse => [whole, whole],
            Transform::RealForward => [part, whole],
            Transform::RealInverse => [whole, part],
        }
    }
}

/// A float that transforms are computed in.
pub trait Real: FftNum + Pod {}

impl Real for f32 {}
impl Real for f64 {}

/// Bytes of the lanes that are gathered together.
const BUNDLE_BYTES: usize = 1 << 17;
/// Lanes that are gathered together, at most.
const BUNDLE: usize = 16;

enum Machine<T: Real> {
    Whole(Arc<dyn Fft<T>>),
    Forward(Arc<dyn RealToComplex<T>>),
    Inverse(Arc<dyn ComplexToReal<T>>),
}

/// A transform of a length, planned: its tables are made once and shared by all threads.
pub struct Planned<T: Real> {
    machine: Machine<T>,
    transform: Transform,
    len: usize,
    scale: T,
}

impl<T: Real> Planned<T> {
    /// A transform of `len` points, of which there is at least one.
    pub fn new(transform: Transform, len: usize, scale: f64) -> Planned<T> {
        let machine = match transform {
            Transform::Forward => Machine::Whole(FftPlanner::new().plan_fft_forward(len)),
            Transform::Inverse => Machine::Whole(FftPlanner::new().plan_fft_inverse(len)),
            Transform::RealForward => Machine::Forward(RealFftPlanner::new().plan_fft_forward(len)),
            Transform::RealInverse => Machine::Inverse(RealFftPlanner::new().plan_fft_inverse(len)),
        };
        Planned {
            machine,
            transform,
            len,
            scale: T::from_f64(scale).unwrap_or_else(T::one),
        }
    }

    /// Bytes that a call holds for columns with so many neighbours, and the tables.
    pub fn bytes(&self, inner: usize) -> usize {
        let [from, to] = self.transform.extents(self.len);
        let scratch = match &self.machine {
            Machine::Whole(fft) => fft.get_inplace_scratch_len(),
            Machine::Forward(fft) => fft.get_scratch_len(),
            Machine::Inverse(fft) => fft.get_scratch_len(),
        };
        let number = 2 * size_of::<T>();
        // Tables of no plan are longer than those of Bluestein's, of at most four times the length.
        number * (self.bundle(inner) * (from + to) + scratch + 4 * self.len)
    }

    fn bundle(&self, inner: usize) -> usize {
        let fit = BUNDLE_BYTES / (2 * size_of::<T>() * self.len);
        fit.min(BUNDLE).min(inner).max(1)
    }

    /// Transforms complex columns.
    ///
    /// # Panics
    /// When the transform is one of real numbers.
    pub fn complex(&self, from: Columns<'_, Complex<T>>, to: ColumnsMut<'_, Complex<T>>)
    where
        Complex<T>: Pod,
    {
        let Machine::Whole(fft) = &self.machine else {
            unreachable!("a transform of real numbers is given complex ones");
        };
        let mut scratch = vec![zero(); fft.get_inplace_scratch_len()];
        self.walk(from, to, |from, to| {
            fft.process_with_scratch(from, &mut scratch);
            self.scaled(from, to);
        });
    }

    /// Transforms real columns to complex ones.
    ///
    /// # Panics
    /// When the transform is another one.
    pub fn real_forward(&self, from: Columns<'_, T>, to: ColumnsMut<'_, Complex<T>>)
    where
        Complex<T>: Pod,
    {
        let Machine::Forward(fft) = &self.machine else {
            unreachable!("a transform of complex numbers is given real ones");
        };
        let mut scratch = vec![zero(); fft.get_scratch_len()];
        self.walk(from, to, |from, to| {
            // Lengths are those of the plan, which is all that it checks.
            let _ = fft.process_with_scratch(from, to, &mut scratch);
            to.iter_mut().for_each(|z| *z = *z * self.scale);
        });
    }

    /// Transforms complex columns to real ones.
    ///
    /// # Panics
    /// When the transform is another one.
    pub fn real_inverse(&self, from: Columns<'_, Complex<T>>, to: ColumnsMut<'_, T>)
    where
        Complex<T>: Pod,
    {
        let Machine::Inverse(fft) = &self.machine else {
            unreachable!("a transform to complex numbers is asked for real ones");
        };
        let mut scratch = vec![zero(); fft.get_scratch_len()];
        let even = self.len.is_multiple_of(2);
        self.walk(from, to, |from, to| {
            from[0].im = T::zero();
            if let (true, Some(last)) = (even, from.last_mut()) {
                last.im = T::zero();
            }
            let _ = fft.process_with_scratch(from, to, &mut scratch);
            to.iter_mut().for_each(|x| *x = *x * self.scale);
        });
    }

    fn scaled(&self, from: &[Complex<T>], to: &mut [Complex<T>]) {
        for (x, y) in from.iter().zip(to) {
            *y = *x * self.scale;
        }
    }

    /// Calls `work` on each column, gathered.
    fn walk<A: Pod, B: Pod>(
        &self,
        from: Columns<'_, A>,
        mut to: ColumnsMut<'_, B>,
        mut work: impl FnMut(&mut [A], &mut [B]),
    ) {
        let (inner, n, m) = (from.inner(), from.len(), to.len());
        let most = self.bundle(inner);
        let mut sources = vec![A::zeroed(); most * n];
        let mut results = vec![B::zeroed(); most * m];
        for o in 0..from.outer() {
            for first in (0..inner).step_by(most) {
                let count = most.min(inner - first);
                match from.lane(o) {
                    Some(lane) => sources[..n].copy_from_slice(lane),
                    None => {
                        for i in 0..n {
                            let row = &from.row(o, i)[first..][..count];
                            for (k, &x) in row.iter().enumerate() {
                                sources[k * n + i] = x;
                            }
                        }
                    }
                }
                for k in 0..count {
                    work(&mut sources[k * n..][..n], &mut results[k * m..][..m]);
                }
                if let Some(lane) = to.lane(o) {
                    lane.copy_from_slice(&results[..m]);
                    continue;
                }
                for i in 0..m {
                    let row = &mut to.row(o, i)[first..][..count];
                    for (k, y) in row.iter_mut().enumerate() {
                        *y = results[k * m + i];
                    }
                }
            }
        }
    }
}

fn zero<T: Real>() -> Complex<T> {
    Complex::new(T::zero(), T::zero())
}

impl<T: Real> fmt::Debug for Planned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} points", self.transform, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Complex64;
    use std::f64::consts::TAU;

    /// By the definition.
    fn naive(x: &[Complex64], sign: f64) -> Vec<Complex64> {
        let n = x.len();
        let root = |jk: usize| Complex64::cis(sign * TAU * (jk % n) as f64 / n as f64);
        let sum = |k: usize| x.iter().enumerate().map(|(j, &x)| x * root(j * k)).sum();
        (0..n).map(sum).collect()
    }

    fn numbers(n: usize) -> Vec<Complex64> {
        let x = |i: usize| ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0;
        (0..n).map(|i| Complex64::new(x(i), x(3 * i + 5))).collect()
    }

    fn close(a: &[Complex64], b: &[Complex64]) {
        let size = b.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
        let off = a
            .iter()
            .zip(b)
            .map(|(a, b)| (a - b).norm_sqr())
            .sum::<f64>()
            .sqrt();
        assert!(off <= 1e-14 * size.max(1.0), "{off:e} of {size:e}");
    }

    #[test]
    fn columns_are_transformed_where_they_lie() {
        for n in (1..40).chain([97, 128, 210, 1009]) {
            let inner = 5;
            let lanes: Vec<Vec<Complex64>> = (0..2 * inner).map(|l| numbers(n + l)[l..].to_vec()).collect();
            let place = |l: usize, i: usize, n: usize| l / inner * n * inner + i * inner + l % inner;
            let mut x = vec![Complex64::ZERO; 2 * n * inner];
            for (l, lane) in lanes.iter().enumerate() {
                lane.iter().enumerate().for_each(|(i, &z)| x[place(l, i, n)] = z);
            }
            for (transform, sign) in [(Transform::Forward, -1.0), (Transform::Inverse, 1.0)] {
                let mut y = vec![Complex64::ZERO; x.len()];
                let plan = Planned::<f64>::new(transform, n, 2.0);
                plan.complex(
                    Columns::dense(&x, 2, n, inner),
                    ColumnsMut::dense(&mut y, 2, n, inner),
                );
                for (l, lane) in lanes.iter().enumerate() {
                    let found: Vec<Complex64> = (0..n).map(|i| y[place(l, i, n)] / 2.0).collect();
                    close(&found, &naive(lane, sign));
                }
            }
        }
    }

    #[test]
    fn real_transforms_are_halves_of_complex_ones() {
        for n in (1..30).chain([64, 121]) {
            let x: Vec<f64> = numbers(n).iter().map(|z| z.re).collect();
            let whole: Vec<Complex64> = x.iter().map(|&re| Complex64::new(re, 0.0)).collect();
            let [_, half] = Transform::RealForward.extents(n);
            let mut y = vec![Complex64::ZERO; half];
            let plan = Planned::<f64>::new(Transform::RealForward, n, 1.0);
            plan.real_forward(Columns::dense(&x, 1, n, 1), ColumnsMut::dense(&mut y, 1, half, 1));
            close(&y, &naive(&whole, -1.0)[..half]);
            let mut back = vec![0.0; n];
            let plan = Planned::<f64>::new(Transform::RealInverse, n, 1.0 / n as f64);
            y[0].im = 3.0; // not looked at
            plan.real_inverse(
                Columns::dense(&y, 1, half, 1),
                ColumnsMut::dense(&mut back, 1, n, 1),
            );
            let off = back
                .iter()
                .zip(&x)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            assert!(off < 1e-13, "{n}: {off:e}");
        }
    }
}
