//! Smallest and largest elements, their indices, and the first and last element.
//!
//! NumPy's meaning: a NaN wins unless it is skipped, and of equal elements the one of lowest
//! index is meant. A cell that remembers an index compares it too, so that the order in which
//! parts of the data join does not matter.

use super::lanes::{Rule, window};
use super::state::Tagged;
use std::marker::PhantomData;

/// An element that is compared.
pub(super) trait Ordered: Copy + Default + PartialOrd + 'static {
    /// Below or equal to every value.
    const LOWEST: Self;
    /// Above or equal to every value.
    const HIGHEST: Self;
    /// What stands in a cell to which nothing has joined when NaN is skipped.
    const MISSING: Option<Self>;
    /// Whether it is NaN.
    fn nan(self) -> bool;
}

impl Ordered for i64 {
    const LOWEST: i64 = i64::MIN;
    const HIGHEST: i64 = i64::MAX;
    const MISSING: Option<i64> = None;
    #[inline(always)]
    fn nan(self) -> bool {
        false
    }
}

impl Ordered for u64 {
    const LOWEST: u64 = u64::MIN;
    const HIGHEST: u64 = u64::MAX;
    const MISSING: Option<u64> = None;
    #[inline(always)]
    fn nan(self) -> bool {
        false
    }
}

impl Ordered for f32 {
    const LOWEST: f32 = f32::NEG_INFINITY;
    const HIGHEST: f32 = f32::INFINITY;
    const MISSING: Option<f32> = Some(f32::NAN);
    #[inline(always)]
    fn nan(self) -> bool {
        self.is_nan()
    }
}

impl Ordered for f64 {
    const LOWEST: f64 = f64::NEG_INFINITY;
    const HIGHEST: f64 = f64::INFINITY;
    const MISSING: Option<f64> = Some(f64::NAN);
    #[inline(always)]
    fn nan(self) -> bool {
        self.is_nan()
    }
}

/// Whether `x` beats `than`; never when one is NaN.
#[inline(always)]
fn beats<K: Ordered, const MAX: bool>(x: K, than: K) -> bool {
    if MAX { x > than } else { x < than }
}

/// What an extreme starts from.
#[inline(always)]
pub(super) fn worst<K: Ordered, const MAX: bool, const SKIP: bool>() -> K {
    match K::MISSING {
        Some(nan) if SKIP => nan,
        _ if MAX => K::LOWEST,
        _ => K::HIGHEST,
    }
}

/// Smallest or largest element. The tag of a cell is 1 once something was fed to it.
pub(super) struct Extreme<K, const MAX: bool, const SKIP: bool>(PhantomData<K>);

impl<K: Ordered, const MAX: bool, const SKIP: bool> Rule for Extreme<K, MAX, SKIP> {
    type Store = Tagged<K, u8>;
    type Elem = K;
    type Lanes<const L: usize> = [K; L];
    const WIDE: bool = true;

    #[inline(always)]
    fn blank<const L: usize>() -> [K; L] {
        [worst::<K, MAX, SKIP>(); L]
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Tagged<K, u8>, at: usize) -> [K; L] {
        window(&store.value, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Tagged<K, u8>, at: usize, lanes: [K; L]) {
        store.value[at..at + L].copy_from_slice(&lanes);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut [K; L], x: &[K; L], _index: i64, _step: i64) {
        Self::merge(lanes, x);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut [K; L], other: &[K; L]) {
        for l in 0..L {
            let (have, x) = (lanes[l], other[l]);
            let nan = if SKIP { have.nan() } else { x.nan() };
            lanes[l] = if beats::<K, MAX>(x, have) | nan { x } else { have };
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &[K; L], from: usize) -> [K; M] {
        window(lanes, from)
    }

    #[inline(always)]
    fn mark(store: &mut Tagged<K, u8>, at: usize, len: usize) {
        store.tag[at..at + len].fill(1);
    }

    fn merge_marks(store: &mut Tagged<K, u8>, other: &Tagged<K, u8>) {
        for (mark, other) in store.tag.iter_mut().zip(&other.tag) {
            *mark |= other;
        }
    }
}

/// `L` elements with their indices; an index of −1 means none.
#[derive(Clone, Copy)]
pub(super) struct IndexedLanes<K, const L: usize> {
    value: [K; L],
    index: [i64; L],
}

/// Which of two indexed elements a cell keeps.
pub(super) trait Choice<K> {
    /// Whether `x` at `i` replaces `have` at `at`, which exists.
    fn replaces(x: K, i: i64, have: K, at: i64) -> bool;
    /// Whether `x` is left out.
    fn skips(x: K) -> bool;
}

/// The first smallest or largest.
pub(super) struct Best<const MAX: bool, const SKIP: bool>;

impl<K: Ordered, const MAX: bool, const SKIP: bool> Choice<K> for Best<MAX, SKIP> {
    #[inline(always)]
    fn replaces(x: K, i: i64, have: K, at: i64) -> bool {
        let earlier = i < at;
        beats::<K, MAX>(x, have) | ((x == have) & earlier) | (x.nan() & (!have.nan() | earlier))
    }

    #[inline(always)]
    fn skips(x: K) -> bool {
        SKIP && x.nan()
    }
}

/// The one of lowest or highest index.
pub(super) struct End<const LAST: bool, const SKIP: bool>;

impl<K: Ordered, const LAST: bool, const SKIP: bool> Choice<K> for End<LAST, SKIP> {
    #[inline(always)]
    fn replaces(_x: K, i: i64, _have: K, at: i64) -> bool {
        if LAST { i > at } else { i < at }
    }

    #[inline(always)]
    fn skips(x: K) -> bool {
        SKIP && x.nan()
    }
}

/// An element and its index. The tag of a cell is the index, −1 before anything has joined.
pub(super) struct Indexed<K, C>(PhantomData<(K, C)>);

impl<K: Ordered, C: Choice<K>> Indexed<K, C> {
    #[inline(always)]
    fn join<const L: usize>(lanes: &mut IndexedLanes<K, L>, x: &[K; L], index: &[i64; L]) {
        for l in 0..L {
            let none = lanes.index[l] < 0;
            let better = C::replaces(x[l], index[l], lanes.value[l], lanes.index[l]);
            let take = (none | better) & !C::skips(x[l]) & (index[l] >= 0);
            lanes.value[l] = if take { x[l] } else { lanes.value[l] };
            lanes.index[l] = if take { index[l] } else { lanes.index[l] };
        }
    }
}

impl<K: Ordered, C: Choice<K>> Rule for Indexed<K, C> {
    type Store = Tagged<K, i64>;
    type Elem = K;
    type Lanes<const L: usize> = IndexedLanes<K, L>;
    const WIDE: bool = false;

    #[inline(always)]
    fn blank<const L: usize>() -> IndexedLanes<K, L> {
        IndexedLanes {
            value: [K::default(); L],
            index: [-1; L],
        }
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Tagged<K, i64>, at: usize) -> IndexedLanes<K, L> {
        IndexedLanes {
            value: window(&store.value, at),
            index: window(&store.tag, at),
        }
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Tagged<K, i64>, at: usize, lanes: IndexedLanes<K, L>) {
        store.value[at..at + L].copy_from_slice(&lanes.value);
        store.tag[at..at + L].copy_from_slice(&lanes.index);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut IndexedLanes<K, L>, x: &[K; L], index: i64, step: i64) {
        let mut indices = [0; L];
        for (l, slot) in indices.iter_mut().enumerate() {
            *slot = index + l as i64 * step;
        }
        Self::join(lanes, x, &indices);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut IndexedLanes<K, L>, other: &IndexedLanes<K, L>) {
        Self::join(lanes, &other.value, &other.index);
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &IndexedLanes<K, L>, from: usize) -> IndexedLanes<K, M> {
        IndexedLanes {
            value: window(&lanes.value, from),
            index: window(&lanes.index, from),
        }
    }
}
