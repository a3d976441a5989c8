//! One task on the device: cut, upload, dispatch, read back, fold.

use super::Gpu;
use super::context::Step;
use super::feed::Scheme;
use super::fold::{Planes, copy_cells, fold};
use super::job::{Job, cell_runs};
use super::kernel::{WORKGROUP, Written};
use super::memory::{Reservation, Role, size_class};
use super::piece::{Limits, cut, window};
use super::pipeline::Pipeline;
use crate::device::{OutMut, Task};
use crate::geometry::{AxisStep, Region, row_major_strides};
use crate::plan::program::{AxisRole, Output};
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::reduce::State;
use wgpu::MapMode;

/// A device buffer and how many of its bytes are used.
struct Bound {
    buffer: wgpu::Buffer,
    bytes: u64,
}

/// What a dispatch binds.
struct Ready {
    pipeline: Arc<Pipeline>,
    /// Number of the dispatch within the job.
    dispatch: usize,
    parameters: Bound,
    written: Vec<(Written, Bound)>,
}

impl Gpu {
    /// Runs a task; see [`crate::device::Device::run`].
    pub(super) fn run_task(&self, task: &Task<'_>, outputs: &mut [OutMut<'_>]) -> Result<()> {
        self.run_task_with(task, outputs, self.parallel)
    }

    /// The same with a number of invocations that share the points of a reduction.
    pub(super) fn run_task_with(
        &self,
        task: &Task<'_>,
        outputs: &mut [OutMut<'_>],
        parallel: usize,
    ) -> Result<()> {
        self.context.alive()?;
        check(task, outputs)?;
        if task.shape.contains(&0) {
            return Ok(());
        }
        let schemes = super::schemes(task.program, self.abilities)
            .map_err(|why| self.context.error("planning", why))?;
        let limits = self.limits();
        let fits = |part: &Region| self.fits(task, part, &schemes, limits, parallel);
        let pieces = cut(task.shape, &fits).ok_or_else(|| Error::Memory {
            tier: "gpu",
            needed: limits.total + 1,
            budget: limits.total,
            term: "one point of a task and its inputs".into(),
        })?;
        let mut partial: Vec<Option<State>> = outputs.iter().map(|_| None).collect();
        for part in &pieces {
            let job = Job::new(task, part, parallel, &schemes);
            self.run_job(task, &job, &schemes, outputs, &mut partial)?;
        }
        for (output, state) in outputs.iter_mut().zip(&partial) {
            if let (OutMut::Reduce(into), Some(state)) = (output, state) {
                into.merge(state);
            }
        }
        Ok(())
    }

    /// Whether a box of the block can be run at once.
    fn fits(
        &self,
        task: &Task<'_>,
        part: &Region,
        schemes: &[Option<Scheme>],
        limits: Limits,
        parallel: usize,
    ) -> bool {
        if part.len() as u64 > limits.points {
            return false;
        }
        let job = Job::new(task, part, parallel, schemes);
        let sizes = job.buffers(task.program);
        let classes: u64 = sizes.iter().map(|&bytes| size_class(bytes)).sum();
        let staged = if self.memory.direct { 1 } else { 2 };
        sizes.iter().all(|&bytes| bytes <= limits.binding)
            && classes * staged + self.parameter_bytes(part) <= limits.total
            && job.indices_fit()
    }

    /// A bound on the bytes of parameters, tables and labels of a piece.
    fn parameter_bytes(&self, part: &Region) -> u64 {
        let extents: u64 = part.shape.iter().map(|&n| n as u64).sum();
        64 * (extents + 64)
    }

    fn run_job(
        &self,
        task: &Task<'_>,
        job: &Job,
        schemes: &[Option<Scheme>],
        outputs: &mut [OutMut<'_>],
        partial: &mut [Option<State>],
    ) -> Result<()> {
        let context = &self.context;
        let mut plans = Vec::new();
        for (number, dispatch) in job.dispatches.iter().enumerate() {
            if dispatch.total == 0 {
                continue;
            }
            let pipeline =
                self.pipelines
                    .get(context, task.program, &dispatch.bundle, &dispatch.shape, schemes)?;
            let parameters = dispatch.parameters(job, &pipeline.kernel, task.origin);
            plans.push((number, pipeline, parameters));
        }

        // Everything that will be held, before any of it is.
        let upload_bytes: Vec<u64> = job.uploads.iter().map(|u| padded(u.bytes.len())).collect();
        let written_bytes = |pipeline: &Pipeline, number: usize| -> Vec<(Written, u64)> {
            let total = job.dispatches[number].total as u64;
            let size = |written: &Written| match *written {
                Written::Elements { output } => {
                    let dtype = task.program.insts[task.program.outputs[output].value()].dtype;
                    padded(job.part.len() * dtype.size())
                }
                Written::Words { planes, .. } => 4 * planes as u64 * total,
                Written::Wide { planes, .. } => 8 * planes as u64 * total,
            };
            let written = &pipeline.kernel.written;
            written.iter().map(|w| (*w, size(w).div_ceil(8) * 8)).collect()
        };
        let inputs_total: u64 = upload_bytes
            .iter()
            .copied()
            .chain(plans.iter().map(|(_, _, p)| padded(4 * p.len())))
            .sum();
        let outputs_total: u64 = plans
            .iter()
            .flat_map(|(number, pipeline, _)| written_bytes(pipeline, *number))
            .map(|(_, bytes)| bytes)
            .sum();
        let mut needed: u64 = upload_bytes.iter().map(|&b| size_class(b)).sum();
        for (number, pipeline, parameters) in &plans {
            needed += size_class(padded(4 * parameters.len()));
            let written = written_bytes(pipeline, *number);
            needed += written.iter().map(|&(_, b)| size_class(b)).sum::<u64>();
        }
        if !self.memory.direct {
            needed += size_class(inputs_total) + size_class(outputs_total);
        }
        let mut held = self.memory.reserve(needed)?;

        let mut staging = Staging::new(self, &mut held, inputs_total)?;
        let mut uploads = Vec::new();
        for (upload, &bytes) in job.uploads.iter().zip(&upload_bytes) {
            let source = task.buffers[upload.buffer];
            let range = upload.bytes.start.min(source.len())..upload.bytes.end.min(source.len());
            uploads.push(staging.upload(self, &mut held, &source[range], bytes)?);
        }
        let mut ready = Vec::new();
        for (number, pipeline, parameters) in plans {
            let data: &[u8] = bytemuck::cast_slice(&parameters);
            let parameters = staging.upload(self, &mut held, data, padded(data.len()))?;
            let mut written = Vec::new();
            for (what, bytes) in written_bytes(&pipeline, number) {
                let buffer = held.buffer(context, Role::Output, bytes)?;
                written.push((what, Bound { buffer, bytes }));
            }
            ready.push(Ready {
                pipeline,
                dispatch: number,
                parameters,
                written,
            });
        }
        let download = if self.memory.direct {
            None
        } else {
            Some(held.buffer(context, Role::Download, outputs_total)?)
        };
        context.checkpoint(Step::Submit)?;
        let submission = context.guard("submitting a task", || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            staging.record(&mut encoder);
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for ready in &ready {
                    self.record(&mut pass, job, ready, &uploads);
                }
            }
            if let Some(download) = &download {
                let mut at = 0;
                for (_, bound) in ready.iter().flat_map(|r| &r.written) {
                    encoder.copy_buffer_to_buffer(&bound.buffer, 0, download, at, bound.bytes);
                    at += bound.bytes;
                }
            }
            context.queue.submit([encoder.finish()])
        })?;
        context.wait(submission)?;
        self.collect(task, job, schemes, &ready, download.as_ref(), outputs, partial)?;
        held.finish();
        Ok(())
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>, job: &Job, ready: &Ready, uploads: &[Bound]) {
        let kernel = &ready.pipeline.kernel;
        let inputs = kernel.inputs.iter().map(|&n| &uploads[job.inputs[n].0]);
        let written = ready.written.iter().map(|(_, bound)| bound);
        let entries: Vec<wgpu::BindGroupEntry<'_>> = std::iter::once(&ready.parameters)
            .chain(inputs)
            .chain(written)
            .enumerate()
            .map(|(binding, bound)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &bound.buffer,
                    offset: 0,
                    size: std::num::NonZeroU64::new(bound.bytes),
                }),
            })
            .collect();
        let group = self.context.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &ready.pipeline.layout,
            entries: &entries,
        });
        pass.set_pipeline(&ready.pipeline.compiled);
        pass.set_bind_group(0, &group, &[]);
        let threads = job.dispatches[ready.dispatch]
            .total
            .div_ceil(kernel.points as usize);
        let groups = threads.div_ceil(WORKGROUP as usize) as u32;
        let across = groups.min(self.max_groups);
        pass.dispatch_workgroups(across, groups.div_ceil(across), 1);
    }

    /// Copies what the kernels wrote to the outputs, folding reductions.
    fn collect(
        &self,
        task: &Task<'_>,
        job: &Job,
        schemes: &[Option<Scheme>],
        ready: &[Ready],
        download: Option<&wgpu::Buffer>,
        outputs: &mut [OutMut<'_>],
        partial: &mut [Option<State>],
    ) -> Result<()> {
        let first = row_major_strides(task.shape)
            .iter()
            .zip(&job.part.start)
            .map(|(stride, start)| stride * start)
            .sum::<usize>();
        let context = &self.context;
        if let Some(download) = download {
            context.map(download, MapMode::Read, download.size())?;
        }
        let mut at = 0;
        for ready in ready {
            let mut planes: Vec<(usize, Vec<u8>, Vec<u8>)> = Vec::new();
            for (what, bound) in &ready.written {
                let (buffer, offset) = match download {
                    Some(download) => (download, at),
                    None => {
                        context.map(&bound.buffer, MapMode::Read, bound.bytes)?;
                        (&bound.buffer, 0)
                    }
                };
                at += bound.bytes;
                let view = context
                    .guard("reading a result", || {
                        buffer.get_mapped_range(offset..offset + bound.bytes)
                    })?
                    .map_err(|error| context.error("reading a result", error))?;
                match *what {
                    Written::Elements { output } => {
                        if let OutMut::Store(into) = &mut outputs[output] {
                            let size = into.len() / task.shape.iter().product::<usize>();
                            let (from, len) = (first * size, job.part.len() * size);
                            into[from..from + len].copy_from_slice(&view[..len]);
                        }
                    }
                    Written::Words { output, .. } => planes.push((output, view.to_vec(), vec![])),
                    Written::Wide { output, .. } => match planes.last_mut() {
                        Some((last, _, wide)) if *last == output => *wide = view.to_vec(),
                        _ => planes.push((output, vec![], view.to_vec())),
                    },
                }
                drop(view);
                if download.is_none() {
                    bound.buffer.unmap();
                }
            }
            for (output, words, wide) in planes {
                let planes = (&words[..], &wide[..]);
                self.fold_output(
                    task,
                    job,
                    schemes,
                    ready.dispatch,
                    output,
                    planes,
                    &mut partial[output],
                )?;
            }
        }
        if let Some(download) = download {
            download.unmap();
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
            return Err(self.context.error("folding", "the output is no reduction"));
        };
        let dtype = task.program.insts[*value].dtype;
        let base = (0..roles.len())
            .map(|axis| (task.origin[axis] + job.part.start[axis]) as i64 * index_steps[axis])
            .sum();
        let planes = Planes {
            words,
            wide,
            parts: dispatch.total,
        };
        let fail = |why: String| self.context.error("folding a reduction", why);
        let found = fold(scheme, *reduction, dtype, planes, dispatch.splits, base).map_err(fail)?;
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

/// Bytes rounded up to whole 64-bit words, at least one.
fn padded(bytes: usize) -> u64 {
    (bytes as u64).max(1).div_ceil(8) * 8
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
fn check(task: &Task<'_>, outputs: &[OutMut<'_>]) -> Result<()> {
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
            let have = task
                .buffers
                .get(binding.buffer)
                .map_or(0, |b| b.len() / dtype.size());
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

/// Host data on its way to the device.
struct Staging {
    /// The mapped staging buffer; none where device buffers are mapped themselves.
    buffer: Option<wgpu::Buffer>,
    at: u64,
    /// Copies to record: from this offset, to that buffer, so many bytes.
    copies: Vec<(u64, wgpu::Buffer, u64)>,
}

impl Staging {
    fn new(gpu: &Gpu, held: &mut Reservation<'_>, bytes: u64) -> Result<Staging> {
        let mut this = Staging {
            buffer: None,
            at: 0,
            copies: Vec::new(),
        };
        if !gpu.memory.direct {
            let buffer = held.buffer(&gpu.context, Role::Upload, bytes)?;
            gpu.context.map(&buffer, MapMode::Write, buffer.size())?;
            this.buffer = Some(buffer);
        }
        Ok(this)
    }

    /// A device buffer of `bytes` that will hold `data` and zeros behind it.
    fn upload(&mut self, gpu: &Gpu, held: &mut Reservation<'_>, data: &[u8], bytes: u64) -> Result<Bound> {
        let context = &gpu.context;
        let device = held.buffer(context, Role::Input, bytes)?;
        let (target, from) = match &self.buffer {
            Some(buffer) => (buffer, self.at),
            None => {
                context.map(&device, MapMode::Write, bytes)?;
                (&device, 0)
            }
        };
        let mut view = context
            .guard("writing to the device", || {
                target.get_mapped_range_mut(from..from + bytes)
            })?
            .map_err(|error| context.error("writing to the device", error))?;
        view.slice(..data.len()).copy_from_slice(data);
        view.slice(data.len()..).fill(0);
        drop(view);
        match &self.buffer {
            Some(_) => self.copies.push((from, device.clone(), bytes)),
            None => device.unmap(),
        }
        self.at += bytes;
        Ok(Bound {
            buffer: device,
            bytes,
        })
    }

    /// Ends the mapping and records the copies.
    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        if let Some(buffer) = &self.buffer {
            buffer.unmap();
            for (from, device, bytes) in &self.copies {
                encoder.copy_buffer_to_buffer(buffer, *from, device, 0, *bytes);
            }
        }
    }
}
