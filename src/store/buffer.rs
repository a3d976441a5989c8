//! Tile memory: aligned buffers that are recycled and never exist without a reservation.
//!
//! Fresh pages triple the cost of a pass, so a buffer that is dropped waits in its [`Pool`] for
//! the next of its size class. Idle memory stays reserved, because it is there; the pool gives it
//! back to the system the moment a reservation would fail without it.
//!
//! A class is at most an eighth larger than what is asked, and [`Pool::held_bytes`] says exactly
//! how large, so a plan can count before it runs.

use super::budget::{Budget, Reclaim, Reservation};
use super::gate::Claim;
use super::lock;
use super::mapping::{Mapping, PAGE};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, Weak};

/// The name under which idle memory is held.
const IDLE: &str = "idle buffers";

/// Buffers of one host budget; clones share it.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    budget: Budget,
    idle: Mutex<BTreeMap<usize, Vec<Block>>>,
}

/// Memory and the reservation it needs, which go everywhere together.
struct Block {
    memory: Mapping,
    reservation: Reservation,
}

impl Pool {
    /// A pool whose buffers, in use and idle, are reserved from `budget`.
    pub fn new(budget: &Budget) -> Pool {
        let inner = Arc::new(Inner {
            budget: budget.clone(),
            idle: Mutex::default(),
        });
        let weak = Arc::downgrade(&inner);
        budget.add_idle(weak as Weak<dyn Reclaim>);
        Pool { inner }
    }

    /// The budget it takes from.
    pub fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    /// Bytes reserved for a buffer of `bytes`: `bytes` rounded up to 4 KiB and by at most an
    /// eighth.
    pub fn held_bytes(bytes: usize) -> u64 {
        class(bytes) as u64
    }

    /// Bytes of idle buffers.
    pub fn idle_bytes(&self) -> u64 {
        let idle = lock(&self.inner.idle);
        idle.iter()
            .map(|(class, blocks)| (class * blocks.len()) as u64)
            .sum()
    }

    /// A buffer of `bytes`; its content is unspecified. Never waits.
    ///
    /// # Errors
    /// [`Error::Memory`] when it does not fit the budget or the system has no memory.
    pub fn take(&self, consumer: &'static str, bytes: usize) -> Result<Buffer> {
        let mut buffers = self.take_many(consumer, &[bytes])?;
        buffers
            .pop()
            .ok_or_else(|| self.budget().refusal(consumer, bytes as u64))
    }

    /// All of several buffers or none; contents are unspecified. Never waits.
    ///
    /// # Errors
    /// As [`Pool::take`], for their sum.
    pub fn take_many(&self, consumer: &'static str, sizes: &[usize]) -> Result<Vec<Buffer>> {
        let total = sizes
            .iter()
            .map(|&b| Pool::held_bytes(b))
            .fold(0, u64::saturating_add);
        self.take_if_fits(consumer, sizes)?
            .ok_or_else(|| self.budget().refusal(consumer, total))
    }

    /// A buffer of `bytes` whose [`Pool::held_bytes`] are split off `reservation`.
    ///
    /// # Errors
    /// [`Error::Memory`] when `reservation` holds fewer or the system has no memory.
    pub fn take_reserved(&self, reservation: &mut Reservation, bytes: usize) -> Result<Buffer> {
        let reservation = reservation.split(Pool::held_bytes(bytes))?;
        let idle = lock(&self.inner.idle).pop_block(class(bytes));
        let memory = match idle {
            Some(block) => block.memory, // its own reservation is freed
            None => fresh(class(bytes))?,
        };
        Ok(Buffer {
            len: bytes,
            block: Some(Block { memory, reservation }),
            pool: self.clone(),
        })
    }

    /// Gives all idle memory back to the system.
    pub fn clear(&self) {
        let idle = std::mem::take(&mut *lock(&self.inner.idle));
        drop(idle);
    }

    /// Idle blocks where there are some, fresh ones for the rest; `None` when they do not fit the
    /// budget, and then nothing has changed. Holds the pool's lock throughout, so that a failed
    /// attempt hides no idle block from another thread.
    ///
    /// # Errors
    /// When the system has no memory.
    pub(super) fn take_if_fits(
        &self,
        consumer: &'static str,
        sizes: &[usize],
    ) -> Result<Option<Vec<Buffer>>> {
        let budget = self.budget();
        let mut wanted = BTreeMap::<usize, usize>::new();
        for &bytes in sizes {
            *wanted.entry(class(bytes)).or_default() += 1;
        }
        let mut idle = lock(&self.inner.idle);
        let found = |idle: &Idle, class: usize| idle.get(&class).map_or(0, Vec::len);
        let missing: u64 = wanted
            .iter()
            .map(|(&class, &count)| {
                (class as u64).saturating_mul(count.saturating_sub(found(&idle, class)) as u64)
            })
            .fold(0, u64::saturating_add);
        let spare_of = |idle: &Idle, class: usize| {
            found(idle, class).saturating_sub(wanted.get(&class).copied().unwrap_or(0))
        };
        let spare: u64 = idle.keys().map(|&c| (c * spare_of(&idle, c)) as u64).sum();
        let mut fund = loop {
            if let Some(fund) = budget.reserve_now(consumer, missing) {
                break fund;
            }
            let class = idle.keys().copied().find(|&class| spare_of(&idle, class) > 0);
            match class.filter(|_| budget.shortfall(missing) <= spare) {
                Some(class) => drop(idle.pop_block(class)),
                None => return Ok(None),
            }
        };
        let mut blocks = Vec::with_capacity(sizes.len());
        for &bytes in sizes {
            let class = class(bytes);
            blocks.push(match idle.pop_block(class) {
                Some(mut block) => {
                    block.reservation.rename(consumer);
                    block
                }
                None => Block {
                    reservation: fund.split(class as u64)?,
                    memory: fresh(class)?,
                },
            });
        }
        let buffers = blocks.into_iter().zip(sizes).map(|(block, &len)| Buffer {
            len,
            block: Some(block),
            pool: self.clone(),
        });
        Ok(Some(buffers.collect()))
    }
}

type Idle = BTreeMap<usize, Vec<Block>>;

trait PopBlock {
    fn pop_block(&mut self, class: usize) -> Option<Block>;
}

impl PopBlock for Idle {
    fn pop_block(&mut self, class: usize) -> Option<Block> {
        let blocks = self.get_mut(&class)?;
        let block = blocks.pop();
        if blocks.is_empty() {
            self.remove(&class);
        }
        block
    }
}

impl Reclaim for Inner {
    fn reclaim(&self, bytes: u64) -> u64 {
        let mut freed = 0;
        while freed < bytes {
            let block = {
                let mut idle = lock(&self.idle);
                let largest = idle.keys().next_back().copied();
                largest.and_then(|class| idle.pop_block(class))
            };
            match block {
                Some(block) => freed += block.reservation.bytes(),
                None => break,
            }
        }
        freed
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({:?})", self.budget())
    }
}

/// The size class of `bytes`: pages, in steps of an eighth of the power of two below.
fn class(bytes: usize) -> usize {
    let pages = bytes.div_ceil(PAGE).max(1);
    let step = 1 << pages.ilog2().saturating_sub(3);
    pages.next_multiple_of(step).saturating_mul(PAGE)
}

fn fresh(bytes: usize) -> Result<Mapping> {
    Mapping::new(bytes).ok_or_else(|| Error::Memory {
        tier: "host",
        needed: bytes as u64,
        budget: super::memory::available().unwrap_or(0),
        term: "the system refused to map a buffer; lower --memory to what the machine has free".into(),
    })
}

/// Bytes of one tile, 4096-aligned, all initialised; back to its pool on drop.
pub struct Buffer {
    /// `None` only while it is dropped.
    block: Option<Block>,
    len: usize,
    pool: Pool,
}

impl Buffer {
    /// Bytes reserved for it, at least its length.
    pub fn held(&self) -> u64 {
        self.block.as_ref().map_or(0, |b| b.reservation.bytes())
    }

    /// Shortens it to `len` bytes; what is reserved stays.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Says that the calling thread is now the one that will free it. Needed only where a buffer
    /// is handed between threads while others may wait for memory.
    pub fn adopt(&mut self) {
        if let Some(block) = &mut self.block {
            block.reservation.adopt();
        }
    }

    /// Its bytes up to the next multiple of 4096, for direct I/O.
    pub(super) fn padded(&self) -> &[u8] {
        let all = self.block.as_ref().map_or(&[][..], |b| b.memory.as_slice());
        &all[..self.len.next_multiple_of(PAGE).min(all.len())]
    }

    /// As [`Buffer::padded`], to read into.
    pub(super) fn padded_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        let all = self
            .block
            .as_mut()
            .map_or(&mut [][..], |b| b.memory.as_mut_slice());
        let end = len.next_multiple_of(PAGE).min(all.len());
        &mut all[..end]
    }

    /// Hands it to another consumer; what is returned is the end of its mark of a holding thread.
    pub(super) fn hand_to(&mut self, consumer: &'static str) -> Option<Claim> {
        let block = self.block.as_mut()?;
        block.reservation.rename(consumer);
        block.reservation.take_claim()
    }

    /// Marks it as held by a thread.
    pub(super) fn set_claim(&mut self, claim: Option<Claim>) {
        if let Some(block) = &mut self.block {
            block.reservation.set_claim(claim);
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all = self.block.as_ref().map_or(&[][..], |b| b.memory.as_slice());
        &all[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let all = self
            .block
            .as_mut()
            .map_or(&mut [][..], |b| b.memory.as_mut_slice());
        &mut all[..self.len]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(mut block) = self.block.take() else {
            return;
        };
        block.reservation.rename(IDLE);
        // The claim ends after the block is idle: whom it wakes finds the block.
        let claim = block.reservation.take_claim();
        lock(&self.pool.inner.idle)
            .entry(block.memory.bytes())
            .or_default()
            .push(block);
        if claim.is_none() {
            self.pool.budget().gate().bump();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tier;
    use super::*;

    fn pool(limit: u64) -> (Budget, Pool) {
        let budget = Budget::new(Tier::Host, limit);
        let pool = Pool::new(&budget);
        (budget, pool)
    }

    #[test]
    fn classes_waste_at_most_an_eighth() {
        for bytes in (0..70_000).chain([1 << 20, (1 << 20) + 1, 100_000_000, (1 << 40) + 12345]) {
            let held = Pool::held_bytes(bytes) as usize;
            assert!(held >= bytes && held.is_multiple_of(PAGE));
            assert!(
                held <= bytes.next_multiple_of(PAGE).max(PAGE) / 8 * 9,
                "{bytes}: {held}"
            );
            assert_eq!(Pool::held_bytes(held), held as u64, "a class is its own class");
        }
        assert_eq!(
            Pool::held_bytes(16 << 20),
            16 << 20,
            "powers of two waste nothing"
        );
        assert!(Pool::held_bytes(usize::MAX) >= usize::MAX as u64 / 2);
    }

    #[test]
    fn buffers_are_recycled_and_idle_memory_counts() {
        let (budget, pool) = pool(1 << 20);
        let mut a = pool.take("a", 10_000).unwrap();
        a.fill(3);
        assert_eq!((a.len(), a.as_ptr() as usize % PAGE), (10_000, 0));
        assert_eq!((a.held(), budget.used()), (12_288, 12_288));
        let address = a.as_ptr();
        drop(a);
        assert_eq!(budget.by_consumer(), [(IDLE, 12_288)]);
        let b = pool.take("b", 9_000).unwrap();
        assert_eq!(
            (b.as_ptr(), b[0]),
            (address, 3),
            "the same memory, as it was left"
        );
        assert_eq!(budget.by_consumer(), [("b", 12_288)]);
        drop((b, pool));
        assert_eq!(budget.used(), 0, "idle memory goes with the pool");
    }

    #[test]
    fn idle_memory_makes_room() {
        let (budget, pool) = pool(64 << 10);
        drop(pool.take_many("a", &[16 << 10, 16 << 10, 8 << 10]).unwrap());
        assert_eq!((pool.idle_bytes(), budget.used()), (40 << 10, 40 << 10));
        let large = pool.take("b", 60 << 10).unwrap();
        assert_eq!((pool.idle_bytes(), budget.used()), (0, 60 << 10));
        drop(large);
        let outside = budget.try_reserve("outside", 64 << 10).unwrap();
        assert_eq!(pool.idle_bytes(), 0);
        assert!(pool.take("c", 1).is_err());
        drop(outside);
        assert_eq!(pool.take("c", 0).unwrap().len(), 0);
        assert_eq!(budget.peak(), 64 << 10);
    }

    #[test]
    fn several_are_taken_together_or_not_at_all() {
        let (budget, pool) = pool(40 << 10);
        drop(pool.take("a", 16 << 10).unwrap());
        assert!(pool.take_many("b", &[16 << 10, 16 << 10, 16 << 10]).is_err());
        assert_eq!(pool.idle_bytes(), 16 << 10, "a refusal changes nothing");
        let two = pool.take_many("b", &[16 << 10, 16 << 10]).unwrap();
        assert_eq!((two.len(), budget.used()), (2, 32 << 10));
        assert!(pool.take_many("b", &[]).unwrap().is_empty());
        assert!(pool.take("c", usize::MAX).is_err());
    }

    #[test]
    fn reserved_bytes_become_buffers() {
        let (budget, pool) = pool(64 << 10);
        drop(pool.take("a", 8 << 10).unwrap());
        let mut fund = budget.try_reserve("task", 20 << 10).unwrap();
        let first = pool.take_reserved(&mut fund, 8 << 10).unwrap();
        assert_eq!((pool.idle_bytes(), budget.used()), (0, 20 << 10));
        let second = pool.take_reserved(&mut fund, 12 << 10).unwrap();
        assert!(pool.take_reserved(&mut fund, 1).is_err());
        drop((first, second, fund));
        assert_eq!(budget.used(), pool.idle_bytes());
        pool.clear();
        assert_eq!(budget.used(), 0);
    }
}
