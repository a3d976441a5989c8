//! Running code over a block, strip by strip.
//!
//! A value is taken where it lies when it can be: in the input, or in the output that the last
//! op wrote to. Only what has to be gathered, converted or computed on the way is put into a slot.

use super::code::{Code, Node, What};
use super::fuse::MOST_ARGS;
use super::load::{gather, splat};
use super::scratch::{Scratch, Slot};
use super::space::{Space, Target, Walk};
use crate::device::{OutMut, Task};
use crate::geometry::AxisStep;
use tilewise_kernels::reduce::{Rows, State};
use tilewise_kernels::stream::{STREAMS, prefetch, settle, stream};

/// Rows at least this long are read where they lie, one kernel call a row; shorter ones are
/// gathered first.
const LONG_ROW: usize = 256;

/// Where the strip of a value is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In its slot.
    Slot,
    /// In a buffer, from that byte on.
    Buffer(usize, usize),
    /// In a buffer, each row where the node's starts say.
    Rows(usize),
    /// In a stored output, from that byte on.
    Output(usize, usize),
}

/// The part of the block that is being computed.
struct Strip<'a> {
    space: &'a Space,
    /// Index per dimension of its first element; that of the row dimension is not used.
    at: &'a [usize],
    /// Indices of its rows along the row dimension.
    rows: &'a [usize],
    /// Elements per row.
    len: usize,
    /// Outputs from this many bytes on are streamed if an input is transposed.
    large: usize,
}

impl Strip<'_> {
    /// Elements of all rows.
    fn total(&self) -> usize {
        self.rows.len() * self.len
    }

    /// Where a walk stands at the strip, without the part of its rows, nor of the innermost
    /// dimension where a table tells it.
    fn base(&self, walk: &Walk) -> isize {
        let inner = self.space.inner();
        let dims = (0..=inner).filter(|&dim| Some(dim) != self.space.row_dim);
        let steps = dims.map(|dim| match &walk.steps[dim] {
            AxisStep::Table(_) if dim == inner => 0,
            _ => walk.step(dim, self.at[dim]),
        });
        walk.offset + steps.sum::<isize>()
    }

    /// What row `row` adds.
    fn row(&self, walk: &Walk, row: usize) -> isize {
        self.space.row_dim.map_or(0, |dim| walk.step(dim, self.rows[row]))
    }

    /// Whether the rows of an output go past the caches.
    fn streams(&self, output: &[u8]) -> bool {
        STREAMS && self.space.turned.is_some() && output.len() >= self.large
    }

    /// Asks for a part of what the next strip needs of the transposed input: each of the rows that
    /// go out brings its share of columns in.
    fn ask_ahead(&self, code: &Code, task: &Task<'_>, row: usize) {
        let Some(number) = self.space.turned else {
            return;
        };
        let (node, rows) = (&code.nodes[number], self.rows.len());
        let (What::Load(input), Some(walk)) = (&node.what, &self.space.sources[number]) else {
            return;
        };
        let (bytes, size) = (task.buffers[task.bindings[*input].buffer], node.dtype.size());
        let (start, inner) = (self.base(walk) + self.row(walk, 0), self.space.inner());
        let step = walk.step(inner, 1);
        for column in row * self.len / rows..(row + 1) * self.len / rows {
            let first = start + step * (self.len + column) as isize;
            let from = usize::try_from(first).map_or(usize::MAX, |first| first * size);
            prefetch(
                bytes
                    .get(from..from.saturating_add(rows * size))
                    .unwrap_or_default(),
            );
        }
    }

    /// Where each row of a walk begins.
    fn starts(&self, walk: &Walk, starts: &mut Vec<usize>) {
        let base = self.base(walk);
        starts.clear();
        starts.extend((0..self.rows.len()).map(|row| (base + self.row(walk, row)) as usize));
    }

    /// Whether rows that begin there follow each other.
    fn dense(&self, starts: &[usize]) -> bool {
        starts
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(self.len))
    }
}

/// Runs `code` on a task that was checked.
pub(super) fn run(
    code: &Code,
    task: &Task<'_>,
    space: &Space,
    outputs: &mut [OutMut<'_>],
    scratch: &mut Scratch,
    large: usize,
) {
    let longest = space.strip();
    scratch.prepare(code, if space.direct { 0 } else { longest });
    for node in &code.nodes {
        if let What::Const(scalar) = node.what {
            let element = scalar.bytes();
            splat(
                &element,
                scratch.slots[node.slot].bytes_mut(longest * element.len()),
            );
        }
    }
    let mut places = vec![Place::Slot; code.nodes.len()];
    let mut turn = vec![0; space.loops.len()];
    let mut at = vec![0; space.extents.len()];
    loop {
        let mut len = 1;
        let mut rows = std::mem::take(&mut scratch.rows);
        rows.clear();
        for (each, &start) in space.loops.iter().zip(&turn) {
            at[each.dim] = start;
            let count = each.block.min(space.extents[each.dim] - start);
            if each.dim == space.inner() {
                len = count;
            } else if Some(each.dim) == space.row_dim {
                match &space.order {
                    Some(order) => rows.extend(&order[start..start + count]),
                    None => rows.extend(start..start + count),
                }
            }
        }
        if space.row_dim.is_none() {
            rows.push(0);
        }
        let strip = Strip {
            space,
            at: &at,
            rows: &rows,
            len,
            large,
        };
        for number in 0..code.nodes.len() {
            places[number] = compute(code, number, task, &strip, &places, outputs, scratch);
            for &output in &code.nodes[number].outputs {
                deliver(code, number, output, task, &strip, &places, outputs, scratch);
            }
        }
        scratch.rows = rows;
        let mut level = turn.len();
        loop {
            if level == 0 {
                settle();
                return;
            }
            level -= 1;
            turn[level] += space.loops[level].block;
            if turn[level] < space.extents[space.loops[level].dim] {
                break;
            }
            turn[level] = 0;
        }
    }
}

/// Computes the strip of a node and says where it is.
fn compute(
    code: &Code,
    number: usize,
    task: &Task<'_>,
    strip: &Strip<'_>,
    places: &[Place],
    outputs: &mut [OutMut<'_>],
    scratch: &mut Scratch,
) -> Place {
    let node = &code.nodes[number];
    let bytes = strip.total() * node.dtype.size();
    if let What::Const(_) = node.what {
        return Place::Slot;
    }
    let walk = strip.space.sources[number].as_ref();
    let mut starts = std::mem::take(&mut scratch.starts[number]);
    if let Some(walk) = walk {
        strip.starts(walk, &mut starts);
    }
    let place = match (&node.what, walk) {
        (What::Load(input), Some(walk)) => lies(node, *input, task, walk, strip, &starts),
        _ => None,
    };
    let place = place.unwrap_or_else(|| {
        let store = destination(node, strip, outputs);
        let mut slot = Slot::default();
        let mut target: &mut [u8] = &mut [];
        let out = match store {
            Some((output, from)) => {
                if let OutMut::Store(bytes) = &mut outputs[output] {
                    target = std::mem::take(bytes);
                }
                &mut target[from..from + bytes]
            }
            None => {
                slot = std::mem::take(&mut scratch.slots[node.slot]);
                slot.bytes_mut(bytes)
            }
        };
        match (&node.what, walk) {
            (What::Load(input), Some(walk)) => {
                let (inner, size) = (strip.space.inner(), node.dtype.size());
                let source = task.buffers[task.bindings[*input].buffer];
                let first = strip.at[inner];
                gather(size, source, &starts, &walk.steps[inner], first, strip.len, out);
            }
            (What::Index(_), Some(walk)) => count(walk, strip, &starts, out),
            (What::Kernel(kernel), _) => {
                let mut args: [&[u8]; MOST_ARGS] = [&[]; MOST_ARGS];
                for (arg, &from) in args.iter_mut().zip(&node.args) {
                    *arg = value(code, from, task, strip, places, outputs, scratch);
                }
                let count = node.args.len();
                if node
                    .args
                    .iter()
                    .all(|&from| !matches!(places[from], Place::Rows(_)))
                {
                    kernel.run(&args[..count], out);
                } else {
                    let width = strip.len * node.dtype.size();
                    for (row, out) in out.chunks_exact_mut(width).enumerate() {
                        let mut parts: [&[u8]; MOST_ARGS] = [&[]; MOST_ARGS];
                        for ((part, arg), &from) in parts.iter_mut().zip(args).zip(&node.args) {
                            let size = code.nodes[from].dtype.size();
                            let start = match places[from] {
                                Place::Rows(_) => scratch.starts[from][row],
                                _ => row * strip.len,
                            };
                            *part = &arg[start * size..][..strip.len * size];
                        }
                        kernel.run(&parts[..count], out);
                    }
                }
            }
            _ => {}
        }
        match store {
            Some((output, from)) => {
                outputs[output] = OutMut::Store(target);
                Place::Output(output, from)
            }
            None => {
                scratch.slots[node.slot] = slot;
                Place::Slot
            }
        }
    });
    scratch.starts[number] = starts;
    place
}

/// Where the strip of a load lies already, if it does.
fn lies(
    node: &Node,
    input: usize,
    task: &Task<'_>,
    walk: &Walk,
    strip: &Strip<'_>,
    starts: &[usize],
) -> Option<Place> {
    if strip.len > 1 && walk.steps[strip.space.inner()] != AxisStep::Step(1) {
        return None;
    }
    if let AxisStep::Table(_) = walk.steps[strip.space.inner()] {
        return None;
    }
    let size = node.dtype.size();
    let buffer = task.bindings[input].buffer;
    let from = starts[0] * size;
    let aligned = (task.buffers[buffer].as_ptr() as usize + from).is_multiple_of(size);
    if strip.dense(starts) && aligned {
        Some(Place::Buffer(buffer, from))
    } else if node.only_reduced || (!node.stored && aligned && strip.len >= LONG_ROW) {
        Some(Place::Rows(buffer))
    } else {
        None
    }
}

/// The stored output that a node can be computed into, with the byte that the strip begins at.
fn destination(node: &Node, strip: &Strip<'_>, outputs: &[OutMut<'_>]) -> Option<(usize, usize)> {
    node.outputs.iter().find_map(|&output| {
        let walk = strip.space.stores[output].as_ref()?;
        let OutMut::Store(bytes) = &outputs[output] else {
            return None;
        };
        let base = strip.base(walk);
        let start = base + strip.row(walk, 0);
        let follows = |row: usize| base + strip.row(walk, row) == start + (row * strip.len) as isize;
        let from = start as usize * node.dtype.size();
        let aligned = (bytes.as_ptr() as usize + from).is_multiple_of(node.dtype.size());
        let direct = aligned && !strip.streams(bytes);
        (direct && (1..strip.rows.len()).all(follows)).then_some((output, from))
    })
}

/// The bytes of a value's strip.
fn value<'a>(
    code: &Code,
    number: usize,
    task: &Task<'a>,
    strip: &Strip<'_>,
    places: &[Place],
    outputs: &'a [OutMut<'_>],
    scratch: &'a Scratch,
) -> &'a [u8] {
    let node = &code.nodes[number];
    let bytes = strip.total() * node.dtype.size();
    match places[number] {
        Place::Slot => scratch.slots[node.slot].bytes(bytes),
        Place::Buffer(buffer, from) => &task.buffers[buffer][from..from + bytes],
        Place::Rows(buffer) => task.buffers[buffer],
        Place::Output(output, from) => match &outputs[output] {
            OutMut::Store(stored) => &stored[from..from + bytes],
            _ => &[],
        },
    }
}

/// Writes the global indices of a strip.
fn count(walk: &Walk, strip: &Strip<'_>, starts: &[usize], out: &mut [u8]) {
    let step = walk.step(strip.space.inner(), 1) as i64;
    for (row, &start) in out.chunks_exact_mut(strip.len * 8).zip(starts) {
        for (i, slot) in row.chunks_exact_mut(8).enumerate() {
            slot.copy_from_slice(&(start as i64 + i as i64 * step).to_ne_bytes());
        }
    }
}

/// Hands the strip of a value to an output that takes it.
fn deliver(
    code: &Code,
    number: usize,
    output: usize,
    task: &Task<'_>,
    strip: &Strip<'_>,
    places: &[Place],
    outputs: &mut [OutMut<'_>],
    scratch: &mut Scratch,
) {
    let place = places[number];
    if matches!(place, Place::Output(at, _) if at == output) {
        return;
    }
    let size = code.nodes[number].dtype.size();
    let mut taken = std::mem::replace(&mut outputs[output], OutMut::Store(&mut []));
    let mut fed = std::mem::take(&mut scratch.fed);
    let bytes = value(code, number, task, strip, places, outputs, scratch);
    match &mut taken {
        OutMut::Store(stored) => {
            if let Some(walk) = &strip.space.stores[output] {
                let base = strip.base(walk);
                let len = strip.len * size;
                for row in 0..strip.rows.len() {
                    let to = (base + strip.row(walk, row)) as usize * size;
                    if strip.streams(stored) {
                        strip.ask_ahead(code, task, row);
                        stream(&bytes[row * len..][..len], &mut stored[to..to + len], &[]);
                    } else {
                        stored[to..to + len].copy_from_slice(&bytes[row * len..][..len]);
                    }
                }
            }
        }
        OutMut::Reduce(state) => {
            if let Some(target) = &strip.space.targets[output] {
                let starts = match place {
                    Place::Rows(_) => Some(&scratch.starts[number][..]),
                    _ => None,
                };
                feed(state, bytes, starts, target, task, strip, &mut fed);
            }
        }
        OutMut::Keep(_) | OutMut::Fold(_) => {} // refused before
    }
    scratch.fed = fed;
    outputs[output] = taken;
}

/// Feeds the rows of a strip to their cells. Without `starts` they follow each other in `values`.
fn feed(
    state: &mut State,
    values: &[u8],
    starts: Option<&[usize]>,
    target: &Target,
    task: &Task<'_>,
    strip: &Strip<'_>,
    (fed, cells, indices): &mut (Vec<usize>, Vec<usize>, Vec<i64>),
) {
    let (space, inner) = (strip.space, strip.space.inner());
    let labels = task.labels.unwrap_or(&[]);
    let (groups, stride) = target.groups.unwrap_or((0, 0));
    let label_dim = space.grouped.filter(|_| target.groups.is_some());
    let (cell, index) = (strip.base(&target.cells), strip.base(&target.index));
    fed.clear();
    cells.clear();
    indices.clear();
    for (row, &place) in strip.rows.iter().enumerate() {
        let label = match label_dim {
            Some(dim) if dim != inner => {
                let i = if Some(dim) == space.row_dim {
                    place
                } else {
                    strip.at[dim]
                };
                labels[i] as usize
            }
            _ => 0,
        };
        if label_dim.is_some_and(|dim| dim != inner) && label >= groups {
            continue;
        }
        fed.push(starts.map_or(row * strip.len, |starts| starts[row]));
        cells.push((cell + strip.row(&target.cells, row)) as usize + label * stride);
        indices.push((index + strip.row(&target.index, row)) as i64);
    }
    let rows = Rows {
        values,
        starts: fed,
        len: strip.len,
        cells,
        indices,
        index_step: target.index.step(inner, 1) as i64,
    };
    if label_dim == Some(inner) {
        state.feed_grouped(&rows, &labels[strip.at[inner]..], groups, stride);
    } else if target.cells.step(inner, 1) == 0 {
        state.feed_along(&rows);
    } else {
        state.feed_across(&rows);
    }
}
