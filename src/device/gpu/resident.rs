//! Tiles that stay in the device's memory between tasks.
//!
//! A tile keeps its buffer and its bytes of the budget until its last handle goes. Work runs
//! in the order in which it was handed on, so a tile may be read by later tasks, and its buffer reused, without
//! waiting for the task that wrote it. It comes back to the host through one small window that is
//! always held, so that tiles can leave a device that is full.

use super::context::{Context, lock};
use super::launch::padded;
use super::memory::{Memory, size_class};
use crate::{Error, Result};
use std::fmt;
use std::sync::{Arc, Mutex};
use wgpu::{BufferUsages, MapMode};

/// Bytes of the window, at most.
const WINDOW: u64 = 8 << 20;

/// A tile in the device's memory; clones share it.
#[derive(Clone)]
pub struct Resident(Arc<Slab>);

struct Slab {
    buffer: wgpu::Buffer,
    len: usize,
    home: Arc<Home>,
}

/// What tiles need of their device.
pub(super) struct Home {
    pub context: Context,
    pub memory: Memory,
    window: Mutex<Option<wgpu::Buffer>>,
    window_bytes: u64,
}

impl Home {
    /// Around an opened adapter; the window's bytes are taken from `budget` where the device shares
    /// the host's memory, else from `staging`.
    pub fn new(context: Context, budget: u64, staging: u64, direct: bool) -> Home {
        let of = if direct { budget } else { staging };
        let window_bytes = size_class(WINDOW.min(of / 16)).min(WINDOW);
        let (budget, staging) = match direct {
            true => (budget.saturating_sub(window_bytes), 0),
            false => (budget, staging.saturating_sub(window_bytes)),
        };
        Home {
            context,
            memory: Memory::new(budget, staging, direct),
            window: Mutex::new(None),
            window_bytes,
        }
    }

    /// Bytes that the window takes.
    pub fn window_bytes(&self) -> u64 {
        self.window_bytes
    }
}

impl Resident {
    /// The tile of `len` bytes in a buffer whose bytes the memory counts as a tile's.
    pub(super) fn new(buffer: wgpu::Buffer, len: usize, home: Arc<Home>) -> Resident {
        Resident(Arc::new(Slab { buffer, len, home }))
    }

    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }

    /// Bytes of the tile.
    #[allow(clippy::len_without_is_empty)] // a tile of nothing is never made
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Bytes that it takes on the device.
    pub fn held_bytes(&self) -> u64 {
        self.0.buffer.size()
    }

    /// Whether this is the only handle.
    pub fn is_unpinned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Copies its bytes to the host.
    ///
    /// # Errors
    /// [`Error::Device`] when the device is lost or fails, [`Error::Invalid`] for a buffer of another
    /// length.
    pub fn download(&self, out: &mut [u8]) -> Result<()> {
        let Slab { buffer, len, home } = &*self.0;
        if out.len() != *len {
            return Err(Error::invalid(format!(
                "a buffer of {} bytes for a tile of {len}",
                out.len()
            )));
        }
        let context = &home.context;
        let mut window = lock(&home.window);
        if window.is_none() {
            *window = Some(context.guard("allocating a buffer", || {
                context.device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: home.window_bytes,
                    usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            })?);
        }
        let Some(through) = window.as_ref() else {
            return Err(context.error("reading a tile", "no window"));
        };
        for (number, piece) in out.chunks_mut(home.window_bytes as usize).enumerate() {
            let from = number as u64 * home.window_bytes;
            let bytes = padded(piece.len());
            let commands = context.guard("reading a tile", || {
                let mut encoder = context.device.create_command_encoder(&Default::default());
                encoder.copy_buffer_to_buffer(buffer, from, through, 0, bytes);
                encoder.finish()
            })?;
            let ticket = context.submit(commands)?;
            context.wait_until(ticket)?;
            context.map(through, MapMode::Read, bytes)?;
            let view = context
                .guard("reading a tile", || through.get_mapped_range(0..bytes))?
                .map_err(|error| context.error("reading a tile", error))?;
            piece.copy_from_slice(&view[..piece.len()]);
            drop(view);
            through.unmap();
        }
        Ok(())
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        self.home.memory.release_tile(self.buffer.clone());
    }
}

impl fmt::Debug for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resident({} bytes)", self.len())
    }
}
