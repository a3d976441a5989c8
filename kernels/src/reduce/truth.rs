//! Any, all, and counts of elements that are not NaN.
//!
//! Both work on bytes of 0 or 1 that say whether an element is true, or whether it is not NaN.

use super::lanes::{Rule, window};
use super::widen::{True, Valid};

/// Whether any (or all) elements are true.
pub(super) struct Truth<const ALL: bool>;

impl<const ALL: bool> Rule for Truth<ALL> {
    type Store = Vec<u8>;
    type Elem = True;
    type Lanes<const L: usize> = [u8; L];
    const WIDE: bool = false;

    #[inline(always)]
    fn blank<const L: usize>() -> [u8; L] {
        [u8::from(ALL); L]
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Vec<u8>, at: usize) -> [u8; L] {
        window(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Vec<u8>, at: usize, lanes: [u8; L]) {
        store[at..at + L].copy_from_slice(&lanes);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut [u8; L], x: &[True; L], _index: i64, _step: i64) {
        for l in 0..L {
            lanes[l] = if ALL { lanes[l] & x[l].0 } else { lanes[l] | x[l].0 };
        }
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut [u8; L], other: &[u8; L]) {
        Self::feed(lanes, &other.map(True), 0, 0);
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &[u8; L], from: usize) -> [u8; M] {
        window(lanes, from)
    }
}

/// How many elements there were (that are not NaN).
pub(super) struct Count<const SKIP: bool>;

impl<const SKIP: bool> Rule for Count<SKIP> {
    type Store = Vec<u64>;
    type Elem = Valid;
    type Lanes<const L: usize> = [u64; L];
    const WIDE: bool = true;

    #[inline(always)]
    fn blank<const L: usize>() -> [u64; L] {
        [0; L]
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Vec<u64>, at: usize) -> [u64; L] {
        window(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Vec<u64>, at: usize, lanes: [u64; L]) {
        store[at..at + L].copy_from_slice(&lanes);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut [u64; L], x: &[Valid; L], _index: i64, _step: i64) {
        for l in 0..L {
            lanes[l] += if SKIP { u64::from(x[l].0) } else { 1 };
        }
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut [u64; L], other: &[u64; L]) {
        for l in 0..L {
            lanes[l] += other[l];
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &[u64; L], from: usize) -> [u64; M] {
        window(lanes, from)
    }
}
