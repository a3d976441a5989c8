//! Running a block operation: the parts of its operands are brought together, computed where they
//! are expressions, and the block is written where it will lie.

use super::run::{Placement, Run, Value, Want};
use super::{fetch, output};
use crate::device::{BlockTask, Bytes, Keeper, Operand, OutMut, Resident};
use crate::expr::{self, BlockCall, BlockOp};
use crate::geometry::{Access, AxisStep, Region, row_major_strides};
use crate::plan::{Stage, Variant, rows_in_place};
use crate::store::{Buffer, Patch};
use crate::{DType, Error, Result};

/// Number of items: blocks, or columns of blocks that hand a carry along.
pub(super) fn item_count(stage: &Stage, op: &dyn BlockOp) -> usize {
    let counts = stage.grid.grid();
    let carry = op.carry_axis();
    (0..counts.len())
        .filter(|&axis| Some(axis) != carry)
        .map(|axis| counts[axis])
        .product()
}

/// The blocks of an item, in order.
pub(super) fn column(stage: &Stage, op: &dyn BlockOp, item: usize) -> impl Iterator<Item = Vec<usize>> {
    let counts = stage.grid.grid();
    let carry_axis = op.carry_axis();
    let mut at = vec![0; counts.len()];
    let mut rest = item;
    for axis in (0..counts.len()).rev().filter(|&a| Some(a) != carry_axis) {
        at[axis] = rest % counts[axis];
        rest /= counts[axis];
    }
    let steps = carry_axis.map_or(1, |axis| counts[axis]);
    (0..steps).map(move |step| {
        carry_axis.into_iter().for_each(|axis| at[axis] = step);
        at.clone()
    })
}

/// Runs a block, or all blocks of a column in order.
pub(super) fn run_item(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    op: &dyn BlockOp,
    item: usize,
) -> Result<()> {
    let column = || column(stage, op, item).map(|at| stage.grid.region(&at));
    let words = column().next().map_or(0, |block| op.carry_words(&block.shape));
    let scratch = column().map(|block| op.scratch_bytes(&block.shape)).max();
    let beside = (scratch.unwrap_or(0) + 8 * words) as u64;
    let _beside = match beside {
        0 => None,
        bytes => Some(run.store.reserve("block operation", bytes)?),
    };
    let mut carry = vec![0u64; words];
    let blocks = column().filter(|block| !block.is_empty());
    for block in fetch::announced(blocks, |next| announce(run, stage, op, next)) {
        run.go_on()?;
        run_block(run, stage, placement, op, &block, &mut carry)?;
    }
    Ok(())
}

/// Tells sources what a block needs at first.
pub(super) fn announce(run: &Run<'_>, stage: &Stage, op: &dyn BlockOp, block: &Region) {
    for (number, variant) in stage.variants.iter().enumerate() {
        fetch::announce(run, variant, &op.needs_in_step(number, block, 0));
    }
}

/// The memory of an operand's part.
enum Part {
    /// The input itself, and where the part lies in it.
    Input(fetch::Held, usize, Vec<usize>),
    /// The computed value, dense.
    Value(Buffer),
    /// The computed value, dense, on the device.
    Resident(Resident),
}

/// The parts of the operands of a block.
struct Parts {
    held: Vec<Part>,
    regions: Vec<Region>,
    dtypes: Vec<DType>,
}

impl Parts {
    /// Brings the parts that a block needs into the memory of the host or of `keeper`.
    fn gather(
        run: &Run<'_>,
        stage: &Stage,
        placement: &Placement,
        keeper: Option<&dyn Keeper>,
        (op, block, step): (&dyn BlockOp, &Region, usize),
    ) -> Result<Parts> {
        let mut parts = Parts {
            held: Vec::with_capacity(stage.variants.len()),
            regions: Vec::with_capacity(stage.variants.len()),
            dtypes: operand_dtypes(stage),
        };
        for (number, variant) in stage.variants.iter().enumerate() {
            let region = op.needs_in_step(number, block, step);
            parts
                .held
                .push(hold(run, stage, placement, keeper, variant, &region)?);
            parts.regions.push(region);
        }
        Ok(parts)
    }

    /// Where each part lies.
    fn operands(&self) -> Vec<Operand<'_>> {
        let parts = self.held.iter().zip(&self.regions).zip(&self.dtypes);
        parts
            .map(|((held, region), &dtype)| operand(held, region, dtype))
            .collect()
    }

    /// Brings what lies on the device to the host.
    fn bring_home(&mut self, run: &Run<'_>) -> Result<()> {
        for held in &mut self.held {
            let tile = match held {
                Part::Input(fetch::Held::Resident(tile), ..) | Part::Resident(tile) => tile.clone(),
                _ => continue,
            };
            let mut buffer = run.store.take("input buffers", tile.len())?;
            run.residents.download(&tile, &mut buffer)?;
            match held {
                Part::Input(input, ..) => *input = fetch::Held::Buffer(buffer),
                _ => *held = Part::Value(buffer),
            }
        }
        Ok(())
    }
}

/// A part as a device sees it.
fn operand<'a>(held: &'a Part, region: &Region, dtype: DType) -> Operand<'a> {
    let dense = || (0, row_major_strides(&region.shape));
    let (bytes, (offset, strides)) = match held {
        Part::Input(input, offset, strides) => (input.place(), (*offset, strides.clone())),
        Part::Value(buffer) => (Bytes::Host(buffer), dense()),
        Part::Resident(tile) => (Bytes::Resident(tile), dense()),
    };
    Operand {
        bytes,
        offset,
        strides,
        region: region.clone(),
        dtype,
    }
}

/// The dtypes of the operands of a block operation.
pub(super) fn operand_dtypes(stage: &Stage) -> Vec<DType> {
    let dtype = |variant: &Variant| variant.program.insts[variant.program.outputs[0].value()].dtype;
    stage.variants.iter().map(dtype).collect()
}

fn run_block(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    op: &dyn BlockOp,
    block: &Region,
    carry: &mut [u64],
) -> Result<()> {
    let array = stage.arrays[0];
    let dtype = run.plan.arrays[array].dtype;
    let first = (op, block, 0);
    let Some(keeper) = placement.device.keeper() else {
        let parts = Parts::gather(run, stage, placement, None, first)?;
        return run_on_host(run, stage, placement, (op, block), parts, carry);
    };
    let mut parts = Parts::gather(run, stage, placement, Some(keeper), first)?;
    let want = Want {
        place: output::place(run, array, block)?,
        stays: output::stays(run, array),
        ..Want::buffer("output blocks", block.len() * dtype.size())
    };
    let mut value = Value::new(run, want, true)?;
    if op.steps(&block.shape) > 1 {
        let outcome = run_in_steps(run, stage, placement, keeper, (op, block), parts, &mut value);
        match outcome {
            Ok(()) => return value.hand_on(run, placement, array, block),
            Err(error) => run.note_fallback(stage, &run.excuse(placement, error)?),
        }
        drop(value);
        // From the beginning.
        parts = Parts::gather(run, stage, placement, None, first)?;
        return run_on_host(run, stage, placement, (op, block), parts, carry);
    }
    let operands = parts.operands();
    let task = BlockTask {
        op,
        operands: &operands,
        block,
        dtype,
    };
    match keeper.run_block(&task, value.out(), carry) {
        Ok(()) => return value.hand_on(run, placement, array, block),
        Err(error) => run.note_fallback(stage, &run.excuse(placement, error)?),
    }
    drop(operands);
    drop(value);
    parts.bring_home(run)?;
    run_on_host(run, stage, placement, (op, block), parts, carry)
}

/// Runs a block in steps on a device that keeps the sums between them; `parts` are those of the first.
fn run_in_steps(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    keeper: &dyn Keeper,
    (op, block): (&dyn BlockOp, &Region),
    parts: Parts,
    value: &mut Value<'_>,
) -> Result<()> {
    let dtype = run.plan.arrays[stage.arrays[0]].dtype;
    let sums = op.sums_dtype().unwrap_or(dtype);
    let last = op.steps(&block.shape) - 1;
    let mut first = Some(parts);
    let mut so_far: Option<Resident> = None;
    for step in 0..=last {
        run.go_on()?;
        let parts = match first.take() {
            Some(parts) => parts,
            None => Parts::gather(run, stage, placement, Some(keeper), (op, block, step))?,
        };
        let mut operands = parts.operands();
        if let Some(tile) = &so_far {
            operands.push(Operand {
                bytes: Bytes::Resident(tile),
                offset: 0,
                strides: row_major_strides(&block.shape),
                region: block.clone(),
                dtype: sums,
            });
        }
        let task = |dtype| BlockTask {
            op,
            operands: &operands,
            block,
            dtype,
        };
        if step == last {
            return keeper.run_block(&task(dtype), value.out(), &mut []);
        }
        let mut next = None;
        keeper.run_block(&task(sums), OutMut::Keep(&mut next), &mut [])?;
        drop(operands);
        so_far = next;
    }
    Ok(())
}

/// Runs a block on the CPU, of parts that all lie there, those of the first step, and hands it on.
fn run_on_host(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    (op, block): (&dyn BlockOp, &Region),
    parts: Parts,
    carry: &mut [u64],
) -> Result<()> {
    let mut first = Some(parts);
    let mut call = |out: &mut Patch<'_>| {
        for step in 0..op.steps(&block.shape) {
            run.go_on()?;
            // Those of the step before are gone when the next are brought.
            let parts = match first.take() {
                Some(parts) => parts,
                None => Parts::gather(run, stage, placement, None, (op, block, step))?,
            };
            let operands: Vec<expr::Part<'_>> = parts.operands().into_iter().map(host_part).collect();
            op.run(BlockCall {
                operands: &operands,
                block,
                step,
                out,
                carry,
            })?;
        }
        Ok(())
    };
    let array = stage.arrays[0];
    if let Some(mut place) = output::place(run, array, block)? {
        call(&mut place)?;
        output::placed(run, array, block);
        return Ok(());
    }
    let size = run.plan.arrays[array].dtype.size();
    let mut out = run.store.take("output blocks", block.len() * size)?;
    call(&mut Patch::dense(&mut out, &block.shape, size)?)?;
    output::deliver(run, array, block, out)
}

/// An operand as the CPU's operations take it.
fn host_part(operand: Operand<'_>) -> expr::Part<'_> {
    expr::Part {
        bytes: match operand.bytes {
            Bytes::Host(bytes) => bytes,
            Bytes::Resident(_) => &[],
        },
        offset: operand.offset,
        strides: operand.strides,
        region: operand.region,
        dtype: operand.dtype,
    }
}

/// Brings the part of an operand into memory: where it lies if rows are contiguous there, else
/// computed or copied into a buffer or, for a keeper, into its memory.
fn hold(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    keeper: Option<&dyn Keeper>,
    variant: &Variant,
    region: &Region,
) -> Result<Part> {
    let program = &variant.program;
    if rows_in_place(variant) && !region.is_empty() {
        let mut found = fetch::inputs(run, keeper, variant, region)?;
        if let (Some(input), [binding]) = (found.held.pop(), &found.bindings[..])
            && let Some((offset, strides)) = walk(&binding.access, region)
            && (input.bytes().as_ptr() as usize).is_multiple_of(program.inputs[0].size())
        {
            return Ok(Part::Input(input, offset, strides));
        }
    }
    let size = program.insts[program.outputs[0].value()].dtype.size();
    let want = Want {
        stays: keeper.is_some(),
        ..Want::buffer("input buffers", region.len() * size)
    };
    if region.is_empty() {
        return run.store.take(want.consumer, want.bytes).map(Part::Value);
    }
    let value = run.compute(stage, placement, variant, region, vec![want])?.pop();
    match value {
        Some(Value::Buffer(buffer)) => Ok(Part::Value(buffer)),
        Some(Value::Device(Some(tile), ..)) => Ok(Part::Resident(tile)),
        _ => Err(Error::invalid("an operand was computed out of place")),
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
