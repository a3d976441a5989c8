//! Refusing what cannot fit, with a budget that does.
//!
//! A stage tells what it would hold under the budget that was too small. Under a larger one stages are cut
//! otherwise, and another may ask for a little more: so what is told was planned with.

use super::memory::{StageMemory, Term};
use super::{Limits, Plan, Stage};
use crate::{Error, Result, human_bytes};

/// Budgets that are tried before one is told untried.
const TRIES: usize = 16;

/// The least step from a budget that does not do to the next, in bytes.
const STEP: u64 = 4096;

/// The error for a stage that cannot fit, but for the advice.
pub(super) fn refusal(stage: &Stage, memory: &StageMemory, limits: Limits) -> Error {
    let largest = memory.largest().cloned().unwrap_or(Term {
        what: "nothing".into(),
        bytes: 0,
    });
    let block = stage.grid.largest();
    Error::Memory {
        tier: "host",
        needed: memory.bytes(),
        budget: limits.host,
        term: format!(
            "stage {} ({}) over blocks of {block:?} holds {} for {}",
            stage.id,
            stage.reason,
            human_bytes(largest.bytes),
            largest.what,
        ),
    }
}

/// A refusal with the advice: host memory that `plan` was tried with.
pub(super) fn advised(refused: Error, limits: Limits, plan: impl Fn(Limits) -> Result<Plan>) -> Error {
    let Error::Memory {
        tier: "host",
        mut needed,
        budget,
        term,
    } = refused
    else {
        return refused;
    };
    for _ in 0..TRIES {
        let tried = plan(Limits {
            host: needed,
            ..limits
        });
        match tried {
            Err(Error::Memory {
                tier: "host",
                needed: more,
                ..
            }) => needed = more.max(needed + STEP),
            // Another tier's refusal is told when that budget is given.
            _ => break,
        }
    }
    // A GPU's staging grows with the memory that is given, up to a quarter of it.
    let beside = match limits.reserved {
        0 => 0,
        reserved => reserved.max((needed / 3 + 1).min(1 << 30)),
    };
    let memory = (needed + beside).div_ceil(1 << 20);
    Error::Memory {
        tier: "host",
        needed,
        budget,
        term: format!("{term}; --memory {memory}MiB would do, or chunks of fewer elements"),
    }
}
