//! Running a block operation: the parts of its operands are brought together, computed where they
//! are expressions, and the block is written where it will lie.

use super::run::{Placement, Run, Value};
use super::{fetch, output};
use crate::expr::{BlockCall, BlockOp, Part};
use crate::geometry::{Access, AxisStep, Region, row_major_strides};
use crate::plan::{Stage, Variant, rows_in_place};
use crate::store::{Buffer, Patch};
use crate::{Error, Result};
use std::sync::atomic::Ordering;

/// Number of items: blocks, or columns of blocks that hand a carry along.
pub(super) fn item_count(stage: &Stage, op: &dyn BlockOp) -> usize {
    let counts = stage.grid.grid();
    let carry = op.carry_axis();
    (0..counts.len())
        .filter(|&axis| Some(axis) != carry)
        .map(|axis| counts[axis])
        .product()
}

/// Runs a block, or all blocks of a column in order.
pub(super) fn run_item(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    op: &dyn BlockOp,
    item: usize,
) -> Result<()> {
    let counts = stage.grid.grid();
    let carry_axis = op.carry_axis();
    let mut at = vec![0; counts.len()];
    let mut rest = item;
    for axis in (0..counts.len()).rev().filter(|&a| Some(a) != carry_axis) {
        at[axis] = rest % counts[axis];
        rest /= counts[axis];
    }
    let steps = carry_axis.map_or(1, |axis| counts[axis]);
    let words = op.carry_words(&stage.grid.region(&at).shape);
    let blocks = (0..steps).map(|step| {
        carry_axis.into_iter().for_each(|axis| at[axis] = step);
        op.scratch_bytes(&stage.grid.region(&at).shape)
    });
    let beside = (blocks.max().unwrap_or(0) + 8 * words) as u64;
    let _beside = match beside {
        0 => None,
        bytes => Some(run.store.reserve("block operation", bytes)?),
    };
    let mut carry = vec![0u64; words];
    for step in 0..steps {
        if run.cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if let Some(axis) = carry_axis {
            at[axis] = step;
        }
        let block = stage.grid.region(&at);
        if !block.is_empty() {
            run_block(run, stage, placement, op, &block, &mut carry)?;
        }
    }
    Ok(())
}

/// The memory of an operand's part.
enum Held {
    /// The input itself, and where the part lies in it.
    Input(fetch::Held, usize, Vec<usize>),
    /// The computed value, dense.
    Value(Buffer),
}

fn run_block(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    op: &dyn BlockOp,
    block: &Region,
    carry: &mut [u64],
) -> Result<()> {
    let mut held = Vec::with_capacity(stage.variants.len());
    let mut regions = Vec::with_capacity(stage.variants.len());
    for (number, variant) in stage.variants.iter().enumerate() {
        let region = op.needs(number, block);
        held.push(hold(run, stage, placement, variant, &region)?);
        regions.push(region);
    }
    let parts: Vec<Part<'_>> = held
        .iter()
        .zip(&stage.variants)
        .zip(regions)
        .map(|((held, variant), region)| {
            let program = &variant.program;
            let dtype = program.insts[program.outputs[0].value()].dtype;
            match held {
                Held::Input(input, offset, strides) => Part {
                    bytes: input.bytes(),
                    offset: *offset,
                    strides: strides.clone(),
                    region,
                    dtype,
                },
                Held::Value(buffer) => Part {
                    bytes: buffer,
                    offset: 0,
                    strides: row_major_strides(&region.shape),
                    region,
                    dtype,
                },
            }
        })
        .collect();
    let array = stage.arrays[0];
    let call = |out: &mut Patch<'_>, carry: &mut [u64]| {
        op.run(BlockCall {
            operands: &parts,
            block,
            out,
            carry,
        })
    };
    if let Some(mut place) = output::place(run, array, block)? {
        call(&mut place, carry)?;
        output::placed(run, array, block);
        return Ok(());
    }
    let size = run.plan.arrays[array].dtype.size();
    let mut out = run.store.take("output blocks", block.len() * size)?;
    call(&mut Patch::dense(&mut out, &block.shape, size)?, carry)?;
    drop(parts);
    output::deliver(run, array, block, out)
}

/// Brings the part of an operand into memory: where it lies if rows are contiguous there, else
/// computed or copied into a buffer.
fn hold(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    variant: &Variant,
    region: &Region,
) -> Result<Held> {
    let program = &variant.program;
    if rows_in_place(variant) && !region.is_empty() {
        let (mut held, bindings) = fetch::inputs(run, variant, region)?;
        if let (Some(input), [binding]) = (held.pop(), &bindings[..])
            && let Some((offset, strides)) = walk(&binding.access, region)
            && (input.bytes().as_ptr() as usize).is_multiple_of(program.inputs[0].size())
        {
            return Ok(Held::Input(input, offset, strides));
        }
    }
    let size = program.insts[program.outputs[0].value()].dtype.size();
    let mut value = [Value::Buffer(
        run.store.take("input buffers", region.len() * size)?,
    )];
    if !region.is_empty() {
        run.compute(stage, placement, variant, region, &mut value)?;
    }
    match value {
        [Value::Buffer(buffer)] => Ok(Held::Value(buffer)),
        [Value::Place(_)] => Err(Error::invalid("an operand was computed out of place")),
    }
}

/// Offset and strides of an access with contiguous rows and no step back.
fn walk(access: &Access, region: &Region) -> Option<(usize, Vec<usize>)> {
    let strides: Option<Vec<usize>> = access
        .steps
        .iter()
        .zip(&region.shape)
        .map(|(step, &extent)| match step {
            _ if extent <= 1 => Some(1),
            AxisStep::Step(step) => usize::try_from(*step).ok(),
            AxisStep::Table(_) => None,
        })
        .collect();
    let strides = strides?;
    let rows = strides.last().is_none_or(|&s| s == 1);
    Some((usize::try_from(access.offset).ok()?, strides)).filter(|_| rows)
}
