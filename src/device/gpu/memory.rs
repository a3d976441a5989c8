//! Memory of the device: a byte budget that is never exceeded, tiles under it, buffers for reuse.
//!
//! A run reserves all its buffers in one step before it allocates any, and holds none while it
//! waits, so runs can never wait for each other in a circle. Tiles that stay on the device count
//! beside the runs; where they leave no room, the session's *evictor* is asked to let some go.
//! Buffers come in size classes and go back to a pool; pooled buffers count too and go first when
//! room is needed. Host memory through which data is staged has a budget of its own.

use super::context::{Context, Step, lock};
use super::outbox::Ticket;
use crate::{Error, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use wgpu::BufferUsages;

/// What a buffer is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Role {
    /// Read by a kernel.
    Input,
    /// Written by a kernel; may stay as a tile.
    Output,
    /// Written by the host and copied from.
    Upload,
    /// Copied to and read by the host.
    Download,
}

/// Bytes on the device, and of host memory for staging.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Bytes {
    pub device: u64,
    pub staging: u64,
}

/// Lets tiles of so many bytes leave the device; whether any did.
pub(super) type Evictor = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// So many buffers of one size that the host maps are made before it waits for the device to be done
/// with the first of them,
const RING: usize = 64;
/// as far as they are this part of the budget together.
const RING_SHARE: u64 = 16;

/// How often a run that waits looks whether tiles may leave now.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Buffers of runs, tiles, and the bytes that they take from the budgets.
pub(super) struct Memory {
    /// Whether kernels see host-mapped buffers, so that nothing is staged.
    pub direct: bool,
    budget: Bytes,
    ledger: Mutex<Ledger>,
    freed: Condvar,
    evictor: Mutex<Option<Evictor>>,
    /// Whether buffers were dropped that the device may still use: until it is done, their memory is
    /// taken although it no longer counts.
    dropped: AtomicBool,
}

#[derive(Default)]
struct Ledger {
    /// Runs in progress.
    runs: usize,
    /// Bytes reserved by them.
    reserved: Bytes,
    /// Bytes of tiles that stay.
    tiles: u64,
    /// Bytes of buffers that wait for reuse.
    idle: Bytes,
    peak: Bytes,
    /// Those that were used last are last.
    pool: HashMap<(Role, u64), VecDeque<Idle>>,
}

/// A buffer for reuse, and the last submission that may use it.
struct Idle {
    buffer: wgpu::Buffer,
    last: Option<Ticket>,
}

/// The size class of a buffer: the next of 4, 5, 6, 7, 8 times a power of two, 256 B at least.
pub(super) fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let unit = (bytes.next_power_of_two() / 8).max(64);
    bytes.div_ceil(unit) * unit
}

/// Bytes of the budgets; they return when it is dropped.
pub(super) struct Reservation<'a> {
    memory: &'a Memory,
    bytes: Bytes,
    left: Bytes,
    held: Vec<(Role, wgpu::Buffer)>,
    /// Whether the buffers may be reused: not after a failure, when the GPU may still use them.
    reusable: bool,
    last: Option<Ticket>,
}

impl Memory {
    pub fn new(budget: u64, staging: u64, direct: bool) -> Memory {
        Memory {
            direct,
            budget: Bytes {
                device: budget,
                staging,
            },
            ledger: Mutex::default(),
            freed: Condvar::new(),
            evictor: Mutex::new(None),
            dropped: AtomicBool::new(false),
        }
    }

    pub fn budget(&self) -> Bytes {
        self.budget
    }

    /// Bytes held by runs, as tiles, and for reuse.
    pub fn used(&self) -> u64 {
        let ledger = lock(&self.ledger);
        ledger.reserved.device + ledger.tiles + ledger.idle.device
    }

    /// The most that was ever used.
    pub fn peak(&self) -> u64 {
        lock(&self.ledger).peak.device
    }

    /// Bytes of tiles on the device.
    pub fn tiles(&self) -> u64 {
        lock(&self.ledger).tiles
    }

    /// Who is asked to let tiles go.
    pub fn set_evictor(&self, evictor: Evictor) {
        *lock(&self.evictor) = Some(evictor);
    }

    /// Whether a role's bytes are host memory for staging.
    fn stages(&self, role: Role) -> bool {
        !self.direct && matches!(role, Role::Upload | Role::Download)
    }

    /// Whether the host maps buffers of a role before work uses them, or what it copies there.
    fn maps(&self, role: Role) -> bool {
        match role {
            Role::Upload | Role::Download => true,
            Role::Input => self.direct,
            Role::Output => false,
        }
    }

    /// What a buffer of a role takes.
    pub fn cost(&self, role: Role, bytes: u64) -> Bytes {
        let size = size_class(bytes);
        match self.stages(role) {
            true => Bytes {
                device: 0,
                staging: size,
            },
            false => Bytes {
                device: size,
                staging: 0,
            },
        }
    }

    /// Takes bytes (sums of size classes) from the budgets, waiting for other runs and letting
    /// tiles go where needed. The caller holds no other reservation.
    ///
    /// # Errors
    /// [`Error::Memory`] when they can never fit; [`Error::Device`] when they do not fit beside
    /// tiles that are in use while no run is left that would end.
    pub fn reserve(&self, bytes: Bytes) -> Result<Reservation<'_>> {
        if bytes.device > self.budget.device || bytes.staging > self.budget.staging {
            return Err(self.refusal(bytes));
        }
        let mut ledger = lock(&self.ledger);
        loop {
            let beside = ledger.tiles + bytes.device;
            let fits = ledger.reserved.device + beside <= self.budget.device
                && ledger.reserved.staging + bytes.staging <= self.budget.staging;
            if fits {
                break;
            }
            let short = beside.saturating_sub(self.budget.device);
            if short > 0 {
                let evictor = lock(&self.evictor).clone();
                drop(ledger);
                let any = evictor.is_some_and(|evict| evict(short));
                ledger = lock(&self.ledger);
                if any {
                    continue;
                }
                if ledger.runs == 0 && ledger.tiles + bytes.device > self.budget.device {
                    return Err(Error::Device(format!(
                        "no room for {} on the device beside tiles in use",
                        crate::human_bytes(bytes.device)
                    )));
                }
            }
            let woken = self.freed.wait_timeout(ledger, LOOK_AGAIN);
            ledger = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        ledger.runs += 1;
        ledger.reserved.device += bytes.device;
        ledger.reserved.staging += bytes.staging;
        self.trim(&mut ledger);
        ledger.note_peak();
        Ok(Reservation {
            memory: self,
            bytes,
            left: bytes,
            held: Vec::new(),
            reusable: false,
            last: None,
        })
    }

    fn refusal(&self, bytes: Bytes) -> Error {
        let (tier, needed, budget) = match bytes.device > self.budget.device {
            true => ("gpu", bytes.device, self.budget.device),
            false => ("gpu staging", bytes.staging, self.budget.staging),
        };
        Error::Memory {
            tier,
            needed,
            budget,
            term: "buffers of one task; smaller chunks or a larger gpu budget would do".into(),
        }
    }

    /// Takes a tile's bytes back; its buffer may be reused.
    pub fn release_tile(&self, buffer: wgpu::Buffer) {
        let size = buffer.size();
        let mut ledger = lock(&self.ledger);
        ledger.tiles -= size;
        ledger.idle.device += size;
        let idle = Idle { buffer, last: None };
        ledger
            .pool
            .entry((Role::Output, size))
            .or_default()
            .push_back(idle);
        self.trim(&mut ledger);
        drop(ledger);
        self.freed.notify_all();
    }

    /// Drops idle buffers until all fits the budgets.
    fn trim(&self, ledger: &mut Ledger) {
        for staging in [false, true] {
            loop {
                let (held, budget) = match staging {
                    false => (
                        ledger.reserved.device + ledger.tiles + ledger.idle.device,
                        self.budget.device,
                    ),
                    true => (ledger.reserved.staging + ledger.idle.staging, self.budget.staging),
                };
                if held <= budget {
                    break;
                }
                let mut kinds = ledger.pool.iter_mut();
                let Some((&(_, size), buffers)) =
                    kinds.find(|((role, _), buffers)| self.stages(*role) == staging && !buffers.is_empty())
                else {
                    break;
                };
                buffers.pop_front();
                self.dropped.store(true, Ordering::Relaxed);
                match staging {
                    false => ledger.idle.device -= size,
                    true => ledger.idle.staging -= size,
                }
            }
        }
    }

    fn usage(&self, role: Role) -> BufferUsages {
        let copied = BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        match (role, self.direct) {
            (Role::Input, true) => BufferUsages::STORAGE | BufferUsages::MAP_WRITE,
            (Role::Output, true) => BufferUsages::STORAGE | BufferUsages::MAP_READ | copied,
            (Role::Input, false) => BufferUsages::STORAGE | BufferUsages::COPY_DST,
            (Role::Output, false) => BufferUsages::STORAGE | copied,
            (Role::Upload, _) => BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC,
            (Role::Download, _) => BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        }
    }
}

impl Ledger {
    fn note_peak(&mut self) {
        let device = self.reserved.device + self.tiles + self.idle.device;
        self.peak.device = self.peak.device.max(device);
        self.peak.staging = self.peak.staging.max(self.reserved.staging + self.idle.staging);
    }
}

impl Reservation<'_> {
    /// A buffer of at least that many bytes, out of this reservation.
    pub fn buffer(&mut self, context: &Context, role: Role, bytes: u64) -> Result<wgpu::Buffer> {
        let size = size_class(bytes);
        let staging = self.memory.stages(role);
        let left = match staging {
            true => &mut self.left.staging,
            false => &mut self.left.device,
        };
        if size > *left {
            return Err(context.error("allocating a buffer", "more was asked for than reserved"));
        }
        *left -= size;
        let mapped = self.memory.maps(role);
        let ready = |idle: &Idle| idle.last.is_none_or(|last| context.has_ended(last));
        let idle = {
            let mut ledger = lock(&self.memory.ledger);
            let share = match staging {
                true => self.memory.budget.staging / RING_SHARE,
                false => self.memory.budget.device / RING_SHARE,
            };
            let found = ledger.pool.get_mut(&(role, size)).and_then(|buffers| {
                let more = buffers.len() < RING && buffers.len() as u64 * size < share;
                match mapped {
                    // The one whose use is longest ago.
                    true if buffers.front().is_some_and(ready) || !more => buffers.pop_front(),
                    true => None,
                    false => buffers.pop_back(),
                }
            });
            let freed = if found.is_some() { size } else { 0 };
            match staging {
                true => ledger.idle.staging -= freed,
                false => ledger.idle.device -= freed,
            }
            found
        };
        context.checkpoint(Step::Allocate)?;
        let buffer = match idle {
            Some(Idle { buffer, last }) => {
                // What the host is going to map must be done with.
                if let (true, Some(last)) = (mapped, last) {
                    context.wait_until(last)?;
                }
                buffer
            }
            None => {
                if self.memory.dropped.swap(false, Ordering::Relaxed) {
                    context.wait_for_all()?;
                }
                context.guard("allocating a buffer", || {
                    context.device.create_buffer(&wgpu::BufferDescriptor {
                        label: None,
                        size,
                        usage: self.memory.usage(role),
                        mapped_at_creation: false,
                    })
                })?
            }
        };
        self.held.push((role, buffer.clone()));
        Ok(buffer)
    }

    /// Makes a buffer of this reservation a tile's: its bytes stay taken until
    /// [`Memory::release_tile`].
    pub fn keep(&mut self, buffer: &wgpu::Buffer) {
        let Some(at) = self.held.iter().position(|(_, held)| held == buffer) else {
            return;
        };
        let (_, buffer) = self.held.swap_remove(at);
        let size = buffer.size();
        self.bytes.device -= size;
        let mut ledger = lock(&self.memory.ledger);
        ledger.reserved.device -= size;
        ledger.tiles += size;
    }

    /// Ends a run that went well: its buffers may be reused after `last`.
    pub fn finish(mut self, last: Ticket) {
        self.reusable = true;
        self.last = Some(last);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut ledger = lock(&self.memory.ledger);
        ledger.runs -= 1;
        ledger.reserved.device -= self.bytes.device;
        ledger.reserved.staging -= self.bytes.staging;
        if self.reusable {
            for (role, buffer) in self.held.drain(..) {
                let size = buffer.size();
                match self.memory.stages(role) {
                    true => ledger.idle.staging += size,
                    false => ledger.idle.device += size,
                }
                let last = self.last;
                ledger
                    .pool
                    .entry((role, size))
                    .or_default()
                    .push_back(Idle { buffer, last });
            }
            self.memory.trim(&mut ledger);
        }
        drop(ledger);
        self.memory.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(bytes: u64) -> Bytes {
        Bytes {
            device: bytes,
            staging: 0,
        }
    }

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
        let memory = Memory::new(1 << 20, 0, true);
        let error = memory.reserve(device(2 << 20)).err().map(|e| e.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "gpu memory: 2.0 MiB needed but 1.0 MiB allowed: buffers of one task; \
                 smaller chunks or a larger gpu budget would do"
            )
        );
        let first = memory.reserve(device(1 << 20));
        assert!(first.is_ok());
        drop(first);
        assert_eq!((memory.used(), memory.peak()), (0, 1 << 20));
    }

    #[test]
    fn staging_has_a_budget_of_its_own() {
        let memory = Memory::new(1 << 20, 1 << 10, false);
        assert_eq!(memory.cost(Role::Upload, 512).staging, 512);
        assert_eq!(memory.cost(Role::Input, 512), device(512));
        let both = Bytes {
            device: 1 << 20,
            staging: 1 << 10,
        };
        assert!(memory.reserve(both).is_ok());
        let error = memory.reserve(Bytes {
            device: 0,
            staging: 1 << 11,
        });
        let error = error.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with("gpu staging memory"), "{error}");
    }

    #[test]
    fn tiles_leave_for_a_run_that_needs_their_room() {
        let memory = Arc::new(Memory::new(1 << 20, 0, true));
        lock(&memory.ledger).tiles = 1 << 20;
        let stuck = memory.reserve(device(1 << 19)).err().map(|e| e.to_string());
        assert!(stuck.is_some_and(|e| e.contains("tiles in use")));
        let weak = Arc::downgrade(&memory);
        memory.set_evictor(Arc::new(move |bytes| {
            let memory = weak.upgrade();
            memory.is_some_and(|m| {
                lock(&m.ledger).tiles -= bytes;
                true
            })
        }));
        assert!(memory.reserve(device(1 << 19)).is_ok());
        assert_eq!(memory.tiles(), 1 << 19);
    }
}
