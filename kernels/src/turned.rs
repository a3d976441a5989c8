//! Contiguous lanes turned into rows of neighbours, and back.
//!
//! Work along the last axis meets one lane after another, whose steps depend on each other. Turned
//! by blocks that stay in cache, several lanes lie side by side and go through the loops for rows.

use crate::stream::stream;
use crate::{Columns, ColumnsMut, transpose};
use bytemuck::Pod;
use std::ops::Range;

/// Whether turning elements of that size is faster than moving them one by one.
pub(crate) const fn turns(size: usize) -> bool {
    cfg!(target_arch = "x86_64") && (size == 4 || size == 8)
}

/// Fills rows of `count` neighbours with those elements of the contiguous lanes from `first` on.
///
/// # Panics
/// When there are no such lanes or elements, or `to` has fewer.
pub(crate) fn gather<T: Pod>(
    from: &Columns<'_, T>,
    first: usize,
    count: usize,
    rows: Range<usize>,
    to: &mut [T],
) {
    let to = &mut to[..rows.len() * count];
    let (values, start, step) = from.lanes_from(first, count);
    let values = bytemuck::cast_slice(values);
    let to = bytemuck::cast_slice_mut(to);
    transpose(
        size_of::<T>(),
        values,
        start + rows.start,
        step as isize,
        to,
        count,
    );
}

/// What is gathered after those elements of `count` lanes from `first` on, by lane: of the same
/// lanes, or else the beginnings of as many that follow.
pub(crate) fn following<'a, T: Pod>(
    from: &Columns<'a, T>,
    first: usize,
    count: usize,
    rows: Range<usize>,
) -> impl Fn(usize) -> &'a [u8] {
    let (next, at) = if rows.end < from.len() {
        (first, rows.end)
    } else {
        (first + count, 0)
    };
    let ahead = at..(at + rows.len()).min(from.len());
    let from = *from;
    move |lane| {
        let there = next + lane < from.outer();
        let lane = if there { from.lane(next + lane) } else { None };
        lane.map_or(&[], |lane| bytemuck::cast_slice(&lane[ahead.clone()]))
    }
}

/// Puts rows of `count` neighbours into the contiguous lanes from `first` on, beginning at `at`;
/// with `streams` past the caches, while `ahead` of each lane is asked for. `flat` is room for as
/// many elements.
///
/// # Panics
/// When there are no such lanes or elements.
pub(crate) fn scatter<'a, T: Pod>(
    from: &[T],
    count: usize,
    to: &mut ColumnsMut<'_, T>,
    (first, at): (usize, usize),
    flat: &mut [T],
    streams: bool,
    ahead: impl Fn(usize) -> &'a [u8],
) {
    let len = from.len() / count;
    let flat = &mut flat[..len * count];
    let (rows, turned) = (bytemuck::cast_slice(from), bytemuck::cast_slice_mut(flat));
    transpose(size_of::<T>(), rows, 0, count as isize, turned, len);
    for (lane, values) in flat.chunks_exact(len.max(1)).enumerate() {
        let Some(to) = to.lane(first + lane) else { continue };
        let to = &mut to[at..][..len];
        if streams {
            let (from, to) = (bytemuck::cast_slice(values), bytemuck::cast_slice_mut(to));
            stream(from, to, &[ahead(lane)]);
        } else {
            to.copy_from_slice(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Carry, Scan, ScanKind, Scanned};
    use crate::window::{Scratch, Window, WindowKind};
    use crate::{Element, Isa};

    const LANES: usize = 83;
    const LEN: usize = 301;

    /// Numbers with gaps, infinities and −0, by rows and by lanes.
    fn numbers<T: Element>(from: impl Fn(f64) -> T::Stored) -> (Vec<T::Stored>, Vec<T::Stored>) {
        let number = |i: usize, lane: usize| {
            let x = (i * LANES + lane).wrapping_mul(2_654_435_761) >> 7 & 1023;
            from(match x {
                0..4 if lane.is_multiple_of(3) => f64::NAN,
                4 if lane.is_multiple_of(5) => f64::NEG_INFINITY,
                5 if lane.is_multiple_of(7) => f64::INFINITY,
                6..20 => -0.0,
                x => x as f64 / 7.0 - 60.0,
            })
        };
        let rows = (0..LEN * LANES).map(|at| number(at / LANES, at % LANES));
        let lanes = (0..LEN * LANES).map(|at| number(at % LEN, at / LEN));
        (rows.collect(), lanes.collect())
    }

    /// Every result by rows is that by lanes; NaN has no sign.
    fn same<T: Element + std::fmt::Debug>(rows: &[T::Stored], lanes: &[T::Stored], what: &str) {
        for at in 0..LEN * LANES {
            let (row, lane) = (T::load(rows[at]), T::load(lanes[at % LANES * LEN + at / LANES]));
            assert_eq!(format!("{row:?}"), format!("{lane:?}"), "{what} at {at}");
        }
    }

    fn checks<T: Scanned<Total = T> + std::fmt::Debug>(from: impl Fn(f64) -> T::Stored) {
        let (rows, lanes) = numbers::<T>(from);
        let blank = || vec![T::Stored::default(); LEN * LANES];
        let all = [Isa::Baseline, Isa::Avx2, Isa::Avx512];
        for isa in all.into_iter().filter(|isa| isa.available()) {
            for (kind, name) in ScanKind::ALL {
                for skipna in [false, true] {
                    let scan = Scan { kind, skipna };
                    let run = match kind {
                        ScanKind::Sum | ScanKind::Prod => T::total(scan, isa),
                        _ => T::extreme(scan, isa),
                    };
                    let (mut by_rows, mut by_lanes) = (blank(), blank());
                    let mut words = vec![0; 2 * LANES];
                    run(
                        Columns::dense(&rows, 1, LEN, LANES),
                        ColumnsMut::dense(&mut by_rows, 1, LEN, LANES),
                        &mut Carry::dense(&mut words, 1, LANES),
                    );
                    words.fill(0);
                    run(
                        Columns::dense(&lanes, LANES, LEN, 1),
                        ColumnsMut::dense(&mut by_lanes, LANES, LEN, 1),
                        &mut Carry::dense(&mut words, LANES, 1),
                    );
                    same::<T>(&by_rows, &by_lanes, &format!("{name} {skipna} {isa:?}"));
                }
            }
            for (kind, name) in WindowKind::ALL.into_iter().filter(|k| k.0 != WindowKind::Count) {
                for (len, least, center) in [(1, 1, false), (5, 2, true), (64, 60, false), (400, 9, true)] {
                    let window = Window::new(kind, len, least, center);
                    let (mut by_rows, mut by_lanes) = (blank(), blank());
                    let mut scratch = Scratch::default();
                    let out = ColumnsMut::dense(&mut by_rows, 1, LEN, LANES);
                    window.run::<T, T>(
                        (Columns::dense(&rows, 1, LEN, LANES), 0),
                        (out, 0),
                        &mut scratch,
                        isa,
                    );
                    // Results in two parts, of which the second sees what it needs.
                    for (start, count) in [(0, 130), (130, LEN - 130)] {
                        let (first, need) = window.needs(start, count, LEN);
                        let part = Columns::strided(&lanes[first..], LANES, need, 1, LEN, 1);
                        // SAFETY: parts of lanes lie in the vector, apart, borrowed alone.
                        let out = unsafe {
                            let base = by_lanes.as_mut_ptr().add(start);
                            ColumnsMut::from_raw(base, LANES, count, 1, LEN, 1)
                        };
                        window.run::<T, T>((part, first), (out, start), &mut scratch, isa);
                    }
                    same::<T>(&by_rows, &by_lanes, &format!("{name} of {len} {isa:?}"));
                }
            }
        }
    }

    #[test]
    fn lanes_give_what_rows_give() {
        checks::<f32>(|x| x as f32);
        checks::<f64>(|x| x);
    }
}
