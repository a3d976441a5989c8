//! Sorting and partitioning along an axis.

use super::lanes::Lanes;
use super::rows::Rows;
use super::{Ordered, radix};
use crate::{Columns, ColumnsMut, Isa};

/// Room for sorting columns, kept from block to block.
#[derive(Debug)]
pub struct SortRoom<T: Ordered> {
    rows: Rows<T::Key>,
    pub(super) lanes: Lanes<T::Key, T::Stored>,
}

impl<T: Ordered> Default for SortRoom<T> {
    fn default() -> SortRoom<T> {
        SortRoom {
            rows: Rows::default(),
            lanes: Lanes::default(),
        }
    }
}

impl<T: Ordered> SortRoom<T> {
    /// Bytes that it takes for columns of `len` elements with so many neighbours, at most.
    pub fn bytes(len: usize, inner: usize, out: usize) -> usize {
        let lanes = Lanes::<T::Key, T::Stored>::bytes(size_of::<T::Stored>(), len, inner, out);
        lanes + Rows::<T::Key>::bytes(len)
    }
}

/// Room for columns whose elements go with their indices.
pub type IndexRoom<T> = Lanes<(<T as Ordered>::Key, u32), i64>;

/// Sorted columns: rising, NaN last. Columns have equal extents.
pub fn sort<T: Ordered>(
    from: Columns<'_, T::Stored>,
    mut to: ColumnsMut<'_, T::Stored>,
    isa: Isa,
    room: &mut SortRoom<T>,
) {
    if room.rows.serves(from.len(), isa) {
        return room.rows.sort::<T>(from, &mut to, isa);
    }
    let load = |value, _| T::key(value);
    room.lanes.each(from, &mut to, load, |lane, spare, out| {
        radix::sort(lane, spare);
        for (slot, &key) in out.iter_mut().zip(&*lane) {
            *slot = T::from_key(key);
        }
    });
}

/// The indices that sort each column; equal elements keep their order.
///
/// # Panics
/// When columns are longer than a `u32` counts.
pub fn argsort<T: Ordered>(
    from: Columns<'_, T::Stored>,
    mut to: ColumnsMut<'_, i64>,
    room: &mut IndexRoom<T>,
) {
    check::<T>(&from);
    room.each(from, &mut to, indexed::<T>, |lane, spare, out| {
        radix::sort(lane, spare);
        indices::<T>(lane, out);
    });
}

/// Columns whose element at each of the rising places `kth` is what sorting puts there, with none
/// larger before it and none smaller behind it.
///
/// # Panics
/// When a place lies beyond the columns.
pub fn partition<T: Ordered>(
    from: Columns<'_, T::Stored>,
    mut to: ColumnsMut<'_, T::Stored>,
    kth: &[usize],
    room: &mut SortRoom<T>,
) {
    let load = |value, _| T::key(value);
    room.lanes.each(from, &mut to, load, |lane, _, out| {
        radix::select(lane, kth);
        for (slot, &key) in out.iter_mut().zip(&*lane) {
            *slot = T::from_key(key);
        }
    });
}

/// The indices of a [`partition`].
///
/// # Panics
/// When a place lies beyond the columns, or columns are longer than a `u32` counts.
pub fn argpartition<T: Ordered>(
    from: Columns<'_, T::Stored>,
    mut to: ColumnsMut<'_, i64>,
    kth: &[usize],
    room: &mut IndexRoom<T>,
) {
    check::<T>(&from);
    room.each(from, &mut to, indexed::<T>, |lane, _, out| {
        radix::select(lane, kth);
        indices::<T>(lane, out);
    });
}

/// The length of columns that indices of 32 bits reach.
pub const LONGEST: usize = u32::MAX as usize;

pub(super) fn check<T: Ordered>(from: &Columns<'_, T::Stored>) {
    assert!(from.len() <= LONGEST, "columns longer than {LONGEST}");
}

/// A key and where it stood.
#[inline(always)]
pub(super) fn indexed<T: Ordered>(value: T::Stored, at: usize) -> (T::Key, u32) {
    (T::rank(value), at as u32)
}

pub(super) fn indices<T: Ordered>(lane: &[(T::Key, u32)], out: &mut [i64]) {
    for (slot, &(_, at)) in out.iter_mut().zip(lane) {
        *slot = i64::from(at);
    }
}
