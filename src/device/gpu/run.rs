//! One task on the device: cut, upload, dispatch, read back, fold.

use super::Gpu;
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
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::reduce::State;

/// A dispatch made ready: its number within the job, its kernel and parameters.
struct Ready {
    number: usize,
    pipeline: Arc<Pipeline>,
    parameters: Vec<u32>,
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
        let schemes = super::schemes(task.program, self.abilities)
            .map_err(|why| self.home.context.error("planning", why))?;
        let fits = |part: &Region| self.fits(&placed, part, &schemes, style);
        let total = self.home.memory.budget().device;
        // What is stored lies in row-major order; states take their cells in any.
        let weight = |part: &Region| -> u64 {
            let (uploads, _) = uploads(&placed, part);
            uploads.iter().map(|u| u.bytes.len() as u64).sum()
        };
        let stores = outputs.iter().any(|o| !matches!(o, OutMut::Reduce(_)));
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
            self.run_job(&placed, &job, &schemes, outputs, &mut partial)?;
        }
        for (output, state) in outputs.iter_mut().zip(&partial) {
            if let (OutMut::Reduce(into), Some(state)) = (output, state) {
                into.merge(state);
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
            if dispatch.splits > 1 {
                dispatch.kinds.iter().for_each(|_| need.upload(4 * PARAMETERS));
            }
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
        let bytes = |written: &Written, cells: usize| match *written {
            Written::Elements { output } => {
                let dtype = task.program.insts[task.program.outputs[output].value()].dtype;
                job.part.len() * dtype.size()
            }
            Written::Words { planes, .. } => 4 * planes * cells,
            Written::Wide { planes, .. } => 8 * planes * cells,
        };
        let mut need = Need::new(self);
        for upload in &job.uploads {
            need.operand(&placed.bytes(upload.buffer), upload.bytes.len());
        }
        for ready in &plans {
            let dispatch = &job.dispatches[ready.number];
            need.upload(4 * ready.parameters.len());
            for written in &ready.pipeline.kernel.written {
                match *written {
                    Written::Elements { output } => need.output(&outputs[output], bytes(written, 0)),
                    _ if dispatch.splits == 1 => need.read(bytes(written, dispatch.cells)),
                    _ => need.scratch(bytes(written, dispatch.total)),
                }
            }
            if dispatch.splits > 1 {
                dispatch
                    .kinds
                    .iter()
                    .for_each(|kind| kind.need(&mut need, dispatch.cells));
            }
        }

        let mut launch = Launch::new(self, need)?;
        let mut uploads = Vec::new();
        for upload in &job.uploads {
            uploads.push(launch.operand(placed.bytes(upload.buffer), upload.bytes.clone())?);
        }
        let mut stores = stores(task, &job.part, outputs);
        let mut results: Vec<(Span, OutMut<'_>)> = Vec::new();
        let mut planes: Vec<(usize, usize, Spans)> = Vec::new();
        for ready in &plans {
            let kernel = &ready.pipeline.kernel;
            let dispatch = &job.dispatches[ready.number];
            let parameters = launch.words(&ready.parameters)?;
            let mut spans = Vec::new();
            for what in &kernel.written {
                spans.push(launch.output(bytes(what, dispatch.total))?);
            }
            let inputs = kernel.inputs.iter().map(|&n| &uploads[job.inputs[n].0]);
            let bindings: Vec<&Span> = std::iter::once(&parameters).chain(inputs).chain(&spans).collect();
            launch.dispatch(&ready.pipeline.compiled, &bindings, dispatch.workgroups(kernel))?;
            let mut spans = spans.into_iter();
            for (&output, kind) in dispatch.bundle.outputs.iter().zip(&dispatch.kinds) {
                let parts = Spans::take(kind, &mut spans);
                let cells = match dispatch.splits {
                    1 => parts,
                    splits => launch.merge(kind, &parts, splits, dispatch.cells)?,
                };
                planes.push((ready.number, output, cells));
            }
            // Only stores are left.
            for (&output, span) in dispatch.bundle.outputs.iter().zip(spans) {
                results.extend(stores[output].take().map(|out| (span, out)));
            }
        }

        // Planes of reductions come to the host, stores went where the caller wants them.
        let mut read: Vec<[Vec<u8>; 2]> = planes
            .iter()
            .map(|(_, _, spans)| {
                [&spans.words, &spans.wide].map(|s| vec![0; s.as_ref().map_or(0, |s| s.len)])
            })
            .collect();
        for ((_, _, spans), into) in planes.iter().zip(&mut read) {
            for (span, into) in [&spans.words, &spans.wide].into_iter().zip(into) {
                results.extend(span.clone().map(|span| (span, OutMut::Store(into))));
            }
        }
        launch.finish(results)?;
        for ((number, output, _), [words, wide]) in planes.iter().zip(&read) {
            self.fold_output(
                task,
                job,
                schemes,
                *number,
                *output,
                (words, wide),
                &mut partial[*output],
            )?;
        }
        Ok(())
    }

    /// Adds what a piece contributed to a reduction to what earlier pieces did.
    fn fold_output(
        &self,
        task: &Task<'_>,
        job: &Job,
        schemes: &[Option<Scheme>],
        dispatch: usize,
        output: usize,
        (words, wide): (&[u8], &[u8]),
        partial: &mut Option<State>,
    ) -> Result<()> {
        let dispatch = &job.dispatches[dispatch];
        let (
            Output::Reduce {
                value,
                reduction,
                roles,
                index_steps,
            },
            Some(scheme),
        ) = (&task.program.outputs[output], schemes[output])
        else {
            return Err(self.home.context.error("folding", "the output is no reduction"));
        };
        let dtype = task.program.insts[*value].dtype;
        let base = (0..roles.len())
            .map(|axis| (task.origin[axis] + job.part.start[axis]) as i64 * index_steps[axis])
            .sum();
        let planes = Planes {
            words,
            wide,
            cells: dispatch.cells,
        };
        let fail = |why: String| self.home.context.error("folding a reduction", why);
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
        OutMut::Reduce(_) => None,
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
                if state.len() == state_len(roles, task.shape)
                    && state.reduction() == *reduction
                    && state.dtype() == dtype => {}
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
