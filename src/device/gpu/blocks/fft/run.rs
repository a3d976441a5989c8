//! Running a plan: tables, rounds that fit bindings and budget, and one launch for all of them.

use super::super::walk::Walk;
use super::Form;
use super::codelet::Real;
use super::kernel::{Sink, Source};
use super::plan::{Limits, NEIGHBOURS, Pass, Plan, Problem};
use super::tables::Tables;
use crate::device::gpu::Gpu;
use crate::device::gpu::launch::{Launch, Need, Span, alignment, padded};
use crate::device::gpu::template::fill;
use crate::device::{Bytes, Operand, OutMut};
use crate::geometry::row_major_strides;
use crate::{Error, Result};
use std::ops::Range;
use std::sync::Arc;
use tilewise_kernels::fft::Transform;

/// The dispatch that joins pairs.
const JOIN: &str = include_str!("../../../../../shaders/blocks/fft_join.wgsl");
/// Its invocations.
const JOIN_THREADS: usize = 64;
/// Bytes of the shortest row that is brought together with others.
const LEAST_ROW: usize = 64;
/// Numbers of a pass's parameters before its lists.
const HEAD: usize = 25;

/// How the columns of an operand lie.
struct Layout {
    /// The bytes that are bound, and the first element in them.
    window: Range<usize>,
    first: usize,
    /// Elements from point to point.
    step: usize,
    /// How a column's number goes through the other axes.
    columns: Walk,
}

impl Layout {
    /// Of elements of so many bytes.
    fn new(operand: &Operand<'_>, axis: usize, size: usize) -> Layout {
        let (shape, strides) = (&operand.region.shape, &operand.strides);
        let unit = alignment(&operand.bytes);
        let start = operand.offset * size / unit * unit;
        let reach: usize = shape.iter().zip(strides).map(|(n, s)| (n - 1) * s).sum();
        let others = (0..shape.len()).rev().filter(|&a| a != axis);
        Layout {
            window: start..(operand.offset + reach + 1) * size,
            first: operand.offset - start / size,
            step: strides[axis],
            columns: Walk::new(others.map(|a| (shape[a], strides[a]))),
        }
    }

    /// The same with pairs of real elements as one, where they lie so.
    fn paired(&self) -> Option<Layout> {
        let even = |n: usize| n.is_multiple_of(2);
        let whole = self.step == 1 && even(self.first) && self.columns.0.iter().all(|axis| even(axis.1));
        whole.then(|| Layout {
            window: self.window.clone(),
            first: self.first / 2,
            step: 1,
            columns: Walk(self.columns.0.iter().map(|&(n, s)| (n, s / 2)).collect()),
        })
    }

    /// Whether neighbouring columns are nearer than neighbouring points.
    fn across(&self) -> bool {
        let extent = self.columns.0.first().map_or(0, |axis| axis.0);
        self.columns.innermost() < self.step && extent >= NEIGHBOURS
    }
}

/// Columns that are transformed at once: all along the inner axes at some outer indices, or some at
/// one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Round {
    outer: usize,
    outers: usize,
    inner: usize,
    inners: usize,
}

/// Rounds of at most so many columns.
fn rounds(outer: usize, inner: usize, most: usize) -> Vec<Round> {
    if most == 0 {
        return Vec::new();
    }
    if most >= inner {
        let together = (most / inner).min(outer);
        let starts = (0..outer).step_by(together);
        return starts
            .map(|o| Round {
                outer: o,
                outers: together.min(outer - o),
                inner: 0,
                inners: inner,
            })
            .collect();
    }
    let starts = (0..outer).flat_map(|o| (0..inner).step_by(most).map(move |i| (o, i)));
    starts
        .map(|(outer, i)| Round {
            outer,
            outers: 1,
            inner: i,
            inners: most.min(inner - i),
        })
        .collect()
}

/// A transform to be run.
struct Job<'a> {
    gpu: &'a Gpu,
    bytes: Bytes<'a>,
    /// What is uploaded instead, one behind the other.
    gathered: Vec<&'a [u8]>,
    layout: Layout,
    problem: Problem,
    plan: Plan,
    tables: Arc<Tables>,
    out_bytes: usize,
}

/// What a workgroup of the adapter may have.
pub(super) fn limits(gpu: &Gpu) -> Limits {
    let limits = gpu.home.context.device.limits();
    let threads = limits
        .max_compute_invocations_per_workgroup
        .min(limits.max_compute_workgroup_size_x);
    Limits {
        // More would leave room for few workgroups beside each other.
        memory: limits.max_compute_workgroup_storage_size.min(32 << 10) as usize,
        threads: threads.min(1024) as usize,
        narrow: gpu.home.context.info.software,
    }
}

/// Transforms an operand along an axis; in parts, one after the other, where the device has no room for
/// all of it.
pub(super) fn run(
    gpu: &Gpu,
    form: &Form,
    operand: &Operand<'_>,
    real: Real,
    out: OutMut<'_>,
    limits: Limits,
) -> Result<()> {
    let shape = &operand.region.shape;
    if shape.contains(&0) {
        return Ok(());
    }
    let job = Job::new(gpu, form, operand, real, limits);
    if job.layout.window.end > operand.bytes.count() {
        return Err(Error::invalid("a transform of more than its operand"));
    }
    let gathered = Job::gathered(gpu, form, operand, real, limits);
    for job in [Some(&job), gathered.as_ref()].into_iter().flatten() {
        if let Some(rounds) = job.rounds(&out) {
            return job.launch(&rounds, out);
        }
    }
    let cut = shape[..form.axis].iter().position(|&n| n > 1);
    match (cut, out) {
        (Some(axis), OutMut::Store(bytes)) => {
            let half = shape[axis] / 2;
            let (low, high) = bytes.split_at_mut(bytes.len() / shape[axis] * half);
            for (range, bytes) in [(0..half, low), (half..shape[axis], high)] {
                let mut part = operand.clone();
                part.offset += range.start * part.strides[axis];
                part.region.start[axis] += range.start;
                part.region.shape[axis] = range.len();
                run(gpu, form, &part, real, OutMut::Store(bytes), limits)?;
            }
            Ok(())
        }
        _ => Err(Error::Device(format!(
            "fft: an array of {} bytes and its transform of {}, for which this device has no room; \
             smaller chunks or a larger gpu budget would do",
            job.layout.window.len(),
            job.out_bytes
        ))),
    }
}

impl<'a> Job<'a> {
    fn new(gpu: &'a Gpu, form: &Form, operand: &Operand<'a>, real: Real, limits: Limits) -> Job<'a> {
        let shape = &operand.region.shape;
        let [taken, given] = form.element_bytes(real);
        let mut layout = Layout::new(operand, form.axis, taken);
        let mut viewed = false;
        if form.transform == Transform::RealForward
            && form.len.is_multiple_of(2)
            && let Some(paired) = layout.paired()
        {
            (layout, viewed) = (paired, true);
        }
        let problem = Problem {
            transform: form.transform,
            real,
            len: form.len,
            inner: shape[form.axis + 1..].iter().product(),
            outer: shape[..form.axis].iter().product(),
            across: layout.across(),
            viewed,
        };
        let plan = Plan::new(&problem, limits);
        let tables = gpu.transforms.of(&plan, &problem, form.scale);
        Job {
            gpu,
            bytes: operand.bytes,
            gathered: Vec::new(),
            layout,
            out_bytes: problem.inner * problem.outer * problem.results() * given,
            problem,
            plan,
            tables,
        }
    }

    /// The same with rows of the host brought together, where much lies between them.
    fn gathered(
        gpu: &'a Gpu,
        form: &Form,
        operand: &Operand<'a>,
        real: Real,
        limits: Limits,
    ) -> Option<Job<'a>> {
        let Bytes::Host(bytes) = operand.bytes else {
            return None;
        };
        let (shape, size) = (&operand.region.shape, form.element_bytes(real)[0]);
        let dense = row_major_strides(shape);
        let apart = (0..shape.len())
            .rev()
            .find(|&a| shape[a] > 1 && operand.strides[a] != dense[a])?;
        let row = dense[apart] * size;
        if row < LEAST_ROW {
            return None;
        }
        let outer = Walk::new((0..=apart).rev().map(|a| (shape[a], operand.strides[a])));
        let rows = shape[..=apart].iter().product();
        let gathered = (0..rows).map(|number| {
            let start = (operand.offset + outer.place(number)) * size;
            bytes.get(start..start + row)
        });
        let gathered = gathered.collect::<Option<_>>()?;
        let mut together = operand.clone();
        (together.offset, together.strides) = (0, dense);
        Some(Job {
            gathered,
            ..Job::new(gpu, form, &together, real, limits)
        })
    }

    /// Arrays between passes.
    fn scratches(&self) -> usize {
        match self.plan.work() {
            0 => 0,
            _ => 1 + usize::from(self.plan.joins),
        }
    }

    fn column_bytes(&self) -> usize {
        self.plan.work() * 2 * self.problem.real.size()
    }

    /// What is held, for rounds of at most so many columns.
    fn need(&self, rounds: &[Round], out: &OutMut<'_>) -> Need<'a> {
        let mut need = Need::new(self.gpu);
        need.operand(&self.bytes, self.layout.window.len());
        need.output(out, self.out_bytes);
        need.upload(self.tables.bytes.len());
        let most = rounds.iter().map(|r| r.outers * r.inners).max().unwrap_or(0);
        for _ in 0..self.scratches() {
            need.scratch(most * self.column_bytes());
        }
        need.many(&self.words(rounds));
        need
    }

    /// Rounds that fit; none where the operand and the result leave no room.
    fn rounds(&self, out: &OutMut<'_>) -> Option<Vec<Round>> {
        let (inner, outer) = (self.problem.inner, self.problem.outer);
        let largest = self.layout.window.len().max(self.out_bytes);
        if padded(largest) > self.gpu.binding_bytes || largest >= 1 << 31 {
            return None;
        }
        let budget = self.gpu.home.memory.budget();
        let most = match self.column_bytes() {
            0 => inner * outer,
            bytes => self.gpu.binding_bytes as usize / bytes,
        };
        let mut most = most.min(inner * outer);
        while most > 0 {
            let rounds = rounds(outer, inner, most);
            let total = self.need(&rounds, out).total();
            if total.device <= budget.device && total.staging <= budget.staging {
                return Some(rounds);
            }
            most = if self.scratches() > 0 { most / 2 } else { 0 };
        }
        None
    }

    /// The parameters of all dispatches.
    fn words(&self, rounds: &[Round]) -> Vec<Vec<u32>> {
        let of = |round: &Round| {
            let passes = (0..self.plan.passes.len()).map(|n| self.pass_words(n, round));
            let joined = self.plan.joins.then(|| self.join_words(round));
            passes.chain(joined).collect::<Vec<_>>()
        };
        rounds.iter().flat_map(of).collect()
    }

    fn pass_words(&self, number: usize, round: &Round) -> Vec<u32> {
        let (plan, problem) = (&self.plan, &self.problem);
        let pass = &plan.passes[number];
        let len = pass.kernel.len();
        let to_result = pass.kernel.sink != Sink::Work && !plan.joins;
        let natural = pass.kernel.source != Source::Work || to_result;
        // Before pairs are joined they lie in an array of the round alone.
        let (outer, inner) = if natural {
            (round.outer, round.inner)
        } else {
            (0, 0)
        };
        let inners = if to_result { problem.inner } else { round.inners };
        let row = match pass.kernel.sink {
            _ if plan.joins => plan.points,
            Sink::Complex if problem.stores_pairs_whole() => plan.points,
            _ => problem.results(),
        };
        let kept = match (problem.transform, pass.kernel.sink) {
            (Transform::RealForward, Sink::Complex) if !plan.joins => problem.results(),
            _ => plan.points,
        };
        let [there, back] = self.tables.stages[number];
        let roots = self.tables.roots[number];
        let pairs = self.tables.pairs;
        let (work, step) = self.between(pass, round);
        let columns = self.layout.columns.words();
        let head: [usize; HEAD] = [
            round.outers * round.inners * (plan.padded / len),
            round.inners,
            pass.parts,
            outer,
            inner,
            problem.inner,
            self.layout.first,
            self.layout.step,
            inners,
            row * inners,
            plan.points,
            kept,
            there,
            back,
            roots[0],
            roots[1],
            roots[2],
            self.tables.chirp,
            self.tables.spectrum,
            pairs[0],
            pairs[1],
            pairs[2],
            HEAD,
            HEAD + columns.len(),
            step,
        ];
        let head = head.map(|word| word as u32).into_iter();
        head.chain(columns).chain(work.words()).collect()
    }

    /// How a pass goes through an array between passes: its columns, and from point to point. The axes
    /// there are the outer ones, the pieces in their order, and the inner ones.
    fn between(&self, pass: &Pass, round: &Round) -> (Walk, usize) {
        let pieces = &self.plan.pieces;
        let behind: usize = pieces[pass.piece + 1..].iter().product();
        let (inner, whole) = (round.inners, self.plan.padded * round.inners);
        let step = inner * behind;
        if !pass.ordered {
            let len = pieces[pass.piece];
            let before = self.plan.padded / len / behind * round.outers;
            return (Walk::new([(step, 1), (before, step * len)]), step);
        }
        // In the order of the result: the first piece's index counts fastest.
        let mut axes = vec![(inner, 1)];
        let mut stride = whole;
        for piece in &pieces[..pass.piece] {
            stride /= piece;
            axes.push((*piece, stride));
        }
        axes.push((round.outers, whole));
        (Walk::new(axes), step)
    }

    fn join_words(&self, round: &Round) -> Vec<u32> {
        let points = self.plan.points;
        let pairs = self.tables.pairs;
        let words = [
            self.join_invocations(round),
            round.inners,
            points,
            round.outer,
            round.inner,
            self.problem.inner,
            self.problem.inner * self.problem.results(),
            pairs[0],
            pairs[1],
            pairs[2],
        ];
        words.map(|word| word as u32).to_vec()
    }

    fn join_invocations(&self, round: &Round) -> usize {
        round.outers * round.inners * (self.plan.points / 2 + 1)
    }

    /// Records and submits everything.
    fn launch(&self, rounds: &[Round], out: OutMut<'_>) -> Result<()> {
        let mut launch = Launch::new(self.gpu, self.need(rounds, &out))?;
        let kernels: Vec<_> = self
            .plan
            .passes
            .iter()
            .map(|pass| {
                // SAFETY: whoever dispatches it gives an operand, tables and a result of the extents that
                // its parameters name, and only points of columns that there are, are read and written.
                unsafe {
                    self.gpu
                        .pipelines
                        .unchecked_text(&self.gpu.home.context, &pass.kernel.text())
                }
            })
            .collect::<Result<_>>()?;
        let given = match self.gathered.is_empty() {
            true => launch.operand(self.bytes, self.layout.window.clone())?,
            false => launch.gather(&self.gathered)?,
        };
        let made = launch.output(self.out_bytes)?;
        let tables = launch.upload(&self.tables.bytes)?;
        let most = rounds.iter().map(|r| r.outers * r.inners).max().unwrap_or(0);
        let scratches: Vec<Span> = (0..self.scratches())
            .map(|_| launch.scratch(most * self.column_bytes()))
            .collect::<Result<_>>()?;
        let mut words = launch.many(&self.words(rounds))?.into_iter();
        let mut next = || {
            let missing = || Error::invalid("a pass of a transform without parameters");
            words.next().ok_or_else(missing)
        };
        for round in rounds {
            for (pass, kernel) in self.plan.passes.iter().zip(&kernels) {
                let words = next()?;
                let to = match pass.kernel.sink {
                    Sink::Work => &scratches[0],
                    _ if self.plan.joins => &scratches[1],
                    _ => &made,
                };
                let mut bindings = vec![&words, &tables, to];
                match pass.kernel.source {
                    Source::Work if pass.kernel.in_place => {}
                    Source::Work => bindings.push(&scratches[0]),
                    _ => bindings.push(&given),
                }
                let columns = round.outers * round.inners * (self.plan.padded / pass.kernel.len());
                launch.dispatch(kernel, &bindings, columns.div_ceil(pass.kernel.columns) as u32)?;
            }
            if self.plan.joins {
                let kernel = launch.compiled(&join_text(self.problem.real))?;
                let groups = self.join_invocations(round).div_ceil(JOIN_THREADS);
                let words = next()?;
                let bindings = [&words, &tables, &made, &scratches[1]];
                launch.dispatch(&kernel, &bindings, groups as u32)?;
            }
        }
        launch.finish(vec![(made, out)])
    }
}

/// The kernel that joins pairs.
pub(super) fn join_text(real: Real) -> String {
    fill(JOIN, &[("R", real.name())])
}
