//! Placement: which device runs a stage, and why.
//!
//! A chosen GPU runs every stage that it can run exactly. `auto` compares estimates, from rates that
//! are measured once per adapter: a GPU has to win although what is not there yet crosses the bus,
//! so it gets stages with many operations per byte and those whose inputs lie there; a software
//! adapter is never picked, and small work does not even look for one.

use super::blocks::operand_dtypes;
use super::config::DeviceChoice;
use super::residents::Residents;
use super::run::Placement;
use crate::device::cpu::Cpu;
use crate::device::gpu::{AdapterInfo, Gpu, Options, Rates, adapters, first_hardware, may_have_hardware};
use crate::device::{Device, Keeper};
use crate::plan::{ArrayId, Plan, Stage, StageKind, TaskSize, array_bytes};
use crate::{Error, Result};
use std::sync::{Arc, OnceLock};

/// The rates of a GPU that is not opened yet.
const UNKNOWN: Rates = Rates {
    upload: 12e9,
    download: 12e9,
    copy: 200e9,
    task: 100e-6,
};
/// Bytes per second that one core streams through a fused kernel.
const CORE_RATE: f64 = 3e9;
/// Elementwise operations per second of one core, transcendental ones counted in.
const CORE_FLOPS: f64 = 1e9;
/// `auto` leaves work of fewer CPU seconds than this to the CPU unasked.
const SMALL_SECONDS: f64 = 0.3;

/// Longer programs stay on the CPU: drivers compile them for seconds and more.
const LONGEST_KERNEL: usize = 1000;

/// Host memory through which data goes to a GPU of its own memory: this part of the host budget,
const STAGING_SHARE: u64 = 8;
/// and no more than this.
const STAGING_MOST: u64 = 1 << 30;
/// Where a GPU shares the host's memory it may hold this part of the host budget, and no more than
/// a GiB.
const SHARED_SHARE: u64 = 4;

/// The devices of a session.
pub(super) struct Devices {
    cpu: Arc<dyn Device>,
    choice: DeviceChoice,
    /// The chosen GPU; for `auto` looked for when there is work for it.
    gpu: OnceLock<Option<Arc<Gpu>>>,
    memory: GpuTerms,
    residents: Arc<Residents>,
    workers: usize,
}

/// What a GPU may hold and use.
#[derive(Clone, Copy)]
pub(super) struct GpuTerms {
    /// Bytes asked for.
    pub asked: Option<u64>,
    /// The host budget.
    pub host: u64,
    /// Whether a GPU that shares the host's memory is used as if it had its own.
    pub apart: bool,
    /// Whether its matrix units are to be used.
    pub matrix_units: bool,
}

impl GpuTerms {
    /// Bytes of its own memory, and of host memory for staging.
    fn budgets(self, info: &AdapterInfo) -> (u64, u64) {
        if info.shared_memory && !self.apart {
            let own = self.asked.unwrap_or((self.host / SHARED_SHARE).min(1 << 30));
            return (own, 0);
        }
        let most = info.memory_bytes.map_or(1 << 30, |bytes| bytes / 5 * 4);
        (self.asked.unwrap_or(most), self.staging())
    }

    fn staging(self) -> u64 {
        (self.host / STAGING_SHARE).min(STAGING_MOST)
    }
}

impl Devices {
    /// Opens what the choice asks for; tiles that must leave it go through `residents`.
    pub fn open(
        choice: DeviceChoice,
        memory: GpuTerms,
        workers: usize,
        residents: Arc<Residents>,
    ) -> Result<Devices> {
        let gpu = OnceLock::new();
        match choice {
            DeviceChoice::Auto => {}
            DeviceChoice::Cpu => {
                let _ = gpu.set(None);
            }
            DeviceChoice::Gpu(number) => {
                let info = chosen(number)?;
                let _ = gpu.set(Some(Arc::new(open_gpu(&info, memory, &residents)?)));
            }
        }
        Ok(Devices {
            cpu: Arc::new(Cpu::new()),
            choice,
            gpu,
            memory,
            residents,
            workers,
        })
    }

    /// Host memory that the GPU takes: all it may hold where it shares it, else its staging. With
    /// `auto` that of a GPU that may come.
    pub fn host_bytes(&self) -> u64 {
        match (self.choice, self.gpu.get().and_then(Option::as_ref)) {
            (_, Some(gpu)) => {
                let (own, staging) = self.memory.budgets(gpu.info());
                match gpu.info().shared_memory && !self.memory.apart {
                    true => own,
                    false => staging,
                }
            }
            (DeviceChoice::Auto, None) if may_have_hardware() => self.memory.staging(),
            _ => 0,
        }
    }

    /// What size of task suits the chosen device; with `auto` the CPU's.
    pub fn task_size(&self) -> TaskSize {
        let Some(gpu) = self.gpu.get().and_then(Option::as_ref) else {
            return TaskSize::CPU;
        };
        match gpu.info().software {
            true => TaskSize::software(gpu.card()),
            false => TaskSize::gpu(gpu.card()),
        }
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

    /// Submissions to the GPU so far.
    pub fn gpu_submissions(&self) -> u64 {
        let gpu = self.gpu.get().and_then(Option::as_ref);
        gpu.map_or(0, |gpu| gpu.submissions())
    }

    /// Makes the chosen GPU fail, to test what follows.
    pub fn inject(&self, fault: crate::device::gpu::Fault) {
        if let Some(Some(gpu)) = self.gpu.get() {
            gpu.inject_fault(fault);
        }
    }

    /// The device of a stage, of whose inputs so many bytes lie on the GPU.
    pub fn place(&self, plan: &Plan, stage: &Stage, resident: u64) -> Placement {
        let on_cpu = |why: String| {
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            Placement {
                device: self.cpu.clone(),
                words: format!("{}{why}", self.cpu.name()),
            }
        };
        if self.choice == DeviceChoice::Auto {
            let (cpu, gpu) = self.estimate(plan, stage, resident);
            if cpu < SMALL_SECONDS && resident == 0 {
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
        if let Err(lost) = gpu.alive() {
            return on_cpu(lost.to_string());
        }
        let block = || match &stage.kind {
            StageKind::Block(op) => {
                let result = plan.arrays[stage.arrays[0]].dtype;
                gpu.supports_block(op.as_ref(), &operand_dtypes(stage), result)
                    .err()
            }
            _ => None,
        };
        let programs = stage.variants.iter().find_map(|v| gpu.supports(&v.program).err());
        match programs.or_else(block) {
            Some(why) => on_cpu(why),
            None => Placement {
                device: gpu.clone(),
                words: gpu.name(),
            },
        }
    }

    /// What a stage is expected to take on the device it gets, for `explain`.
    pub fn words(&self, plan: &Plan, stage: &Stage) -> String {
        let placement = self.place(plan, stage, 0);
        let (cpu, gpu) = self.estimate(plan, stage, 0);
        let seconds = if Arc::ptr_eq(&placement.device, &self.cpu) {
            cpu
        } else {
            gpu
        };
        format!("{}\n  predicted: {seconds:.3} s", placement.words)
    }

    /// The first hardware GPU that opens. One that shares the host's memory gets what was set aside.
    fn hardware(&self) -> Option<Arc<Gpu>> {
        if !may_have_hardware() {
            return None;
        }
        let info = first_hardware()?;
        let asked = match info.shared_memory {
            true => Some(self.memory.staging()),
            false => self.memory.asked,
        };
        let memory = GpuTerms { asked, ..self.memory };
        open_gpu(&info, memory, &self.residents).ok().map(Arc::new)
    }

    /// Seconds of a stage on the CPU's workers and on a hardware GPU, where so many bytes of its inputs
    /// lie on the GPU. What only later stages read stays on the device that makes it.
    fn estimate(&self, plan: &Plan, stage: &Stage, resident: u64) -> (f64, f64) {
        let cost = plan.cost(stage);
        let known = self.gpu.get().and_then(Option::as_ref);
        let rates = known.and_then(|gpu| gpu.rates().ok()).unwrap_or(UNKNOWN);
        let read = cost.source_bytes + cost.array_bytes;
        let bytes = (read + cost.written_bytes) as f64;
        let cores = self.workers as f64;
        let resident = resident.min(cost.array_bytes);
        let streamed = (bytes / (CORE_RATE * cores)).max(cost.flops as f64 / (CORE_FLOPS * cores));
        let cpu = streamed + resident as f64 / rates.download;
        let leaves = |&&id: &&ArrayId| !plan.arrays[id].stored || !plan.arrays[id].roots.is_empty();
        let home: u64 = stage
            .arrays
            .iter()
            .filter(leaves)
            .map(|&id| array_bytes(&plan.arrays[id]))
            .sum();
        let gpu = (read - resident) as f64 / rates.upload
            + home as f64 / rates.download
            + bytes / rates.copy
            + cost.tasks as f64 * rates.task;
        (cpu, gpu)
    }
}

/// The adapter of that number, or the first there is, hardware before software.
fn chosen(number: Option<usize>) -> Result<AdapterInfo> {
    let Some(number) = number else {
        let first = first_hardware().or_else(|| adapters().into_iter().next());
        return first.ok_or_else(|| {
            Error::invalid(
                "no GPU adapter is found: install a Vulkan driver (mesa-vulkan-drivers for a \
                 software one) or use --device cpu",
            )
        });
    };
    let mut all = adapters();
    if number >= all.len() {
        return Err(Error::invalid(format!(
            "there is no gpu:{number}: this machine has {} adapters, which `tilewise devices` lists",
            all.len()
        )));
    }
    Ok(all.swap_remove(number))
}

/// Opens an adapter, whose tiles leave through `residents` when it is full.
fn open_gpu(info: &AdapterInfo, memory: GpuTerms, residents: &Arc<Residents>) -> Result<Gpu> {
    let (budget, staging) = memory.budgets(info);
    let options = Options {
        budget,
        staging,
        staged: memory.apart,
        matrix_units: memory.matrix_units,
        ..Options::default()
    };
    let gpu = Gpu::open(info.index, options)?;
    if memory.matrix_units && !gpu.uses_matrix_units() {
        let tried = gpu.verdicts().iter().find(|v| v.fact == "matrix units");
        return Err(Error::Device(format!(
            "{info}: {}; leave matrix units out (--matrix-units)",
            match tried {
                Some(verdict) => format!("its matrix units failed the self-test: {}", verdict.detail),
                None => "it has no matrix units for float16 that tilewise can use".into(),
            }
        )));
    }
    let residents = residents.clone();
    gpu.on_pressure(move |bytes| residents.evict(bytes));
    Ok(gpu)
}
