//! The largest or smallest elements along an axis.

use super::sort::{IndexRoom, SortRoom, check};
use super::{Ordered, Record, Word, radix};
use crate::{Columns, ColumnsMut};

/// The first records of a lane in their order.
fn first<R: Record>(lane: &mut [R], count: usize) {
    if count > 0 {
        radix::select(lane, &[count - 1]);
        lane[..count].sort_unstable();
    }
}

/// The `to.len()` largest elements of each column, the largest first, or with `smallest` the
/// smallest ones, rising. NaN counts as the largest.
///
/// # Panics
/// When columns are shorter than that.
pub fn top<T: Ordered>(
    from: Columns<'_, T::Stored>,
    mut to: ColumnsMut<'_, T::Stored>,
    smallest: bool,
    room: &mut SortRoom<T>,
) {
    let load = |value, _| turned(T::key(value), smallest);
    room.lanes.each(from, &mut to, load, |lane, _, out| {
        first(lane, out.len());
        for (slot, &key) in out.iter_mut().zip(&*lane) {
            *slot = T::from_key(turned(key, smallest));
        }
    });
}

/// The indices of [`top`]; of equal elements those that come first.
///
/// # Panics
/// When columns are shorter than that, or longer than a `u32` counts.
pub fn argtop<T: Ordered>(
    from: Columns<'_, T::Stored>,
    mut to: ColumnsMut<'_, i64>,
    smallest: bool,
    room: &mut IndexRoom<T>,
) {
    check::<T>(&from);
    let load = |value, at| (turned(T::rank(value), smallest), at as u32);
    room.each(from, &mut to, load, |lane, _, out| {
        first(lane, out.len());
        super::sort::indices::<T>(lane, out);
    });
}

/// The key, or the one that stands as far from the end.
#[inline(always)]
fn turned<K: Word>(key: K, smallest: bool) -> K {
    if smallest { key } else { key.turned() }
}
