//! Runs a block operation block after block, each on the device that a test names, without planner
//! and session.
#![allow(dead_code)] // each test takes what it needs

use std::collections::HashMap;
use tilewise::device::gpu::Gpu;
use tilewise::device::{BlockTask, Bytes, Keeper, Operand, OutMut};
use tilewise::expr::{BlockCall, Expr, NodeKind, Part};
use tilewise::geometry::{Region, row_major_strides};
use tilewise::store::Patch;

/// Where a block runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Cpu,
    Gpu,
    /// On the GPU, with operand and result in its memory.
    Kept,
}

/// The blocks of a shape cut to at most these extents, in row-major order.
pub fn blocks(shape: &[usize], extents: &[usize]) -> Vec<Region> {
    let mut out = vec![Region {
        start: vec![],
        shape: vec![],
    }];
    for (&n, &most) in shape.iter().zip(extents) {
        let cuts: Vec<(usize, usize)> = (0..n).step_by(most).map(|s| (s, most.min(n - s))).collect();
        out = out
            .iter()
            .flat_map(|block| {
                cuts.iter().map(|&(start, len)| Region {
                    start: [&block.start[..], &[start]].concat(),
                    shape: [&block.shape[..], &[len]].concat(),
                })
            })
            .collect();
    }
    out
}

/// The elements of a region of a dense array.
fn part(data: &[u8], shape: &[usize], region: &Region, size: usize) -> Vec<u8> {
    let strides = row_major_strides(shape);
    let mut out = Vec::with_capacity(region.len() * size);
    each_row(region, |at, _, len| {
        let from = at.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>() * size;
        out.extend(&data[from..from + len * size]);
    });
    out
}

/// Calls `work` with the index, number and length of each row of a region.
fn each_row(region: &Region, mut work: impl FnMut(&[usize], usize, usize)) {
    let Some(last) = region.shape.len().checked_sub(1) else {
        return;
    };
    let rows: usize = region.shape[..last].iter().product();
    for row in 0..rows {
        let mut at = region.start.clone();
        let mut rest = row;
        for a in (0..last).rev() {
            at[a] += rest % region.shape[a];
            rest /= region.shape[a];
        }
        work(&at, row, region.shape[last]);
    }
}

/// The whole result of a block operation on one operand, in blocks of at most these extents; `place`
/// says where the block of that number runs.
///
/// # Errors
/// What a device meets.
pub fn compute(
    gpu: &Gpu,
    expr: &Expr,
    data: &[u8],
    extents: &[usize],
    place: impl Fn(usize) -> Place,
) -> tilewise::Result<Vec<u8>> {
    let NodeKind::Block(op) = &expr.kind else {
        panic!("no block operation");
    };
    let operand = &expr.inputs[0];
    let (from, to) = (operand.dtype.size(), expr.dtype.size());
    let mut whole = vec![0xA5u8; expr.len() * to];
    let mut carries: HashMap<Vec<usize>, Vec<u64>> = HashMap::new();
    let strides = row_major_strides(&expr.shape);
    for (number, block) in blocks(&expr.shape, extents).iter().enumerate() {
        let mut key = block.start.clone();
        op.carry_axis().into_iter().for_each(|axis| key[axis] = 0);
        let carry = carries
            .entry(key)
            .or_insert_with(|| vec![0; op.carry_words(&block.shape)]);
        let needs = op.needs(0, block);
        let mut out = vec![0x5Au8; block.len() * to];
        let offset = |at: &[usize], s: &[usize]| at.iter().zip(s).map(|(i, s)| i * s).sum::<usize>();
        match place(number) {
            Place::Cpu => {
                let words = aligned(data);
                let steps = row_major_strides(&operand.shape);
                let parts = [Part {
                    bytes: &bytemuck::cast_slice(&words)[..data.len()],
                    offset: offset(&needs.start, &steps),
                    strides: steps,
                    region: needs,
                    dtype: operand.dtype,
                }];
                let mut room = vec![0u64; out.len().div_ceil(8)];
                let bytes = &mut bytemuck::cast_slice_mut(&mut room)[..out.len()];
                op.run(BlockCall {
                    operands: &parts,
                    block,
                    step: 0,
                    out: &mut Patch::dense(bytes, &block.shape, to)?,
                    carry,
                })?;
                let count = out.len();
                out.copy_from_slice(&bytemuck::cast_slice(&room)[..count]);
            }
            Place::Gpu => {
                // Where it lies, with its steps.
                let steps = row_major_strides(&operand.shape);
                let parts = [Operand {
                    bytes: Bytes::Host(data),
                    offset: offset(&needs.start, &steps),
                    strides: steps,
                    region: needs,
                    dtype: operand.dtype,
                }];
                let task = BlockTask {
                    op: op.as_ref(),
                    operands: &parts,
                    block,
                    dtype: expr.dtype,
                };
                gpu.run_block(&task, OutMut::Store(&mut out), carry)?;
            }
            Place::Kept => {
                let dense = part(data, &operand.shape, &needs, from);
                let tile = gpu.send(&dense)?;
                let parts = [Operand {
                    bytes: Bytes::Resident(&tile),
                    offset: 0,
                    strides: row_major_strides(&needs.shape),
                    region: needs,
                    dtype: operand.dtype,
                }];
                let task = BlockTask {
                    op: op.as_ref(),
                    operands: &parts,
                    block,
                    dtype: expr.dtype,
                };
                let mut kept = None;
                gpu.run_block(&task, OutMut::Keep(&mut kept), carry)?;
                kept.expect("a tile").download(&mut out)?;
            }
        }
        each_row(block, |at, row, len| {
            let at = offset(at, &strides) * to;
            whole[at..at + len * to].copy_from_slice(&out[row * len * to..][..len * to]);
        });
    }
    Ok(whole)
}

/// The bytes in memory that is aligned for every element.
fn aligned(data: &[u8]) -> Vec<u64> {
    let mut words = vec![0u64; data.len().div_ceil(8)];
    bytemuck::cast_slice_mut(&mut words)[..data.len()].copy_from_slice(data);
    words
}
