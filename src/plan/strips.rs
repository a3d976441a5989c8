//! Strips: what the CPU holds of a program's values while it walks a block.
//!
//! The CPU computes a few thousand points at a time and keeps each value of them until nothing reads it
//! any more. How many are kept at once follows from the program; joined ops read their leaves late and
//! keep nothing between. The bound counts both.

use super::program::{Action, Inst, Output, Program};
use tilewise_kernels::DType;

/// Points of a strip.
pub(crate) const STRIP: usize = 4096;
/// Points of the longest strip, of a block that is reduced.
pub(crate) const LONGEST_STRIP: usize = 4 * STRIP;
/// Bytes that a strip takes beside its elements.
const BESIDE: usize = 256;
/// Lists of rows that a walk has beside one for each value.
const LISTS: usize = 8;

/// Most bytes of strips and lists for a block of so many points.
pub(crate) fn bytes(program: &Program, points: usize) -> u64 {
    let reduces = program.outputs.iter().any(|o| matches!(o, Output::Reduce { .. }));
    let strip = points.min(if reduces { LONGEST_STRIP } else { STRIP });
    let half = |inst: &Inst| matches!(inst.dtype, DType::F16 | DType::BF16);
    let halves = program.insts.iter().any(half);
    let widest = program.insts.iter().map(|i| i.dtype.size()).max().unwrap_or(1);
    // Half floats are widened before each op and narrowed behind it.
    let (times, widest) = if halves {
        (2, widest.max(4))
    } else {
        (1, widest.max(2))
    };
    let values = times * held(program) + 1;
    let lists = times * program.insts.len() + LISTS;
    (values * (strip * widest + BESIDE) + lists * points.min(STRIP) * size_of::<usize>()) as u64
}

/// Most values held at once, whether ops are joined or not.
fn held(program: &Program) -> usize {
    let insts = &program.insts;
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); insts.len()];
    for (at, inst) in insts.iter().enumerate() {
        inst.args.iter().for_each(|&arg| readers[arg].push(at));
    }
    // Where a value is read last: by what reads it, and through ops that may be joined with theirs.
    let mut last: Vec<usize> = (0..insts.len()).collect();
    let mut joined = last.clone();
    for at in (0..insts.len()).rev() {
        for &reader in &readers[at] {
            last[at] = last[at].max(reader);
            let through = if readers[reader].len() == 1 {
                joined[reader]
            } else {
                reader
            };
            joined[at] = joined[at].max(through);
        }
    }
    let constant = |at: usize| matches!(insts[at].action, Action::Const(_));
    let op = |at: usize| matches!(insts[at].action, Action::Op(_) | Action::Cast);
    let alive = |now: usize| {
        let held = (0..=now).filter(|&at| !constant(at));
        held.map(|at| {
            let plain = usize::from(last[at] >= now);
            let late = usize::from(!op(at) && joined[at] >= now && last[at] < now);
            plain + late
        })
        .sum::<usize>()
    };
    let most = (0..insts.len()).map(alive).max().unwrap_or(0);
    most + (0..insts.len()).filter(|&at| constant(at)).count()
}
