//! Devices: they run one task of a stage on tiles that lie in host memory or in their own.
//!
//! A task is a program, the extents of one block, and where each input lies. A device fills dense
//! blocks and adds to reduction states; it never decides what runs where or when.

pub mod cpu;
pub mod gpu;

use crate::expr::BlockOp;
use crate::geometry::{Access, Region};
use crate::plan::program::Program;
use crate::{DType, Result};
use tilewise_kernels::reduce::State;

pub use gpu::{Accumulator, Piece, Resident};

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
    /// The same, left in the device's memory: only for a [`Keeper`].
    Keep(&'a mut Option<Resident>),
    /// A state whose shape is the task's with reduced axes 1 and the grouped axis the number of
    /// groups; the block is added to what it holds.
    Reduce(&'a mut State),
    /// The same for a state in the device's memory: only for a [`Keeper`]. It is lost where a task fails.
    Fold(&'a mut Accumulator),
}

/// Where bytes of an operand lie.
#[derive(Clone, Copy, Debug)]
pub enum Bytes<'a> {
    /// In host memory.
    Host(&'a [u8]),
    /// In the memory of the device that runs the task.
    Resident(&'a Resident),
}

impl Bytes<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Bytes::Host(bytes) => bytes.len(),
            Bytes::Resident(tile) => tile.len(),
        }
    }
}

/// An operand's part of a block operation.
#[derive(Clone, Debug)]
pub struct Operand<'a> {
    /// The bytes that it lies in.
    pub bytes: Bytes<'a>,
    /// The element of its first point.
    pub offset: usize,
    /// Elements from one index to the next, per axis; not negative.
    pub strides: Vec<usize>,
    /// The region of the operand that was asked for.
    pub region: Region,
    /// Its dtype.
    pub dtype: DType,
}

/// One block of a block operation.
#[derive(Clone, Copy, Debug)]
pub struct BlockTask<'a> {
    /// The operation.
    pub op: &'a dyn BlockOp,
    /// The parts of its operands.
    pub operands: &'a [Operand<'a>],
    /// The block of the result.
    pub block: &'a Region,
    /// The result's dtype.
    pub dtype: DType,
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

    /// What it can do beside, if tiles can stay in its own memory.
    fn keeper(&self) -> Option<&dyn Keeper> {
        None
    }

    /// Bytes of host memory that one `run` of that block holds beside buffers and outputs.
    fn scratch_bytes(&self, program: &Program, shape: &[usize]) -> usize;

    /// A stage is over: gives back what only its tasks needed.
    fn rest(&self) {}
}

/// A device with memory of its own, in which tiles stay between tasks.
pub trait Keeper: Send + Sync {
    /// Why the device can no longer be used, with all tiles that were there.
    ///
    /// # Errors
    /// The verdict, once it is lost.
    fn alive(&self) -> Result<()>;

    /// Gives the device all work that it has not been given yet: tasks whose results stay there may
    /// be given to it together.
    ///
    /// # Errors
    /// When that fails: then the device is lost.
    fn flush(&self) -> Result<()>;

    /// Whether the results of a task may stay: its stores may then be [`OutMut::Keep`].
    fn holds(&self, task: &Task<'_>, residents: &[Option<Resident>]) -> bool;

    /// As [`Device::run`], where the buffers for which `residents` has a tile lie in the device's
    /// memory; the task's own are empty there.
    ///
    /// # Errors
    /// As [`Device::run`].
    fn run_resident(
        &self,
        task: &Task<'_>,
        residents: &[Option<Resident>],
        outputs: &mut [OutMut<'_>],
    ) -> Result<()>;

    /// Bytes of tiles that may still be sent there without crowding out runs and other tiles.
    fn room(&self) -> u64;

    /// Bytes of the host as a tile.
    ///
    /// # Errors
    /// When there is no room or the device fails.
    fn send(&self, bytes: &[u8]) -> Result<Resident>;

    /// Whether a region of that shape and element size can be put together there.
    fn assembles(&self, shape: &[usize], size: usize) -> bool;

    /// The region that the pieces fill.
    ///
    /// # Errors
    /// When there is no room or the device fails.
    fn assemble(&self, shape: &[usize], size: usize, pieces: &[Piece]) -> Result<Resident>;

    /// The boxes of a tile of that shape and element size as tiles of their own.
    ///
    /// # Errors
    /// As [`Keeper::assemble`].
    fn cut(&self, tile: &Resident, shape: &[usize], size: usize, boxes: &[Region]) -> Result<Vec<Resident>>;

    /// Why this device has no way of its own to run a block operation on operands of these dtypes;
    /// `Ok` when it has.
    ///
    /// # Errors
    /// A sentence that names the operation.
    fn supports_block(&self, op: &dyn BlockOp, operands: &[DType], result: DType) -> Result<(), String>;

    /// Runs a block of an operation that it supports into a dense row-major block; `carry` is what
    /// the block before handed on, in the CPU's own words.
    ///
    /// # Errors
    /// When the device fails; then `carry` is unchanged.
    fn run_block(&self, task: &BlockTask<'_>, out: OutMut<'_>, carry: &mut [u64]) -> Result<()>;
}
