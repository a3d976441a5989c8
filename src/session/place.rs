//! Placement: which device runs a stage, and why.

use super::config::DeviceChoice;
use super::run::Placement;
use crate::Result;
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::plan::{Stage, StageKind};
use std::sync::Arc;

/// The devices of a session.
pub(super) struct Devices {
    cpu: Arc<dyn Device>,
    gpu: Option<Arc<dyn Device>>,
    choice: DeviceChoice,
}

impl Devices {
    /// Opens what the choice asks for.
    pub fn open(choice: DeviceChoice) -> Result<Devices> {
        Ok(Devices {
            cpu: Arc::new(Cpu::new()),
            gpu: None,
            choice,
        })
    }

    /// The CPU, which can run every stage.
    pub fn cpu(&self) -> &Arc<dyn Device> {
        &self.cpu
    }

    /// Names, the CPU last.
    pub fn names(&self) -> Vec<String> {
        self.gpu.iter().chain([&self.cpu]).map(|d| d.name()).collect()
    }

    /// Most bytes in GPU memory at once.
    pub fn gpu_peak(&self) -> u64 {
        0
    }

    /// The device of a stage.
    pub fn place(&self, stage: &Stage) -> Placement {
        let on_cpu = |why: String| Placement {
            device: self.cpu.clone(),
            words: why,
        };
        let Some(gpu) = &self.gpu else {
            return on_cpu(self.cpu.name());
        };
        let refused = stage.variants.iter().find_map(|v| gpu.supports(&v.program).err());
        match (&stage.kind, refused) {
            (_, Some(why)) => on_cpu(format!("{} ({why})", self.cpu.name())),
            (StageKind::Custom(_), None) if self.choice == DeviceChoice::Auto => {
                on_cpu(format!("{} (a closure runs on the host)", self.cpu.name()))
            }
            (_, None) => Placement {
                device: gpu.clone(),
                words: gpu.name(),
            },
        }
    }
}
