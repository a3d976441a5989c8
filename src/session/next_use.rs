//! When a tile is needed next, in the order that the plan fixes: what eviction goes by.
//!
//! Blocks of a stage run in row-major order, so a tile's place in its array tells about when a
//! stage comes to it. A tile behind the running stage's position is next used by the next stage
//! that reads its array, if any.

use crate::plan::{Feed, Plan};
use crate::store::TileKey;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Positions within a stage are counted in this many steps.
const STEPS: u64 = 1 << 32;

/// The order of uses of one plan's tiles.
#[derive(Debug)]
pub(super) struct NextUse {
    /// Per array of the store: number of its tiles and the stages that read it, rising.
    readers: HashMap<u64, (u64, Vec<u64>)>,
    stage: AtomicU64,
    items: AtomicU64,
    done: AtomicU64,
}

impl NextUse {
    /// The order of `plan`, whose arrays have those numbers in the store.
    pub fn new(plan: &Plan, keys: &[u64]) -> NextUse {
        let mut readers: HashMap<u64, (u64, Vec<u64>)> = keys
            .iter()
            .zip(&plan.arrays)
            .map(|(&key, array)| (key, (array.grid.count() as u64, Vec::new())))
            .collect();
        for stage in &plan.stages {
            for input in stage.variants.iter().flat_map(|v| &v.inputs) {
                if let Feed::Array(id) = input.feed.base()
                    && let Some((_, stages)) = readers.get_mut(&keys[*id])
                    && stages.last() != Some(&(stage.id as u64))
                {
                    stages.push(stage.id as u64);
                }
            }
        }
        NextUse {
            readers,
            stage: AtomicU64::new(0),
            items: AtomicU64::new(1),
            done: AtomicU64::new(0),
        }
    }

    /// A stage of so many items begins.
    pub fn enter(&self, stage: usize, items: u64) {
        self.stage.store(stage as u64, Ordering::Relaxed);
        self.items.store(items.max(1), Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
    }

    /// The number of the running stage.
    pub fn stage(&self) -> usize {
        self.stage.load(Ordering::Relaxed) as usize
    }

    /// An item of it is done.
    pub fn advance(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// The position of a tile's next use; `u64::MAX` for never.
    pub fn position(&self, key: TileKey) -> u64 {
        let Some((tiles, stages)) = self.readers.get(&key.array) else {
            return u64::MAX;
        };
        let scaled = |n: u64, of: u64| (n as u128 * u128::from(STEPS - 1) / u128::from(of.max(1))) as u64;
        let place = scaled(key.block, *tiles);
        let now = self.stage.load(Ordering::Relaxed);
        let progress = scaled(
            self.done.load(Ordering::Relaxed),
            self.items.load(Ordering::Relaxed),
        );
        // One tile's width of slack, as tasks end out of order.
        let width = scaled(1, *tiles);
        stages
            .iter()
            .find(|&&s| s > now || (s == now && place + width >= progress))
            .map_or(u64::MAX, |s| s.saturating_mul(STEPS) + place)
    }
}
