//! Products of matrices smaller than a tile, summed element by element.

use super::super::walk::Walk;
use super::plan::thin_splits;
use super::ring::Ring;
use super::{GROUP, Job, pass_text};
use crate::device::OutMut;
use crate::device::gpu::launch::{Launch, Need};
use crate::{DType, Result};

/// Splits from which on neighbours share a sum, if its products lie side by side.
const SHARED: usize = 32;

pub(super) fn run(job: &Job<'_>, out: OutMut<'_>) -> Result<()> {
    let (problem, ring) = (&job.problem, job.ring);
    let cells = problem.cells();
    let splits = thin_splits(problem);
    let sums = cells * splits * ring.size();
    job.bind(sums)?;
    let along = splits >= SHARED && problem.a.turned() && problem.b.turned();
    let mut words = [cells, splits, problem.summed, usize::from(along)]
        .map(|n| n as u32)
        .to_vec();
    words.extend(job.factors.iter().map(|factor| factor.offset as u32));
    let mut lists = Vec::new();
    for walk in [
        &problem.a.cell,
        &problem.b.cell,
        &problem.a.along,
        &problem.b.along,
    ] {
        words.push((10 + lists.len()) as u32);
        lists.extend(walk.words());
    }
    words.extend(lists);

    let whole = splits == 1 && job.sums_are_result();
    let mut need = Need::new(job.gpu);
    for factor in &job.factors {
        need.operand(&factor.operand.bytes, factor.window.len());
    }
    need.upload(4 * words.len());
    if !whole {
        need.scratch(sums);
        job.need_finish(&mut need);
    }
    need.output(&out, job.result_bytes());
    let mut launch = Launch::new(job.gpu, need)?;
    let [a, b] = &job.factors;
    let a = launch.operand(a.operand.bytes, a.window.clone())?;
    let b = launch.operand(b.operand.bytes, b.window.clone())?;
    let made = launch.output(job.result_bytes())?;
    let partial = if whole {
        made.clone()
    } else {
        launch.scratch(sums)?
    };
    let groups = (cells * splits).div_ceil(GROUP);
    job.pass(&mut launch, &text(job.dtype), &words, &[&a, &b, &partial], groups)?;
    if !whole {
        let walk = Walk::new([(cells, 1)]);
        job.finish(&mut launch, &partial, &made, (splits, cells), &walk)?;
    }
    launch.finish(vec![(made, out)])
}

/// The kernel.
pub(super) fn text(dtype: DType) -> String {
    pass_text(
        include_str!("../../../../../shaders/blocks/gemm_thin.wgsl"),
        dtype,
        &[
            ("LOAD_A", &Ring::load(dtype, "a")),
            ("LOAD_B", &Ring::load(dtype, "b")),
            ("SUM", &Ring::of(dtype).multiply_add("left", "right", "sum")),
        ],
    )
}
