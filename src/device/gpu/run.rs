//! One task on the device: cut, upload, dispatch, read back, fold.

use super::Gpu;
use super::accumulate::Block;
use super::blocks::transpose;
use super::feed::Scheme;
use super::fold::{Planes, copy_cells, fold};
use super::job::{Job, cell_runs};
use super::kernel::{Style, Written};
use super::launch::{Launch, Need, Span};
use super::merge::{PARAMETERS, Planes as Spans};
use super::piece::{cut, uploads, window};
use super::pipeline::Pipeline;
use crate::device::{Bytes, OutMut, Resident, Task};
use crate::geometry::{AxisStep, Region, row_major_strides};
use crate::plan::program::{AxisRole, Output};
use crate::{DType, Error, Reduction, Result};
use std::sync::Arc;
use tilewise_kernels::reduce::State;

/// A dispatch made ready: its number within the job, its kernel and parameters.
struct Ready {
    number: usize,
    pipeline: Arc<Pipeline>,
    parameters: Vec<u32>,
}

/// A reduction of a piece on its way.
struct Reduced {
    output: usize,
    block: Block,
    /// The planes of its cells, unless they were added to those of an accumulator.
    planes: Option<Spans>,
    /// Whether they stay on the device.
    stays: bool,
    tiles: [Option<Resident>; 2],
    read: [Vec<u8>; 2],
}

impl Reduced {
    fn new(output: usize, block: Block) -> Reduced {
        Reduced {
            output,
            block,
            planes: None,
            stays: false,
            tiles: [None, None],
            read: [vec![], vec![]],
        }
    }
}

/// A task with the tiles that some of its buffers are.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub task: &'a Task<'a>,
    residents: &'a [Option<Resident>],
}

impl<'a> Placed<'a> {
    pub fn new(task: &'a Task<'a>, residents: &'a [Option<Resident>]) -> Placed<'a> {
        Placed { task, residents }
    }

    /// The bytes of a buffer.
    pub fn bytes(&self, buffer: usize) -> Bytes<'a> {
        match self.residents.get(buffer) {
            Some(Some(tile)) => Bytes::Resident(tile),
            _ => Bytes::Host(self.task.buffers.get(buffer).copied().unwrap_or_default()),
        }
    }
}

impl Gpu {
    /// Runs a task; `style` says how many invocations share the points of a reduction.
    pub(super) fn run_task(
        &self,
        task: &Task<'_>,
        residents: &[Option<Resident>],
        outputs: &mut [OutMut<'_>],
        style: Style,
    ) -> Result<()> {
        self.home.context.alive()?;
        let placed = Placed::new(task, residents);
        check(&placed, outputs)?;
        if task.shape.contains(&0) {
            return Ok(());
        }
        if let [out] = &*outputs
            && let Some(turned) = transpose::plan(self, &placed, out)
        {
            let whole = Region::whole(task.shape);
            let out = stores(task, &whole, outputs).swap_remove(0);
            return out.map_or(Ok(()), |out| turned.run(self, &placed, out));
        }
        let schemes = super::schemes(task.program, self.abilities)
            .map_err(|why| self.home.context.error("planning", why))?;
        let fits = |part: &Region| self.fits(&placed, part, &schemes, style);
        let total = self.home.memory.budget().device;
        // What is stored lies in row-major order; states take their cells in any.
        let weight = |part: &Region| -> u64 {
            let (uploads, _) = uploads(&placed, part);
            uploads.iter().map(|u| u.bytes.len() as u64).sum()
        };
        let stores = outputs
            .iter()
            .any(|o| !matches!(o, OutMut::Reduce(_) | OutMut::Fold(_)));
        let weight: Option<&dyn Fn(&Region) -> u64> = if stores { None } else { Some(&weight) };
        let pieces = cut(task.shape, &fits, weight).ok_or_else(|| Error::Memory {
            tier: "gpu",
            needed: total + 1,
            budget: total,
            term: "a task of too many pieces, or one point and its inputs".into(),
        })?;
        if pieces.len() > 1 && outputs.iter().any(|o| matches!(o, OutMut::Keep(_))) {
            return Err(self
                .home
                .context
                .error("planning", "a tile that is computed in pieces"));
        }
        let mut partial: Vec<Option<State>> = outputs.iter().map(|_| None).collect();
        for part in &pieces {
            let job = Job::new(&placed, part, style, &schemes);
            let whole = pieces.len() == 1;
            self.run_job(&placed, &job, &schemes, outputs, &mut partial, whole)?;
        }
        for (output, state) in outputs.iter_mut().zip(&partial) {
            match (output, state) {
                (OutMut::Reduce(into), Some(state)) => into.merge(state),
                (OutMut::Fold(into), Some(state)) => into.add(state)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a whole task is one piece, so that its results may stay on the device.
    pub(super) fn fits_at_once(&self, task: &Task<'_>, residents: &[Option<Resident>]) -> bool {
        let placed = Placed::new(task, residents);
        super::schemes(task.program, self.abilities)
            .is_ok_and(|schemes| self.fits(&placed, &Region::whole(task.shape), &schemes, self.style))
    }

    /// Whether a box of the block can be run at once.
    fn fits(&self, placed: &Placed<'_>, part: &Region, schemes: &[Option<Scheme>], style: Style) -> bool {
        let (limits, budget) = (self.limits(), self.home.memory.budget());
        if part.len() as u64 > limits.points {
            return false;
        }
        let job = Job::new(placed, part, style, schemes);
        let mut need = Need::new(self);
        for upload in &job.uploads {
            need.operand(&placed.bytes(upload.buffer), upload.bytes.len());
        }
        let written = job.written(placed.task.program);
        written.iter().for_each(|&bytes| need.read(bytes as usize));
        for dispatch in &job.dispatches {
            need.upload(4 * dispatch.parameter_words());
            dispatch.kinds.iter().for_each(|_| need.upload(4 * PARAMETERS));
        }
        let total = need.total();
        let bound = job.uploads.iter().map(|u| u.bytes.len() as u64).chain(written);
        bound.max().unwrap_or(0) + 64 <= limits.binding
            && total.device <= budget.device
            && total.staging <= budget.staging
            && job.indices_fit()
    }

    fn run_job(
        &self,
        placed: &Placed<'_>,
        job: &Job,
        schemes: &[Option<Scheme>],
        outputs: &mut [OutMut<'_>],
        partial: &mut [Option<State>],
        whole: bool,
    ) -> Result<()> {
        let (context, task) = (&self.home.context, placed.task);
        let mut plans = Vec::new();
        for (number, dispatch) in job.dispatches.iter().enumerate() {
            if dispatch.total == 0 {
                continue;
            }
            let pipeline =
                self.pipelines
                    .get(context, task.program, &dispatch.bundle, &dispatch.shape, schemes)?;
            let parameters = dispatch.parameters(job, &pipeline.kernel, task.origin);
            plans.push(Ready {
                number,
                pipeline,
                parameters,
            });
        }

        // Everything that will be held, before any of it is.
        let mut need = Need::new(self);
        for upload in &job.uploads {
            need.operand(&placed.bytes(upload.buffer), upload.bytes.len());
        }
        let stored = |output: usize| {
            let dtype = task.program.insts[task.program.outputs[output].value()].dtype;
            job.part.len() * dtype.size()
        };
        let block = |number: usize, j: usize| {
            let output = job.dispatches[number].bundle.outputs[j];
            let scheme = schemes[output].ok_or_else(|| context.error("planning", "no reduction"))?;
            Ok::<Block, Error>(job.dispatches[number].block(j, scheme, base(task, job, output)))
        };
        for ready in &plans {
            let dispatch = &job.dispatches[ready.number];
            need.upload(4 * ready.parameters.len());
            if !dispatch.bundle.reduces {
                for &output in &dispatch.bundle.outputs {
                    need.output(&outputs[output], stored(output));
                }
            }
            for (j, kind) in dispatch.kinds.iter().enumerate() {
                let parts = kind.bytes(dispatch.total);
                match &mut outputs[dispatch.bundle.outputs[j]] {
                    OutMut::Fold(into) if whole => {
                        let block = block(ready.number, j)?;
                        parts.for_each(|bytes| need.scratch(bytes));
                        into.prepare(&block)?;
                        into.need(&mut need, kind, &block);
                    }
                    _ if dispatch.splits == 1 => parts.for_each(|bytes| need.read(bytes)),
                    _ => {
                        parts.for_each(|bytes| need.scratch(bytes));
                        kind.need(&mut need, dispatch.cells);
                    }
                }
            }
        }

        let mut launch = Launch::new(self, need)?;
        let mut uploads = Vec::new();
        for upload in &job.uploads {
            uploads.push(launch.operand(placed.bytes(upload.buffer), upload.bytes.clone())?);
        }
        let mut elements: Vec<(usize, Span)> = Vec::new();
        let mut reduced: Vec<Reduced> = Vec::new();
        for ready in &plans {
            let kernel = &ready.pipeline.kernel;
            let dispatch = &job.dispatches[ready.number];
            let parameters = launch.words(&ready.parameters)?;
            let mut spans = Vec::new();
            for what in &kernel.written {
                let bytes = match *what {
                    Written::Elements { output } => stored(output),
                    Written::Words { planes, .. } => 4 * planes * dispatch.total,
                    Written::Wide { planes, .. } => 8 * planes * dispatch.total,
                };
                spans.push(launch.output(bytes)?);
            }
            let inputs = kernel.inputs.iter().map(|&n| &uploads[job.inputs[n].0]);
            let bindings: Vec<&Span> = std::iter::once(&parameters).chain(inputs).chain(&spans).collect();
            launch.dispatch(&ready.pipeline.compiled, &bindings, dispatch.workgroups(kernel))?;
            let mut spans = spans.into_iter();
            for (j, kind) in dispatch.kinds.iter().enumerate() {
                let output = dispatch.bundle.outputs[j];
                let parts = Spans::take(kind, &mut spans);
                let mut one = Reduced::new(output, block(ready.number, j)?);
                one.planes = match &outputs[output] {
                    OutMut::Fold(into) if whole => {
                        one.stays = true;
                        into.record(&mut launch, kind, parts, &one.block)?
                    }
                    _ if dispatch.splits == 1 => Some(parts),
                    _ => Some(launch.merge(kind, &parts, dispatch.splits, dispatch.cells)?),
                };
                reduced.push(one);
            }
            // Only stores are left.
            elements.extend(dispatch.bundle.outputs.iter().copied().zip(spans));
        }

        let mut stores = stores(task, &job.part, outputs);
        let found = |(output, span): (usize, Span)| stores[output].take().map(|out| (span, out));
        let mut results: Vec<(Span, OutMut<'_>)> = elements.into_iter().filter_map(found).collect();
        for one in &mut reduced {
            let planes = one.planes.iter().flat_map(|planes| [&planes.words, &planes.wide]);
            for ((span, tile), bytes) in planes.zip(&mut one.tiles).zip(&mut one.read) {
                let Some(span) = span.clone() else { continue };
                if one.stays {
                    results.push((span, OutMut::Keep(tile)));
                } else {
                    bytes.resize(span.len, 0);
                    results.push((span, OutMut::Store(bytes)));
                }
            }
        }
        launch.finish(results)?;
        for one in reduced {
            match &mut outputs[one.output] {
                OutMut::Fold(into) if whole => into.done(&one.block, one.tiles),
                _ => self.fold_output(task, job, &one, &mut partial[one.output])?,
            }
        }
        Ok(())
    }

    /// Adds what a piece contributed to a reduction to what earlier pieces did.
    fn fold_output(
        &self,
        task: &Task<'_>,
        job: &Job,
        one: &Reduced,
        partial: &mut Option<State>,
    ) -> Result<()> {
        let Output::Reduce {
            value,
            reduction,
            roles,
            ..
        } = &task.program.outputs[one.output]
        else {
            return Err(self.home.context.error("folding", "the output is no reduction"));
        };
        let dtype = task.program.insts[*value].dtype;
        let planes = Planes {
            words: &one.read[0],
            wide: &one.read[1],
            cells: one.block.cells,
        };
        let fail = |why: String| self.home.context.error("folding a reduction", why);
        let Block { scheme, base, .. } = one.block;
        let found = fold(scheme, *reduction, dtype, planes, base).map_err(fail)?;
        let runs = cell_runs(roles, task.shape, &job.part);
        let len = state_len(roles, task.shape);
        let whole = if runs.len() == 1 && found.len() == len {
            found
        } else {
            let mut whole = State::new(*reduction, dtype, len).map_err(fail)?;
            copy_cells(&mut whole, &found, runs.into_iter());
            whole
        };
        match partial {
            Some(have) => have.merge(&whole),
            None => *partial = Some(whole),
        }
        Ok(())
    }
}

/// What the element indices of a reduction count from in a piece.
fn base(task: &Task<'_>, job: &Job, output: usize) -> i64 {
    let Output::Reduce { index_steps, .. } = &task.program.outputs[output] else {
        return 0;
    };
    let first = task
        .origin
        .iter()
        .zip(&job.part.start)
        .map(|(a, b)| (a + b) as i64);
    first.zip(index_steps).map(|(first, step)| first * step).sum()
}

/// Where the points of a piece go, per output; reductions go nowhere.
fn stores<'o>(task: &Task<'_>, part: &Region, outputs: &'o mut [OutMut<'_>]) -> Vec<Option<OutMut<'o>>> {
    let starts = row_major_strides(task.shape).into_iter().zip(&part.start);
    let first: usize = starts.map(|(stride, start)| stride * start).sum();
    let points = task.shape.iter().product::<usize>();
    let each = |output: &'o mut OutMut<'_>| match output {
        OutMut::Store(into) => {
            let size = into.len() / points;
            Some(OutMut::Store(
                &mut into[first * size..(first + part.len()) * size],
            ))
        }
        OutMut::Keep(tile) => Some(OutMut::Keep(tile)),
        OutMut::Reduce(_) | OutMut::Fold(_) => None,
    };
    outputs.iter_mut().map(each).collect()
}

/// Number of cells of a state.
pub(super) fn state_len(roles: &[AxisRole], shape: &[usize]) -> usize {
    roles
        .iter()
        .zip(shape)
        .map(|(role, &n)| match role {
            AxisRole::Keep => n,
            AxisRole::Reduce => 1,
            AxisRole::Group { groups } => *groups,
        })
        .product()
}

fn is_state(state: &State, reduction: Reduction, dtype: DType, len: usize) -> bool {
    (state.reduction(), state.dtype(), state.len()) == (reduction, dtype, len)
}

/// Checks that a task is what its program asks for, so that no kernel sees less than it reads.
fn check(placed: &Placed<'_>, outputs: &[OutMut<'_>]) -> Result<()> {
    let task = placed.task;
    let program = task.program;
    let fail = |what: String| Err(Error::Invalid(format!("task does not fit its program: {what}")));
    if task.shape.len() != program.rank || task.origin.len() != program.rank {
        return fail(format!("{} extents for rank {}", task.shape.len(), program.rank));
    }
    if task.bindings.len() != program.inputs.len() || outputs.len() != program.outputs.len() {
        return fail(format!(
            "{} bindings for {} inputs, {} outputs for {}",
            task.bindings.len(),
            program.inputs.len(),
            outputs.len(),
            program.outputs.len()
        ));
    }
    let points: usize = task.shape.iter().product();
    if points > 0 {
        let whole = Region::whole(task.shape);
        for (n, (binding, dtype)) in task.bindings.iter().zip(&program.inputs).enumerate() {
            let long_enough = |(step, &n): (&AxisStep, &usize)| match step {
                AxisStep::Step(_) => true,
                AxisStep::Table(table) => table.len() >= n,
            };
            let steps = &binding.access.steps;
            if steps.len() != program.rank || !steps.iter().zip(task.shape).all(long_enough) {
                return fail(format!("the access of input {n} has another shape"));
            }
            let have = placed.bytes(binding.buffer).count() / dtype.size();
            let window = window(&binding.access, &whole);
            if window.start >= window.end || window.end > have {
                return fail(format!("input {n} reads elements {window:?} of {have}"));
            }
        }
    }
    for (number, (output, wanted)) in outputs.iter().zip(&program.outputs).enumerate() {
        let dtype = program.insts[wanted.value()].dtype;
        match (output, wanted) {
            (OutMut::Store(bytes), Output::Store(_)) if bytes.len() == points * dtype.size() => {}
            (OutMut::Keep(None), Output::Store(_)) => {}
            (OutMut::Reduce(state), Output::Reduce { roles, reduction, .. })
                if is_state(state, *reduction, dtype, state_len(roles, task.shape)) => {}
            (OutMut::Fold(into), Output::Reduce { roles, reduction, .. })
                if is_state(into.host(), *reduction, dtype, state_len(roles, task.shape)) => {}
            _ => return fail(format!("output {number} has another kind or size")),
        }
        if let Output::Reduce { roles, .. } = wanted {
            let grouped = roles.iter().position(|r| matches!(r, AxisRole::Group { .. }));
            let labels = task.labels.map(<[u32]>::len);
            if grouped.is_some_and(|axis| labels != Some(task.shape[axis])) {
                return fail(format!("{labels:?} labels for a grouped axis"));
            }
        }
    }
    Ok(())
}
