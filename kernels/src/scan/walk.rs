//! The way of a scan through its columns: rows of neighbours in panels whose states stay in cache,
//! and contiguous lanes several at a time, so that their chains of steps overlap.

use super::rules::Rule;
use super::{Carry, ScanFn};
use crate::stream::{STREAMS, settle, stream};
use crate::turned::{following, gather, scatter, turns};
use crate::{Columns, ColumnsMut, Element, Isa};

/// Neighbours whose states are held at once.
const PANEL: usize = 1024;
/// Lanes that are scanned side by side where they are not turned.
const LANES: usize = 8;
/// Lanes that are turned into rows of neighbours together.
const TURNED: usize = 16;
/// Places of lanes that are turned at once.
const SPAN: usize = 256;

/// Results that are streamed together, so that memory works while the next are computed.
const STRIP: usize = 256;
/// Results of so many bytes go past the caches.
const LARGE: usize = 1 << 20;

type Stored<E> = <E as Element>::Stored;

#[inline(always)]
fn run<R: Rule>(
    from: Columns<'_, Stored<R::In>>,
    mut out: ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
) {
    let (outer, len, inner) = (from.outer(), from.len(), from.inner());
    if outer == 0 || len == 0 || inner == 0 {
        return;
    }
    let streams = STREAMS && outer * len * inner * size_of::<Stored<R::Out>>() >= LARGE;
    if from.lane(0).is_some() && out.lane(0).is_some() {
        let mut first = 0;
        if turns(size_of::<Stored<R::In>>()) && turns(size_of::<Stored<R::Out>>()) {
            first = outer / TURNED * TURNED;
            turned::<R>(&from, &mut out, carry, first, streams);
        }
        while first + LANES <= outer {
            lanes::<R, LANES>(&from, &mut out, carry, first);
            first += LANES;
        }
        for o in first..outer {
            lanes::<R, 1>(&from, &mut out, carry, o);
        }
        if streams {
            settle();
        }
        return;
    }
    let mut strip = [Stored::<R::Out>::default(); STRIP];
    let mut one = [R::START.0; PANEL];
    let mut two = [R::START.1; PANEL];
    for o in 0..outer {
        for start in (0..inner).step_by(PANEL) {
            let count = PANEL.min(inner - start);
            let (one, two) = (&mut one[..count], &mut two[..count]);
            receive::<R>(one, two, carry, o, start);
            for i in 0..len {
                let x = &from.row(o, i)[start..][..count];
                let y = &mut out.row(o, i)[start..][..count];
                if !streams {
                    steps::<R>(x, y, one, two);
                    continue;
                }
                let next = if i + 1 < len {
                    &from.row(o, i + 1)[start..][..count]
                } else {
                    &[]
                };
                for first in (0..count).step_by(STRIP) {
                    let part = first..(first + STRIP).min(count);
                    let strip = &mut strip[..part.len()];
                    steps::<R>(
                        &x[part.clone()],
                        strip,
                        &mut one[part.clone()],
                        &mut two[part.clone()],
                    );
                    stream(
                        bytemuck::cast_slice(strip),
                        bytemuck::cast_slice_mut(&mut y[part.clone()]),
                        &[bytemuck::cast_slice(next.get(part).unwrap_or(&[]))],
                    );
                }
            }
            hand_on::<R>(one, two, carry, o, start);
        }
    }
    if streams {
        settle();
    }
}

/// One row of neighbours.
#[inline(always)]
fn steps<R: Rule>(x: &[Stored<R::In>], y: &mut [Stored<R::Out>], one: &mut [R::Word], two: &mut [R::Word]) {
    let count = x.len();
    let (y, one, two) = (&mut y[..count], &mut one[..count], &mut two[..count]);
    for j in 0..count {
        y[j] = R::step(&mut one[j], &mut two[j], R::In::load(x[j])).store();
    }
}

/// The first `count` lanes, a multiple of those that are turned together.
#[inline(always)]
fn turned<R: Rule>(
    from: &Columns<'_, Stored<R::In>>,
    out: &mut ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
    count: usize,
    streams: bool,
) {
    let mut x = [[Stored::<R::In>::default(); TURNED]; SPAN];
    let mut y = [[Stored::<R::Out>::default(); TURNED]; SPAN];
    let mut flat = [[Stored::<R::Out>::default(); TURNED]; SPAN];
    // Spans of about the same length.
    let span = from.len().div_ceil(from.len().div_ceil(SPAN));
    let span = span.next_multiple_of(8).min(SPAN);
    for o in (0..count).step_by(TURNED) {
        let mut one = [R::START.0; TURNED];
        let mut two = [R::START.1; TURNED];
        for l in 0..TURNED {
            receive::<R>(&mut one[l..=l], &mut two[l..=l], carry, o + l, 0);
        }
        for start in (0..from.len()).step_by(span) {
            let rows = start..(start + span).min(from.len());
            let (x, y) = (&mut x[..rows.len()], &mut y[..rows.len()]);
            let ahead = following(from, o, TURNED, rows.clone());
            gather(from, o, TURNED, rows, bytemuck::cast_slice_mut(x));
            for (x, y) in x.iter().zip(&mut *y) {
                steps::<R>(x, y, &mut one, &mut two);
            }
            let (y, flat) = (bytemuck::cast_slice(y), bytemuck::cast_slice_mut(&mut flat));
            scatter(y, TURNED, out, (o, start), flat, streams, ahead);
        }
        for l in 0..TURNED {
            hand_on::<R>(&one[l..=l], &two[l..=l], carry, o + l, 0);
        }
    }
}

/// `L` lanes from `o` on.
#[inline(always)]
fn lanes<R: Rule, const L: usize>(
    from: &Columns<'_, Stored<R::In>>,
    out: &mut ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
    o: usize,
) {
    let len = from.len();
    let Some(y) = out.lanes::<L>(o) else { return };
    let y = y.map(|lane| &mut lane[..len]);
    let x: [&[Stored<R::In>]; L] = std::array::from_fn(|l| &from.lane(o + l).unwrap_or(&[])[..len]);
    let mut one = [R::START.0; L];
    let mut two = [R::START.1; L];
    for l in 0..L {
        receive::<R>(&mut one[l..=l], &mut two[l..=l], carry, o + l, 0);
    }
    for i in 0..len {
        for l in 0..L {
            y[l][i] = R::step(&mut one[l], &mut two[l], R::In::load(x[l][i])).store();
        }
    }
    for l in 0..L {
        hand_on::<R>(&one[l..=l], &two[l..=l], carry, o + l, 0);
    }
}

/// Reads the states of the columns `o, start..` from the carry, whose zeros are the start.
#[inline(always)]
fn receive<R: Rule>(one: &mut [R::Word], two: &mut [R::Word], carry: &mut Carry<'_>, o: usize, start: usize) {
    let count = one.len();
    let first = R::bits(R::START.0);
    for (word, bits) in one.iter_mut().zip(carry.of(0, o, start, count)) {
        *word = R::word(*bits ^ first);
    }
    if R::PAIR {
        let second = R::bits(R::START.1);
        for (word, bits) in two.iter_mut().zip(carry.of(1, o, start, count)) {
            *word = R::word(*bits ^ second);
        }
    }
}

/// Writes the states of the columns `o, start..` to the carry.
#[inline(always)]
fn hand_on<R: Rule>(one: &[R::Word], two: &[R::Word], carry: &mut Carry<'_>, o: usize, start: usize) {
    let count = one.len();
    let first = R::bits(R::START.0);
    for (word, bits) in one.iter().zip(carry.of(0, o, start, count)) {
        *bits = R::bits(*word) ^ first;
    }
    if R::PAIR {
        let second = R::bits(R::START.1);
        for (word, bits) in two.iter().zip(carry.of(1, o, start, count)) {
            *bits = R::bits(*word) ^ second;
        }
    }
}

fn baseline<R: Rule>(
    from: Columns<'_, Stored<R::In>>,
    out: ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
) {
    run::<R>(from, out, carry);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compiled_for_avx2<R: Rule>(
    from: Columns<'_, Stored<R::In>>,
    out: ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
) {
    run::<R>(from, out, carry);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512bw,avx512vl")]
fn compiled_for_avx512<R: Rule>(
    from: Columns<'_, Stored<R::In>>,
    out: ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
) {
    run::<R>(from, out, carry);
}

#[cfg(target_arch = "x86_64")]
fn avx2<R: Rule>(
    from: Columns<'_, Stored<R::In>>,
    out: ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
) {
    // SAFETY: only `select` hands this function out, after `Isa::available` found AVX2.
    unsafe { compiled_for_avx2::<R>(from, out, carry) }
}

#[cfg(target_arch = "x86_64")]
fn avx512<R: Rule>(
    from: Columns<'_, Stored<R::In>>,
    out: ColumnsMut<'_, Stored<R::Out>>,
    carry: &mut Carry<'_>,
) {
    // SAFETY: only `select` hands this function out, after `Isa::available` found AVX-512 F, DQ,
    // BW and VL; each machine with those has AVX2.
    unsafe { compiled_for_avx512::<R>(from, out, carry) }
}

/// The loop of a rule for `isa`, or the baseline one where this machine lacks it.
pub(super) fn select<R: Rule>(isa: Isa) -> ScanFn<R::In, R::Out> {
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512 if isa.available() => return avx512::<R>,
        Isa::Avx2 if isa.available() => return avx2::<R>,
        _ => {}
    }
    let _ = isa;
    baseline::<R>
}
