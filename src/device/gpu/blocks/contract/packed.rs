//! Products of matrices by tiles: pack, multiply, and make the result from the sums.

use super::inner::Inner;
use super::plan::{Round, STEPS, rounds, splits};
use super::problem::{Problem, Side};
use super::{Factor, Job, pass_text};
use crate::device::OutMut;
use crate::device::gpu::launch::{Launch, Need, Span};
use crate::{DType, Result};

/// The edge of what a workgroup packs.
pub(super) const PACK: usize = 32;
/// Elements of a vector.
const VECTOR: usize = 4;
/// A packed factor takes at most this part of the device's memory.
const SHARE: u64 = 8;
/// Words of parameters of the inner loops.
pub(super) const LOOP_WORDS: usize = 18;
/// Words before the lists of a packing pass.
const PACK_HEAD: usize = 12;

/// What the passes over a contraction are, before memory is taken for them.
struct Passes<'a> {
    job: &'a Job<'a>,
    inner: Inner,
    rounds: Vec<Round>,
    /// Parts of each sum, and products in a part.
    splits: usize,
    share: usize,
    /// The factors' rows and columns in whole tiles, and whether they lie so already.
    padded: [usize; 2],
    packed: [bool; 2],
    /// Where the sums lie, and whether that is the result itself.
    sums: Sums,
    whole: bool,
}

/// How sums lie, in vectors.
#[derive(Clone, Copy)]
struct Sums {
    row: usize,
    plane: usize,
}

/// A factor as the inner loops read it.
struct Panel {
    span: Span,
    /// In vectors: the first, and from row to row and batch to batch.
    at: usize,
    row: usize,
    batch: usize,
}

/// Computes a contraction of matrices that are worth tiles.
pub(super) fn run(job: &Job<'_>, out: OutMut<'_>) -> Result<()> {
    let passes = Passes::new(job)?;
    let inner = passes.inner.compiled(job.gpu)?;
    let mut launch = Launch::new(job.gpu, passes.need(&out))?;
    let mut given = Vec::new();
    for (n, factor) in job.factors.iter().enumerate() {
        let span = launch.operand(factor.operand.bytes, factor.window.clone())?;
        let room = match passes.packed[n] {
            true => None,
            false => Some(launch.scratch(passes.pack_bytes(n))?),
        };
        given.push((span, room));
    }
    let made = launch.output(job.result_bytes())?;
    let summed = match passes.whole {
        true => made.clone(),
        false => launch.scratch(passes.sum_bytes())?,
    };
    for round in &passes.rounds {
        let mut panels = Vec::new();
        for (n, (span, room)) in given.iter().enumerate() {
            panels.push(match room {
                Some(room) => passes.pack(&mut launch, n, round, span, room)?,
                None => passes.panel(n, span),
            });
        }
        let loops = passes.loops(round, &panels);
        let words = launch.words(&loops.words())?;
        let bindings = [&words, &panels[0].span, &panels[1].span, &summed];
        launch.dispatch(&inner, &bindings, loops.groups() as u32)?;
    }
    if !passes.whole {
        let (row, plane) = (passes.sums.row * VECTOR, passes.sums.plane * VECTOR);
        let walk = job.problem.through_sums(row, passes.splits * plane);
        job.finish(&mut launch, &summed, &made, (passes.splits, plane), &walk)?;
    }
    launch.finish(vec![(made, out)])
}

impl<'a> Passes<'a> {
    fn new(job: &'a Job<'a>) -> Result<Passes<'a>> {
        let (problem, gpu) = (&job.problem, job.gpu);
        let (splits, share) = splits(problem);
        let inner = Inner::choose(job)?;
        let extents = [problem.rows, problem.cols];
        let padded = [0, 1].map(|n| extents[n].next_multiple_of(inner.tile()[n]));
        let widest = padded[0].max(padded[1]);
        // Beside packed factors there are those that were given, sums and the result.
        let most = gpu.binding_bytes.min(gpu.home.memory.budget().device / SHARE);
        let limit = (most as usize).saturating_sub(32) / inner.packed_bytes();
        let rounds = rounds(problem, widest, limit)
            .ok_or_else(|| job.too_large(widest * STEPS * inner.packed_bytes()))?;
        let packed = [0, 1].map(|n| {
            let whole = rounds.len() == 1 && padded[n] == extents[n];
            let as_it_is = inner.packed_bytes() == job.dtype.size();
            whole && as_it_is && lies_packed(&job.factors[n], job.side(n), problem.summed)
        });
        let written = in_place(problem).filter(|_| job.sums_are_result() && splits == 1);
        let [rows, cols] = match inner.writes_whole_tiles() {
            true => padded,
            false => extents,
        };
        let row = cols.div_ceil(VECTOR);
        let scratch = Sums {
            row,
            plane: rows * row,
        };
        let passes = Passes {
            job,
            inner,
            rounds,
            splits,
            share,
            padded,
            packed,
            sums: written.unwrap_or(scratch),
            whole: written.is_some(),
        };
        job.bind(passes.sum_bytes())?;
        Ok(passes)
    }

    /// Bytes of a packed factor.
    fn pack_bytes(&self, number: usize) -> usize {
        let steps = self.rounds.iter().map(|round| round.batches * round.steps());
        steps.max().unwrap_or(0) * self.padded[number] * self.inner.packed_bytes()
    }

    /// Bytes of the sums.
    fn sum_bytes(&self) -> usize {
        self.job.problem.batch * self.splits * self.sums.plane * VECTOR * self.job.ring.size()
    }

    /// What will be held.
    fn need(&self, out: &OutMut<'_>) -> Need<'a> {
        let job = self.job;
        let mut need = Need::new(job.gpu);
        for (n, factor) in job.factors.iter().enumerate() {
            need.operand(&factor.operand.bytes, factor.window.len());
            if !self.packed[n] {
                need.scratch(self.pack_bytes(n));
                let words = PACK_HEAD + lists(job.side(n)).iter().map(Vec::len).sum::<usize>();
                self.rounds.iter().for_each(|_| need.upload(4 * words));
            }
        }
        self.rounds.iter().for_each(|_| need.upload(4 * LOOP_WORDS));
        if !self.whole {
            need.scratch(self.sum_bytes());
            job.need_finish(&mut need);
        }
        need.output(out, job.result_bytes());
        need
    }

    /// A factor that lies as the inner loops want it.
    fn panel(&self, number: usize, span: &Span) -> Panel {
        let side = self.job.side(number);
        Panel {
            span: span.clone(),
            at: self.job.factors[number].offset / VECTOR,
            row: side.along.stride().unwrap_or(0) / VECTOR,
            batch: side.batch.stride().unwrap_or(0) / VECTOR,
        }
    }

    /// Packs what a round needs of a factor.
    fn pack(
        &self,
        launch: &mut Launch<'_>,
        number: usize,
        round: &Round,
        from: &Span,
        room: &Span,
    ) -> Result<Panel> {
        let (job, side, padded) = (self.job, self.job.side(number), self.padded[number]);
        let (across, down) = (padded / PACK, round.steps() / PACK);
        let groups = across * down * round.batches;
        let head = [
            groups,
            across,
            down,
            [job.problem.rows, job.problem.cols][number],
            round.start,
            round.end,
            usize::from(side.turned()),
            job.factors[number].offset,
            round.batch,
        ];
        let mut words = head.map(|word| word as u32).to_vec();
        let lists = lists(side);
        let mut at = PACK_HEAD;
        for list in &lists {
            words.push(at as u32);
            at += list.len();
        }
        words.extend(lists.into_iter().flatten());
        job.pass(
            launch,
            &self.inner.pack_text(job.dtype),
            &words,
            &[from, room],
            groups,
        )?;
        Ok(Panel {
            span: room.clone(),
            at: 0,
            row: padded / VECTOR,
            batch: round.steps() * padded / VECTOR,
        })
    }

    /// The inner loops over the panels of a round.
    fn loops(&self, round: &Round, panels: &[Panel]) -> Loops {
        let problem = &self.job.problem;
        let depth = self.inner.depth();
        Loops {
            tiles: [0, 1].map(|n| self.padded[n] / self.inner.tile()[n]),
            batches: round.batches,
            splits: round.splits,
            share: self.share / depth,
            slabs: round.steps() / depth,
            factors: [0, 1].map(|n| [panels[n].at, panels[n].row, panels[n].batch]),
            rows: problem.rows,
            cols: problem.cols.div_ceil(VECTOR),
            sums: [round.plane * self.sums.plane, self.sums.row, self.sums.plane],
            continues: round.continues,
        }
    }
}

/// The parameters of the inner loops; places and distances are in vectors.
pub(super) struct Loops {
    /// Tiles of the result, down and across.
    pub tiles: [usize; 2],
    pub batches: usize,
    /// Parts of each sum, slabs of a part, and slabs of all.
    pub splits: usize,
    pub share: usize,
    pub slabs: usize,
    /// Of each factor, where it begins, and from row to row and batch to batch.
    pub factors: [[usize; 3]; 2],
    /// Rows of the result, and vectors of a row.
    pub rows: usize,
    pub cols: usize,
    /// Where the sums begin, and from row to row and plane to plane.
    pub sums: [usize; 3],
    /// Whether sums that are there are gone on with.
    pub continues: bool,
}

impl Loops {
    /// How many workgroups they take.
    pub fn groups(&self) -> usize {
        self.tiles.iter().product::<usize>() * self.batches * self.splits
    }

    /// As the kernel reads them.
    pub fn words(&self) -> [u32; LOOP_WORDS] {
        let [down, across] = self.tiles;
        let [a, b] = self.factors;
        let head = [self.groups(), down, across, self.splits, self.share, self.slabs];
        let tail = [self.rows, self.cols];
        let continues = [usize::from(self.continues)];
        let parts = [&head[..], &a, &b, &tail, &self.sums, &continues];
        let mut words = [0; LOOP_WORDS];
        for (word, value) in words.iter_mut().zip(parts.into_iter().flatten()) {
            *word = *value as u32;
        }
        words
    }
}

/// Where sums go in a result whose rows and batches begin at vectors.
fn in_place(problem: &Problem) -> Option<Sums> {
    let (row, batch) = problem.in_place()?;
    let even = |n: &usize| n.is_multiple_of(VECTOR);
    [problem.cols, row, batch].iter().all(even).then_some(Sums {
        row: row / VECTOR,
        plane: batch / VECTOR,
    })
}

/// Whether a factor of whole tiles lies in vectors as packed ones do.
fn lies_packed(factor: &Factor<'_>, side: &Side, summed: usize) -> bool {
    let even = |n: usize| n.is_multiple_of(VECTOR);
    side.across.stride() == Some(1)
        && side.along.stride().is_some_and(even)
        && side.batch.stride().is_some_and(even)
        && even(factor.offset)
        && summed.is_multiple_of(STEPS)
}

/// How a packing pass goes through a factor.
fn lists(side: &Side) -> [Vec<u32>; 3] {
    [&side.batch, &side.across, &side.along].map(|walk| walk.words())
}

/// The kernel that packs elements of a dtype, bound as words of type `word`, as numbers of type `made`,
/// each of which is `load`.
pub(super) fn pack_text(dtype: DType, word: &str, made: &str, load: &str) -> String {
    pass_text(
        include_str!("../../../../../shaders/blocks/gemm_pack.wgsl"),
        dtype,
        &[("FROM", word), ("MADE", made), ("LOAD", load)],
    )
}
