//! An opened adapter: device, queue, and the one place where its failures are caught.
//!
//! wgpu reports errors through scopes, callbacks and polls. [`Context::guard`] and
//! [`Context::wait`] turn all of them into [`Error::Device`] that names the adapter and the step.
//! A device that is lost stays lost: every later call answers with the first verdict.

use super::adapter::AdapterInfo;
use super::outbox::Outbox;
use crate::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wgpu::{ErrorFilter, Features, PollType};

/// A task that runs longer than this is taken for a hung device.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How long an answer that is there may take from one thread to another.
const SOON: Duration = Duration::from_micros(50);

/// A failure made on purpose, for tests of what a caller does about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The next allocation fails; later ones do not.
    OutOfMemory,
    /// The next unit of work fails when it is submitted; later ones do not.
    Submit,
    /// The next submission fails after its units were told that all is well: the device is given up.
    Batch,
    /// The next kernel is refused by the driver, and stays refused.
    Shader,
    /// The next wait gets no answer in time: the device is given up.
    Hang,
    /// The device is lost for good.
    Lost,
}

/// The steps of a run at which a fault can be made to happen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Allocate,
    Submit,
    Batch,
    Compile,
    Wait,
}

pub(super) struct Context {
    pub info: AdapterInfo,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub features: Features,
    /// Invocations of the smallest subgroups; 1 where there are none.
    pub subgroup: u32,
    pub outbox: Outbox,
    lost: Arc<Mutex<Option<String>>>,
    fault: Mutex<Option<Fault>>,
}

/// Locks even when another thread panicked while it held the lock: what is kept behind the locks
/// of this room is valid between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// Opens an adapter with all the limits it has and the features this room knows to use, and `more`,
    /// those of all that it has.
    pub fn open(info: AdapterInfo, adapter: &wgpu::Adapter, more: Features) -> Result<Context> {
        let known = Features::SHADER_F64 | Features::SHADER_INT64 | Features::SUBGROUP;
        let mut wanted = more | known | Features::PIPELINE_CACHE;
        if info.shared_memory {
            wanted |= Features::MAPPABLE_PRIMARY_BUFFERS;
        }
        let features = adapter.features() & wanted;
        let subgroup = match features.contains(Features::SUBGROUP) {
            true => adapter.get_info().subgroup_min_size,
            false => 1,
        };
        let experiments = match features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            // SAFETY: what wgpu asks to be known is that such features may have faults. They are used by
            // one kernel, where its user asked for them, after the self-test tried them.
            true => unsafe { wgpu::ExperimentalFeatures::enabled() },
            false => wgpu::ExperimentalFeatures::disabled(),
        };
        let opened = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("tilewise"),
            required_features: features,
            required_limits: adapter.limits(),
            experimental_features: experiments,
            ..Default::default()
        }));
        let (device, queue) =
            opened.map_err(|error| Error::Device(format!("{info}: opening failed: {error}")))?;
        let lost = Arc::new(Mutex::new(None));
        let verdict = lost.clone();
        device.set_device_lost_callback(move |reason, text| {
            lock(&verdict).get_or_insert_with(|| format!("device lost ({reason:?}): {text}"));
        });
        let uncaught = lost.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&uncaught).get_or_insert_with(|| format!("unexpected error: {error}"));
        }));
        Ok(Context {
            info,
            device,
            queue,
            features,
            subgroup,
            outbox: Outbox::default(),
            lost,
            fault: Mutex::new(None),
        })
    }

    /// An error of this adapter at a step.
    pub fn error(&self, step: &str, why: impl std::fmt::Display) -> Error {
        Error::Device(format!("{}: {step}: {why}", self.info))
    }

    /// The verdict on a lost device.
    pub fn alive(&self) -> Result<()> {
        match &*lock(&self.lost) {
            Some(verdict) => Err(Error::Device(format!("{}: {verdict}", self.info))),
            None => Ok(()),
        }
    }

    /// Gives the device up: every later call fails with this reason.
    pub fn give_up(&self, why: String) {
        lock(&self.lost).get_or_insert(why);
    }

    pub fn inject(&self, fault: Fault) {
        if fault == Fault::Lost {
            self.give_up("device lost (injected)".into());
        } else {
            *lock(&self.fault) = Some(fault);
        }
    }

    /// Fails when a fault was injected for this step.
    pub fn checkpoint(&self, step: Step) -> Result<()> {
        let mut fault = lock(&self.fault);
        let hit = match step {
            Step::Allocate => *fault == Some(Fault::OutOfMemory),
            Step::Submit => *fault == Some(Fault::Submit),
            Step::Batch => *fault == Some(Fault::Batch),
            Step::Compile => *fault == Some(Fault::Shader),
            Step::Wait => *fault == Some(Fault::Hang),
        };
        if !hit {
            return Ok(());
        }
        let kind = fault.take();
        Err(self.error("injected fault", format!("{kind:?}")))
    }

    /// Runs wgpu calls and reports what they complain about.
    pub fn guard<T>(&self, step: &str, calls: impl FnOnce() -> T) -> Result<T> {
        self.alive()?;
        let scopes = [
            ErrorFilter::OutOfMemory,
            ErrorFilter::Validation,
            ErrorFilter::Internal,
        ]
        .map(|filter| self.device.push_error_scope(filter));
        let value = calls();
        let mut failure = None;
        for scope in scopes.into_iter().rev() {
            let caught = pollster::block_on(scope.pop());
            failure = failure.or(caught);
        }
        match failure {
            Some(error) => Err(self.error(step, error)),
            None => {
                self.alive()?;
                Ok(value)
            }
        }
    }

    /// Waits until a submission has ended.
    pub fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        self.answered()?;
        self.poll_until(Some(submission))
    }

    /// The end of a wait without any: the device has answered already.
    pub fn answered(&self) -> Result<()> {
        if let Err(error) = self.checkpoint(Step::Wait) {
            self.give_up(format!("gave no answer in time: {error}"));
        }
        self.alive()
    }

    /// Waits until all work has ended, what was not submitted yet too.
    pub fn wait_for_all(&self) -> Result<()> {
        self.flush()?;
        self.poll_until(None)
    }

    /// Waits for a submission, or for all of them.
    fn poll_until(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let polled = self.device.poll(PollType::Wait {
            submission_index,
            timeout: Some(TIMEOUT),
        });
        if let Err(error) = polled {
            self.give_up(format!("gave no answer within {} s: {error}", TIMEOUT.as_secs()));
        }
        self.alive()
    }

    /// Maps part of a buffer that no work uses that has not been submitted.
    pub fn map(&self, buffer: &wgpu::Buffer, mode: wgpu::MapMode, bytes: u64) -> Result<()> {
        let (send, receive) = std::sync::mpsc::channel();
        self.guard("mapping a buffer", || {
            buffer.map_async(mode, 0..bytes, move |result| {
                let _ = send.send(result); // the receiver waits below, or the device is lost
            });
        })?;
        for turn in 0..2 {
            // The poll of another thread may have taken the answer and be about to give it.
            if let Ok(result) = receive.recv_timeout(turn * SOON) {
                return result.map_err(|error| self.error("mapping a buffer", error));
            }
            if let Err(error) = self.device.poll(PollType::Poll) {
                return Err(self.error("mapping a buffer", error));
            }
        }
        self.wait_for_all()?;
        // The poll of another thread may have taken the answer and be about to give it.
        match receive.recv_timeout(TIMEOUT) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.error("mapping a buffer", error)),
            Err(_) => Err(self.error("mapping a buffer", "the driver never answered")),
        }
    }
}
