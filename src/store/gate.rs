//! Who holds memory and who waits for it, so that waiting can never be for ever.
//!
//! A thread that finds no room may wait only while some *other* thread that holds memory is still
//! running: that one will give something back or come here itself. When it comes here and finds
//! that every holder waits, it is the one that is told so, its memory is freed as its error
//! travels up, and the others go on. No clock decides anything.
//!
//! A [`Claim`] marks the thread that made it as a holder. Memory handed to another thread keeps
//! counting for the first until the second adopts it; a thread that ended holds nothing.

use super::lock;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::Duration;

/// How often waiters look whether a holder's thread has ended, which announces itself nowhere.
const ENDED_THREADS: Duration = Duration::from_millis(50);

thread_local! {
    static ALIVE: Arc<()> = Arc::new(());
}

/// The meeting point of holders and waiters of one budget.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts whatever may let a waiter go on.
    epoch: u64,
    waiting: usize,
    threads: HashMap<ThreadId, Thread>,
}

#[derive(Debug, Default)]
struct Thread {
    held: usize,
    blocked: usize,
    alive: Weak<()>,
}

impl State {
    fn thread(&mut self) -> &mut Thread {
        let thread = self.threads.entry(std::thread::current().id()).or_default();
        if thread.alive.strong_count() == 0 {
            // Fails only while the thread itself ends: then it holds nothing for the gate.
            thread.alive = ALIVE.try_with(Arc::downgrade).unwrap_or_default();
        }
        thread
    }

    fn tidy(&mut self, id: ThreadId) {
        if self
            .threads
            .get(&id)
            .is_some_and(|t| t.held == 0 && t.blocked == 0)
        {
            self.threads.remove(&id);
        }
    }

    fn someone_runs(&self) -> bool {
        self.threads
            .values()
            .any(|t| t.held > 0 && t.blocked == 0 && t.alive.strong_count() > 0)
    }
}

impl Gate {
    /// Marks the calling thread as a holder until the claim is dropped.
    pub(super) fn claim(self: &Arc<Gate>) -> Claim {
        lock(&self.state).thread().held += 1;
        Claim {
            gate: Arc::clone(self),
            thread: std::thread::current().id(),
        }
    }

    /// The number to hand to [`Gate::wait`], taken before the attempt that may fail.
    pub(super) fn epoch(&self) -> u64 {
        lock(&self.state).epoch
    }

    /// Tells waiters that something has been freed or may now be evicted.
    pub(super) fn bump(&self) {
        let mut state = lock(&self.state);
        state.epoch += 1;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until something has changed since `epoch`; `false` when no holder is left that could
    /// change anything.
    pub(super) fn wait(&self, epoch: u64) -> bool {
        let id = std::thread::current().id();
        let mut state = lock(&self.state);
        state.thread().blocked += 1;
        state.waiting += 1;
        let changed = loop {
            if state.epoch != epoch {
                break true;
            }
            if !state.someone_runs() {
                break false;
            }
            state = self
                .changed
                .wait_timeout(state, ENDED_THREADS)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        };
        state.waiting -= 1;
        state.thread().blocked -= 1;
        state.tidy(id);
        changed
    }

    /// Marks the calling thread as not running until the mark is dropped: it blocks on something
    /// else, perhaps on a thread that waits here.
    pub(super) fn blocked(&self) -> Blocked<'_> {
        let mut state = lock(&self.state);
        state.thread().blocked += 1;
        state.epoch += 1;
        self.changed.notify_all();
        Blocked { gate: self }
    }
}

/// A mark that a thread holds memory.
#[derive(Debug)]
pub(super) struct Claim {
    gate: Arc<Gate>,
    thread: ThreadId,
}

impl Claim {
    /// Another claim at the same gate, of the calling thread.
    pub(super) fn adopted(&self) -> Claim {
        self.gate.claim()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = lock(&self.gate.state);
        if let Some(thread) = state.threads.get_mut(&self.thread) {
            thread.held -= 1;
        }
        state.tidy(self.thread);
        state.epoch += 1;
        if state.waiting > 0 {
            self.gate.changed.notify_all();
        }
    }
}

/// A mark that a thread does not run.
pub(super) struct Blocked<'a> {
    gate: &'a Gate,
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.gate.state);
        state.thread().blocked -= 1;
        state.tidy(std::thread::current().id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn one_alone_never_waits() {
        let gate = Arc::new(Gate::default());
        let epoch = gate.epoch();
        assert!(!gate.wait(epoch), "nobody holds anything");
        let own = gate.claim();
        assert!(!gate.wait(gate.epoch()), "own memory is not freed by waiting");
        drop(own);
        assert!(gate.wait(epoch), "the claim dropped since");
        assert!(lock(&gate.state).threads.is_empty());
    }

    #[test]
    fn the_last_of_all_waiters_is_told() {
        let gate = Arc::new(Gate::default());
        let (ready, is_ready) = mpsc::channel();
        let mine = gate.claim();
        let other = Arc::clone(&gate);
        let first = std::thread::spawn(move || {
            let _held = other.claim();
            let epoch = other.epoch();
            ready.send(()).unwrap();
            other.wait(epoch)
        });
        is_ready.recv().unwrap();
        while lock(&gate.state).waiting == 0 {
            std::thread::yield_now();
        }
        assert!(!gate.wait(gate.epoch()), "both would wait");
        drop(mine);
        assert!(
            first.join().unwrap(),
            "the first goes on when the second gives up"
        );
    }

    #[test]
    fn an_ended_holder_is_not_waited_for() {
        let gate = Arc::new(Gate::default());
        let other = Arc::clone(&gate);
        let left = std::thread::spawn(move || other.claim()).join().unwrap();
        assert!(!gate.wait(gate.epoch()));
        drop(left);
        assert!(lock(&gate.state).threads.is_empty());
    }

    #[test]
    fn a_blocked_holder_is_not_waited_for() {
        let gate = Arc::new(Gate::default());
        let _held = gate.claim();
        let other = Arc::clone(&gate);
        let waiter = std::thread::spawn(move || {
            loop {
                let epoch = other.epoch();
                if !other.wait(epoch) {
                    break;
                }
            }
        });
        let _blocked = gate.blocked();
        waiter.join().unwrap();
    }
}
