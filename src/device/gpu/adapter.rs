//! The adapters of this machine: what each is, and what it can do.
//!
//! A software adapter (Mesa's lavapipe) is listed like any other but never picked on its own: it
//! is slower than the CPU kernels and exists for tests.

use crate::{Error, Result};
use std::fmt;
use std::path::Path;
use wgpu::{Backends, DeviceType, Features, Instance, InstanceDescriptor};

/// The oldest Mesa whose software driver runs long loops to their end.
const LEAST_MESA: u32 = 25;

/// What is known of an adapter before it is opened.
#[derive(Clone, PartialEq, Debug)]
pub struct AdapterInfo {
    /// Its number: `gpu:N` on the command line.
    pub index: usize,
    /// The driver's name for it.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// Whether it runs on the CPU.
    pub software: bool,
    /// Whether it shares the host's memory (integrated and software adapters).
    pub shared_memory: bool,
    /// Whether shaders have `f64`.
    pub f64: bool,
    /// Whether shaders have `i64` and `u64`.
    pub i64: bool,
    /// Whether shaders have `f16`.
    pub f16: bool,
    /// Whether subgroup operations exist.
    pub subgroups: bool,
    /// Rows and columns of the matrices of f16 that its matrix units multiply, summing in f32; `None`
    /// where it has no such units that tilewise can use.
    pub matrix_units: Option<u32>,
    /// Whether time can be measured on the device.
    pub timestamps: bool,
    /// Whether compiled kernels can be kept on disk.
    pub pipeline_cache: bool,
    /// Whether storage buffers can be mapped by the host.
    pub mappable: bool,
    /// Bytes of its own memory, where the driver tells.
    pub memory_bytes: Option<u64>,
    /// Largest buffer that a kernel can see, in bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Storage buffers that one kernel can see.
    pub max_bindings: u32,
}

impl AdapterInfo {
    fn new(index: usize, adapter: &wgpu::Adapter) -> AdapterInfo {
        let info = adapter.get_info();
        let features = adapter.features();
        let limits = adapter.limits();
        AdapterInfo {
            index,
            name: info.name,
            backend: info.backend.to_string(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            software: info.device_type == DeviceType::Cpu,
            shared_memory: matches!(info.device_type, DeviceType::Cpu | DeviceType::IntegratedGpu),
            f64: features.contains(Features::SHADER_F64),
            i64: features.contains(Features::SHADER_INT64),
            f16: features.contains(Features::SHADER_F16),
            subgroups: features.contains(Features::SUBGROUP),
            matrix_units: matrix_units(adapter),
            timestamps: features.contains(Features::TIMESTAMP_QUERY),
            pipeline_cache: features.contains(Features::PIPELINE_CACHE),
            mappable: features.contains(Features::MAPPABLE_PRIMARY_BUFFERS),
            memory_bytes: own_memory(adapter),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_bindings: limits.max_storage_buffers_per_shader_stage,
        }
    }

    /// Why this adapter must not be used; `None` for one that may be tried.
    ///
    /// Mesa's software driver before 25 ends every loop after 65,535 rounds, silently.
    pub fn refusal(&self) -> Option<String> {
        let major = mesa_major(&self.driver)?;
        (self.software && major < LEAST_MESA).then(|| {
            format!(
                "adapter {} ({}): its driver, Mesa {major}, ends long shader loops early and so gives wrong \
                 numbers; install Mesa {LEAST_MESA} or newer, or run on the cpu",
                self.index, self.name
            )
        })
    }
}

impl fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "gpu:{} {} ({}, {})",
            self.index, self.name, self.backend, self.driver
        )
    }
}

/// The edge of the largest matrices of f16 that an adapter multiplies and sums in f32. Their kernels need
/// subgroups of one size, and pointers to vectors, which Metal's matrices cannot be loaded from.
fn matrix_units(adapter: &wgpu::Adapter) -> Option<u32> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let info = adapter.get_info();
    let needed = Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SHADER_F16 | Features::SUBGROUP;
    if !adapter.features().contains(needed)
        || info.subgroup_min_size != info.subgroup_max_size
        || info.backend != wgpu::Backend::Vulkan
    {
        return None;
    }
    adapter
        .cooperative_matrix_properties()
        .into_iter()
        .filter(|p| p.m_size == p.n_size && p.n_size == p.k_size && [8, 16].contains(&p.m_size))
        .filter(|p| p.ab_type == F16 && p.cr_type == F32 && !p.saturating_accumulation)
        .map(|p| p.m_size)
        .max()
}

/// Bytes of the largest heap of an adapter's own memory, as a Vulkan driver tells.
#[cfg(not(target_vendor = "apple"))]
fn own_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the handles are used for one query within this call, while the adapter lives.
    let properties = unsafe {
        let vulkan = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = vulkan.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(vulkan.raw_physical_device())
    };
    let heaps = &properties.memory_heaps[..properties.memory_heap_count as usize];
    let own = heaps
        .iter()
        .filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0);
    own.map(|heap| heap.size).max()
}

/// Metal does not tell: its memory is the host's on the machines of today.
#[cfg(target_vendor = "apple")]
fn own_memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// The major version behind `Mesa ` in a driver's description.
fn mesa_major(driver: &str) -> Option<u32> {
    let (_, rest) = driver.split_once("Mesa ")?;
    rest.split(['.', ' ', '-']).next()?.parse().ok()
}

/// The adapters with their handles; empty without a driver.
pub(super) fn enumerate() -> Vec<(AdapterInfo, wgpu::Adapter)> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::PRIMARY,
        ..InstanceDescriptor::new_without_display_handle()
    });
    pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY))
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| (AdapterInfo::new(index, &adapter), adapter))
        .collect()
}

/// The adapter of that number with its handle.
///
/// # Errors
/// There is none, or its driver is known to give wrong numbers.
pub(super) fn find(index: usize) -> Result<(AdapterInfo, wgpu::Adapter)> {
    let mut all = enumerate();
    if index >= all.len() {
        return Err(Error::Device(format!(
            "there is no adapter {index}: this machine has {}; `tilewise devices` lists them",
            all.len()
        )));
    }
    let (info, adapter) = all.swap_remove(index);
    match info.refusal() {
        Some(why) => Err(Error::Device(why)),
        None => Ok((info, adapter)),
    }
}

/// Every adapter of this machine; empty without a driver.
pub fn adapters() -> Vec<AdapterInfo> {
    enumerate().into_iter().map(|(info, _)| info).collect()
}

/// The adapter to use when none is asked for: the first discrete one, else the first that is no
/// software; `None` where there is neither.
pub fn first_hardware() -> Option<AdapterInfo> {
    let hardware: Vec<AdapterInfo> = adapters().into_iter().filter(|a| !a.software).collect();
    hardware
        .iter()
        .find(|a| !a.shared_memory)
        .or(hardware.first())
        .cloned()
}

/// Whether a driver of hardware may be there. On Linux each needs one of these device files, and
/// looking for them spares a run the tenth of a second that loading all drivers takes.
pub fn may_have_hardware() -> bool {
    !cfg!(target_os = "linux") || has_node(Path::new("/dev"))
}

/// Whether a folder of device files has one of a GPU.
fn has_node(dev: &Path) -> bool {
    let nodes = ["dri", "nvidiactl", "dxg", "kgsl-3d0", "mali0"];
    nodes.iter().any(|node| dev.join(node).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_files_of_gpus_are_seen() {
        let dev = tempfile::tempdir().unwrap();
        std::fs::write(dev.path().join("null"), "").unwrap();
        assert!(!has_node(dev.path()));
        std::fs::create_dir(dev.path().join("dri")).unwrap();
        assert!(has_node(dev.path()));
    }

    #[test]
    fn mesa_versions_are_read() {
        assert_eq!(mesa_major("llvmpipe Mesa 25.0.7-2 (LLVM 15.0.6)"), Some(25));
        assert_eq!(mesa_major("llvmpipe Mesa 22.3.6"), Some(22));
        assert_eq!(mesa_major("NVIDIA 570.86"), None);
    }
}
