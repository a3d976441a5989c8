//! Finished commands on their way to the queue: many units of work in one submission.
//!
//! A submission costs a driver 20 to 100 µs, more than a small task takes, so commands of units for
//! whose results nobody waits gather here. They are submitted in their order: by whoever waits for
//! one of them; when enough have gathered; as a few where the device has nothing to do; and at
//! once where the one before came long ago. What is left when no more come is submitted by a thread of
//! its own ([`Courier`]).
//!
//! The units of a submission that fails were told before that all is well. Nobody can say which of
//! their tiles hold what they should, so the device is given up, and with it all tiles.

use super::context::{Context, Step, lock};
use super::resident::Home;
use crate::{Error, Result};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wgpu::{PollType, SubmissionIndex};

/// As many units are enough for a submission,
const UNITS: usize = 64;
/// and units that touch so many bytes: beside the time they take, that of a submission is little.
const BYTES: u64 = 16 << 20;
/// As many are enough for a device that has nothing to do: it runs them while as many are recorded.
const FEW: usize = 8;
/// When no unit has come for so long, those that are there are submitted.
const PAUSE: Duration = Duration::from_millis(2);
/// After so long without any the courier sleeps until it is woken.
const REST: Duration = Duration::from_millis(50);

/// The submission that a unit of work is part of: they are numbered from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Ticket(u64);

/// Commands that wait to be submitted, and what was.
pub(super) struct Outbox {
    gathered: Mutex<Gathered>,
    /// Held while a submission is made, so that they are made in order.
    order: Mutex<()>,
    /// Number of the last submission that was made, or failed,
    sent: AtomicU64,
    /// and of the last that is known to have ended.
    ended: Arc<AtomicU64>,
    /// Wakes the courier.
    arrived: Condvar,
}

struct Gathered {
    commands: Vec<wgpu::CommandBuffer>,
    /// What they touch.
    bytes: u64,
    /// Number of the submission that they will be.
    number: u64,
    /// Submissions that may not have ended.
    flying: VecDeque<(u64, SubmissionIndex)>,
    /// When the last unit came.
    last: Option<Instant>,
    /// Whether the courier sleeps.
    resting: bool,
    /// Whether it is to end.
    closed: bool,
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox {
            gathered: Mutex::new(Gathered {
                commands: Vec::new(),
                bytes: 0,
                number: 1,
                flying: VecDeque::new(),
                last: None,
                resting: false,
                closed: false,
            }),
            order: Mutex::new(()),
            sent: AtomicU64::new(0),
            ended: Arc::new(AtomicU64::new(0)),
            arrived: Condvar::new(),
        }
    }
}

impl Outbox {
    /// How many submissions were made.
    pub fn submissions(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    fn push(&self, commands: wgpu::CommandBuffer, bytes: u64) -> Pushed {
        let mut gathered = lock(&self.gathered);
        let before = gathered.last.replace(Instant::now());
        gathered.commands.push(commands);
        gathered.bytes = gathered.bytes.saturating_add(bytes);
        Pushed {
            ticket: Ticket(gathered.number),
            units: gathered.commands.len(),
            bytes: gathered.bytes,
            alone: before.is_none_or(|last| last.elapsed() >= PAUSE),
            resting: gathered.resting,
        }
    }
}

/// What is so after commands were added.
struct Pushed {
    ticket: Ticket,
    units: usize,
    bytes: u64,
    /// Whether the unit before came [`PAUSE`] ago.
    alone: bool,
    /// Whether the courier sleeps.
    resting: bool,
}

impl Context {
    /// Adds the commands of a unit that touches so many bytes; they are submitted soon.
    ///
    /// # Errors
    /// When they are submitted at once and that fails.
    pub fn gather(&self, commands: wgpu::CommandBuffer, bytes: u64) -> Result<Ticket> {
        let pushed = self.outbox.push(commands, bytes);
        let enough = pushed.units >= UNITS || pushed.bytes >= BYTES;
        if enough || (pushed.alone || pushed.units >= FEW) && self.is_idle() {
            self.flush()?;
        } else if pushed.resting {
            self.outbox.arrived.notify_all();
        }
        Ok(pushed.ticket)
    }

    /// Submits the commands of a unit for which somebody is going to wait, and all before them.
    ///
    /// # Errors
    /// When that fails.
    pub fn submit(&self, commands: wgpu::CommandBuffer) -> Result<Ticket> {
        let pushed = self.outbox.push(commands, 0);
        self.flush()?;
        Ok(pushed.ticket)
    }

    /// Submits what has gathered.
    ///
    /// # Errors
    /// When that fails; then the device is given up.
    pub fn flush(&self) -> Result<()> {
        let outbox = &self.outbox;
        let _order = lock(&outbox.order);
        let (commands, number) = {
            let mut gathered = lock(&outbox.gathered);
            if gathered.commands.is_empty() {
                return self.alive();
            }
            gathered.number += 1;
            gathered.bytes = 0;
            (std::mem::take(&mut gathered.commands), gathered.number - 1)
        };
        let submit = || {
            let index = self.queue.submit(commands);
            let ended = outbox.ended.clone();
            self.queue.on_submitted_work_done(move || {
                ended.fetch_max(number, Ordering::AcqRel);
            });
            index
        };
        let made = self
            .checkpoint(Step::Batch)
            .and_then(|()| self.guard("submitting work", submit));
        match made {
            Ok(index) => {
                let mut gathered = lock(&outbox.gathered);
                gathered.forget(outbox.ended.load(Ordering::Acquire));
                gathered.flying.push_back((number, index));
            }
            Err(error) => self.give_up(format!("work was lost: {error}")),
        }
        outbox.sent.store(number, Ordering::Release);
        self.alive()
    }

    /// Waits until a submission has ended; what it is part of is submitted before.
    ///
    /// # Errors
    /// A device that is lost, or gives no answer in time and is given up.
    pub fn wait_until(&self, ticket: Ticket) -> Result<()> {
        if self.outbox.sent.load(Ordering::Acquire) < ticket.0 {
            self.flush()?;
        }
        if let Some(index) = self.flying(ticket) {
            self.wait(index)?;
            self.outbox.ended.fetch_max(ticket.0, Ordering::AcqRel);
            return Ok(());
        }
        self.answered()
    }

    /// Whether a submission has ended.
    pub fn has_ended(&self, ticket: Ticket) -> bool {
        if self.outbox.sent.load(Ordering::Acquire) < ticket.0 {
            return false;
        }
        if self.outbox.ended.load(Ordering::Acquire) < ticket.0 {
            // A device that fails here fails at the next step too, which reports it. Waiting with a short
            // timeout instead would trip an assertion of wgpu when another thread polls as well.
            let _ = self.device.poll(PollType::Poll);
        }
        self.outbox.ended.load(Ordering::Acquire) >= ticket.0
    }

    /// A submission that was made and may not have ended.
    fn flying(&self, ticket: Ticket) -> Option<SubmissionIndex> {
        if self.outbox.ended.load(Ordering::Acquire) >= ticket.0 {
            return None;
        }
        let gathered = lock(&self.outbox.gathered);
        let mut flying = gathered.flying.iter();
        flying
            .find(|(number, _)| *number >= ticket.0)
            .map(|(_, index)| index.clone())
    }

    /// Whether the device has nothing to do.
    fn is_idle(&self) -> bool {
        self.has_ended(Ticket(self.outbox.sent.load(Ordering::Acquire)))
    }

    /// Submits what has gathered and is not followed by more, until the outbox is closed.
    fn carry(&self) {
        let outbox = &self.outbox;
        let mut gathered = lock(&outbox.gathered);
        while !gathered.closed {
            let quiet = gathered.last.map_or(REST, |last| last.elapsed());
            if gathered.commands.is_empty() && quiet >= REST {
                gathered.resting = true;
                let woken = outbox.arrived.wait(gathered);
                gathered = woken.unwrap_or_else(PoisonError::into_inner);
                gathered.resting = false;
            } else if gathered.commands.is_empty() || quiet < PAUSE {
                let woken = outbox.arrived.wait_timeout(gathered, PAUSE);
                gathered = woken.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                drop(gathered);
                // Who relies on what fails here is told by the lost device.
                let _ = self.flush();
                gathered = lock(&outbox.gathered);
            }
        }
    }
}

impl Gathered {
    /// Forgets submissions that have ended.
    fn forget(&mut self, ended: u64) {
        while self.flying.front().is_some_and(|(number, _)| *number <= ended) {
            self.flying.pop_front();
        }
    }
}

/// The thread that submits what nobody waits for; it ends with its handle.
pub(super) struct Courier {
    home: Arc<Home>,
    thread: Option<JoinHandle<()>>,
}

impl Courier {
    /// Starts it.
    ///
    /// # Errors
    /// [`Error::Device`] when the system gives no thread.
    pub fn new(home: &Arc<Home>) -> Result<Courier> {
        let of = home.clone();
        let thread = std::thread::Builder::new()
            .name("tilewise-gpu".into())
            .spawn(move || of.context.carry())
            .map_err(|error| Error::Device(format!("starting a thread: {error}")))?;
        Ok(Courier {
            home: home.clone(),
            thread: Some(thread),
        })
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        let outbox = &self.home.context.outbox;
        lock(&outbox.gathered).closed = true;
        outbox.arrived.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was reported by its hook
        }
    }
}
