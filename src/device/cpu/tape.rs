//! Tapes: what a program that only stores does with each strip of a long row.
//!
//! What does not change along a row is found once per task, so that a strip costs its loops and
//! little else (`flow` runs it). That allows short strips: all values of one stay in the
//! first-level cache beside the lines of the inputs that pass through.

use super::code::{Code, What};
use super::fuse::Loop;
use super::space::Space;
use crate::device::{OutMut, Task};
use crate::geometry::AxisStep;
use crate::plan::program::Output;
use std::ops::Range;
use tilewise_kernels::stream::STREAMS;

/// Bytes of first-level cache for the strips of all values and inputs; the rest of its 32 KiB or
/// more is for what comes ahead and goes out.
const CACHE_BYTES: usize = 12 << 10;

/// Least and most bytes of a strip of the widest value.
const STRIP_BYTES: (usize, usize) = (2 << 10, 8 << 10);

/// Bytes of second-level cache for the rows of neighbour planes, and least rows of each.
const SWEEP_BYTES: usize = 384 << 10;
const LEAST_SWEEP: usize = 8;

/// Rows at least this long are run here.
const LONG_ROW: usize = 256;

/// Most inputs whose next strip is asked for.
pub(super) const AHEAD: usize = 4;

/// Where a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In a slot.
    Slot(usize),
    /// In an input, in place: the number of its [`Stream`].
    Stream(usize),
    /// In an output, that nothing else reads.
    Output(usize),
}

/// What a step does.
pub(super) enum Does {
    Kernel(Loop),
    /// Repeats the one element of that buffer that a row sees.
    Splat(usize),
    /// Copies from that buffer.
    Gather(usize),
    /// Writes global indices.
    Count,
}

/// One value of a strip.
pub(super) struct Step {
    pub node: usize,
    pub does: Does,
    /// Its arguments, with their element sizes.
    pub args: Vec<(Place, usize)>,
    /// Where it goes, with its element size.
    pub out: (Place, usize),
    /// Which of the stored values it is: its slot may be another's after the next step.
    pub stored: Range<usize>,
}

/// An input that is read where it lies.
pub(super) struct Stream {
    pub node: usize,
    pub buffer: usize,
    pub size: usize,
}

/// A value that is copied to an output.
pub(super) struct Stored {
    pub output: usize,
    pub from: Place,
    pub size: usize,
    /// Whether it goes past the caches.
    pub streamed: bool,
}

/// What a task does with each strip.
pub(super) struct Tape {
    pub steps: Vec<Step>,
    pub streams: Vec<Stream>,
    /// Those of steps, in their order, before those that are there without one.
    pub stored: Vec<Stored>,
    /// How many of them are of steps.
    pub computed: usize,
    /// Streams of which the next strip is asked for while one goes out.
    pub ahead: Vec<usize>,
    /// Elements of a strip.
    pub strip: usize,
    /// Rows of each plane that are taken before the next plane's.
    pub sweep: usize,
}

/// Whether a space is one of long rows whose values are only stored.
pub(super) fn fits(task: &Task<'_>, space: &Space) -> bool {
    let stores = task.program.outputs.iter().all(|o| matches!(o, Output::Store(_)));
    let rows = space.extents.len() == 1 || space.extents[space.inner()] >= LONG_ROW;
    stores && rows && space.turned.is_none()
}

impl Tape {
    /// The tape of a task that [`fits`]; outputs of at least `large` bytes are streamed.
    pub(super) fn new(
        code: &Code,
        task: &Task<'_>,
        space: &Space,
        outputs: &[OutMut<'_>],
        large: usize,
    ) -> Tape {
        let mut tape = Tape {
            steps: Vec::with_capacity(code.nodes.len()),
            streams: Vec::new(),
            stored: Vec::new(),
            computed: 0,
            ahead: Vec::new(),
            strip: 0,
            sweep: usize::MAX,
        };
        let mut read = vec![false; code.nodes.len()];
        let args = code.nodes.iter().flat_map(|n| &n.args);
        args.for_each(|&arg| read[arg] = true);
        let mut given = Vec::new();
        let mut places: Vec<Place> = Vec::with_capacity(code.nodes.len());
        for (number, node) in code.nodes.iter().enumerate() {
            let size = node.dtype.size();
            let mut place = Place::Slot(node.slot);
            let does = match (&node.what, &space.sources[number]) {
                (What::Load(input), Some(walk)) => {
                    let buffer = task.bindings[*input].buffer;
                    let aligned = (task.buffers[buffer].as_ptr() as usize).is_multiple_of(size);
                    match walk.steps[space.inner()] {
                        AxisStep::Step(1) if aligned => {
                            place = Place::Stream(tape.streams.len());
                            tape.streams.push(Stream {
                                node: number,
                                buffer,
                                size,
                            });
                            None
                        }
                        AxisStep::Step(0) => Some(Does::Splat(buffer)),
                        _ => Some(Does::Gather(buffer)),
                    }
                }
                (What::Index(_), _) => Some(Does::Count),
                (What::Kernel(kernel), _) => Some(Does::Kernel(kernel.clone())),
                _ => None, // a constant, which is in its slot already
            };
            let stores = |place: Place| {
                node.outputs.iter().map(move |&output| Stored {
                    output,
                    from: place,
                    size,
                    streamed: is_streamed(&outputs[output], large),
                })
            };
            let Some(does) = does else {
                given.extend(stores(place));
                places.push(place);
                continue;
            };
            let first = tape.stored.len();
            match node.outputs[..] {
                [output]
                    if !read[number]
                        && !is_streamed(&outputs[output], large)
                        && aligned(&outputs[output], size) =>
                {
                    place = Place::Output(output);
                }
                _ => tape.stored.extend(stores(place)),
            }
            let args = node.args.iter().map(|&a| (places[a], code.nodes[a].dtype.size()));
            tape.steps.push(Step {
                node: number,
                does,
                args: args.collect(),
                out: (place, size),
                stored: first..tape.stored.len(),
            });
            places.push(place);
        }
        tape.computed = tape.stored.len();
        tape.stored.extend(given);
        let (least, most) = STRIP_BYTES;
        let bytes = CACHE_BYTES / (tape.slots(code) + tape.streams.len()).max(1);
        tape.strip = (bytes / least * least).clamp(least, most) / code.widest;
        tape.sweep = tape.rows_swept(space);
        if tape.stored.iter().any(|s| s.streamed) {
            tape.ahead = tape.furthest(space);
        }
        tape
    }

    /// The number of slots that hold something.
    fn slots(&self, code: &Code) -> usize {
        let constants = code.nodes.iter().filter(|n| matches!(n.what, What::Const(_)));
        let mut held: Vec<usize> = constants.map(|n| n.slot).collect();
        held.extend(self.steps.iter().filter_map(|step| match step.out.0 {
            Place::Slot(slot) => Some(slot),
            _ => None,
        }));
        held.sort_unstable();
        held.dedup();
        held.len()
    }

    /// So many rows of a plane that those of the neighbour planes that some buffer is read in
    /// stay in a cache until the next planes come to them.
    fn rows_swept(&self, space: &Space) -> usize {
        let Some(plane) = space.inner().checked_sub(2) else {
            return usize::MAX;
        };
        let mut seen: Vec<(usize, isize)> = Vec::new();
        let mut row_bytes = 0;
        for stream in &self.streams {
            let steps = space.sources[stream.node].as_ref().map(|w| (w.offset, &w.steps));
            let Some((offset, steps)) = steps else { continue };
            if let (AxisStep::Step(across), AxisStep::Step(row)) = (&steps[plane], &steps[plane + 1])
                && *across > 0
                && *row != 0
            {
                // Neighbours within a plane are off by less than half of it.
                let number = (offset + across / 2).div_euclid(*across);
                if !seen.contains(&(stream.buffer, number)) {
                    seen.push((stream.buffer, number));
                }
                row_bytes = row_bytes.max(row.unsigned_abs() * stream.size);
            }
        }
        let of = |buffer: usize| seen.iter().filter(|s| s.0 == buffer).count();
        let planes = seen.iter().map(|s| of(s.0)).max().unwrap_or(0);
        if planes < 2 {
            return usize::MAX;
        }
        (SWEEP_BYTES / ((planes + 1) * row_bytes)).max(LEAST_SWEEP)
    }

    /// The streams worth asking ahead for: of each buffer the furthest, in whose lines the others
    /// follow, unless it is read again and again and so in a cache.
    fn furthest(&self, space: &Space) -> Vec<usize> {
        let mut best: Vec<(usize, usize, isize)> = Vec::new();
        for (number, stream) in self.streams.iter().enumerate() {
            let Some(walk) = &space.sources[stream.node] else {
                continue;
            };
            let again = |step: &AxisStep| matches!(step, AxisStep::Step(0) | AxisStep::Table(_));
            if walk.steps.iter().any(again) {
                continue;
            }
            match best.iter_mut().find(|b| b.1 == stream.buffer) {
                Some(other) if other.2 >= walk.offset => {}
                Some(other) => *other = (number, stream.buffer, walk.offset),
                None => best.push((number, stream.buffer, walk.offset)),
            }
        }
        best.truncate(AHEAD);
        best.into_iter().map(|(number, ..)| number).collect()
    }
}

/// Whether an output is large enough to be streamed.
fn is_streamed(output: &OutMut<'_>, large: usize) -> bool {
    STREAMS && matches!(output, OutMut::Store(bytes) if bytes.len() >= large)
}

/// Whether elements of `size` can be computed right into an output.
fn aligned(output: &OutMut<'_>, size: usize) -> bool {
    matches!(output, OutMut::Store(bytes) if (bytes.as_ptr() as usize).is_multiple_of(size))
}
