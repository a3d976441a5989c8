//! The GPU: fused programs as generated WGSL kernels, through wgpu.
//!
//! The only folder that knows wgpu. [`Gpu::open`] opens an adapter, checks by a self-test which of
//! WGSL's promises its driver keeps, and from then on runs tasks from any number of threads.
//! Every failure comes back as [`Error::Device`]; the caller may run the task elsewhere.

mod accumulate;
mod adapter;
mod assemble;
mod blocks;
mod cache;
mod cell;
mod context;
mod digits;
mod expression;
mod feed;
mod fold;
mod job;
mod kernel;
mod launch;
mod library;
mod memory;
mod merge;
mod outbox;
mod piece;
mod pipeline;
mod probe;
mod rates;
mod reduce;
mod resident;
mod run;
mod selftest;
mod store;
mod template;
mod tiled;
mod walk;

use self::blocks::{Tilings, Transforms, Units};
use self::context::Context;
use self::expression::{Abilities, Expression};
use self::feed::Scheme;
use self::job::{Bundle, bundles};
use self::kernel::Style;
use self::outbox::Courier;
use self::piece::Limits;
use self::pipeline::Pipelines;
use self::resident::Home;
use self::selftest::Denials;
use crate::device::{BlockTask, Device, Keeper, OutMut, Resident as Tile, Task};
use crate::expr::BlockOp;
use crate::geometry::{Access, AxisStep, Region, row_major_strides};
use crate::plan::Card;
use crate::plan::program::{Output, Program};
use crate::{DType, Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use wgpu::Features;

pub use self::accumulate::Accumulator;
pub use self::adapter::{AdapterInfo, adapters, first_hardware, may_have_hardware};
pub use self::assemble::Piece;
pub use self::context::Fault;
pub use self::probe::{Counted, Probe, RawLimit, Turn};
pub use self::rates::Rates;
pub use self::resident::Resident;
pub use self::selftest::Verdict;

/// Bytes that one binding may have unless the adapter allows less: what is counted in bytes within a
/// binding fits 31 bits.
const BINDING_BYTES: u64 = 1 << 30;

/// An opened adapter.
pub struct Gpu {
    home: Arc<Home>,
    _courier: Courier,
    pipelines: Pipelines,
    abilities: Abilities,
    verdicts: Vec<Verdict>,
    denials: Denials,
    /// How fast its ways of multiplying matrices are.
    tilings: Tilings,
    /// Its matrix units, where they are to be used.
    units: Option<Units>,
    /// Tables of its last Fourier transforms.
    transforms: Transforms,
    /// Programs asked about, with the answer.
    answers: Mutex<HashMap<Program, std::result::Result<(), String>>>,
    rates: OnceLock<Rates>,
    style: Style,
    max_groups: u32,
    binding_bytes: u64,
}

/// How an adapter is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of device memory that may be held at any time.
    pub budget: u64,
    /// Bytes of host memory through which data is staged, where the adapter does not share it.
    pub staging: u64,
    /// Whether float sums use pairs of f32 though the adapter has f64: for tests and for adapters
    /// whose f64 is slow.
    pub pairs: bool,
    /// Bytes of the largest binding; 1 GiB or what the adapter allows, if less.
    pub binding_bytes: u64,
    /// Whether kernels are cut as for graphics processors though the adapter is the CPU: for tests.
    pub hardware: bool,
    /// Whether invocations of a subgroup hand each other values where the adapter can do that.
    pub subgroups: bool,
    /// Whether products of f16 are summed by matrix units where the adapter has them.
    pub matrix_units: bool,
    /// Whether data is staged though the adapter shares the host's memory.
    pub staged: bool,
}

impl Default for Options {
    /// A budget of 1 GiB, and as much for staging.
    fn default() -> Options {
        Options {
            budget: 1 << 30,
            staging: 1 << 30,
            pairs: false,
            binding_bytes: BINDING_BYTES,
            hardware: false,
            subgroups: true,
            matrix_units: false,
            staged: false,
        }
    }
}

impl Gpu {
    /// Opens the adapter of that number in [`adapters`].
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such adapter, its driver is known to give wrong numbers,
    /// or it cannot be opened.
    pub fn open(index: usize, options: Options) -> Result<Gpu> {
        let (info, adapter) = adapter::find(index)?;
        let direct = info.shared_memory && info.mappable && !options.staged;
        let abilities = Abilities {
            f64: info.f64 && info.i64 && !options.pairs,
            i64: info.i64,
        };
        let edge = info.matrix_units.filter(|_| options.matrix_units);
        let more = match edge {
            Some(_) => Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SHADER_F16,
            None => Features::empty(),
        };
        let context = Context::open(info, &adapter, more)?;
        let units = edge.map(|edge| Units {
            edge: edge as usize,
            subgroup: context.subgroup as usize,
        });
        let limits = context.device.limits();
        let software = context.info.software && !options.hardware;
        let style = Style::new(software, &limits);
        let pipelines = Pipelines::new(&context, style);
        let home = Arc::new(Home::new(context, options.budget, options.staging, direct));
        let mut gpu = Gpu {
            _courier: Courier::new(&home)?,
            pipelines,
            abilities,
            style,
            max_groups: limits.max_compute_workgroups_per_dimension,
            binding_bytes: options
                .binding_bytes
                .min(limits.max_storage_buffer_binding_size)
                .min(limits.max_buffer_size),
            home,
            verdicts: Vec::new(),
            denials: Denials::default(),
            tilings: Tilings::default(),
            units,
            transforms: Transforms::default(),
            answers: Mutex::default(),
            rates: OnceLock::new(),
        };
        gpu.verdicts = gpu.known_verdicts();
        gpu.home.context.alive()?;
        gpu.denials = Denials::new(&gpu.verdicts);
        gpu.abilities = gpu.denials.limit(gpu.abilities);
        gpu.units = gpu.units.filter(|_| selftest::has_matrix_units(&gpu.verdicts));
        if options.subgroups && !software && selftest::has_subgroups(&gpu.verdicts) {
            gpu.style.subgroup = gpu.home.context.subgroup.min(style.workgroup);
            gpu.pipelines.style = gpu.style;
        }
        Ok(gpu)
    }

    /// What the self-test found when this adapter, driver and version were first met; see
    /// [`Gpu::self_test`].
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Whether matrix units sum products of f16.
    pub fn uses_matrix_units(&self) -> bool {
        self.units.is_some()
    }

    /// What is known of its adapter.
    pub fn info(&self) -> &AdapterInfo {
        &self.home.context.info
    }

    /// Bytes of device and staging memory held: by runs, and for reuse.
    pub fn used_bytes(&self) -> u64 {
        self.home.memory.used() + self.window()
    }

    /// The most bytes that were ever held.
    pub fn peak_bytes(&self) -> u64 {
        self.home.memory.peak() + self.window()
    }

    /// Bytes of tiles that stay on the device.
    pub fn tile_bytes(&self) -> u64 {
        self.home.memory.tiles()
    }

    /// Calls `evict(bytes)` when tiles leave no room for a run: it drops handles of tiles of about so
    /// many bytes and says whether any went. It must not run work on this device.
    pub fn on_pressure(&self, evict: impl Fn(u64) -> bool + Send + Sync + 'static) {
        self.home.memory.set_evictor(Arc::new(evict));
    }

    /// Device memory that is always held, for tiles on their way to the host.
    fn window(&self) -> u64 {
        if self.home.memory.direct {
            self.home.window_bytes()
        } else {
            0
        }
    }

    /// The byte budget.
    pub fn budget_bytes(&self) -> u64 {
        self.home.memory.budget().device + self.window()
    }

    /// What of a task its memory takes.
    pub fn card(&self) -> Card {
        let memory = &self.home.memory;
        let budget = memory.budget();
        Card {
            memory: budget.device,
            binding: self.binding_bytes,
            staging: if memory.direct { u64::MAX } else { budget.staging },
        }
    }

    /// How many submissions of work were made.
    pub fn submissions(&self) -> u64 {
        self.home.context.outbox.submissions()
    }

    /// How many kernels were compiled.
    pub fn kernels(&self) -> usize {
        self.pipelines.count()
    }

    /// Makes a failure happen, to test what a caller does about it.
    #[doc(hidden)]
    pub fn inject_fault(&self, fault: Fault) {
        self.home.context.inject(fault);
    }

    fn limits(&self) -> Limits {
        Limits {
            binding: self.binding_bytes,
            points: 1 << 31,
        }
    }

    /// Whether every kernel of a program can be written, and may run on this adapter.
    fn judge(&self, program: &Program) -> std::result::Result<(), String> {
        for kernel in kernels_of(program, self.abilities)? {
            self.denials.check(program, &kernel.wgsl)?;
            let bindings = 1 + kernel.inputs.len() + kernel.written.len();
            if bindings > self.home.context.info.max_bindings as usize {
                return Err(format!(
                    "{bindings} buffers in one kernel, of which this adapter allows {}",
                    self.home.context.info.max_bindings
                ));
            }
        }
        Ok(())
    }
}

/// How each reduction of a program is computed.
fn schemes(program: &Program, can: Abilities) -> std::result::Result<Vec<Option<Scheme>>, String> {
    program
        .outputs
        .iter()
        .map(|output| match output {
            Output::Store(_) => Ok(None),
            Output::Reduce { value, reduction, .. } => {
                Scheme::new(*reduction, program.insts[*value].dtype, can).map(Some)
            }
        })
        .collect()
}

/// The kernels of a program over a block of short rows of wider arrays, of which no axes are walked
/// as one.
fn kernels_of(program: &Program, can: Abilities) -> std::result::Result<Vec<kernel::Kernel>, String> {
    let step = |axis: usize| match program.rank - 1 - axis {
        0 => 1,
        outer => 8 * outer as isize,
    };
    let steps: Vec<isize> = (0..program.rank).map(step).collect();
    kernels_over(program, can, &vec![4; program.rank], |_| steps.clone())
}

/// The kernels of a program over a block of that shape, whose inputs have such steps.
fn kernels_over(
    program: &Program,
    can: Abilities,
    shape: &[usize],
    steps: impl Fn(usize) -> Vec<isize>,
) -> std::result::Result<Vec<kernel::Kernel>, String> {
    let schemes = schemes(program, can)?;
    let access = |n: usize| Access {
        offset: 0,
        steps: steps(n).into_iter().map(AxisStep::Step).collect(),
    };
    let inputs: Vec<Access> = (0..program.inputs.len()).map(access).collect();
    let offsets = vec![0; inputs.len()];
    bundles(program)
        .into_iter()
        .map(|bundle| {
            Expression::new(program, &bundle.outputs).check(can)?;
            let dims = walk::walk(program, &bundle.outputs, shape, &inputs);
            let shape = walk::shape_of(program, &dims, &offsets, !bundle.reduces);
            pipeline::write(program, &bundle, &shape, &schemes, Style::HARDWARE)
        })
        .collect()
}

/// The WGSL of a program's kernels, for an adapter with or without 64-bit numbers; for reading.
///
/// # Errors
/// Names the op and dtype that have no shader there.
pub fn wgsl(program: &Program, wide: bool) -> std::result::Result<Vec<String>, String> {
    let can = Abilities { f64: wide, i64: wide };
    Ok(kernels_of(program, can)?.into_iter().map(|k| k.wgsl).collect())
}

/// As [`wgsl`], over matrices of `cols` columns, of which all inputs but the first are transposes.
///
/// # Errors
/// As [`wgsl`].
pub fn turned_wgsl(program: &Program, wide: bool, cols: usize) -> std::result::Result<Vec<String>, String> {
    let can = Abilities { f64: wide, i64: wide };
    let shape = [vec![4; program.rank - 2], vec![64, cols]].concat();
    let steps = |n: usize| {
        let mut steps: Vec<isize> = row_major_strides(&shape)
            .into_iter()
            .map(|s| s as isize)
            .collect();
        if n > 0 {
            steps.splice(program.rank - 2.., [1, 64]);
        }
        steps
    };
    let kernels = kernels_over(program, can, &shape, steps)?;
    Ok(kernels.into_iter().map(|k| k.wgsl).collect())
}

/// The WGSL of the kernels that merge the parts of a program's reductions: for each by a workgroup a
/// cell, and by an invocation a cell.
///
/// # Errors
/// Names the op and dtype that have no shader there.
pub fn merge_wgsl(program: &Program, wide: bool) -> std::result::Result<Vec<String>, String> {
    let schemes = schemes(program, Abilities { f64: wide, i64: wide })?;
    let all = Bundle {
        outputs: (0..program.outputs.len()).collect(),
        reduces: true,
    };
    let cells = job::kinds(program, &all, &schemes);
    let merge = |cell| [true, false].map(|teams| merge::merge_kernel(cell, Style::HARDWARE, teams));
    Ok(cells.iter().flat_map(merge).map(|kernel| kernel.wgsl).collect())
}

/// The WGSL of every kernel that sorts, selects and counts elements of a dtype, each with whether it
/// computes in f64; for reading.
pub fn order_wgsl(dtype: DType) -> Vec<(String, bool)> {
    blocks::order_texts(dtype)
}

impl Device for Gpu {
    fn name(&self) -> String {
        self.home.context.info.to_string()
    }

    fn supports(&self, program: &Program) -> std::result::Result<(), String> {
        if let Some(answer) = context::lock(&self.answers).get(program) {
            return answer.clone();
        }
        let answer = self.judge(program);
        context::lock(&self.answers).insert(program.clone(), answer.clone());
        answer
    }

    fn run(&self, task: &Task<'_>, outputs: &mut [OutMut<'_>]) -> Result<()> {
        self.run_task(task, &[], outputs, self.style)
    }

    fn keeper(&self) -> Option<&dyn Keeper> {
        Some(self)
    }

    fn scratch_bytes(&self, program: &Program, shape: &[usize]) -> usize {
        let points: usize = shape.iter().product();
        let reduced: usize = program
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::Store(_) => None,
                Output::Reduce { roles, .. } => Some(run::state_len(roles, shape).max(self.style.parallel)),
            })
            .map(|cells| cells * 4 * 32)
            .sum();
        // Buffers of an adapter that shares the host's memory, or else what the driver stages.
        let stores = program.outputs.iter().map(|o| program.insts[o.value()].dtype);
        let element: usize = program
            .inputs
            .iter()
            .copied()
            .chain(stores)
            .map(DType::size)
            .sum();
        reduced + points * element
    }
}

impl Keeper for Gpu {
    fn alive(&self) -> Result<()> {
        self.home.context.alive()
    }

    fn flush(&self) -> Result<()> {
        self.home.context.flush()
    }

    fn holds(&self, task: &Task<'_>, residents: &[Option<Tile>]) -> bool {
        self.fits_at_once(task, residents)
    }

    fn run_resident(
        &self,
        task: &Task<'_>,
        residents: &[Option<Tile>],
        outputs: &mut [OutMut<'_>],
    ) -> Result<()> {
        self.run_task(task, residents, outputs, self.style)
    }

    fn room(&self) -> u64 {
        let memory = &self.home.memory;
        (memory.budget().device / 4 * 3).saturating_sub(memory.tiles())
    }

    fn send(&self, bytes: &[u8]) -> Result<Tile> {
        self.upload_tile(bytes)
    }

    fn assembles(&self, shape: &[usize], size: usize) -> bool {
        self.can_assemble(shape, size)
    }

    fn assemble(&self, shape: &[usize], size: usize, pieces: &[Piece]) -> Result<Tile> {
        self.assemble_tile(shape, size, pieces)
    }

    fn cut(&self, tile: &Tile, shape: &[usize], size: usize, boxes: &[Region]) -> Result<Vec<Tile>> {
        self.cut_tile(tile, shape, size, boxes)
    }

    fn supports_block(
        &self,
        op: &dyn BlockOp,
        operands: &[DType],
        result: DType,
    ) -> std::result::Result<(), String> {
        self.denials.everything()?;
        match op.form() {
            Some(form) => blocks::supports(self, &form, operands, result),
            None => Err(format!("{} runs on the CPU only", op.name())),
        }
    }

    fn run_block(&self, task: &BlockTask<'_>, out: OutMut<'_>, carry: &mut [u64]) -> Result<()> {
        self.home.context.alive()?;
        let name = task.op.name();
        let Some(form) = task.op.form() else {
            return Err(Error::Device(format!("{name} runs on the CPU only")));
        };
        blocks::run(self, &form, task, out, carry).map_err(|error| match error {
            // The plan has cut it as far as it can be.
            Error::Memory {
                tier, needed, budget, ..
            } => Error::Memory {
                tier,
                needed,
                budget,
                term: format!(
                    "a block of {name} spans what has to be together; a larger gpu budget would do"
                ),
            },
            other => other,
        })
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.pipelines.save(&self.home.context);
    }
}
