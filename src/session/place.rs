//! Placement: which device runs a stage, and why.
//!
//! A chosen GPU runs every stage that it can run exactly. `auto` compares estimates: a GPU has to
//! win although its tiles cross the bus, so it gets stages with many operations per byte; a
//! software adapter is never picked, and small work does not even look for one.

use super::config::DeviceChoice;
use super::run::Placement;
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::device::gpu::{Gpu, Options, adapters, first_hardware, may_have_hardware};
use crate::plan::{Plan, Stage, StageKind};
use crate::{Error, Result};
use std::sync::{Arc, OnceLock};

/// Bytes per second over the bus to a GPU, until an adapter is measured.
const BUS_RATE: f64 = 12e9;
/// Bytes per second that one core streams through a fused kernel.
const CORE_RATE: f64 = 3e9;
/// Elementwise operations per second of one core, transcendental ones counted in.
const CORE_FLOPS: f64 = 1e9;
/// Seconds that a GPU task costs beside its bytes.
const GPU_TASK: f64 = 100e-6;
/// `auto` leaves work of fewer CPU seconds than this to the CPU unasked.
const SMALL_SECONDS: f64 = 0.3;

/// Longer programs stay on the CPU: drivers compile them for seconds and more.
const LONGEST_KERNEL: usize = 1000;

/// The devices of a session.
pub(super) struct Devices {
    cpu: Arc<dyn Device>,
    choice: DeviceChoice,
    /// The chosen GPU; for `auto` looked for when there is work for it.
    gpu: OnceLock<Option<Arc<Gpu>>>,
    gpu_bytes: u64,
    workers: usize,
}

impl Devices {
    /// Opens what the choice asks for; a GPU may hold `gpu_bytes`.
    pub fn open(choice: DeviceChoice, gpu_bytes: u64, workers: usize) -> Result<Devices> {
        let gpu = OnceLock::new();
        match choice {
            DeviceChoice::Auto => {}
            DeviceChoice::Cpu => {
                let _ = gpu.set(None);
            }
            DeviceChoice::Gpu(number) => {
                let options = Options {
                    budget: gpu_bytes,
                    ..Options::default()
                };
                let _ = gpu.set(Some(Arc::new(open_gpu(number, options)?)));
            }
        }
        Ok(Devices {
            cpu: Arc::new(Cpu::new()),
            choice,
            gpu,
            gpu_bytes,
            workers,
        })
    }

    /// The CPU, which can run every stage.
    pub fn cpu(&self) -> &Arc<dyn Device> {
        &self.cpu
    }

    /// Names of the devices in use, the CPU last.
    pub fn names(&self) -> Vec<String> {
        let gpu = self.gpu.get().and_then(Option::as_ref);
        gpu.iter().map(|g| g.name()).chain([self.cpu.name()]).collect()
    }

    /// Most bytes in GPU memory at once.
    pub fn gpu_peak(&self) -> u64 {
        self.gpu
            .get()
            .and_then(Option::as_ref)
            .map_or(0, |g| g.peak_bytes())
    }

    /// Makes the chosen GPU fail, to test what follows.
    pub fn inject(&self, fault: crate::device::gpu::Fault) {
        if let Some(Some(gpu)) = self.gpu.get() {
            gpu.inject_fault(fault);
        }
    }

    /// The device of a stage.
    pub fn place(&self, plan: &Plan, stage: &Stage) -> Placement {
        let on_cpu = |why: String| {
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            Placement {
                device: self.cpu.clone(),
                words: format!("{}{why}", self.cpu.name()),
            }
        };
        if let StageKind::Block(op) = &stage.kind
            && self.choice != DeviceChoice::Cpu
        {
            return on_cpu(format!("{} runs on the CPU only", op.name()));
        }
        if self.choice == DeviceChoice::Auto {
            let (cpu, gpu) = self.estimate(plan, stage);
            if cpu < SMALL_SECONDS {
                return on_cpu(String::new());
            }
            if gpu > cpu {
                return on_cpu(format!(
                    "a GPU would take {gpu:.2} s for {cpu:.2} s, its bus decides"
                ));
            }
        }
        let Some(gpu) = self.gpu.get_or_init(|| self.hardware()) else {
            return on_cpu(String::new());
        };
        let longest = stage
            .variants
            .iter()
            .map(|v| v.program.insts.len())
            .max()
            .unwrap_or(0);
        if longest > LONGEST_KERNEL {
            return on_cpu(format!(
                "{longest} instructions in one kernel, drivers take too long to compile it"
            ));
        }
        match stage.variants.iter().find_map(|v| gpu.supports(&v.program).err()) {
            Some(why) => on_cpu(why),
            None => Placement {
                device: gpu.clone(),
                words: gpu.name(),
            },
        }
    }

    /// What a stage is expected to take on the device it gets, for `explain`.
    pub fn words(&self, plan: &Plan, stage: &Stage) -> String {
        let placement = self.place(plan, stage);
        let (cpu, gpu) = self.estimate(plan, stage);
        let seconds = if Arc::ptr_eq(&placement.device, &self.cpu) {
            cpu
        } else {
            gpu
        };
        format!("{}\n  predicted: {seconds:.3} s", placement.words)
    }

    /// The first hardware GPU that opens.
    fn hardware(&self) -> Option<Arc<Gpu>> {
        if !may_have_hardware() {
            return None;
        }
        let options = Options {
            budget: self.gpu_bytes,
            ..Options::default()
        };
        Gpu::open(first_hardware()?.index, options).ok().map(Arc::new)
    }

    /// Seconds of a stage on the CPU's workers and on a hardware GPU.
    fn estimate(&self, plan: &Plan, stage: &Stage) -> (f64, f64) {
        let cost = plan.cost(stage);
        let bytes = (cost.source_bytes + cost.array_bytes + cost.written_bytes) as f64;
        let cores = self.workers as f64;
        let cpu = (bytes / (CORE_RATE * cores)).max(cost.flops as f64 / (CORE_FLOPS * cores));
        (cpu, bytes / BUS_RATE + cost.tasks as f64 * GPU_TASK)
    }
}

/// The GPU of that number, or the first there is, hardware before software.
fn open_gpu(number: Option<usize>, options: Options) -> Result<Gpu> {
    let index = match number {
        Some(number) if number >= adapters().len() => {
            return Err(Error::invalid(format!(
                "there is no gpu:{number}: this machine has {} adapters, which `tilewise devices` lists",
                adapters().len()
            )));
        }
        Some(number) => number,
        None => match first_hardware().or_else(|| adapters().into_iter().next()) {
            Some(info) => info.index,
            None => {
                return Err(Error::invalid(
                    "no GPU adapter is found: install a Vulkan driver (mesa-vulkan-drivers for a \
                     software one) or use --device cpu",
                ));
            }
        },
    };
    Gpu::open(index, options)
}
