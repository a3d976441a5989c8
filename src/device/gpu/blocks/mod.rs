//! Block operations on the GPU: one file per family, each with hand-written kernels.
//!
//! A family says what it can compute exactly on this adapter before anything runs; what it refuses
//! runs on the CPU, whose blocks give the same results and take and hand on the same carries.

mod columns;
mod contract;
mod count;
mod fft;
mod order;
mod order_keys;
mod order_lanes;
mod order_sort;
mod quantile;
mod quantile_select;
mod scan;
mod scan_state;
mod stencil;
pub(super) mod transpose;
#[cfg(test)]
pub(super) mod valid;
mod walk;
mod window;

pub(super) use self::contract::{Tilings, Units, matrix_unit_facts};
pub(super) use self::fft::Transforms;

use super::Gpu;
use crate::device::{BlockTask, OutMut};
use crate::expr::BlockForm;
use crate::{DType, Result};

/// Why a form has no kernels here.
pub(super) fn supports(
    gpu: &Gpu,
    form: &BlockForm<'_>,
    operands: &[DType],
    result: DType,
) -> std::result::Result<(), String> {
    match form {
        BlockForm::Scan { scan, dtype, .. } => scan::supports(gpu, **scan, *dtype),
        BlockForm::Window { window, dtype, .. } => window::supports(gpu, window, *dtype),
        BlockForm::Stencil(_) => stencil::supports(gpu, result),
        BlockForm::Order { .. } => order::supports(gpu),
        BlockForm::Quantile {
            rule, skipna, len, ..
        } => quantile::supports(gpu, operands[0], (rule, *skipna, *len)),
        BlockForm::Histogram => count::supports("histogram", operands.len() > 2),
        BlockForm::Bincount { .. } => count::supports("bincount", operands.len() > 1),
        BlockForm::Searchsorted { .. } | BlockForm::Digitize { .. } => Ok(()),
        BlockForm::Contract { dtype, .. } => contract::supports(gpu, *dtype),
        BlockForm::Fft {
            transform,
            axis,
            len,
            scale,
        } => fft::supports(gpu, &fft::Form::new(*transform, *axis, *len, *scale), operands[0]),
    }
}

/// Runs a block of a form that is supported.
pub(super) fn run(
    gpu: &Gpu,
    form: &BlockForm<'_>,
    task: &BlockTask<'_>,
    out: OutMut<'_>,
    carry: &mut [u64],
) -> Result<()> {
    match form {
        BlockForm::Scan { scan, axis, .. } => scan::run(gpu, **scan, *axis, task, out, carry),
        BlockForm::Window { window, axis, .. } => window::run(gpu, window, *axis, task, out),
        BlockForm::Stencil(form) => stencil::run(gpu, *form, task, out),
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
        BlockForm::Contract { axes, dtype } => contract::run(gpu, axes, *dtype, task, out),
        BlockForm::Fft {
            transform,
            axis,
            len,
            scale,
        } => fft::run(gpu, &fft::Form::new(*transform, *axis, *len, *scale), task, out),
    }
}

/// Every kernel of sorting, selecting and counting for a dtype, each with whether it computes in f64.
pub(super) fn order_texts(dtype: DType) -> Vec<(String, bool)> {
    [order::texts(dtype), quantile::texts(dtype), count::texts(dtype)].concat()
}
