//! Running a tape: row after row, strip after strip, through pointers that were checked once.
//!
//! Large blocks are streamed past the caches, from a strip that is in the cache to whole lines of
//! the output, while the next strip's input is asked for.

use super::code::{Code, What};
use super::fuse::MOST_ARGS;
use super::load::{gather, splat};
use super::scratch::{Scratch, Slot};
use super::space::{Space, Walk};
use super::tape::{AHEAD, Does, Place, Stored, Tape};
use crate::device::{OutMut, Task};
use crate::geometry::AxisStep;
use std::ops::Range;
use tilewise_kernels::stream::{LINE, settle, stream};

/// Where the elements of a row are: at `start`, from one to the next `step` bytes on, and those of
/// the next row `row` bytes on; a slot, which holds one strip, has neither.
#[derive(Clone, Copy)]
struct Run {
    start: *mut u8,
    step: usize,
    row: isize,
    size: usize,
}

impl Run {
    /// An argument that there is not.
    const NONE: Run = Run {
        start: std::ptr::dangling_mut(),
        step: 0,
        row: 0,
        size: 1,
    };

    /// Goes to the next row.
    fn move_on(&mut self) {
        self.start = self.start.wrapping_offset(self.row);
    }

    /// # Safety
    /// The elements `first..first + len` of the row, or `len` elements of the slot, are
    /// initialised and nothing writes to them while the slice lives.
    unsafe fn bytes<'a>(self, first: usize, len: usize) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start.add(first * self.step), len * self.size) }
    }

    /// # Safety
    /// As [`Run::bytes`], and nothing else reads them while the slice lives.
    unsafe fn bytes_mut<'a>(self, first: usize, len: usize) -> &'a mut [u8] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first * self.step), len * self.size) }
    }
}

/// The runs of a step.
struct Runs {
    args: [Run; MOST_ARGS],
    out: Run,
}

/// A task under way. All pointers come from slices that it holds borrowed: the buffers of the
/// task, the outputs and the slots.
struct Flow<'a> {
    tape: &'a Tape,
    task: &'a Task<'a>,
    space: &'a Space,
    /// First byte and element size of each output.
    outputs: Vec<*mut u8>,
    slots: Vec<*mut u8>,
    /// By node, where its walk stands at the row's first element.
    starts: Vec<isize>,
    /// By node, what the next row adds to that, if every row does.
    rows: Option<Vec<isize>>,
    /// Where the outputs do, in elements.
    store: usize,
    /// Of the row, by step.
    runs: Vec<Runs>,
    /// Of the row, by stored value: from and to.
    stores: Vec<(Run, Run)>,
}

/// Runs `code` on a task that was checked and that a tape fits; outputs of at least `large` bytes
/// are streamed.
pub(super) fn run(
    code: &Code,
    task: &Task<'_>,
    space: &Space,
    outputs: &mut [OutMut<'_>],
    scratch: &mut Scratch,
    large: usize,
) {
    let tape = Tape::new(code, task, space, outputs, large);
    scratch.prepare(code, tape.strip);
    for node in &code.nodes {
        if let What::Const(scalar) = node.what {
            let element = scalar.bytes();
            let slot = &mut scratch.slots[node.slot];
            splat(&element, slot.bytes_mut(tape.strip * element.len()));
        }
    }
    let Some(store) = space.stores.iter().flatten().next() else {
        return;
    };
    let mut flow = Flow {
        tape: &tape,
        task,
        space,
        outputs: outputs
            .iter_mut()
            .map(|output| match output {
                OutMut::Store(bytes) => bytes.as_mut_ptr(),
                _ => std::ptr::null_mut(), // no tape has one
            })
            .collect(),
        slots: scratch.slots.iter_mut().map(Slot::start).collect(),
        starts: vec![0; code.nodes.len()],
        rows: row_steps(space, store),
        store: 0,
        runs: Vec::with_capacity(tape.steps.len()),
        stores: Vec::with_capacity(tape.stored.len()),
    };
    let inner = space.inner();
    let mut at = vec![0; inner];
    let rows = inner.checked_sub(1).map_or(1, |dim| space.extents[dim]);
    for from in (0..rows).step_by(tape.sweep) {
        let to = (from + tape.sweep).min(rows);
        if let Some(row) = at.last_mut() {
            *row = from;
        }
        loop {
            flow.enter(store, &at);
            flow.row();
            for _ in from + 1..to {
                if let Some(row) = at.last_mut() {
                    *row += 1;
                }
                flow.next(store, &at);
                flow.row();
            }
            if !advance(&mut at, &space.extents, from) {
                break;
            }
        }
    }
    if tape.stored.iter().any(|s| s.streamed) {
        settle();
    }
}

/// Goes to the row `first` of the next plane. After the last it goes back to the first plane and
/// tells `false`.
fn advance(at: &mut [usize], extents: &[usize], first: usize) -> bool {
    let Some((row, outer)) = at.split_last_mut() else {
        return false;
    };
    *row = first;
    for (index, &extent) in outer.iter_mut().zip(extents).rev() {
        *index += 1;
        if *index < extent {
            return true;
        }
        *index = 0;
    }
    false
}

/// By node, what the next row adds to its place, and last what it adds to the outputs'; `None`
/// where rows differ in that.
fn row_steps(space: &Space, store: &Walk) -> Option<Vec<isize>> {
    let row = space.inner().checked_sub(1)?;
    let step = |walk: &Walk| match walk.steps[row] {
        AxisStep::Step(step) => Some(step),
        AxisStep::Table(_) => None,
    };
    let sources = space
        .sources
        .iter()
        .map(|walk| walk.as_ref().map_or(Some(0), step));
    sources.chain([step(store)]).collect()
}

/// Where a walk stands at those outer indices.
fn offset(walk: &Walk, at: &[usize]) -> isize {
    let steps = at.iter().enumerate().map(|(dim, &i)| walk.step(dim, i));
    walk.offset + steps.sum::<isize>()
}

impl Flow<'_> {
    /// Goes to the row at those outer indices.
    fn enter(&mut self, store: &Walk, at: &[usize]) {
        for (start, walk) in self.starts.iter_mut().zip(&self.space.sources) {
            if let Some(walk) = walk {
                *start = offset(walk, at);
            }
        }
        self.store = offset(store, at) as usize;
        self.runs.clear();
        for step in &self.tape.steps {
            let mut args = [Run::NONE; MOST_ARGS];
            for (run, &(place, size)) in args.iter_mut().zip(&step.args) {
                *run = self.place(place, size);
            }
            let out = self.place(step.out.0, step.out.1);
            self.runs.push(Runs { args, out });
        }
        self.stores.clear();
        for stored in &self.tape.stored {
            let to = self.place(Place::Output(stored.output), stored.size);
            self.stores.push((self.place(stored.from, stored.size), to));
        }
    }

    /// Goes to the row after the one that is entered, which is at those indices.
    fn next(&mut self, store: &Walk, at: &[usize]) {
        let Some(rows) = &self.rows else {
            return self.enter(store, at);
        };
        for (start, row) in self.starts.iter_mut().zip(rows) {
            *start += row;
        }
        self.store = self.store.wrapping_add_signed(rows[rows.len() - 1]);
        for (runs, step) in self.runs.iter_mut().zip(&self.tape.steps) {
            runs.args[..step.args.len()].iter_mut().for_each(Run::move_on);
            runs.out.move_on();
        }
        for (from, to) in &mut self.stores {
            from.move_on();
            to.move_on();
        }
    }

    /// The run of a place in the row.
    fn place(&self, place: Place, size: usize) -> Run {
        let row = |number: usize| match &self.rows {
            Some(rows) => rows[number] * size as isize,
            None => 0,
        };
        match place {
            Place::Slot(slot) => Run {
                start: self.slots.get(slot).copied().unwrap_or(std::ptr::dangling_mut()),
                size,
                ..Run::NONE
            },
            Place::Stream(number) => {
                let stream = &self.tape.streams[number];
                let bytes = &self.task.buffers[stream.buffer][self.starts[stream.node] as usize * size..];
                Run {
                    start: bytes.as_ptr().cast_mut(),
                    step: size,
                    row: row(stream.node),
                    size,
                }
            }
            Place::Output(output) => Run {
                start: self.outputs[output].wrapping_add(self.store * size),
                step: size,
                row: row(self.starts.len()),
                size,
            },
        }
    }

    /// Computes and stores every strip of the row.
    fn row(&self) {
        let (extent, strip) = (self.space.extents[self.space.inner()], self.tape.strip);
        let mut first = 0;
        let mut len = self.first_strip().min(extent);
        while first < extent {
            for (number, runs) in self.runs.iter().enumerate() {
                self.step(number, runs, first, len);
                self.store(self.tape.steps[number].stored.clone(), first, len);
            }
            self.store(self.tape.computed..self.tape.stored.len(), first, len);
            first += len;
            len = strip.min(extent - first);
        }
    }

    /// Copies some of the stored values to their outputs.
    fn store(&self, which: Range<usize>, first: usize, len: usize) {
        for number in which {
            let (stored, (from, to)) = (&self.tape.stored[number], self.stores[number]);
            // SAFETY: `from` is a slot of at least `len` elements that the step just now wrote (or
            // a constant), or lies in a buffer that `check` found to reach to the block's end;
            // `to` lies in an output, as long as the block, which `OutMut` borrows mutably;
            // nothing else of the task refers to either now.
            let (bytes, out) = unsafe { (from.bytes(first, len), to.bytes_mut(first, len)) };
            if !stored.streamed {
                out.copy_from_slice(bytes);
            } else if number == 0 && from.step == 0 {
                self.stream(bytes, out, first + len);
            } else {
                stream(bytes, out, &[]);
            }
        }
    }

    /// Streams a computed strip, and asks for the input of the one at `next`.
    fn stream(&self, bytes: &[u8], out: &mut [u8], next: usize) {
        let mut ahead: [&[u8]; AHEAD] = [&[]; AHEAD];
        let count = self.tape.ahead.len();
        for (ahead, &number) in ahead.iter_mut().zip(&self.tape.ahead) {
            let stream = &self.tape.streams[number];
            let buffer = self.task.buffers[stream.buffer];
            let start = ((self.starts[stream.node] as usize + next) * stream.size).min(buffer.len());
            let end = (start + self.tape.strip * stream.size).min(buffer.len());
            *ahead = &buffer[start..end];
        }
        stream(bytes, out, &ahead[..count]);
    }

    /// Elements of the row's first strip: so many that the next ones begin at a line of what is
    /// streamed, unless the row is too short for that to pay.
    fn first_strip(&self) -> usize {
        let strip = self.tape.strip;
        let mut pairs = self.tape.stored.iter().zip(&self.stores);
        let streamed: Option<(&Stored, &(Run, Run))> = pairs.find(|(s, _)| s.streamed);
        let Some((stored, (_, to))) = streamed else {
            return strip;
        };
        let past = to.start as usize % LINE / stored.size;
        let long = self.space.extents[self.space.inner()] >= 4 * strip;
        if past > 0 && long { strip - past } else { strip }
    }

    /// Computes the value of a step for part of the row.
    fn step(&self, number: usize, runs: &Runs, first: usize, len: usize) {
        let step = &self.tape.steps[number];
        // SAFETY: `out` is a slot of at least `len` elements, or `len` elements of an output that
        // reaches to the block's end; no argument is in it, because a value's slot is free when
        // the value is made, and an output is written directly only if nothing reads it.
        let out = unsafe { runs.out.bytes_mut(first, len) };
        if let Does::Kernel(kernel) = &step.does {
            let count = step.args.len();
            let mut args: [&[u8]; MOST_ARGS] = [&[]; MOST_ARGS];
            for (arg, run) in args.iter_mut().zip(&runs.args[..count]) {
                // SAFETY: each argument is a slot that an earlier step of this strip (or a
                // constant) filled, or lies in a buffer that `check` found to reach to the
                // block's end.
                *arg = unsafe { run.bytes(first, len) };
            }
            return kernel.run(&args[..count], out);
        }
        let (inner, start) = (self.space.inner(), self.starts[step.node]);
        let Some(walk) = &self.space.sources[step.node] else {
            return;
        };
        let (along, from) = match &walk.steps[inner] {
            AxisStep::Step(step) => (*step, start + step * first as isize),
            AxisStep::Table(_) => (0, start),
        };
        let size = step.out.1;
        match step.does {
            Does::Splat(buffer) => splat(&self.task.buffers[buffer][from as usize * size..][..size], out),
            Does::Gather(buffer) => {
                let (source, steps) = (self.task.buffers[buffer], &walk.steps[inner]);
                gather(size, source, &[from as usize], steps, first, len, out);
            }
            _ => {
                for (i, slot) in out.chunks_exact_mut(8).enumerate() {
                    slot.copy_from_slice(&(from as i64 + i as i64 * along as i64).to_ne_bytes());
                }
            }
        }
    }
}
