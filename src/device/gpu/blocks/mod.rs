//! Block operations on the GPU: one file per family, each with hand-written kernels.
//!
//! A family says what it can compute exactly on this adapter before anything runs; what it refuses
//! runs on the CPU, whose blocks give the same results and take and hand on the same carries.

mod contract;
mod count;
mod order;
mod order_keys;
mod order_lanes;
mod order_sort;
mod quantile;
mod quantile_select;
pub(super) mod transpose;
mod walk;

pub(super) use self::contract::Tilings;

use super::Gpu;
use crate::device::{BlockTask, OutMut};
use crate::expr::BlockForm;
use crate::{DType, Error, Result};

/// Why a form has no kernels here.
pub(super) fn supports(
    gpu: &Gpu,
    form: &BlockForm<'_>,
    operands: &[DType],
    _result: DType,
) -> std::result::Result<(), String> {
    match form {
        BlockForm::Scan { scan, .. } => Err(format!("{} has no GPU kernel", scan.kind.name())),
        BlockForm::Order { .. } => order::supports(gpu),
        BlockForm::Quantile {
            rule, skipna, len, ..
        } => quantile::supports(gpu, operands[0], (rule, *skipna, *len)),
        BlockForm::Histogram => count::supports("histogram", operands.len() > 2),
        BlockForm::Bincount { .. } => count::supports("bincount", operands.len() > 1),
        BlockForm::Searchsorted { .. } | BlockForm::Digitize { .. } => Ok(()),
        BlockForm::Contract { dtype, .. } => contract::supports(gpu, *dtype),
    }
}

/// Runs a block of a form that is supported.
pub(super) fn run(
    gpu: &Gpu,
    form: &BlockForm<'_>,
    task: &BlockTask<'_>,
    out: OutMut<'_>,
    _carry: &mut [u64],
) -> Result<()> {
    match form {
        BlockForm::Scan { .. } => Err(Error::Device(format!("{} has no GPU kernel", task.op.name()))),
        BlockForm::Order { order, indices, axis } => order::run(gpu, task, out, (order, *indices, *axis)),
        BlockForm::Quantile {
            rule, skipna, axes, ..
        } => quantile::run(gpu, task, out, (rule, *skipna, axes)),
        BlockForm::Histogram => count::histogram(gpu, task, out),
        BlockForm::Bincount { length } => count::bincount(gpu, task, out, *length),
        BlockForm::Searchsorted { side } => count::searchsorted(gpu, task, out, *side),
        BlockForm::Digitize {
            edges,
            falling,
            right,
        } => count::digitize(gpu, task, out, (edges, *falling, *right)),
        BlockForm::Contract { axes, .. } => contract::run(gpu, axes, task, out),
    }
}

/// Every kernel of sorting, selecting and counting for a dtype, each with whether it computes in f64.
pub(super) fn order_texts(dtype: DType) -> Vec<(String, bool)> {
    [order::texts(dtype), quantile::texts(dtype), count::texts(dtype)].concat()
}
