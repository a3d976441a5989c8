//! Where the elements of an operand lie, and how they become records, lane behind lane.
//!
//! A lane holds the elements along some axes at one point of the others. Sorting and selecting
//! see lanes that are contiguous, whatever strides the operand has: the elements are turned while
//! they are loaded, in squares that keep reads and writes coalesced.

use super::super::Gpu;
use super::super::launch::{Launch, Need, Span, alignment};
use super::order_keys::Keys;
use crate::device::Operand;
use crate::{Error, Result};
use std::ops::Range;

const LOAD: &str = include_str!("../../../../shaders/blocks/sort_load.wgsl");
const LOAD_TURNED: &str = include_str!("../../../../shaders/blocks/sort_load_turned.wgsl");

/// Elements that a workgroup loads.
const LOADED: usize = 1024;

/// Lanes shorter than this are not worth a square of 32 by 32.
const SHORT: usize = 8;

/// Where the elements of an operand lie.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    /// The number of lanes.
    pub count: usize,
    /// Elements of a lane.
    pub len: usize,
    /// Extents and strides of the axes along lanes, the innermost first.
    along: Vec<(usize, usize)>,
    /// Those of the axes across.
    across: Vec<(usize, usize)>,
}

/// The extents and strides of some axes, the innermost first, those that can be walked as one
/// joined.
fn joined(operand: &Operand<'_>, axes: impl DoubleEndedIterator<Item = usize>) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for axis in axes.rev() {
        let (extent, stride) = (operand.region.shape[axis], operand.strides[axis]);
        match found.last_mut() {
            _ if extent == 1 => {}
            Some((inner, step)) if *inner * *step == stride => *inner *= extent,
            _ => found.push((extent, stride)),
        }
    }
    found
}

impl Lanes {
    /// The lanes along rising `axes`.
    pub fn new(operand: &Operand<'_>, axes: &[usize]) -> Lanes {
        let shape = &operand.region.shape;
        let others = (0..shape.len()).filter(|a| !axes.contains(a));
        Lanes {
            count: others.clone().map(|a| shape[a]).product(),
            len: axes.iter().map(|&a| shape[a]).product(),
            along: joined(operand, axes.iter().copied()),
            across: joined(operand, others),
        }
    }

    /// All elements as one lane, in their row-major order.
    pub fn whole(operand: &Operand<'_>) -> Lanes {
        Lanes::new(operand, &(0..operand.region.shape.len()).collect::<Vec<_>>())
    }

    /// Elements in all.
    pub fn elements(&self) -> usize {
        self.count * self.len
    }

    /// The bytes of the operand that hold them, from where a window may begin.
    fn bytes(&self, operand: &Operand<'_>) -> Range<usize> {
        if self.elements() == 0 {
            return 0..0;
        }
        let (size, least) = (operand.dtype.size(), alignment(&operand.bytes));
        let axes = self.along.iter().chain(&self.across);
        let last = operand.offset + axes.map(|&(n, s)| (n - 1) * s).sum::<usize>();
        operand.offset * size / least * least..(last + 1) * size
    }

    /// Adds the operand to what a launch needs.
    pub fn need(&self, operand: &Operand<'_>, need: &mut Need<'_>) {
        need.operand(&operand.bytes, self.bytes(operand).len());
    }

    /// Brings the operand to the device; also gives its first element there.
    pub fn bind(&self, operand: &Operand<'_>, launch: &mut Launch<'_>) -> Result<(Span, usize)> {
        let bytes = self.bytes(operand);
        let first = operand.offset.saturating_sub(bytes.start / operand.dtype.size());
        Ok((launch.operand(operand.bytes, bytes)?, first))
    }

    /// The axes for `walk` in `sort_common.wgsl`: of lanes, then across them.
    pub fn walked(&self) -> impl Iterator<Item = usize> {
        self.along.iter().chain(&self.across).flat_map(|&(n, s)| [n, s])
    }

    /// The number of axes along lanes and across them.
    pub fn axes(&self) -> [usize; 2] {
        [self.along.len(), self.across.len()]
    }

    /// Bytes of the records of all elements.
    pub fn record_bytes(&self, keys: Keys) -> usize {
        self.elements() * keys.record_bytes()
    }

    /// Whether reading lane by lane would leap from element to element.
    fn turned(&self) -> bool {
        let stride = |axes: &[(usize, usize)]| axes.first().map(|a| a.1);
        self.len >= SHORT && stride(&self.across) == Some(1) && stride(&self.along) != Some(1)
    }

    /// Loads the elements of a bound operand into `records`.
    pub fn load(
        &self,
        gpu: &Gpu,
        launch: &mut Launch<'_>,
        keys: Keys,
        (source, first): (&Span, usize),
        records: &Span,
    ) -> Result<()> {
        let turned = self.turned();
        let groups = match turned {
            true => self.count.div_ceil(32) * self.len.div_ceil(32),
            false => self.elements().div_ceil(LOADED),
        };
        let [along, across] = self.axes();
        let numbers = [self.count, self.len, first, along, across];
        let params = parameters(launch, numbers.into_iter().chain(self.walked()))?;
        let text = loading(keys, turned);
        dispatch(gpu, launch, &text, &[&params, source, records], groups)
    }
}

/// The kernel that loads elements.
pub(super) fn loading(keys: Keys, turned: bool) -> String {
    keys.kernel(&[&keys.loader(), if turned { LOAD_TURNED } else { LOAD }])
}

/// Bytes of parameters that any kernel here has at most.
pub(super) const PARAMETER_BYTES: usize = 512;

fn word(n: usize) -> Result<u32> {
    u32::try_from(n).map_err(|_| {
        Error::Device(format!(
            "{n} is more than a kernel counts; smaller chunks would do"
        ))
    })
}

/// The parameters of a kernel, on the device.
pub(super) fn parameters(launch: &mut Launch<'_>, numbers: impl IntoIterator<Item = usize>) -> Result<Span> {
    let words: Vec<u32> = numbers.into_iter().map(word).collect::<Result<_>>()?;
    launch.words(&words)
}

/// Dispatches a kernel; the first binding holds its parameters.
pub(super) fn dispatch(
    gpu: &Gpu,
    launch: &mut Launch<'_>,
    text: &str,
    bindings: &[&Span],
    groups: usize,
) -> Result<()> {
    let pipeline = gpu.pipelines.text(&gpu.home.context, text)?;
    launch.dispatch(&pipeline, bindings, word(groups)?)
}
