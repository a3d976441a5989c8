//! How a session is set up.

use crate::store::{StoreObserver, StoreOptions, TileStore, default_host_budget};
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Which device runs stages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeviceChoice {
    /// A hardware GPU where its transfers pay, else the CPU; never a software adapter.
    #[default]
    Auto,
    /// CPU threads.
    Cpu,
    /// The GPU of that number as `tilewise devices` lists them, the first when `None`.
    Gpu(Option<usize>),
}

impl DeviceChoice {
    /// `auto`, `cpu`, `gpu` or `gpu:N`.
    pub fn parse(text: &str) -> Option<DeviceChoice> {
        match text {
            "auto" => Some(DeviceChoice::Auto),
            "cpu" => Some(DeviceChoice::Cpu),
            "gpu" => Some(DeviceChoice::Gpu(None)),
            _ => text
                .strip_prefix("gpu:")?
                .parse()
                .ok()
                .map(|n| DeviceChoice::Gpu(Some(n))),
        }
    }
}

/// The configuration of a session; `Default` suits a machine of one's own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Bytes of host memory for tiles, buffers and results; by default 60 % of what is free.
    pub memory: Option<u64>,
    /// Bytes of GPU memory. By default four fifths of what a GPU has of its own; of a GPU that shares
    /// the host's memory a quarter of `memory`, at most 1 GiB, which then counts against it.
    pub gpu_memory: Option<u64>,
    /// Where tiles are spilled; by default the user's cache folder.
    pub spill_dir: Option<PathBuf>,
    /// Bytes of spill files; by default what the disk has.
    pub spill_limit: Option<u64>,
    /// Worker threads; by default one per core.
    pub threads: Option<usize>,
    /// Which device runs stages.
    pub device: DeviceChoice,
    /// Whether a GPU's matrix units sum products of `f16` matrices, in `f32`, where it has them
    /// (`tilewise devices`): much faster, but in an order and with roundings of their own. A GPU without
    /// them is then refused.
    pub matrix_units: bool,
    /// A folder in which the finished parts of a run are kept until it succeeds, so that the same run goes
    /// on from there after it was killed; see [`Session::job`](super::Session::job). It is made if it is
    /// missing, and then removed in the end. One run at a time uses a folder.
    pub resume: Option<PathBuf>,
    /// The most bytes in that folder; by default what the disk has. When they are used up, or the disk
    /// is full, a run goes on without keeping more ([`Event::CheckpointStopped`](super::Event)).
    pub resume_limit: Option<u64>,
    /// Whether a GPU that shares the host's memory is used as if it had its own, for tests.
    #[doc(hidden)]
    pub gpu_apart: bool,
}

impl Config {
    /// The host budget in bytes.
    pub(super) fn host_budget(&self) -> u64 {
        self.memory.unwrap_or_else(default_host_budget)
    }

    /// The spill limit in bytes.
    pub(super) fn disk_budget(&self) -> u64 {
        self.spill_limit.unwrap_or(u64::MAX)
    }

    /// Number of worker threads.
    pub(super) fn workers(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or(cores).max(1)
    }

    /// The tile store it asks for, whose moves `observer` hears of.
    pub(super) fn open_store(&self, observer: Arc<dyn StoreObserver>) -> Result<TileStore> {
        if let Some(folder) = &self.spill_dir {
            let meta = std::fs::metadata(folder).map_err(Error::io("spill to", folder))?;
            if !meta.is_dir() {
                return Err(Error::format(
                    folder,
                    "is not a folder; --spill-dir names one that can be written",
                ));
            }
            tempfile::tempfile_in(folder).map_err(Error::io("spill to", folder))?;
        }
        Ok(TileStore::new(StoreOptions {
            host_bytes: self.host_budget(),
            disk_bytes: self.disk_budget(),
            spill_dir: self.spill_dir.clone(),
            observer: Some(observer),
        }))
    }
}
