//! Devices: they run one task of a stage on tiles that lie in host memory.
//!
//! A task is a program, the extents of one block, and where each input lies. A device fills dense
//! blocks and adds to reduction states; it never decides what runs where or when.

pub mod cpu;
pub mod gpu;

use crate::Result;
use crate::geometry::Access;
use crate::plan::program::Program;
use tilewise_kernels::reduce::State;

/// One stage at one block.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// What to compute.
    pub program: &'a Program,
    /// Extents of the block of the iteration space.
    pub shape: &'a [usize],
    /// Global index of the block's first point, per axis.
    pub origin: &'a [usize],
    /// Dense local buffers.
    pub buffers: &'a [&'a [u8]],
    /// Per input of the program: its buffer and how the block walks it.
    pub bindings: &'a [Binding],
    /// Group labels along the grouped axis, one per index of the block; a label outside
    /// `0..groups` (as `u32::MAX`) leaves its members out.
    pub labels: Option<&'a [u32]>,
}

/// Where an input of a task lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Number of the buffer.
    pub buffer: usize,
    /// How the block walks it, in elements.
    pub access: Access,
}

/// Where one output of a task goes.
#[derive(Debug)]
pub enum OutMut<'a> {
    /// A dense row-major block of the task's shape.
    Store(&'a mut [u8]),
    /// A state whose shape is the task's with reduced axes 1 and the grouped axis the number of
    /// groups; the block is added to what it holds.
    Reduce(&'a mut State),
}

/// A machine that runs tasks.
pub trait Device: Send + Sync {
    /// Its name, for reports.
    fn name(&self) -> String;

    /// Why this device cannot run a program exactly; `Ok` when it can.
    ///
    /// # Errors
    /// A sentence that names the op and dtype.
    fn supports(&self, program: &Program) -> Result<(), String>;

    /// Runs a task. Outputs are in the program's order. After an error the outputs hold
    /// anything, except that states are unchanged.
    ///
    /// # Errors
    /// When the device fails; the caller may run the task elsewhere.
    fn run(&self, task: &Task<'_>, outputs: &mut [OutMut<'_>]) -> Result<()>;

    /// Bytes of host memory that one `run` of that block holds beside buffers and outputs.
    fn scratch_bytes(&self, program: &Program, shape: &[usize]) -> usize;
}
