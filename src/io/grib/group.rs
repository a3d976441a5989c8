//! Fields of one quantity as a variable: by member, time, step and level, as cfgrib has them.

use super::field::{Field, Packed, Parameter};
use super::grid::Grid;
use super::levels;
use std::collections::HashMap;
use std::sync::Arc;

/// The axes before those of the grid, in order.
pub(super) const AXES: usize = 4;

/// A variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// What it is.
    pub parameter: Parameter,
    /// The kind of its levels.
    pub level_kind: String,
    /// How it was taken over time.
    pub step_type: &'static str,
    /// Where its points are.
    pub grid: Arc<Grid>,
    /// Members, times (seconds from 1970), steps (seconds) and levels; no members where the fields
    /// say nothing of one.
    pub axes: [Vec<f64>; AXES],
    /// The field at each place of the axes, row-major; `None` where there is no message.
    pub fields: Vec<Option<Packed>>,
    /// Messages that say the same as a later one, which counts.
    pub repeated: usize,
}

/// What fields of one variable have in common.
type Key = (Parameter, String, &'static str, *const Grid);

/// Groups fields, variables in the order of their first fields. Of a message whose place is taken
/// the last counts.
///
/// # Errors
/// When there are far more places than messages, so that no table of them is made.
pub(super) fn group(fields: Vec<Field>) -> Result<Vec<Variable>, String> {
    let mut known: HashMap<Key, usize> = HashMap::new();
    let mut groups: Vec<Vec<Field>> = Vec::new();
    for field in fields {
        let key = (
            field.parameter,
            field.level.kind.clone(),
            field.step_type,
            Arc::as_ptr(&field.grid),
        );
        let at = *known.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(field);
    }
    groups.into_iter().map(variable).collect()
}

/// The coordinates of a field along the axes.
fn place(field: &Field) -> [f64; AXES] {
    [
        field.number.unwrap_or(-1) as f64,
        field.time as f64,
        field.step as f64,
        field.level.value + 0.0,
    ]
}

fn variable(fields: Vec<Field>) -> Result<Variable, String> {
    let first = fields[0].clone();
    let mut axes: [Vec<f64>; AXES] = Default::default();
    for (axis, values) in axes.iter_mut().enumerate() {
        *values = fields.iter().map(|f| place(f)[axis]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
    }
    if levels::falls(&first.level.kind) {
        axes[3].reverse();
    }
    let count = axes
        .iter()
        .try_fold(1usize, |all, axis| all.checked_mul(axis.len()));
    // Messages that fill a corner each would make a table without bound.
    let count = count.filter(|&n| n <= 1024 + 256 * fields.len()).ok_or_else(|| {
        format!(
            "{} messages of one quantity lie at too many different times and levels",
            fields.len()
        )
    })?;
    let places: Vec<HashMap<u64, usize>> = axes
        .iter()
        .map(|axis| axis.iter().enumerate().map(|(at, v)| (v.to_bits(), at)).collect())
        .collect();
    let mut table = vec![None; count];
    let mut repeated = 0;
    for field in &fields {
        let mut at = 0;
        for (axis, value) in place(field).iter().enumerate() {
            at = at * axes[axis].len() + places[axis].get(&value.to_bits()).copied().unwrap_or(0);
        }
        repeated += usize::from(table[at].is_some());
        table[at] = Some(field.packed);
    }
    if fields.iter().all(|f| f.number.is_none()) {
        axes[0].clear();
    }
    Ok(Variable {
        parameter: first.parameter,
        level_kind: first.level.kind,
        step_type: first.step_type,
        grid: first.grid,
        axes,
        fields: table,
        repeated,
    })
}
