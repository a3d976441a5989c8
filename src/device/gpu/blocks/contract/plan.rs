//! How a contraction is cut into launches: parts of its sums, and rounds that fit bindings.
//!
//! Everything that decides the order in which products are added depends on extents alone, so that
//! the same contraction gives the same bits whatever the tiling, the layout or the adapter's limits.

use super::problem::Problem;
use super::ring::Ring;
use super::tiling::{Bounds, TILINGS, Tiling};

/// Matrices with fewer rows and columns than this are summed without tiles.
const THIN: usize = 32;
/// Steps of the summed axis that are packed together; every depth of a slab divides it.
pub(super) const STEPS: usize = 32;
/// The sums of a result are split until so many tiles are busy.
const BUSY_TILES: usize = 256;
/// The edge of the tiles that are counted.
const BUSY_EDGE: usize = 128;
/// Products that are left to a part of a sum at least.
const LEAST_SHARE: usize = 512;
/// The same without tiles, where a part is one invocation; and how many are busy, and the most parts.
const THIN_SHARE: usize = 64;
const THIN_BUSY: usize = 1 << 16;
const THIN_PARTS: usize = 512;

/// Whether matrices are smaller than tiles, so that packing would mostly move zeros.
pub(super) fn is_thin(problem: &Problem) -> bool {
    problem.summed == 0 || problem.rows.max(problem.cols) < THIN
}

/// Parts of each sum where there are no tiles.
pub(super) fn thin_splits(problem: &Problem) -> usize {
    let wanted = (THIN_BUSY / problem.cells().max(1)).min(problem.summed / THIN_SHARE);
    below(wanted.min(THIN_PARTS))
}

/// Parts of each sum, and products in a part.
pub(super) fn splits(problem: &Problem) -> (usize, usize) {
    let tiles = problem.batch * problem.rows.div_ceil(BUSY_EDGE) * problem.cols.div_ceil(BUSY_EDGE);
    let wanted = below((BUSY_TILES / tiles).min(problem.summed / LEAST_SHARE));
    let share = problem.summed.div_ceil(wanted).next_multiple_of(STEPS);
    (problem.summed.div_ceil(share), share)
}

/// The largest power of two that is not more, at least one.
fn below(number: usize) -> usize {
    1 << number.max(1).ilog2()
}

/// The tiling that is expected to take the least time, and its depth. `rates` are sums per time in
/// each, `parallel` the invocations that keep the adapter busy.
pub(super) fn choose(
    problem: &Problem,
    ring: Ring,
    bounds: Bounds,
    rates: &[u32],
    parallel: usize,
) -> Option<(Tiling, usize)> {
    let planes = problem.batch * splits(problem).0;
    let time = |(tiling, &rate): (&Tiling, &u32)| {
        let [down, across] = tiling.tile;
        let tiles = planes * problem.rows.div_ceil(down) * problem.cols.div_ceil(across);
        let busy = tiles.max(parallel / tiling.threads());
        (busy * down * across) as f64 / f64::from(rate.max(1))
    };
    TILINGS
        .iter()
        .zip(rates)
        .filter_map(|pair| Some((*pair.0, pair.0.depth(ring, bounds)?, time(pair))))
        .min_by(|x, y| x.2.total_cmp(&y.2))
        .map(|(tiling, depth, _)| (tiling, depth))
}

/// What is packed and multiplied at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Round {
    /// First batch, and their number.
    pub batch: usize,
    pub batches: usize,
    /// First and last of the summed elements.
    pub start: usize,
    pub end: usize,
    /// First plane of sums, and planes per batch.
    pub plane: usize,
    pub splits: usize,
    /// Whether it goes on with sums that are there.
    pub continues: bool,
}

impl Round {
    /// Elements along the summed axis, zeros behind them counted.
    pub fn steps(&self) -> usize {
        (self.end - self.start).next_multiple_of(STEPS)
    }
}

/// Rounds whose packed factors have at most `limit` elements each, where `widest` is the longer of
/// their rows; `None` where not even a few steps fit.
pub(super) fn rounds(problem: &Problem, widest: usize, limit: usize) -> Option<Vec<Round>> {
    let (splits, share) = splits(problem);
    let (batch, summed) = (problem.batch, problem.summed);
    let most = limit / widest / STEPS * STEPS;
    if most == 0 {
        return None;
    }
    let whole = summed.next_multiple_of(STEPS);
    let mut rounds = Vec::new();
    if whole <= most {
        let together = most / whole;
        for first in (0..batch).step_by(together) {
            rounds.push(Round {
                batch: first,
                batches: together.min(batch - first),
                start: 0,
                end: summed,
                plane: first * splits,
                splits,
                continues: false,
            });
        }
        return Some(rounds);
    }
    // As many parts of a sum as fit, or one part in pieces.
    let (together, piece) = match most / share {
        0 => (1, most),
        parts => (parts, parts * share),
    };
    for (batch, split) in (0..batch).flat_map(|b| (0..splits).step_by(together).map(move |s| (b, s))) {
        let end = summed.min((split + together) * share);
        for start in (split * share..end).step_by(piece) {
            rounds.push(Round {
                batch,
                batches: 1,
                start,
                end: end.min(start + piece),
                plane: batch * splits + split,
                splits: together.min(splits - split),
                continues: start > split * share,
            });
        }
    }
    Some(rounds)
}

#[cfg(test)]
mod tests {
    use super::super::problem::Layout;
    use super::*;
    use tilewise_kernels::gemm::Axes;

    fn problem([batch, rows, cols, summed]: [usize; 4]) -> Problem {
        let axes = Axes {
            batch: vec![(0, 0, 0)],
            rows: vec![(1, 1)],
            cols: vec![(2, 2)],
            summed: vec![(2, 1)],
        };
        let [a, b] = [[batch, rows, summed], [batch, summed, cols]];
        let layout = |shape| Layout {
            offset: 0,
            shape,
            strides: &[1, 1, 1],
        };
        Problem::new(&axes, layout(&a), layout(&b), &[batch, rows, cols])
    }

    #[test]
    fn long_sums_of_small_results_are_split() {
        assert_eq!(splits(&problem([1, 4096, 4096, 4096])), (1, 4096));
        assert_eq!(splits(&problem([1, 1024, 1024, 4096])), (4, 1024));
        assert_eq!(splits(&problem([1, 64, 64, 1000])), (1, 1024));
        assert_eq!(splits(&problem([1, 64, 64, 1100])), (2, 576));
        assert_eq!(splits(&problem([300, 64, 64, 1 << 20])), (1, 1 << 20));
        assert_eq!(thin_splits(&problem([1, 4, 4, 100])), 1);
        assert_eq!(thin_splits(&problem([1, 4, 4, 1 << 20])), 512);
        assert_eq!(thin_splits(&problem([4096, 4, 4, 1 << 20])), 1);
    }

    #[test]
    fn rounds_cover_every_product_once() {
        for (extents, limit) in [
            ([5, 40, 70, 100], 1 << 20),
            ([5, 40, 70, 100], 128 * 256),
            ([2, 40, 70, 5000], 128 * 1100),
            ([2, 40, 70, 5000], 128 * 100),
            ([1, 40, 70, 33], 128 * 32),
        ] {
            let problem = problem(extents);
            let (splits, share) = splits(&problem);
            let mut next = vec![None; problem.batch * splits];
            for round in rounds(&problem, 128, limit).unwrap() {
                assert!(round.batches * round.steps() * 128 <= limit, "{round:?}");
                for (batch, split) in (0..round.batches).flat_map(|b| (0..round.splits).map(move |s| (b, s)))
                {
                    let plane = round.plane + batch * round.splits + split;
                    let first = round.start + split * share;
                    let end = round.end.min(first + share);
                    let (wanted_batch, part) = (plane / splits, plane % splits);
                    assert_eq!(wanted_batch, round.batch + batch, "{round:?}");
                    let begun: Option<usize> = next[plane];
                    assert_eq!(begun.is_some(), round.continues, "{round:?}");
                    assert_eq!(begun.unwrap_or(part * share), first, "{round:?}");
                    next[plane] = Some(end);
                }
            }
            let ends = (0..next.len()).map(|p| Some(extents[3].min((p % splits + 1) * share)));
            assert_eq!(next, ends.collect::<Vec<_>>(), "{extents:?}, {limit}");
        }
        assert_eq!(rounds(&problem([1, 40, 70, 33]), 128, 4000), None);
    }

    #[test]
    fn small_results_get_small_tiles() {
        let bounds = Bounds {
            threads: 1024,
            memory: 32 << 10,
        };
        let rates = TILINGS.map(|t| t.rate);
        let tile = |extents| choose(&problem(extents), Ring::F32, bounds, &rates, 1 << 16).map(|c| c.0.tile);
        assert_eq!(tile([1, 4096, 4096, 4096]), Some([128, 128]));
        assert_eq!(tile([1, 40, 40, 40]), Some([64, 64]));
        assert_eq!(tile([1, 8, 100_000, 64]), Some([32, 128]));
    }
}
