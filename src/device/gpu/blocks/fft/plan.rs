//! What a transform is made of: passes, each one dispatch that reads and writes all points once.
//!
//! A smooth length that a workgroup holds takes one pass, a longer one a pass for each of its pieces,
//! with factors between. Any other length is a product with a chirp, taken as transform, product and
//! transform back over a padded length, the last and the first of which are one pass. Real
//! numbers are transformed in pairs, as half as many complex ones, where their number is even.

use super::codelet::Real;
use super::factor::{is_smooth, padded_lengths, pieces, radices};
use super::kernel::{Kernel, Sink, Source, Twiddle, with_gaps};
use tilewise_kernels::fft::Transform;

/// Invocations of a workgroup, unless columns side by side ask for more.
const THREADS: usize = 256;
/// Columns that lie side by side should be so many bytes.
const SIDE_BYTES: usize = 64;
/// Extents of neighbours below which invocations rather go along columns.
pub(super) const NEIGHBOURS: usize = 8;

/// What an adapter's workgroups may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limits {
    /// Bytes of memory.
    pub memory: usize,
    /// Invocations.
    pub threads: usize,
    /// Whether points are few in an invocation, as drivers that compile for the CPU would have it.
    pub narrow: bool,
}

impl Limits {
    /// The largest radix that is not prime: as many points as registers hold with ease.
    fn radix(&self, real: Real) -> usize {
        match real {
            _ if self.narrow => 4,
            Real::F32 => 16,
            Real::F64 => 8,
        }
    }
}

/// A transform of columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub transform: Transform,
    pub real: Real,
    /// Points of the transform.
    pub len: usize,
    /// Extents of the axes behind and before the one that is transformed.
    pub inner: usize,
    pub outer: usize,
    /// Whether neighbouring columns of the operand lie nearer than neighbouring points.
    pub across: bool,
    /// Whether pairs of the operand's real numbers lie as complex ones.
    pub viewed: bool,
}

/// A dispatch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pass {
    pub kernel: Kernel,
    /// The piece of the length that it transforms.
    pub piece: usize,
    /// Parts of the whole transform that it has.
    pub parts: usize,
    /// Whether columns are taken in the order of the result rather than of the array between passes.
    pub ordered: bool,
}

/// All dispatches of a transform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// Complex points, and points of the padded transform.
    pub points: usize,
    pub padded: usize,
    pub pieces: Vec<usize>,
    pub chirped: bool,
    pub passes: Vec<Pass>,
    /// Whether a last dispatch joins pairs.
    pub joins: bool,
}

impl Problem {
    /// Complex points that are transformed.
    pub fn points(&self) -> usize {
        match self.paired() {
            true => self.len / 2,
            false => self.len,
        }
    }

    fn is_real(&self) -> bool {
        matches!(self.transform, Transform::RealForward | Transform::RealInverse)
    }

    /// Whether pairs of real numbers are transformed as complex ones.
    pub fn paired(&self) -> bool {
        self.is_real() && self.len.is_multiple_of(2)
    }

    /// Whether the result's pairs are stored as complex numbers.
    pub fn stores_pairs_whole(&self) -> bool {
        self.paired() && self.inner == 1 && self.transform == Transform::RealInverse
    }

    /// Elements of the result along the axis.
    pub fn results(&self) -> usize {
        match self.transform {
            Transform::RealForward => self.len / 2 + 1,
            _ => self.len,
        }
    }

    fn source(&self) -> Source {
        match (self.transform, self.paired()) {
            (Transform::RealForward, true) if self.viewed => Source::Complex,
            (Transform::RealForward, true) => Source::Pairs,
            (Transform::RealForward, false) => Source::Real,
            (Transform::RealInverse, true) => Source::Merged,
            (Transform::RealInverse, false) => Source::Mirrored,
            _ => Source::Complex,
        }
    }

    /// Where the points go that the transform gives.
    fn sink(&self) -> Sink {
        match (self.transform, self.paired()) {
            (Transform::RealForward, true) => Sink::Joined(self.points()),
            (Transform::RealInverse, true) if self.inner > 1 => Sink::Pairs,
            (Transform::RealInverse, false) => Sink::Real,
            _ => Sink::Complex,
        }
    }

    /// The pieces of a smooth length.
    fn pieces(&self, len: usize, limits: Limits) -> Vec<usize> {
        let numbers = limits.memory / self.real.size();
        // What lies side by side is read by a column or two at least; between passes, by more.
        let lone = if self.across || self.inner > 1 {
            numbers / 2
        } else {
            numbers
        };
        let most = numbers * self.real.size() / 16;
        let held = limits.threads * limits.radix(self.real);
        match len <= lone.min(held) {
            true => vec![len],
            false => pieces(len, most.min(held)),
        }
    }
}

impl Plan {
    pub fn new(problem: &Problem, limits: Limits) -> Plan {
        let points = problem.points();
        let chirped = !is_smooth(points);
        let most = limits.radix(problem.real);
        let (padded, pieces) = match chirped {
            false => (points, problem.pieces(points, limits)),
            true => {
                let lengths = padded_lengths(2 * points - 1).into_iter();
                let cut = lengths.map(|n| (n, problem.pieces(n, limits)));
                let stages = |list: &[usize]| list.iter().map(|&p| radices(p, most).len() + 1).sum::<usize>();
                cut.min_by_key(|(n, list)| (list.len(), n * stages(list)))
                    .unwrap_or((points, vec![points]))
            }
        };
        let mut plan = Plan {
            points,
            padded,
            pieces,
            chirped,
            passes: Vec::new(),
            joins: false,
        };
        plan.lay_out(problem, limits);
        plan
    }

    /// The passes, in their order.
    fn lay_out(&mut self, problem: &Problem, limits: Limits) {
        let count = self.pieces.len();
        let (source, mut sink) = (problem.source(), problem.sink());
        if count > 1 && matches!(sink, Sink::Joined(_)) {
            self.joins = true;
            sink = Sink::Complex;
        }
        for piece in 0..count {
            let (first, last) = (piece == 0, piece + 1 == count);
            let ends = last && (!self.chirped || count == 1);
            self.passes.push(self.pass(
                (problem, limits),
                piece,
                if first { source } else { Source::Work },
                if ends { sink } else { Sink::Work },
                if last { Twiddle::None } else { Twiddle::After },
                last && self.chirped,
            ));
        }
        if self.chirped {
            for piece in (0..count - 1).rev() {
                let sink = if piece == 0 { sink } else { Sink::Work };
                let way = (problem, limits);
                self.passes
                    .push(self.pass(way, piece, Source::Work, sink, Twiddle::Before, false));
            }
        }
    }

    fn pass(
        &self,
        (problem, limits): (&Problem, Limits),
        piece: usize,
        source: Source,
        sink: Sink,
        twiddle: Twiddle,
        again: bool,
    ) -> Pass {
        let len = self.pieces[piece];
        let most = limits.radix(problem.real);
        let last = piece + 1 == self.pieces.len();
        // Factors between passes go by the pieces behind, columns of the last pass by those before.
        let parts = match last {
            true => self.padded / len,
            false => self.pieces[piece + 1..].iter().product(),
        };
        let ordered = last && sink != Sink::Work;
        let near = problem.inner >= NEIGHBOURS;
        let loads_across = match source {
            Source::Work => !last || near,
            _ => parts > 1 || problem.across,
        };
        let stores_across = match sink {
            Sink::Work => !last || near,
            _ => parts > 1 || near,
        };
        let inverse = matches!(problem.transform, Transform::Inverse | Transform::RealInverse);
        let cropped = problem.transform == Transform::RealForward && sink == Sink::Complex && !self.joins;
        let mut kernel = Kernel {
            real: problem.real,
            radices: radices(len, most),
            again,
            source,
            sink,
            twiddle,
            in_place: source == Source::Work && sink == Sink::Work,
            inverse: inverse && (source != Source::Work || sink != Sink::Work),
            back: self.chirped && sink != Sink::Work,
            chirped: self.chirped && (source != Source::Work || sink != Sink::Work),
            cropped,
            lanes: 1,
            columns: 1,
            across: [loads_across, stores_across],
            pitch: 0,
            gaps: false,
            whole: false,
        };
        let columns = problem.inner * problem.outer * (self.padded / len);
        size(&mut kernel, limits, columns);
        Pass {
            kernel,
            piece,
            parts,
            ordered,
        }
    }

    /// Dispatches of a transform of one round.
    #[cfg(test)]
    pub fn dispatches(&self) -> usize {
        self.passes.len() + usize::from(self.joins)
    }

    /// Points between passes.
    pub fn work(&self) -> usize {
        match self.pieces.len() {
            1 => 0,
            _ => self.padded,
        }
    }

    /// Bytes that the dispatches read and write for a column, tables left out.
    #[cfg(test)]
    pub fn traffic(&self, problem: &Problem) -> usize {
        let number = problem.real.size();
        let (given, made) = match problem.transform {
            Transform::RealForward => (problem.len * number, problem.results() * 2 * number),
            Transform::RealInverse => ((problem.len / 2 + 1) * 2 * number, problem.len * number),
            _ => (problem.len * 2 * number, problem.len * 2 * number),
        };
        let between = self.padded * 2 * number;
        let moved = |pass: &Pass| {
            let read = if pass.kernel.source == Source::Work {
                between
            } else {
                given
            };
            let halves = match pass.kernel.source {
                Source::Merged if self.pieces.len() > 1 => read,
                _ => 0,
            };
            let written = match pass.kernel.sink {
                Sink::Work => between,
                _ if self.joins => self.points * 2 * number,
                _ => made,
            };
            read + halves + written
        };
        let joined = if self.joins {
            self.points * 2 * number + made
        } else {
            0
        };
        self.passes.iter().map(moved).sum::<usize>() + joined
    }
}

/// Cuts a pass into workgroups.
fn size(kernel: &mut Kernel, limits: Limits, count: usize) {
    let len = kernel.len();
    let largest = kernel.radices.iter().copied().max().unwrap_or(1);
    let mut lanes = len.div_ceil(largest);
    while lanes > limits.threads {
        lanes = lanes.div_ceil(2);
    }
    let size = kernel.real.size();
    let aside = kernel.across[0] || kernel.across[1];
    let side = if aside { SIDE_BYTES / (2 * size) } else { 1 };
    let wanted = (THREADS.min(limits.threads) / lanes).max(side);
    let most = (limits.threads / lanes).min(count.next_power_of_two()).max(1);
    let exchanges = kernel.radices.len() > 1 || matches!(kernel.sink, Sink::Joined(_));
    let fitting = |pitch: usize| match exchanges {
        true => wanted.min(most).min(limits.memory / (pitch * size)),
        false => wanted.min(most),
    };
    let whole = |columns: usize| {
        if aside {
            1 << columns.max(1).ilog2()
        } else {
            columns.max(1)
        }
    };
    let (loose, tight) = (whole(fitting(with_gaps(len))), whole(fitting(len)));
    let gaps = loose * with_gaps(len) * size <= limits.memory && (loose == tight || loose >= side);
    let columns = if gaps { loose } else { tight };
    let need = if gaps { with_gaps(len) } else { len };
    // Neighbouring columns begin in different banks.
    let apart = match (aside, lanes) {
        (true, _) => (32 / columns.min(32)).max(1),
        (false, 0..32) => lanes,
        (false, _) => need % 32,
    };
    let spread = need + (apart + 32 - need % 32) % 32;
    let pitch = if spread * columns * size <= limits.memory {
        spread
    } else {
        need
    };
    kernel.lanes = lanes;
    kernel.columns = columns;
    kernel.gaps = gaps && exchanges;
    kernel.pitch = if exchanges { pitch } else { 0 };
    // Half of the memory still lets workgroups run beside each other; barriers are dear to a CPU.
    let spared = if limits.narrow { 2 } else { 4 };
    kernel.whole = kernel.memory() * spared <= limits.memory;
}
