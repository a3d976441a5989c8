//! Keys of stages: equal where the same values come out to the bit.
//!
//! A key covers what is computed down to the content of the sources, how it is cut, which device was
//! asked for, and the keys of the stages that make what is read, since sums depend on how they
//! were cut.

use crate::expr::DurableIds;
use crate::plan::{Feed, Plan, Stage, StageKind};
use crate::session::DeviceChoice;
use std::hash::{Hash, Hasher};
use xxhash_rust::xxh3::Xxh3;

/// Changes with what is written.
const FORMAT: u32 = 1;

/// The key of each stage of a plan; `None` where no other process can compute the same, as with closures.
pub(super) fn keys(plan: &Plan, device: DeviceChoice) -> Vec<Option<u128>> {
    let mut ids = DurableIds::default();
    let mut keys: Vec<Option<u128>> = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        keys.push(key(plan, stage, device, &mut ids, &keys));
    }
    keys
}

fn key(
    plan: &Plan,
    stage: &Stage,
    device: DeviceChoice,
    ids: &mut DurableIds,
    before: &[Option<u128>],
) -> Option<u128> {
    let mut hasher = Xxh3::new();
    (env!("CARGO_PKG_VERSION"), FORMAT, format!("{device:?}")).hash(&mut hasher);
    let kind = match &stage.kind {
        StageKind::Store => 0,
        StageKind::Reduce { segments, .. } => 1 + segments,
        StageKind::Block(_) => usize::MAX,
        StageKind::Custom(_) => return None,
    };
    (kind, &stage.grid, &stage.cuts).hash(&mut hasher);
    for &id in &stage.arrays {
        let array = &plan.arrays[id];
        (ids.of(&array.value)?, array.dtype, &array.grid, array.stored).hash(&mut hasher);
    }
    for input in stage.variants.iter().flat_map(|v| &v.inputs) {
        if let Feed::Array(id) = input.feed.base() {
            before[plan.arrays[*id].made_by]?.hash(&mut hasher);
        }
    }
    hasher.write_u8(0);
    Some(hasher.digest128())
}
