//! From the planes that kernels left to the state of a reduction.
//!
//! Kernels merge all parts of a cell, so what comes to the host is one cell per output element, with
//! the fields of [`super::cell::Cell`].

use super::feed::Scheme;
use crate::{DType, Reduction};
use bytemuck::pod_read_unaligned;
use tilewise_kernels::reduce::State;
use tilewise_kernels::reduce::{Canonical, Cells, Tagged};

/// The planes of one reduction, as bytes: plane after plane, each with one word per cell.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    /// 32-bit planes.
    pub words: &'a [u8],
    /// 64-bit planes.
    pub wide: &'a [u8],
    /// Number of cells.
    pub cells: usize,
}

impl Planes<'_> {
    fn u32(&self, plane: usize, cell: usize) -> u32 {
        let at = 4 * (plane * self.cells + cell);
        pod_read_unaligned(&self.words[at..at + 4])
    }

    fn f32(&self, plane: usize, cell: usize) -> f32 {
        f32::from_bits(self.u32(plane, cell))
    }

    fn u64(&self, plane: usize, cell: usize) -> u64 {
        let at = 8 * (plane * self.cells + cell);
        pod_read_unaligned(&self.wide[at..at + 8])
    }

    fn f64(&self, plane: usize, cell: usize) -> f64 {
        f64::from_bits(self.u64(plane, cell))
    }
}

/// Squared differences below this have lost digits in pairs of f32, whose error terms reach
/// the end of the exponent range.
const FAINTEST: f32 = 1e-24;

/// The state that they are; `base` is added to element indices.
///
/// # Errors
/// When a pair of f32 ran over or under its range: such a block is for the CPU.
pub(super) fn fold(
    scheme: Scheme,
    reduction: Reduction,
    dtype: DType,
    planes: Planes<'_>,
    base: i64,
) -> Result<State, String> {
    let mut state = State::new(reduction, dtype, planes.cells)?;
    fill(&mut state, scheme, dtype, planes, base)?;
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
    let pair = |plane: usize, odd: usize, cell: usize| {
        let (high, low) = (planes.f32(plane, cell), planes.f32(plane + 1, cell));
        let lost = !high.is_finite() && planes.u32(odd, cell) & 1 == 0;
        (!lost).then_some((f64::from(high), f64::from(low)))
    };
    let cells = planes.cells;
    match state.cells_mut() {
        Cells::Wrapping(value) => {
            for (cell, value) in value.iter_mut().enumerate() {
                *value = match scheme {
                    Scheme::SumCarry => {
                        u64::from(planes.u32(0, cell)) | (u64::from(planes.u32(1, cell)) << 32)
                    }
                    _ => planes.u64(0, cell),
                };
            }
        }
        Cells::Sum(sums) => {
            for cell in 0..cells {
                let sum = match scheme {
                    Scheme::SumPair => pair(0, 2, cell),
                    _ => Some((planes.f64(0, cell), planes.f64(1, cell))),
                };
                let Some(sum) = sum else { return overflow() };
                (sums.sum[cell], sums.error[cell]) = sum;
            }
        }
        Cells::Prod(value) => {
            for (cell, value) in value.iter_mut().enumerate() {
                *value = planes.f64(0, cell);
            }
        }
        Cells::Mean(means) => {
            for cell in 0..cells {
                let (sum, count) = match scheme {
                    Scheme::MeanPair => (pair(0, 2, cell), planes.u32(3, cell)),
                    _ => (
                        Some((planes.f64(0, cell), planes.f64(1, cell))),
                        planes.u32(0, cell),
                    ),
                };
                let Some(sum) = sum else { return overflow() };
                (means.sums.sum[cell], means.sums.error[cell]) = sum;
                means.count[cell] = f64::from(count);
            }
        }
        Cells::Moments(moments) => {
            for cell in 0..cells {
                let [mean, rest, squares] = match scheme {
                    Scheme::ShiftedWide => [0, 1, 2].map(|plane| planes.f64(plane, cell)),
                    _ => {
                        let (Some(mean), Some(squares)) = (pair(1, 5, cell), pair(3, 5, cell)) else {
                            return overflow();
                        };
                        if squares.0 < f64::from(FAINTEST) && planes.u32(5, cell) & 2 != 0 {
                            return Err("squares below the range of f32 pairs; they need the cpu".into());
                        }
                        [mean.0 + mean.1, 0.0, squares.0 + squares.1]
                    }
                };
                moments.count[cell] = f64::from(planes.u32(0, cell));
                moments.mean[cell] = mean;
                moments.rest[cell] = rest;
                moments.squares[cell] = squares;
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
            let index = |cell: usize| base + i64::from(planes.u32(1, cell) as i32);
            match cells {
                Canonical::I64(cells) => tagged(cells, planes, 2, index, |p, at| signed(dtype, p, at)),
                Canonical::U64(cells) => tagged(cells, planes, 2, index, |p, at| unsigned(dtype, p, at)),
                Canonical::F32(cells) => tagged(cells, planes, 2, index, |p, at| p.f32(at.0, at.1)),
                Canonical::F64(cells) => tagged(cells, planes, 2, index, |p, at| p.f64(0, at.1)),
            }
        }
        Cells::Truth(value) => {
            for (cell, value) in value.iter_mut().enumerate() {
                *value = planes.u32(0, cell) as u8;
            }
        }
        Cells::Count(count) => {
            for (cell, count) in count.iter_mut().enumerate() {
                *count = u64::from(planes.u32(0, cell));
            }
        }
    }
    Ok(())
}

/// Fills cells that hold a value: those whose first plane says so.
fn tagged<K, T>(
    cells: &mut Tagged<K, T>,
    planes: Planes<'_>,
    plane: usize,
    tag: impl Fn(usize) -> T,
    value: impl Fn(&Planes<'_>, (usize, usize)) -> K,
) {
    for cell in 0..planes.cells {
        if planes.u32(0, cell) != 0 {
            cells.value[cell] = value(&planes, (plane, cell));
            cells.tag[cell] = tag(cell);
        }
    }
}

fn signed(dtype: DType, planes: &Planes<'_>, (plane, cell): (usize, usize)) -> i64 {
    match dtype {
        DType::I64 => planes.u64(0, cell) as i64,
        DType::Bool => i64::from(planes.u32(plane, cell)),
        _ => i64::from(planes.u32(plane, cell) as i32),
    }
}

fn unsigned(dtype: DType, planes: &Planes<'_>, (plane, cell): (usize, usize)) -> u64 {
    match dtype {
        DType::U64 => planes.u64(0, cell),
        _ => u64::from(planes.u32(plane, cell)),
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
