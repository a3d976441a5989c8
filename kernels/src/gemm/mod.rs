//! Products of matrices and their kin: sums over axes that two blocks share.
//!
//! The result's axes are those of either factor and those that both have (batches); axes that both
//! have and the result lacks are summed over. Any of them may be several, in any layout: rows,
//! columns and summed elements are found by offsets, and both factors are packed anyway, so that
//! neither is transposed or copied before.
//!
//! The loops are those of Goto and van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication* (2008): packed rows stay in the outer cache, packed columns in the second, one
//! sliver of rows in the first, and a tile of the result in registers. Everything runs on the
//! caller's thread.

mod blocks;
mod micro;
mod pack;
mod ring;
#[cfg(test)]
mod tests;

use crate::strided::{Strided, StridedMut};
use crate::{Element, Isa};
use blocks::{Target, Work};
use micro::Micro;
use pack::Side;
pub use ring::{Factor, Ring};

/// Bytes of a row along the summed axis that are packed at once: a sliver of rows fits in the first
/// cache beside what streams past it.
const STEP_BYTES: usize = 2 << 10;
/// Bytes of packed rows.
const ROW_BYTES: usize = 3 << 20;
/// Bytes of packed columns.
const COL_BYTES: usize = 512 << 10;

/// What the axes of two factors and the result have to do with each other. Each axis of a factor
/// and of the result is named once.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Axes {
    /// Axes of the first factor, the second and the result that go together.
    pub batch: Vec<(usize, usize, usize)>,
    /// Axes of the first factor and the result.
    pub rows: Vec<(usize, usize)>,
    /// Axes of the second factor and the result.
    pub cols: Vec<(usize, usize)>,
    /// Axes of the first and the second factor that are summed over.
    pub summed: Vec<(usize, usize)>,
}

/// Bytes that [`contract`] allocates for blocks of so many rows, columns and summed elements.
pub fn scratch_bytes<T: Factor>(rows: usize, cols: usize, summed: usize) -> usize {
    let most = rows.max(cols); // the factors may change places
    let micro = micro::select::<T::Ring>(Isa::detect());
    let (m, n) = packed_extents(&micro, most, most);
    let sums = if keeps::<T>(summed) {
        0
    } else {
        rows.saturating_mul(cols)
    };
    // Offsets of rows, columns and summed elements in each array.
    let offsets = (rows + cols + summed).saturating_mul(2 * size_of::<usize>());
    ((m + n) * summed.min(steps::<T::Ring>()))
        .saturating_add(sums)
        .saturating_mul(size_of::<T::Ring>())
        .saturating_add(offsets)
}

/// Steps of the summed axis that are packed at once.
fn steps<R>() -> usize {
    STEP_BYTES / size_of::<R>()
}

/// Whether sums are stored where they belong all the time.
fn keeps<T: Factor>(summed: usize) -> bool {
    summed <= steps::<T::Ring>() || size_of::<T>() == size_of::<T::Sum>()
}

/// Rows and columns that are packed at once.
fn packed_extents<R: Ring>(micro: &Micro<R>, rows: usize, cols: usize) -> (usize, usize) {
    let fit = |bytes: usize, unit: usize, wanted: usize| {
        let most = bytes / STEP_BYTES / unit;
        wanted.div_ceil(unit).min(most) * unit
    };
    (fit(ROW_BYTES, micro.rows, rows), fit(COL_BYTES, micro.cols, cols))
}

/// The sums of products of `a` and `b`.
///
/// # Panics
/// When an axis is not named exactly once, or extents disagree.
pub fn contract<T: Factor>(
    isa: Isa,
    a: &Strided<'_, T::Stored>,
    b: &Strided<'_, T::Stored>,
    out: &mut StridedMut<'_, T::Stored>,
    axes: &Axes,
) {
    ordered::<T, T>(isa, a, b, out, axes, |work, rows, cols, to| {
        work.run(rows, cols, to)
    });
}

/// The elements of the sums of products of `T`.
pub type SumOf<T> = <<T as Factor>::Sum as Element>::Stored;

/// As [`contract`], of a part of what is summed over: sums are kept as they are, not narrowed, and
/// are `more` of those that `sums` holds, or the first. Parts of whole runs of [`run_len`] elements
/// give the bits of [`contract`]; others give sums of the same products in another order.
///
/// # Panics
/// As [`contract`].
pub fn contract_more<T: Factor>(
    isa: Isa,
    a: &Strided<'_, T::Stored>,
    b: &Strided<'_, T::Stored>,
    sums: &mut StridedMut<'_, SumOf<T>>,
    axes: &Axes,
    more: bool,
) {
    ordered::<T, T::Sum>(isa, a, b, sums, axes, |work, rows, cols, to| {
        work.sum::<T::Sum>(rows, cols, to, more);
    });
}

/// Elements along a summed axis that are summed on their own before they are added to what is there.
pub fn run_len<T: Factor>() -> usize {
    steps::<T::Ring>()
}

/// Bytes that [`contract_more`] allocates for parts of so many rows, columns and summed elements.
pub fn scratch_bytes_more<T: Factor>(rows: usize, cols: usize, summed: usize) -> usize {
    // That of sums that stay where they are.
    let run = summed.min(run_len::<T>());
    scratch_bytes::<T>(rows, cols, run).saturating_add((summed - run).saturating_mul(2 * size_of::<usize>()))
}

/// Stores sums, row-major, as elements.
///
/// # Panics
/// When there are not as many, or rows of the result are not contiguous.
pub fn narrow<T: Factor>(sums: &[SumOf<T>], out: &mut StridedMut<'_, T::Stored>) {
    let shape = out.shape().to_vec();
    assert_eq!(sums.len(), shape.iter().product(), "sums for {shape:?}");
    let Some((&len, outer)) = shape.split_last() else {
        // SAFETY: the one element of a block without axes.
        unsafe { *out.base() = T::narrow(T::Sum::widen(sums[0])) };
        return;
    };
    let mut at = vec![0; outer.len()];
    for row in sums.chunks_exact(len.max(1)) {
        for (slot, &sum) in out.row(&at).iter_mut().zip(row) {
            *slot = T::narrow(T::Sum::widen(sum));
        }
        for axis in (0..at.len()).rev() {
            at[axis] += 1;
            if at[axis] < outer[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
}

/// The product of each batch by `run`, with the result's neighbours in the columns.
fn ordered<T: Factor, C: Factor<Ring = T::Ring>>(
    isa: Isa,
    a: &Strided<'_, T::Stored>,
    b: &Strided<'_, T::Stored>,
    out: &mut StridedMut<'_, C::Stored>,
    axes: &Axes,
    run: impl Fn(&mut Work<T>, Side<'_, T::Stored>, Side<'_, T::Stored>, &mut Target<'_, C::Stored>),
) {
    axes.check(a.shape(), b.shape(), out.shape());
    if out.shape().contains(&0) {
        return;
    }
    // Columns lie in vectors: they are those of the factor that has the result's neighbours.
    let unit = |axis: usize| out.strides()[axis] == 1 && out.shape()[axis] > 1;
    let (a, b, mut axes) = match axes.rows.iter().any(|&(_, c)| unit(c)) {
        true => (b, a, axes.swapped()),
        false => (a, b, axes.clone()),
    };
    // Long strides first, so that what lies side by side is numbered so.
    axes.rows.sort_by_key(|&(x, _)| std::cmp::Reverse(a.strides()[x]));
    axes.cols
        .sort_by_key(|&(_, c)| std::cmp::Reverse(out.strides()[c]));
    axes.summed
        .sort_by_key(|&(x, y)| std::cmp::Reverse(a.strides()[x].min(b.strides()[y])));
    fn pick<P>(pairs: &[P], axis: impl Fn(&P) -> usize) -> Vec<usize> {
        pairs.iter().map(axis).collect()
    }
    let a_rows = a.offsets(&pick(&axes.rows, |p| p.0));
    let c_rows = out.offsets(&pick(&axes.rows, |p| p.1));
    let b_cols = b.offsets(&pick(&axes.cols, |p| p.0));
    let c_cols = out.offsets(&pick(&axes.cols, |p| p.1));
    let a_along = a.offsets(&pick(&axes.summed, |p| p.0));
    let b_along = b.offsets(&pick(&axes.summed, |p| p.1));
    let a_batch = a.offsets(&pick(&axes.batch, |p| p.0));
    let b_batch = b.offsets(&pick(&axes.batch, |p| p.1));
    let c_batch = out.offsets(&pick(&axes.batch, |p| p.2));

    let mut work = Work::<T>::new(isa, a_rows.len(), b_cols.len(), a_along.len());
    for ((&at_a, &at_b), &at_c) in a_batch.iter().zip(&b_batch).zip(&c_batch) {
        let from = |values, offset: usize, across, along| Side {
            values: if a_along.is_empty() {
                values
            } else {
                &values[offset..]
            },
            across,
            along,
        };
        let rows = from(a.values(), at_a, &a_rows, &a_along);
        let cols = from(b.values(), at_b, &b_cols, &b_along);
        // SAFETY: offsets of three disjoint sets of axes add up to that of an element.
        let mut to = unsafe { Target::new(out.base().add(at_c), &c_rows, &c_cols) };
        run(&mut work, rows, cols, &mut to);
    }
}

impl Axes {
    /// The same with the factors exchanged.
    fn swapped(&self) -> Axes {
        Axes {
            batch: self.batch.iter().map(|&(a, b, c)| (b, a, c)).collect(),
            rows: self.cols.clone(),
            cols: self.rows.clone(),
            summed: self.summed.iter().map(|&(a, b)| (b, a)).collect(),
        }
    }

    /// Checks that each axis is named once, by axes of one extent.
    fn check(&self, a: &[usize], b: &[usize], out: &[usize]) {
        let mut named = [vec![0; a.len()], vec![0; b.len()], vec![0; out.len()]];
        let mut name = |pairs: &[(usize, usize)]| {
            let shapes = [a, b, out];
            let extent = shapes[pairs[0].0][pairs[0].1];
            for &(array, axis) in pairs {
                assert_eq!(shapes[array][axis], extent, "extents of {self:?} for {shapes:?}");
                named[array][axis] += 1;
            }
        };
        self.batch
            .iter()
            .for_each(|&(x, y, z)| name(&[(0, x), (1, y), (2, z)]));
        self.rows.iter().for_each(|&(x, z)| name(&[(0, x), (2, z)]));
        self.cols.iter().for_each(|&(y, z)| name(&[(1, y), (2, z)]));
        self.summed.iter().for_each(|&(x, y)| name(&[(0, x), (1, y)]));
        assert!(
            named.iter().flatten().all(|&n| n == 1),
            "{self:?} names an axis not once"
        );
    }
}
