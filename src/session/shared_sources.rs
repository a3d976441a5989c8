//! Sources that several stages of a plan read: what of them is on the device may serve twice.

use crate::plan::{Feed, Plan};
use crate::store::Source;
use std::collections::HashMap;

/// The sources that more than one stage reads.
#[derive(Debug, Default)]
pub(super) struct SharedSources {
    /// By fingerprint and name: a number like those of arrays, and the last stage that reads it.
    sources: HashMap<(u64, String), (u64, usize)>,
}

impl SharedSources {
    /// Those of a plan; `number` gives numbers that no array has.
    pub fn new(plan: &Plan, mut number: impl FnMut() -> u64) -> SharedSources {
        let mut readers: HashMap<(u64, String), (usize, usize)> = HashMap::new();
        for stage in &plan.stages {
            for input in stage.variants.iter().flat_map(|v| &v.inputs) {
                if let Feed::Source(source) = &input.feed {
                    let key = (source.fingerprint(), source.name());
                    readers.entry(key).or_insert((stage.id, stage.id)).1 = stage.id;
                }
            }
        }
        let several = readers.into_iter().filter(|(_, (first, last))| first < last);
        SharedSources {
            sources: several.map(|(key, (_, last))| (key, (number(), last))).collect(),
        }
    }

    /// The number of a shared source, and whether stages after `stage` read it too.
    pub fn at_stage(&self, source: &dyn Source, stage: usize) -> Option<(u64, bool)> {
        if self.sources.is_empty() {
            return None;
        }
        let (number, last) = self.sources.get(&(source.fingerprint(), source.name()))?;
        Some((*number, stage < *last))
    }

    /// The numbers of those that no stage after `stage` reads.
    pub fn over_after(&self, stage: usize) -> impl Iterator<Item = u64> {
        let over = self.sources.values().filter(move |(_, last)| *last == stage);
        over.map(|(number, _)| *number)
    }
}
