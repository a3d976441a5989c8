//! The sort of one lane: least significant digit first for long lanes, by comparison for short ones.

use super::Word;

/// What lanes are sorted of: a key, or a key with the index that it came from.
pub trait Record: Copy + Ord + Default + Send + Sync {
    /// Digits of 8 bits that decide the order, given that indices rise to begin with.
    const DIGITS: usize;
    /// A digit, the least significant first.
    fn digit(self, at: usize) -> usize;
}

impl<K: Word> Record for K {
    const DIGITS: usize = K::DIGITS;
    #[inline(always)]
    fn digit(self, at: usize) -> usize {
        Word::digit(self, at)
    }
}

impl<K: Word> Record for (K, u32) {
    const DIGITS: usize = K::DIGITS;
    #[inline(always)]
    fn digit(self, at: usize) -> usize {
        self.0.digit(at)
    }
}

/// Below so many records per digit comparing is faster.
const SHORT: usize = 64;

/// Sorts `lane`; records with indices must come in the order of these. `spare` becomes
/// as long where it is needed.
pub(super) fn sort<R: Record>(lane: &mut [R], spare: &mut Vec<R>) {
    if lane.len() < SHORT * R::DIGITS || u32::try_from(lane.len()).is_err() {
        return lane.sort_unstable();
    }
    spare.resize(lane.len(), R::default());
    let spare = spare.as_mut_slice();
    let mut counts = [[0u32; 256]; 8];
    for &record in &*lane {
        for (at, counts) in counts[..R::DIGITS].iter_mut().enumerate() {
            counts[record.digit(at)] += 1;
        }
    }
    let mut in_lane = true;
    for (at, counts) in counts[..R::DIGITS].iter_mut().enumerate() {
        let (from, to): (&[R], &mut [R]) = match in_lane {
            true => (lane, spare),
            false => (spare, lane),
        };
        if counts[from[0].digit(at)] as usize == from.len() {
            continue; // all have that digit
        }
        let mut next = 0;
        for count in counts.iter_mut() {
            next += std::mem::replace(count, next);
        }
        for &record in from {
            let slot = &mut counts[record.digit(at)];
            to[*slot as usize] = record;
            *slot += 1;
        }
        in_lane = !in_lane;
    }
    if !in_lane {
        lane.copy_from_slice(spare);
    }
}

/// Moves the records that sorting would put at the rising positions `at` there, with none larger
/// before and none smaller behind each.
pub(super) fn select<R: Ord>(lane: &mut [R], at: &[usize]) {
    select_from(lane, 0, at);
}

fn select_from<R: Ord>(lane: &mut [R], first: usize, at: &[usize]) {
    let middle = at.len() / 2;
    let Some(&place) = at.get(middle) else { return };
    let (low, _, high) = lane.select_nth_unstable(place - first);
    select_from(low, first, &at[..middle]);
    select_from(high, place + 1, &at[middle + 1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without order.
    fn scrambled(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i << 7))
    }

    #[test]
    fn long_and_short_lanes_are_sorted() {
        for count in [0, 1, 2, 100, 511, 512, 3000] {
            for shift in [0, 20, 40, 60] {
                let mut lane: Vec<u64> = scrambled(count).map(|x| x >> shift).collect();
                let mut want = lane.clone();
                want.sort();
                let mut spare = Vec::new();
                sort(&mut lane, &mut spare);
                assert_eq!(lane, want);
                let mut pairs: Vec<(u16, u32)> = scrambled(count)
                    .enumerate()
                    .map(|(i, x)| ((x >> (shift + 3)) as u16 & 0x1ff, i as u32))
                    .collect();
                let mut want = pairs.clone();
                want.sort();
                let mut spare = Vec::new();
                sort(&mut pairs, &mut spare);
                assert_eq!(pairs, want);
            }
        }
    }

    #[test]
    fn selected_places_hold_what_sorting_puts_there() {
        let lane: Vec<u64> = scrambled(1000).map(|x| x % 300).collect();
        let mut sorted = lane.clone();
        sorted.sort();
        for at in [
            &[][..],
            &[0],
            &[999],
            &[3, 4, 5, 700],
            &[0, 1, 2, 3, 500, 998, 999],
        ] {
            let mut found = lane.clone();
            select(&mut found, at);
            for &place in at {
                assert_eq!(found[place], sorted[place]);
                assert!(found[..place].iter().all(|x| *x <= found[place]));
                assert!(found[place..].iter().all(|x| *x >= found[place]));
            }
        }
    }
}
