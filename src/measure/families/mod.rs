//! The table of kernel families: one record each, by group.

mod along;
mod anomalies;
pub(super) mod contract;
mod elementwise;
mod moves;
mod numeric;
mod order;
mod reductions;
mod scheduler;
mod stencils;

use super::family::Family;

/// Every family, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Family> {
    const GROUPS: [&[Family]; 10] = [
        elementwise::FAMILIES,
        reductions::FAMILIES,
        anomalies::FAMILIES,
        along::FAMILIES,
        stencils::FAMILIES,
        moves::FAMILIES,
        numeric::FAMILIES,
        order::FAMILIES,
        contract::FAMILIES,
        scheduler::FAMILIES,
    ];
    GROUPS.into_iter().flatten()
}
