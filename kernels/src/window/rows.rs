//! The loops of a window over rows of neighbours.

use super::buffers::{Row, States};
use super::rules::{Real, Rule};

/// Whether a row has NaN.
#[inline(always)]
pub(super) fn misses<K: Real>(row: &[K]) -> bool {
    #[allow(clippy::eq_op)] // a NaN is what differs from itself
    row.iter().fold(false, |found, x| found | (x != x))
}

/// A state with `x` taken in, and how many elements it then has; `n` if none is missing.
#[inline(always)]
#[allow(clippy::eq_op)] // a NaN is what differs from itself
fn pushed<R: Rule<K>, K: Real, const CAREFUL: bool>(
    state: (R::Word, R::Word),
    count: i32,
    x: K,
    n: f64,
) -> ((R::Word, R::Word), i32) {
    if !CAREFUL {
        return (R::push(state, x, n), 0);
    }
    let there = x == x;
    let count = count + i32::from(there);
    let new = R::push(state, x, f64::from(count));
    let pick = |new, old| if there { new } else { old };
    ((pick(new.0, state.0), pick(new.1, state.1)), count)
}

/// `to` is `from` with a row taken in.
#[inline(always)]
pub(super) fn push<R: Rule<K>, K: Real, const CAREFUL: bool>(
    x: &[K],
    from: Row<'_, R::Word>,
    n: f64,
    to: States<'_, R::Word>,
) {
    let count = x.len();
    let (one, two, counts) = (&mut to.one[..count], &mut to.two[..count], &mut to.n[..count]);
    let (from_one, from_two, from_n) = (&from.one[..count], &from.two[..count], &from.n[..count]);
    for j in 0..count {
        let second = if R::PAIR { from_two[j] } else { R::EMPTY.1 };
        let (state, c) = pushed::<R, K, CAREFUL>((from_one[j], second), from_n[j], x[j], n);
        one[j] = state.0;
        if R::PAIR {
            two[j] = state.1;
        }
        if CAREFUL {
            counts[j] = c;
        }
    }
}

/// Takes in a row.
#[inline(always)]
pub(super) fn take<R: Rule<K>, K: Real, const CAREFUL: bool>(x: &[K], n: f64, states: States<'_, R::Word>) {
    let count = x.len();
    let (one, two, counts) = (
        &mut states.one[..count],
        &mut states.two[..count],
        &mut states.n[..count],
    );
    for j in 0..count {
        let second = if R::PAIR { two[j] } else { R::EMPTY.1 };
        let (state, c) = pushed::<R, K, CAREFUL>((one[j], second), counts[j], x[j], n);
        one[j] = state.0;
        if R::PAIR {
            two[j] = state.1;
        }
        if CAREFUL {
            counts[j] = c;
        }
    }
}

/// Takes in a row, with `PUSH`, and gives the results together with the older states.
#[inline(always)]
pub(super) fn emit<R: Rule<K>, K: Real, const CAREFUL: bool, const PUSH: bool>(
    x: &[K],
    states: States<'_, R::Word>,
    n: f64,
    older: Row<'_, R::Word>,
    older_n: f64,
    (least, ddof): (f64, f64),
    out: &mut [R::Out],
) {
    let count = out.len();
    let x = if PUSH { &x[..count] } else { x };
    if !CAREFUL && n + older_n < least {
        if PUSH {
            take::<R, K, CAREFUL>(x, n, states);
        }
        out.fill(R::Out::NAN);
        return;
    }
    let (one, two, counts) = (
        &mut states.one[..count],
        &mut states.two[..count],
        &mut states.n[..count],
    );
    let (old_one, old_two, old_n) = (&older.one[..count], &older.two[..count], &older.n[..count]);
    for j in 0..count {
        let mut state = (one[j], if R::PAIR { two[j] } else { R::EMPTY.1 });
        let mut c = counts[j];
        if PUSH {
            (state, c) = pushed::<R, K, CAREFUL>(state, c, x[j], n);
            one[j] = state.0;
            if R::PAIR {
                two[j] = state.1;
            }
            if CAREFUL {
                counts[j] = c;
            }
        }
        let (na, nb) = match CAREFUL {
            true => (f64::from(old_n[j]), f64::from(c)),
            false => (older_n, n),
        };
        let old = (old_one[j], if R::PAIR { old_two[j] } else { R::EMPTY.1 });
        let value = R::finish(R::merge(old, na, state, nb), na + nb, ddof);
        let enough = !CAREFUL || na + nb >= least;
        out[j] = if enough { value } else { R::Out::NAN };
    }
}
