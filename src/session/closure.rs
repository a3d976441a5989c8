//! Running a user's closure on a block: it reads arrays where they lie if nothing has to be computed
//! or gathered for it, and writes where its result will lie.

use super::run::{Placement, Run, Value, Want};
use super::{fetch, output};
use crate::Result;
use crate::device::Binding;
use crate::expr::Custom;
use crate::geometry::{AxisStep, Region};
use crate::plan::program::{Action, Output, Program};
use crate::plan::{Stage, Variant};

/// Runs one block.
pub(super) fn run_item(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    custom: &Custom,
    item: usize,
) -> Result<()> {
    let block = stage.grid.region(&stage.grid.block(item));
    if block.is_empty() {
        return Ok(());
    }
    let array = stage.arrays[0];
    let bytes = block.len() * run.plan.arrays[array].dtype.size();
    let want = Want {
        place: output::place(run, array, &block)?,
        ..Want::buffer("output blocks", bytes)
    };
    let mut out = Value::new(run, want, false)?;
    let variant = stage.variant(&block.start);
    let mut call = |inputs: &[&[u8]]| custom.run(inputs, &block.shape, &block.start, out.bytes_mut());
    if only_loads(&variant.program) {
        let found = fetch::inputs(run, None, variant, &block)?;
        if let Some(inputs) = dense_inputs(variant, &found.held, &found.bindings, &block) {
            call(&inputs)?;
            return out.hand_on(run, placement, array, &block);
        }
    }
    let program = &variant.program;
    let want = |value: &Output| {
        let bytes = block.len() * program.insts[value.value()].dtype.size();
        Want::buffer("output blocks", bytes)
    };
    let wants = program.outputs.iter().map(want).collect();
    let values = run.compute(stage, placement, variant, &block, wants)?;
    let inputs: Vec<&[u8]> = values.iter().map(Value::bytes).collect();
    call(&inputs)?;
    drop(values);
    out.hand_on(run, placement, array, &block)
}

/// Whether every value of a program is an input as it is.
fn only_loads(program: &Program) -> bool {
    let loads = |inst: &crate::plan::program::Inst| matches!(inst.action, Action::Load(_));
    program.insts.iter().all(loads)
}

/// The bytes of each output of a program of loads, where all lie dense and aligned.
fn dense_inputs<'a>(
    variant: &Variant,
    held: &'a [fetch::Held],
    bindings: &[Binding],
    block: &Region,
) -> Option<Vec<&'a [u8]>> {
    let program = &variant.program;
    let outputs = program.outputs.iter().map(|output| {
        let inst = &program.insts[output.value()];
        let Action::Load(input) = inst.action else {
            return None;
        };
        let (binding, size) = (&bindings[input], inst.dtype.size());
        let mut dense = 1;
        for (step, &n) in binding.access.steps.iter().zip(&block.shape).rev() {
            if n > 1 && *step != AxisStep::Step(dense) {
                return None;
            }
            dense *= n as isize;
        }
        let from = usize::try_from(binding.access.offset).ok()? * size;
        let bytes = held[binding.buffer]
            .bytes()
            .get(from..from + block.len() * size)?;
        (bytes.as_ptr() as usize).is_multiple_of(size).then_some(bytes)
    });
    outputs.collect()
}
