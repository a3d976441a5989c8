//! Results: the cells of a state as elements of the result's dtype, rounded once.
//!
//! Groups may be empty. Then a sum is 0, a product 1, a count 0, `any` false and `all` true;
//! means, variances and float extremes are NaN; integer extremes, first and last are 0 because
//! integers have no missing value, and an index is −1.

use super::state::{Canonical, Cells, State, Tagged};
use super::sums::settle;
use super::{ReduceKind, Reduction};
use crate::{DType, bf16, f16};
use bytemuck::Pod;
use std::ops::Range;

impl State {
    /// Writes the results of the output elements in `range` to `out`, as elements of
    /// [`Reduction::result`].
    ///
    /// # Panics
    /// When the range reaches beyond the state or `out` has another length than its elements.
    pub fn finish(&self, out: &mut [u8], range: Range<usize>) {
        let dtype = self.reduction.result(self.dtype);
        assert!(range.end <= self.len, "{range:?} of {} output elements", self.len);
        assert_eq!(out.len(), range.len() * dtype.size(), "bytes for {range:?}");
        match &self.cells {
            Cells::Wrapping(value) => write(out, range, |at| value[at]),
            Cells::Sum(sums) => floats(out, range, dtype, |at| settle(sums.sum[at], sums.error[at])),
            Cells::Prod(value) => floats(out, range, dtype, |at| value[at]),
            Cells::Mean(means) => floats(out, range, dtype, |at| {
                settle(means.sums.sum[at], means.sums.error[at]) / means.count[at]
            }),
            Cells::Moments(moments) => floats(out, range, dtype, |at| {
                spread(self.reduction, moments.count[at], moments.squares[at])
            }),
            Cells::Extreme(cells) => {
                let fed = |tag: &[u8], at: usize| tag[at] != 0;
                values(out, range, dtype, cells, fed);
            }
            Cells::Indexed(cells) if matches!(self.reduction.kind, ReduceKind::First | ReduceKind::Last) => {
                values(out, range, dtype, cells, |tag: &[i64], at| tag[at] >= 0);
            }
            Cells::Indexed(cells) => {
                let tag = match cells {
                    Canonical::I64(cells) => &cells.tag,
                    Canonical::U64(cells) => &cells.tag,
                    Canonical::F32(cells) => &cells.tag,
                    Canonical::F64(cells) => &cells.tag,
                };
                write(out, range, |at| tag[at]);
            }
            Cells::Truth(value) => write(out, range, |at| value[at]),
            Cells::Count(count) => write(out, range, |at| count[at]),
        }
    }
}

/// A variance or standard deviation. As NumPy, `ddof` beyond the count divides by 0; where NaN is
/// skipped the result is NaN instead.
fn spread(reduction: Reduction, count: f64, squares: f64) -> f64 {
    let freedom = count - f64::from(reduction.ddof);
    let variance = if count == 0.0 || (reduction.skipna && freedom <= 0.0) {
        f64::NAN
    } else {
        squares / freedom.max(0.0)
    };
    match reduction.kind {
        ReduceKind::Std => variance.sqrt(),
        _ => variance,
    }
}

/// Writes one element per index.
fn write<T: Pod>(out: &mut [u8], range: Range<usize>, get: impl Fn(usize) -> T) {
    for (slot, at) in out.chunks_exact_mut(size_of::<T>()).zip(range) {
        slot.copy_from_slice(bytemuck::bytes_of(&get(at)));
    }
}

/// Writes one float per index, rounded to `dtype`.
fn floats(out: &mut [u8], range: Range<usize>, dtype: DType, get: impl Fn(usize) -> f64) {
    match dtype {
        DType::F16 => write(out, range, |at| f16::from_f32(round_to_odd(get(at)))),
        DType::BF16 => write(out, range, |at| bf16::from_f32(round_to_odd(get(at)))),
        DType::F32 => write(out, range, |at| get(at) as f32),
        _ => write(out, range, get),
    }
}

/// `x` in single precision such that rounding it again to a half float is as rounding `x` once:
/// an inexact result has its last bit set.
fn round_to_odd(x: f64) -> f32 {
    let near = x as f32;
    let back = f64::from(near);
    if back == x || !near.is_finite() || near.to_bits() & 1 == 1 {
        return near;
    }
    let away = near.abs() as f64 > x.abs();
    f32::from_bits(if away {
        near.to_bits() - 1
    } else {
        near.to_bits() + 1
    })
}

/// Writes the values of cells; those that hold none are NaN or 0.
fn values<T>(
    out: &mut [u8],
    range: Range<usize>,
    dtype: DType,
    cells: &Canonical<T>,
    fed: impl Fn(&[T], usize) -> bool,
) {
    match cells {
        Canonical::I64(Tagged { value, tag }) => {
            let get = |at| if fed(tag, at) { value[at] } else { 0 };
            match dtype.size() {
                1 => write(out, range, |at| get(at) as i8),
                2 => write(out, range, |at| get(at) as i16),
                4 => write(out, range, |at| get(at) as i32),
                _ => write(out, range, get),
            }
        }
        Canonical::U64(Tagged { value, tag }) => {
            let get = |at| if fed(tag, at) { value[at] } else { 0 };
            match dtype.size() {
                1 => write(out, range, |at| get(at) as u8),
                2 => write(out, range, |at| get(at) as u16),
                4 => write(out, range, |at| get(at) as u32),
                _ => write(out, range, get),
            }
        }
        Canonical::F32(Tagged { value, tag }) => {
            let get = |at| if fed(tag, at) { value[at] } else { f32::NAN };
            match dtype {
                DType::F16 => write(out, range, |at| f16::from_f32(get(at))),
                DType::BF16 => write(out, range, |at| bf16::from_f32(get(at))),
                _ => write(out, range, get),
            }
        }
        Canonical::F64(Tagged { value, tag }) => {
            write(out, range, |at| if fed(tag, at) { value[at] } else { f64::NAN });
        }
    }
}
