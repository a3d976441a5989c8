//! Byte budgets: nothing is allocated that was not reserved first, by name.
//!
//! The promise of a memory bound is kept by one counter per tier and a guard per holder. A
//! reservation belongs to a named consumer, so that a refusal can say who has the memory, and it
//! is freed when dropped. Idle pooled memory counts too; the pool gives it back when a reservation
//! would otherwise fail.

use super::gate::{Claim, Gate};
use super::lock;
use crate::{Error, Result, human_bytes};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Where bytes lie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tier {
    /// Main memory.
    Host,
    /// Memory of a GPU.
    Gpu,
    /// The spill file.
    Disk,
}

impl Tier {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Host => "host",
            Tier::Gpu => "gpu",
            Tier::Disk => "disk",
        }
    }

    /// What a user can do when it is full.
    const fn way_out(self) -> &'static str {
        match self {
            Tier::Host => "use smaller chunks, fewer threads or a larger --memory",
            Tier::Gpu => "use smaller chunks or --device cpu",
            Tier::Disk => "raise the disk limit or --memory, or name a larger folder with --spill-dir",
        }
    }
}

/// Gives idle memory back.
pub(super) trait Reclaim: Send + Sync {
    /// Frees at least `bytes` of reserved but idle memory if it has them; returns what it freed.
    fn reclaim(&self, bytes: u64) -> u64;
}

/// A byte limit of one tier, shared by all clones.
#[derive(Clone)]
pub struct Budget {
    inner: Arc<Inner>,
}

struct Inner {
    tier: Tier,
    limit: AtomicU64,
    used: AtomicU64,
    peak: AtomicU64,
    holders: Mutex<BTreeMap<&'static str, u64>>,
    idle: Mutex<Vec<Weak<dyn Reclaim>>>,
    gate: Arc<Gate>,
}

impl Budget {
    /// A budget of `limit` bytes; `u64::MAX` only counts.
    pub fn new(tier: Tier, limit: u64) -> Budget {
        Budget {
            inner: Arc::new(Inner {
                tier,
                limit: AtomicU64::new(limit),
                used: AtomicU64::new(0),
                peak: AtomicU64::new(0),
                holders: Mutex::default(),
                idle: Mutex::default(),
                gate: Arc::default(),
            }),
        }
    }

    /// The tier.
    pub fn tier(&self) -> Tier {
        self.inner.tier
    }

    /// Bytes allowed.
    pub fn limit(&self) -> u64 {
        self.inner.limit.load(Ordering::SeqCst)
    }

    /// Allows another number of bytes from now on. What is held beyond them stays held.
    pub fn set_limit(&self, limit: u64) {
        self.inner.limit.store(limit, Ordering::SeqCst);
    }

    /// Bytes reserved.
    pub fn used(&self) -> u64 {
        self.inner.used.load(Ordering::SeqCst)
    }

    /// The most bytes ever reserved at once.
    pub fn peak(&self) -> u64 {
        self.inner.peak.load(Ordering::SeqCst)
    }

    /// Counts [`Budget::peak`] anew from what is held now.
    pub fn restart_peak(&self) {
        self.inner.peak.store(self.used(), Ordering::SeqCst);
    }

    /// Bytes per consumer, the largest first.
    pub fn by_consumer(&self) -> Vec<(&'static str, u64)> {
        let mut all: Vec<_> = lock(&self.inner.holders).iter().map(|(&k, &v)| (k, v)).collect();
        all.sort_by_key(|&(name, bytes)| (std::cmp::Reverse(bytes), name));
        all
    }

    /// Reserves `bytes` for a consumer, taking idle pooled memory back if that makes room. Never
    /// waits.
    ///
    /// # Errors
    /// [`Error::Memory`] when they do not fit; it names the consumers that hold most.
    pub fn try_reserve(&self, consumer: &'static str, bytes: u64) -> Result<Reservation> {
        loop {
            if let Some(reservation) = self.reserve_now(consumer, bytes) {
                return Ok(reservation);
            }
            if bytes > self.limit() || self.reclaim(self.shortfall(bytes)) == 0 {
                return Err(self.refusal(consumer, bytes));
            }
        }
    }

    /// As [`Budget::try_reserve`], but leaves idle memory alone.
    pub(super) fn reserve_now(&self, consumer: &'static str, bytes: u64) -> Option<Reservation> {
        self.charge(consumer, bytes).then(|| Reservation {
            budget: self.clone(),
            consumer,
            bytes,
            claim: None,
        })
    }

    /// Bytes that must be freed before `bytes` more fit, at least 1.
    pub(super) fn shortfall(&self, bytes: u64) -> u64 {
        self.used()
            .saturating_add(bytes)
            .saturating_sub(self.limit())
            .max(1)
    }

    /// The error that says why `bytes` do not fit.
    pub(super) fn refusal(&self, consumer: &'static str, bytes: u64) -> Error {
        let held: Vec<String> = self
            .by_consumer()
            .iter()
            .take(3)
            .map(|(name, bytes)| format!("{name} {}", human_bytes(*bytes)))
            .collect();
        let held = if held.is_empty() {
            "nothing is held yet".to_string()
        } else {
            format!("held by {}", held.join(", "))
        };
        Error::Memory {
            tier: self.tier().name(),
            needed: self.used().saturating_add(bytes),
            budget: self.limit(),
            term: format!(
                "{} more for {consumer}; {held}; {}",
                human_bytes(bytes),
                self.tier().way_out()
            ),
        }
    }

    /// Has `idle` asked for memory whenever a reservation would fail.
    pub(super) fn add_idle(&self, idle: Weak<dyn Reclaim>) {
        lock(&self.inner.idle).push(idle);
    }

    /// Where threads wait for this budget.
    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.inner.gate
    }

    fn reclaim(&self, bytes: u64) -> u64 {
        let all: Vec<_> = lock(&self.inner.idle).iter().filter_map(Weak::upgrade).collect();
        let mut freed = 0;
        for idle in all {
            if freed < bytes {
                freed += idle.reclaim(bytes - freed);
            }
        }
        freed
    }

    fn charge(&self, consumer: &'static str, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|&n| n <= self.limit());
        match self
            .inner
            .used
            .try_update(Ordering::SeqCst, Ordering::SeqCst, fits)
        {
            Ok(before) => {
                self.inner.peak.fetch_max(before + bytes, Ordering::SeqCst);
                *lock(&self.inner.holders).entry(consumer).or_default() += bytes;
                true
            }
            Err(_) => false,
        }
    }

    fn release(&self, consumer: &'static str, bytes: u64) {
        self.forget(consumer, bytes);
        self.inner.used.fetch_sub(bytes, Ordering::SeqCst);
    }

    fn forget(&self, consumer: &'static str, bytes: u64) {
        let mut holders = lock(&self.inner.holders);
        if let Some(held) = holders.get_mut(consumer) {
            *held -= bytes;
            if *held == 0 {
                holders.remove(consumer);
            }
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, limit) = (human_bytes(self.used()), human_bytes(self.limit()));
        write!(f, "{} {used} of {limit}", self.tier().name())
    }
}

/// Bytes of a budget held by a named consumer; freed on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    consumer: &'static str,
    bytes: u64,
    claim: Option<Claim>,
}

impl Reservation {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Who holds them.
    pub fn consumer(&self) -> &'static str {
        self.consumer
    }

    /// Adds `more` bytes. Never waits.
    ///
    /// # Errors
    /// [`Error::Memory`] when they do not fit; what was held stays held.
    pub fn grow(&mut self, more: u64) -> Result<()> {
        let mut added = self.budget.try_reserve(self.consumer, more)?;
        self.bytes += more;
        added.bytes = 0;
        Ok(())
    }

    /// Gives `less` bytes back, at most all.
    pub fn shrink(&mut self, less: u64) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        self.budget.release(self.consumer, less);
        self.budget.gate().bump();
    }

    /// Splits `bytes` off into a reservation of their own.
    ///
    /// # Errors
    /// [`Error::Memory`] when it holds fewer.
    pub fn split(&mut self, bytes: u64) -> Result<Reservation> {
        if bytes > self.bytes {
            return Err(Error::Memory {
                tier: self.budget.tier().name(),
                needed: bytes,
                budget: self.bytes,
                term: format!(
                    "split off what is reserved for {}: reserve more at first",
                    self.consumer
                ),
            });
        }
        self.bytes -= bytes;
        Ok(Reservation {
            budget: self.budget.clone(),
            consumer: self.consumer,
            bytes,
            claim: self.claim.as_ref().map(Claim::adopted),
        })
    }

    /// Says that the calling thread is now the one that will free it. Needed only where memory is
    /// handed between threads while others may wait for it.
    pub fn adopt(&mut self) {
        self.claim = self.claim.take().map(|claim| claim.adopted());
    }

    /// Hands the bytes to another consumer.
    pub(super) fn rename(&mut self, consumer: &'static str) {
        if consumer != self.consumer && self.bytes > 0 {
            *lock(&self.budget.inner.holders).entry(consumer).or_default() += self.bytes;
            self.budget.forget(self.consumer, self.bytes);
        }
        self.consumer = consumer;
    }

    /// Ends or takes over its mark of a holding thread.
    pub(super) fn take_claim(&mut self) -> Option<Claim> {
        self.claim.take()
    }

    /// Marks it as held by a thread that will free it, or by none.
    pub(super) fn set_claim(&mut self, claim: Option<Claim>) {
        self.claim = claim;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.release(self.consumer, self.bytes);
        }
        if self.claim.is_none() && self.bytes > 0 {
            self.budget.gate().bump(); // a claim wakes waiters itself
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_name_and_freed_on_drop() {
        let budget = Budget::new(Tier::Host, 100);
        let mut a = budget.try_reserve("a", 30).unwrap();
        let b = budget.try_reserve("b", 50).unwrap();
        a.grow(20).unwrap();
        assert!(a.grow(1).is_err());
        assert_eq!((budget.used(), a.bytes()), (100, 50));
        a.shrink(10);
        let part = a.split(15).unwrap();
        assert!(a.split(26).is_err());
        assert_eq!(budget.by_consumer(), [("b", 50), ("a", 40)]);
        drop(a);
        assert_eq!(budget.used(), 65);
        drop((b, part));
        assert_eq!((budget.used(), budget.peak()), (0, 100));
        assert!(budget.by_consumer().is_empty());
    }

    #[test]
    fn a_refusal_names_the_holders_and_the_way_out() {
        let budget = Budget::new(Tier::Host, 1 << 20);
        let _tiles = budget.try_reserve("tiles", 768 << 10).unwrap();
        let text = budget.try_reserve("a task", 512 << 10).unwrap_err().to_string();
        assert_eq!(
            text,
            "host memory: 1.2 MiB needed but 1.0 MiB allowed: 512.0 KiB more for a task; \
             held by tiles 768.0 KiB; use smaller chunks, fewer threads or a larger --memory"
        );
        assert!(budget.try_reserve("all", u64::MAX).is_err());
    }

    #[test]
    fn an_unlimited_budget_only_counts() {
        let budget = Budget::new(Tier::Gpu, u64::MAX);
        let _all = budget.try_reserve("a", u64::MAX).unwrap();
        assert!(budget.try_reserve("b", 1).is_err(), "the count itself is bounded");
        let _none = budget.try_reserve("b", 0).unwrap();
    }

    #[test]
    fn threads_never_exceed_the_limit() {
        let budget = Budget::new(Tier::Host, 1000);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let budget = &budget;
                scope.spawn(move || {
                    for i in 0..2000u64 {
                        let bytes = (i * 37 + thread * 101) % 400;
                        if let Ok(mut held) = budget.try_reserve("stress", bytes) {
                            let _ = held.grow(i % 7);
                            held.shrink(i % 3);
                        }
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
        assert!(budget.peak() <= 1000 && budget.peak() > 0);
        assert!(budget.by_consumer().is_empty());
    }
}
