//! Device and staging memory under a byte budget of our own.
//!
//! Drivers promise memory that they do not have, so a run reserves all the bytes it will hold
//! before it allocates any; a run that finds the budget taken waits for the others to end. Buffers
//! come in size classes and are reused: a fresh buffer costs a driver call and a pass of zeros.

use super::context::{Context, Step, lock};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};
use wgpu::BufferUsages;

/// What a buffer is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Role {
    /// Read by a kernel.
    Input,
    /// Written by a kernel.
    Output,
    /// Written by the host and copied from.
    Upload,
    /// Copied to and read by the host.
    Download,
}

/// Buffers of a run and the bytes they take from the budget.
pub(super) struct Memory {
    /// Whether kernels see host-mapped buffers, so that nothing is staged.
    pub direct: bool,
    budget: u64,
    ledger: Mutex<Ledger>,
    freed: Condvar,
}

#[derive(Default)]
struct Ledger {
    /// Bytes reserved by runs in progress.
    reserved: u64,
    /// Bytes of buffers that wait for reuse.
    idle: u64,
    peak: u64,
    pool: HashMap<(Role, u64), Vec<wgpu::Buffer>>,
}

/// The size class of a buffer: the next of 4, 5, 6, 7, 8 times a power of two, 256 B at least.
pub(super) fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let unit = (bytes.next_power_of_two() / 8).max(64);
    bytes.div_ceil(unit) * unit
}

/// Bytes of the budget; they return when it is dropped.
pub(super) struct Reservation<'a> {
    memory: &'a Memory,
    bytes: u64,
    left: u64,
    held: Vec<(Role, wgpu::Buffer)>,
    /// Whether the buffers may be reused: not after a failure, when the GPU may still use them.
    reusable: bool,
}

impl Memory {
    pub fn new(budget: u64, direct: bool) -> Memory {
        Memory {
            direct,
            budget,
            ledger: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// Bytes reserved by runs and kept for reuse.
    pub fn used(&self) -> u64 {
        let ledger = lock(&self.ledger);
        ledger.reserved + ledger.idle
    }

    /// The most that was ever used.
    pub fn peak(&self) -> u64 {
        lock(&self.ledger).peak
    }

    /// Takes bytes (a sum of size classes) from the budget, waiting for other runs where needed.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation<'_>> {
        if bytes > self.budget {
            return Err(Error::Memory {
                tier: "gpu",
                needed: bytes,
                budget: self.budget,
                term: "buffers of one task; smaller chunks or a larger gpu budget would do".into(),
            });
        }
        let mut ledger = lock(&self.ledger);
        while ledger.reserved + bytes > self.budget {
            ledger = self.freed.wait(ledger).unwrap_or_else(PoisonError::into_inner);
        }
        ledger.reserved += bytes;
        ledger.trim(self.budget);
        ledger.peak = ledger.peak.max(ledger.reserved + ledger.idle);
        Ok(Reservation {
            memory: self,
            bytes,
            left: bytes,
            held: Vec::new(),
            reusable: false,
        })
    }

    fn usage(&self, role: Role) -> BufferUsages {
        match (role, self.direct) {
            (Role::Input, true) => BufferUsages::STORAGE | BufferUsages::MAP_WRITE,
            (Role::Output, true) => BufferUsages::STORAGE | BufferUsages::MAP_READ,
            (Role::Input, false) => BufferUsages::STORAGE | BufferUsages::COPY_DST,
            (Role::Output, false) => BufferUsages::STORAGE | BufferUsages::COPY_SRC,
            (Role::Upload, _) => BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC,
            (Role::Download, _) => BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        }
    }
}

impl Ledger {
    /// Drops idle buffers until all fits the budget.
    fn trim(&mut self, budget: u64) {
        while self.reserved + self.idle > budget {
            let Some((key, buffers)) = self.pool.iter_mut().find(|(_, buffers)| !buffers.is_empty()) else {
                break;
            };
            buffers.pop();
            self.idle -= key.1;
        }
    }
}

impl Reservation<'_> {
    /// A buffer of at least that many bytes, out of this reservation.
    pub fn buffer(&mut self, context: &Context, role: Role, bytes: u64) -> Result<wgpu::Buffer> {
        let size = size_class(bytes);
        debug_assert!(size <= self.left, "{size} of {} bytes", self.left);
        self.left = self.left.saturating_sub(size);
        let idle = {
            let mut ledger = lock(&self.memory.ledger);
            let found = ledger.pool.get_mut(&(role, size)).and_then(Vec::pop);
            ledger.idle -= if found.is_some() { size } else { 0 };
            found
        };
        context.checkpoint(Step::Allocate)?;
        let buffer = match idle {
            Some(buffer) => buffer,
            None => context.guard("allocating a buffer", || {
                context.device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size,
                    usage: self.memory.usage(role),
                    mapped_at_creation: false,
                })
            })?,
        };
        self.held.push((role, buffer.clone()));
        Ok(buffer)
    }

    /// Ends a run that went well: its buffers may be reused.
    pub fn finish(mut self) {
        self.reusable = true;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut ledger = lock(&self.memory.ledger);
        ledger.reserved -= self.bytes;
        if self.reusable {
            for (role, buffer) in self.held.drain(..) {
                let size = buffer.size();
                ledger.idle += size;
                ledger.pool.entry((role, size)).or_default().push(buffer);
            }
            ledger.trim(self.memory.budget);
        }
        drop(ledger);
        self.memory.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_a_quarter() {
        for bytes in [
            1,
            255,
            256,
            257,
            1000,
            4096,
            4097,
            1 << 20,
            (1 << 20) + 1,
            99_999_999,
        ] {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(64), "{bytes} -> {class}");
            assert!(bytes < 256 || class <= bytes + bytes / 4, "{bytes} -> {class}");
            assert_eq!(size_class(class), class);
        }
    }

    #[test]
    fn a_run_larger_than_the_budget_is_refused() {
        let memory = Memory::new(1 << 20, true);
        let error = memory.reserve(2 << 20).err().map(|e| e.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "gpu memory: 2.0 MiB needed but 1.0 MiB allowed: buffers of one task; \
                 smaller chunks or a larger gpu budget would do"
            )
        );
        let first = memory.reserve(1 << 20);
        assert!(first.is_ok());
        drop(first);
        assert_eq!((memory.used(), memory.peak()), (0, 1 << 20));
    }
}
