//! Block operations on the GPU: one file per family, each with hand-written kernels.
//!
//! A family says what it can compute exactly on this adapter before anything runs; what it refuses
//! runs on the CPU, whose blocks give the same results and take and hand on the same carries.

use super::Gpu;
use crate::device::{BlockTask, OutMut};
use crate::expr::BlockForm;
use crate::{DType, Error, Result};

/// Why a form has no kernels here.
pub(super) fn supports(
    _gpu: &Gpu,
    form: &BlockForm<'_>,
    _operands: &[DType],
    _result: DType,
) -> std::result::Result<(), String> {
    match form {
        BlockForm::Scan { scan, .. } => Err(format!("{} has no GPU kernel", scan.kind.name())),
    }
}

/// Runs a block of a form that is supported.
pub(super) fn run(
    _gpu: &Gpu,
    form: &BlockForm<'_>,
    task: &BlockTask<'_>,
    _out: OutMut<'_>,
    _carry: &mut [u64],
) -> Result<()> {
    match form {
        BlockForm::Scan { .. } => Err(Error::Device(format!("{} has no GPU kernel", task.op.name()))),
    }
}
