//! The CPU: runs a program over a block in strips that stay in cache.
//!
//! One call uses one thread; the session runs many tasks at once. Between strips nothing is
//! allocated, and between the ops of a program nothing leaves the cache.

mod code;
mod flow;
mod fuse;
mod load;
mod run;
mod scratch;
mod space;
mod tape;

use crate::device::{Binding, Device, OutMut, Task};
use crate::geometry::{AxisStep, checked_bytes};
use crate::plan::TASK_SCRATCH;
use crate::plan::program::{AxisRole, Output, Program};
use crate::{Error, Result};
use code::Code;
use scratch::Scratch;
use space::Space;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tilewise_kernels::Isa;

/// Programs whose kernels are remembered; beyond it they are looked up again.
const REMEMBERED: usize = 256;

/// Outputs of a task from this size on are streamed past the caches. A stage of any size is cut
/// into a dozen tasks or more, so one with such tasks writes more than stays in a cache until
/// something reads it.
const LARGE: usize = 1 << 20;

/// Scratch up to this size is kept from stage to stage: as much as every task is counted with.
const KEPT_SCRATCH: usize = TASK_SCRATCH as usize;

/// The CPU as a device.
pub struct Cpu {
    isa: Isa,
    large: usize,
    codes: Mutex<HashMap<Program, Arc<Code>>>,
    idle: Mutex<Vec<Scratch>>,
}

impl Default for Cpu {
    fn default() -> Cpu {
        Cpu::new()
    }
}

impl Cpu {
    /// The CPU with the best instruction set it has.
    pub fn new() -> Cpu {
        Cpu::with_isa(Isa::detect())
    }

    /// The same with loops for `isa`, or for the best this machine has if that is less.
    pub fn with_isa(isa: Isa) -> Cpu {
        Cpu {
            isa: isa.min(Isa::detect()),
            large: LARGE,
            codes: Mutex::new(HashMap::new()),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The same with outputs of at least `bytes` a task streamed past the caches; 1 MiB if unsaid.
    pub fn streaming_from(self, bytes: usize) -> Cpu {
        Cpu { large: bytes, ..self }
    }

    /// The kernels of a program.
    fn code(&self, program: &Program) -> Result<Arc<Code>, String> {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = codes.get(program) {
            return Ok(code.clone());
        }
        let code = Arc::new(Code::new(program, self.isa)?);
        if codes.len() >= REMEMBERED {
            codes.clear();
        }
        codes.insert(program.clone(), code.clone());
        Ok(code)
    }

    /// Runs a task; a worker's next one mostly has the same program, whose code is at hand.
    fn run_with(&self, scratch: &mut Scratch, task: &Task<'_>, outputs: &mut [OutMut<'_>]) -> Result<()> {
        let code = match scratch.last.take() {
            Some(code) if code.program == *task.program => code,
            _ => self.code(task.program).map_err(Error::Device)?,
        };
        check(task, outputs)?;
        if !task.shape.contains(&0) {
            let space = Space::new(&code, task);
            match tape::fits(task, &space) {
                true => flow::run(&code, task, &space, outputs, scratch, self.large),
                false => run::run(&code, task, &space, outputs, scratch, self.large),
            }
        }
        scratch.last = Some(code);
        Ok(())
    }
}

impl Device for Cpu {
    fn name(&self) -> String {
        format!("cpu ({:?})", self.isa).to_lowercase()
    }

    fn supports(&self, program: &Program) -> Result<(), String> {
        self.code(program).map(|_| ())
    }

    fn run(&self, task: &Task<'_>, outputs: &mut [OutMut<'_>]) -> Result<()> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = idle().pop().unwrap_or_default();
        let outcome = self.run_with(&mut scratch, task, outputs);
        idle().push(scratch);
        outcome
    }

    fn scratch_bytes(&self, program: &Program, shape: &[usize]) -> usize {
        let elements = checked_bytes(shape, 1).unwrap_or(usize::MAX);
        match self.code(program) {
            Ok(code) => scratch::scratch_bytes(&code, elements),
            Err(_) => 0,
        }
    }

    fn rest(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|scratch| scratch.bytes() <= KEPT_SCRATCH);
    }
}

/// Checks what the loops rely on, so that a task that does not fit its buffers is an error that
/// names the misfit and states stay as they were.
fn check(task: &Task<'_>, outputs: &[OutMut<'_>]) -> Result<()> {
    let program = task.program;
    let fail = |text: String| Err(Error::Device(format!("a task does not fit: {text}")));
    if task.shape.len() != program.rank || task.origin.len() != program.rank {
        return fail(format!("block {:?} of {} axes", task.shape, program.rank));
    }
    if task.bindings.len() != program.inputs.len() || outputs.len() != program.outputs.len() {
        return fail(format!(
            "{} inputs and {} outputs for a program of {} and {}",
            task.bindings.len(),
            outputs.len(),
            program.inputs.len(),
            program.outputs.len()
        ));
    }
    if task.shape.contains(&0) {
        return Ok(());
    }
    for (number, (binding, dtype)) in task.bindings.iter().zip(&program.inputs).enumerate() {
        let have = task
            .buffers
            .get(binding.buffer)
            .map_or(0, |b| b.len() / dtype.size());
        match reach(binding, task.shape) {
            Some((low, high)) if low >= 0 && (high as usize) < have => {}
            found => {
                return fail(format!("input {number} reaches {found:?} of {have} elements"));
            }
        }
    }
    for (number, (output, wanted)) in outputs.iter().zip(&program.outputs).enumerate() {
        let dtype = program.insts[wanted.value()].dtype;
        match (output, wanted) {
            (OutMut::Store(bytes), Output::Store(_)) => {
                let need = checked_bytes(task.shape, dtype.size())?;
                if bytes.len() != need {
                    return fail(format!("output {number} has {} of {need} bytes", bytes.len()));
                }
            }
            (OutMut::Reduce(state), Output::Reduce { reduction, roles, .. }) => {
                let cells = space::cell_count(task.shape, roles);
                let have = (state.reduction(), state.dtype(), state.len());
                if have != (*reduction, dtype, cells) {
                    return fail(format!(
                        "output {number} is a state of {have:?}, not {:?}",
                        (reduction, dtype, cells)
                    ));
                }
                let grouped = roles.iter().position(|r| matches!(r, AxisRole::Group { .. }));
                let labels = task.labels.map_or(0, <[u32]>::len);
                if let Some(axis) = grouped
                    && labels != task.shape[axis]
                {
                    return fail(format!("{labels} labels for {} indices", task.shape[axis]));
                }
            }
            _ => return fail(format!("output {number} is of the wrong kind")),
        }
    }
    Ok(())
}

/// Least and largest element offset that a binding walks to; `None` when a table is too short.
fn reach(binding: &Binding, shape: &[usize]) -> Option<(isize, isize)> {
    let (mut low, mut high) = (binding.access.offset, binding.access.offset);
    if binding.access.steps.len() != shape.len() {
        return None;
    }
    for (step, &extent) in binding.access.steps.iter().zip(shape) {
        let (least, most) = match step {
            AxisStep::Step(step) => {
                let last = step.checked_mul(extent as isize - 1)?;
                (last.min(0), last.max(0))
            }
            AxisStep::Table(table) => {
                let used = table.get(..extent)?;
                (*used.iter().min()?, *used.iter().max()?)
            }
        };
        low = low.checked_add(least)?;
        high = high.checked_add(most)?;
    }
    Some((low, high))
}
