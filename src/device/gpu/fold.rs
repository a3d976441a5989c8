//! From the planes that a kernel wrote to the state of a reduction.
//!
//! A kernel leaves `splits` partial results per cell, split by split. They become a state of that
//! many cells, which is halved and merged with itself until one cell each is left: a fixed tree,
//! so the same block gives the same bits every time.

use super::feed::Scheme;
use crate::{DType, Reduction};
use bytemuck::pod_read_unaligned;
use tilewise_kernels::reduce::State;
use tilewise_kernels::reduce::{Canonical, Cells, Tagged};

/// The planes of one reduction, as bytes: plane after plane, each with one word per part.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    /// 32-bit planes.
    pub words: &'a [u8],
    /// 64-bit planes.
    pub wide: &'a [u8],
    /// Number of parts: cells times splits.
    pub parts: usize,
}

impl Planes<'_> {
    fn u32(&self, plane: usize, part: usize) -> u32 {
        let at = 4 * (plane * self.parts + part);
        pod_read_unaligned(&self.words[at..at + 4])
    }

    fn f32(&self, plane: usize, part: usize) -> f32 {
        f32::from_bits(self.u32(plane, part))
    }

    fn u64(&self, plane: usize, part: usize) -> u64 {
        let at = 8 * (plane * self.parts + part);
        pod_read_unaligned(&self.wide[at..at + 8])
    }

    fn f64(&self, plane: usize, part: usize) -> f64 {
        f64::from_bits(self.u64(plane, part))
    }
}

/// Squared differences below this have lost digits in pairs of f32, whose error terms reach
/// the end of the exponent range.
const FAINTEST: f32 = 1e-24;

/// The state of `planes.parts / splits` cells; `base` is added to element indices.
///
/// # Errors
/// When a pair of f32 ran over or under its range: such a block is for the CPU.
pub(super) fn fold(
    scheme: Scheme,
    reduction: Reduction,
    dtype: DType,
    planes: Planes<'_>,
    splits: usize,
    base: i64,
) -> Result<State, String> {
    let mut state = State::new(reduction, dtype, planes.parts)?;
    fill(&mut state, scheme, dtype, planes, base)?;
    let mut splits = splits;
    while splits > 1 {
        let half = state.len() / 2;
        let mut first = State::new(reduction, dtype, half)?;
        let mut second = State::new(reduction, dtype, half)?;
        copy_cells(&mut first, &state, std::iter::once((0, 0, half)));
        copy_cells(&mut second, &state, std::iter::once((0, half, half)));
        first.merge(&second);
        state = first;
        splits /= 2;
    }
    Ok(state)
}

/// Writes what a kernel found into the cells of a fresh state.
fn fill(
    state: &mut State,
    scheme: Scheme,
    dtype: DType,
    planes: Planes<'_>,
    base: i64,
) -> Result<(), String> {
    let overflow = || Err("a sum left the range of f32 pairs; it needs the cpu".to_string());
    let pair = |plane: usize, odd: usize, part: usize| {
        let (high, low) = (planes.f32(plane, part), planes.f32(plane + 1, part));
        let lost = !high.is_finite() && planes.u32(odd, part) & 1 == 0;
        (!lost).then_some((f64::from(high), f64::from(low)))
    };
    let parts = planes.parts;
    match state.cells_mut() {
        Cells::Wrapping(value) => {
            for (part, value) in value.iter_mut().enumerate() {
                *value = match scheme {
                    Scheme::SumCarry => {
                        u64::from(planes.u32(0, part)) | (u64::from(planes.u32(1, part)) << 32)
                    }
                    _ => planes.u64(0, part),
                };
            }
        }
        Cells::Sum(sums) => {
            for part in 0..parts {
                let sum = match scheme {
                    Scheme::SumPair => pair(0, 2, part),
                    _ => Some((planes.f64(0, part), planes.f64(1, part))),
                };
                let Some(sum) = sum else { return overflow() };
                (sums.sum[part], sums.error[part]) = sum;
            }
        }
        Cells::Prod(value) => {
            for (part, value) in value.iter_mut().enumerate() {
                *value = planes.f64(0, part);
            }
        }
        Cells::Mean(means) => {
            for part in 0..parts {
                let (sum, count) = match scheme {
                    Scheme::MeanPair => (pair(0, 2, part), planes.u32(3, part)),
                    _ => (
                        Some((planes.f64(0, part), planes.f64(1, part))),
                        planes.u32(0, part),
                    ),
                };
                let Some(sum) = sum else { return overflow() };
                (means.sums.sum[part], means.sums.error[part]) = sum;
                means.count[part] = f64::from(count);
            }
        }
        Cells::Moments(moments) => {
            for part in 0..parts {
                let (count, mean, squares) = match scheme {
                    Scheme::ShiftedWide => {
                        let first = planes.f64(0, part);
                        let sums = (planes.f64(1, part), planes.f64(2, part));
                        shifted(planes.u32(0, part), first, sums.0, sums.1)
                    }
                    _ => {
                        let first = f64::from(planes.f32(0, part));
                        let (sum, squares) = (pair(1, 5, part), pair(3, 5, part));
                        let (Some(sum), Some(squares)) = (sum, squares) else {
                            return overflow();
                        };
                        let faint = squares.0 < f64::from(FAINTEST) && planes.u32(5, part) & 2 != 0;
                        if faint {
                            return Err("squares below the range of f32 pairs; they need the cpu".into());
                        }
                        let total = |pair: (f64, f64)| pair.0 + pair.1;
                        shifted(planes.u32(6, part), first, total(sum), total(squares))
                    }
                };
                moments.count[part] = f64::from(count);
                moments.mean[part] = mean;
                moments.squares[part] = squares;
            }
        }
        Cells::Extreme(Canonical::I64(cells)) => {
            tagged(cells, planes, 1, |_| 1, |p, at| signed(dtype, p, at))
        }
        Cells::Extreme(Canonical::U64(cells)) => {
            tagged(cells, planes, 1, |_| 1, |p, at| unsigned(dtype, p, at))
        }
        Cells::Extreme(Canonical::F32(cells)) => tagged(cells, planes, 1, |_| 1, |p, at| p.f32(at.0, at.1)),
        Cells::Extreme(Canonical::F64(cells)) => tagged(cells, planes, 1, |_| 1, |p, at| p.f64(0, at.1)),
        Cells::Indexed(cells) => {
            let index = |part: usize| base + i64::from(planes.u32(1, part) as i32);
            match cells {
                Canonical::I64(cells) => tagged(cells, planes, 2, index, |p, at| signed(dtype, p, at)),
                Canonical::U64(cells) => tagged(cells, planes, 2, index, |p, at| unsigned(dtype, p, at)),
                Canonical::F32(cells) => tagged(cells, planes, 2, index, |p, at| p.f32(at.0, at.1)),
                Canonical::F64(cells) => tagged(cells, planes, 2, index, |p, at| p.f64(0, at.1)),
            }
        }
        Cells::Truth(value) => {
            for (part, value) in value.iter_mut().enumerate() {
                *value = planes.u32(0, part) as u8;
            }
        }
        Cells::Count(count) => {
            for (part, count) in count.iter_mut().enumerate() {
                *count = u64::from(planes.u32(0, part));
            }
        }
    }
    Ok(())
}

/// Count, mean and squared differences from the mean, of sums of differences from `first`.
fn shifted(count: u32, first: f64, sum: f64, squares: f64) -> (u32, f64, f64) {
    if count == 0 {
        return (0, 0.0, 0.0);
    }
    let n = f64::from(count);
    let rest = squares - sum * (sum / n);
    (count, first + sum / n, if rest < 0.0 { 0.0 } else { rest })
}

/// Fills cells that hold a value: those whose first plane says so.
fn tagged<K, T>(
    cells: &mut Tagged<K, T>,
    planes: Planes<'_>,
    plane: usize,
    tag: impl Fn(usize) -> T,
    value: impl Fn(&Planes<'_>, (usize, usize)) -> K,
) {
    for part in 0..planes.parts {
        if planes.u32(0, part) != 0 {
            cells.value[part] = value(&planes, (plane, part));
            cells.tag[part] = tag(part);
        }
    }
}

fn signed(dtype: DType, planes: &Planes<'_>, (plane, part): (usize, usize)) -> i64 {
    match dtype {
        DType::I64 => planes.u64(0, part) as i64,
        DType::Bool => i64::from(planes.u32(plane, part)),
        _ => i64::from(planes.u32(plane, part) as i32),
    }
}

fn unsigned(dtype: DType, planes: &Planes<'_>, (plane, part): (usize, usize)) -> u64 {
    match dtype {
        DType::U64 => planes.u64(0, part),
        _ => u64::from(planes.u32(plane, part)),
    }
}

/// Copies cells between states of one reduction: runs of (first in `to`, first in `from`, length).
pub(super) fn copy_cells(to: &mut State, from: &State, runs: impl Iterator<Item = (usize, usize, usize)>) {
    let runs: Vec<_> = runs.collect();
    match (to.cells_mut(), from.cells()) {
        (Cells::Wrapping(to), Cells::Wrapping(from)) | (Cells::Count(to), Cells::Count(from)) => {
            copy(to, from, &runs);
        }
        (Cells::Prod(to), Cells::Prod(from)) => copy(to, from, &runs),
        (Cells::Truth(to), Cells::Truth(from)) => copy(to, from, &runs),
        (Cells::Sum(to), Cells::Sum(from)) => {
            copy(&mut to.sum, &from.sum, &runs);
            copy(&mut to.error, &from.error, &runs);
        }
        (Cells::Mean(to), Cells::Mean(from)) => {
            copy(&mut to.sums.sum, &from.sums.sum, &runs);
            copy(&mut to.sums.error, &from.sums.error, &runs);
            copy(&mut to.count, &from.count, &runs);
        }
        (Cells::Moments(to), Cells::Moments(from)) => {
            copy(&mut to.count, &from.count, &runs);
            copy(&mut to.mean, &from.mean, &runs);
            copy(&mut to.squares, &from.squares, &runs);
        }
        (Cells::Extreme(to), Cells::Extreme(from)) => copy_canonical(to, from, &runs),
        (Cells::Indexed(to), Cells::Indexed(from)) => copy_canonical(to, from, &runs),
        _ => debug_assert!(false, "states of different reductions"),
    }
}

fn copy_canonical<T: Copy>(to: &mut Canonical<T>, from: &Canonical<T>, runs: &[(usize, usize, usize)]) {
    match (to, from) {
        (Canonical::I64(to), Canonical::I64(from)) => copy_tagged(to, from, runs),
        (Canonical::U64(to), Canonical::U64(from)) => copy_tagged(to, from, runs),
        (Canonical::F32(to), Canonical::F32(from)) => copy_tagged(to, from, runs),
        (Canonical::F64(to), Canonical::F64(from)) => copy_tagged(to, from, runs),
        _ => debug_assert!(false, "states of different dtypes"),
    }
}

fn copy_tagged<K: Copy, T: Copy>(to: &mut Tagged<K, T>, from: &Tagged<K, T>, runs: &[(usize, usize, usize)]) {
    copy(&mut to.value, &from.value, runs);
    copy(&mut to.tag, &from.tag, runs);
}

fn copy<T: Copy>(to: &mut [T], from: &[T], runs: &[(usize, usize, usize)]) {
    for &(a, b, len) in runs {
        to[a..a + len].copy_from_slice(&from[b..b + len]);
    }
}
