//! What an adapter can do at most: memory, bus, arithmetic, and the cost of giving it work.
//!
//! The kernels of the engine are judged by these. They are measured apart from the engine, on a
//! device and with buffers of their own, by the plainest kernels of `shaders/limits`. Where the
//! adapter has a clock, what runs on it is timed by it; each turn lasts long enough for the start
//! of a submission not to count.

mod bus;
mod clock;
mod kernel;
mod limit;

pub use limit::{Counted, RawLimit};

use super::adapter::{AdapterInfo, find};
use super::context::Context;
use super::template::fill;
use crate::Result;
use bus::{Bus, Near};
use clock::Clock;
use kernel::Kernel;
use std::collections::HashMap;
use std::time::Instant;
use wgpu::{BufferUsages, CommandEncoder, Features};

/// A measured turn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Turn {
    /// Seconds by the adapter's clock, or by the host's where it has none or the host takes part.
    pub seconds: f64,
    /// Bytes, operations or things.
    pub amount: f64,
    /// Whether the seconds are the adapter's.
    pub by_device: bool,
}

/// The array's bytes are a multiple of this: whole workgroups of each kernel.
const GRAIN: u64 = 256 << 10;

/// The most bytes of an array: workgroups of the copy within one dimension.
const MOST: u64 = 1 << 29;

/// Seconds of a turn, where it can be made as long.
const LONG: f64 = 10e-3;

/// The most repeats within a turn.
const MOST_REPEATS: u32 = 4096;

/// Operations of one round of the multiply-add kernel in one invocation.
const ROUND: f64 = 2.0 * 16.0 * 4.0;

/// Rounds after which every number is 1, and those of hardware, which need more to be long.
const ROUNDS: u32 = 32;
const HARDWARE_ROUNDS: u32 = 2048;

/// Bytes that one allocation takes at most.
const ALLOCATED: u64 = 64 << 20;

/// An adapter opened to be measured.
pub struct Probe {
    context: Context,
    bytes: u64,
    quick: bool,
    /// Rounds of the multiply-add kernels.
    rounds: u32,
    clock: Option<Clock>,
    source: wgpu::Buffer,
    copied: wgpu::Buffer,
    sums: wgpu::Buffer,
    bus: Bus,
    near: Option<Near>,
    kernels: HashMap<RawLimit, Kernel>,
    repeats: HashMap<RawLimit, u32>,
}

impl Probe {
    /// Opens the adapter of that number with arrays of about so many bytes; `quick` for one short
    /// pass of each limit.
    ///
    /// # Errors
    /// No such adapter, one that is refused, no memory, a copy that gives other bytes.
    pub fn open(index: usize, bytes: u64, quick: bool) -> Result<Probe> {
        let (info, adapter) = find(index)?;
        let more = Features::SHADER_F16
            | Features::TIMESTAMP_QUERY
            | Features::TIMESTAMP_QUERY_INSIDE_ENCODERS
            | Features::MAPPABLE_PRIMARY_BUFFERS;
        let context = Context::open(info, &adapter, more)?;
        let limits = context.device.limits();
        let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let bytes = (bytes.min(most).min(MOST) / GRAIN).max(1) * GRAIN;
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let near = context
            .features
            .contains(Features::MAPPABLE_PRIMARY_BUFFERS)
            .then(|| Near::new(&context, bytes))
            .transpose()?;
        let mut probe = Probe {
            source: buffer(&context, bytes, usage)?,
            copied: buffer(&context, bytes, usage)?,
            sums: buffer(&context, (bytes / 256).max(4 << 18), usage)?,
            bus: Bus::new(&context, bytes)?,
            clock: Clock::new(&context)?,
            near,
            rounds: match context.info.software || quick {
                true => ROUNDS,
                false => HARDWARE_ROUNDS,
            },
            context,
            bytes,
            quick,
            kernels: HashMap::new(),
            repeats: HashMap::new(),
        };
        probe.compile()?;
        probe.bus.upload(&probe.context, &probe.source)?;
        probe.check_memory()?;
        Ok(probe)
    }

    /// What is known of the adapter.
    pub fn info(&self) -> &AdapterInfo {
        &self.context.info
    }

    /// Bytes of one array.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the adapter has it.
    pub fn has(&self, limit: RawLimit) -> bool {
        match limit {
            RawLimit::FmaF32 | RawLimit::FmaF64 | RawLimit::FmaF16 => self.kernels.contains_key(&limit),
            RawLimit::MappedWrite | RawLimit::MappedRead => self.near.is_some(),
            _ => true,
        }
    }

    /// Measures a limit that the adapter has; the first time also how often it is to be repeated.
    ///
    /// # Errors
    /// A device that fails; multiply-adds that give another number.
    pub fn turn(&mut self, limit: RawLimit) -> Result<Turn> {
        let repeats = match self.repeats.get(&limit) {
            Some(&repeats) => repeats,
            None => {
                let mut repeats = 1;
                if !self.quick {
                    self.measure(limit, 1)?; // compiles and warms up
                    let seconds = self.measure(limit, 1)?.seconds.max(1e-9);
                    repeats = (LONG / seconds).clamp(1.0, f64::from(MOST_REPEATS)) as u32;
                }
                self.repeats.insert(limit, repeats);
                repeats
            }
        };
        self.measure(limit, repeats)
    }

    fn measure(&mut self, limit: RawLimit, repeats: u32) -> Result<Turn> {
        let bytes = self.bytes as f64;
        let times = f64::from(repeats);
        let turn = |(seconds, by_device): (f64, bool), amount: f64| Turn {
            seconds,
            amount: amount * times,
            by_device,
        };
        match limit {
            RawLimit::Read => Ok(turn(self.run(limit, repeats)?, bytes)),
            RawLimit::CopyKernel => Ok(turn(self.run(limit, repeats)?, 2.0 * bytes)),
            RawLimit::FmaF32 | RawLimit::FmaF64 | RawLimit::FmaF16 => {
                let took = self.run(limit, repeats)?;
                let sum = f32::from_bits(self.peek(&self.sums, 0)?);
                if sum != 32.0 {
                    return Err(self
                        .context
                        .error(limit.name(), format!("gave {sum} instead of 32")));
                }
                let invocations = f64::from(self.kernels[&limit].groups) * 256.0;
                Ok(turn(took, invocations * f64::from(self.rounds) * ROUND))
            }
            RawLimit::CopyCommand => {
                let (from, to, len) = (&self.source, &self.copied, self.bytes);
                let took = self.timed(|encoder| {
                    (0..repeats).for_each(|_| encoder.copy_buffer_to_buffer(from, 0, to, 0, len));
                })?;
                Ok(turn(took, 2.0 * bytes))
            }
            RawLimit::BusUp | RawLimit::BusDown => {
                let (bus, up) = (&self.bus, limit == RawLimit::BusUp);
                let array = if up { &self.copied } else { &self.source };
                let took = self.timed(|encoder| (0..repeats).for_each(|_| bus.record(encoder, array, up)))?;
                Ok(turn(took, bytes))
            }
            RawLimit::Upload | RawLimit::Download => {
                let began = Instant::now();
                for _ in 0..repeats {
                    match limit {
                        RawLimit::Upload => self.bus.upload(&self.context, &self.copied)?,
                        _ => self.bus.download(&self.context, &self.source)?,
                    }
                }
                Ok(turn((began.elapsed().as_secs_f64(), false), bytes))
            }
            RawLimit::MappedWrite | RawLimit::MappedRead => {
                let Some(near) = &mut self.near else {
                    return Err(self.context.error(limit.name(), "the adapter has no such memory"));
                };
                let began = Instant::now();
                for _ in 0..repeats {
                    near.turn(&self.context, limit == RawLimit::MappedWrite)?;
                }
                Ok(turn((began.elapsed().as_secs_f64(), false), near.bytes() as f64))
            }
            RawLimit::Dispatch | RawLimit::Submit | RawLimit::RoundTrip => {
                let began = Instant::now();
                self.start(limit, repeats)?;
                Ok(turn((began.elapsed().as_secs_f64(), false), 1.0))
            }
            RawLimit::Allocate => {
                let bytes = self.bytes.min(ALLOCATED);
                let began = Instant::now();
                for _ in 0..repeats {
                    let made = buffer(
                        &self.context,
                        bytes,
                        BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
                    )?;
                    // A first use of a part has the whole cleared.
                    let mut encoder = self.context.device.create_command_encoder(&Default::default());
                    encoder.copy_buffer_to_buffer(&made, 0, &self.copied, 0, 4);
                    self.finish(encoder)?;
                    made.destroy();
                }
                Ok(turn((began.elapsed().as_secs_f64(), false), bytes as f64))
            }
        }
    }

    /// Gives the smallest work to the device in one of three ways, and waits.
    fn start(&self, limit: RawLimit, count: u32) -> Result<()> {
        let kernel = &self.kernels[&RawLimit::Dispatch];
        let (submissions, dispatches) = match limit {
            RawLimit::Dispatch => (1, count),
            _ => (count, 1),
        };
        let mut last = None;
        for _ in 0..submissions {
            let mut encoder = self.context.device.create_command_encoder(&Default::default());
            kernel.record(&mut encoder, dispatches);
            let submission = self.submit(encoder)?;
            match limit {
                RawLimit::RoundTrip => self.context.wait(submission)?,
                _ => last = Some(submission),
            }
        }
        last.map_or(Ok(()), |submission| self.context.wait(submission))
    }

    /// Runs a kernel again and again in one submission.
    fn run(&self, limit: RawLimit, repeats: u32) -> Result<(f64, bool)> {
        let kernel = &self.kernels[&limit];
        self.timed(|encoder| kernel.record(encoder, repeats))
    }

    /// Seconds of what is recorded, and whether they are the adapter's.
    fn timed(&self, record: impl FnOnce(&mut CommandEncoder)) -> Result<(f64, bool)> {
        let mut encoder = self.context.device.create_command_encoder(&Default::default());
        if let Some(clock) = &self.clock {
            encoder.write_timestamp(&clock.set, 0);
        }
        record(&mut encoder);
        if let Some(clock) = &self.clock {
            encoder.write_timestamp(&clock.set, 1);
            encoder.resolve_query_set(&clock.set, 0..2, &clock.resolved, 0);
            encoder.copy_buffer_to_buffer(&clock.resolved, 0, &clock.read, 0, 16);
        }
        let began = Instant::now();
        self.finish(encoder)?;
        let wall = began.elapsed().as_secs_f64();
        let device = self
            .clock
            .as_ref()
            .map(|c| c.seconds(&self.context))
            .transpose()?;
        // A clock that stands still or runs ahead of the host's tells nothing.
        Ok(match device {
            Some(seconds) if seconds > 0.0 && seconds <= wall => (seconds, true),
            _ => (wall, false),
        })
    }

    fn submit(&self, encoder: CommandEncoder) -> Result<wgpu::SubmissionIndex> {
        let context = &self.context;
        context.guard("submitting", || context.queue.submit([encoder.finish()]))
    }

    fn finish(&self, encoder: CommandEncoder) -> Result<()> {
        let submission = self.submit(encoder)?;
        self.context.wait(submission)
    }

    /// Four bytes of a buffer.
    fn peek(&self, from: &wgpu::Buffer, at: u64) -> Result<u32> {
        self.bus.peek(&self.context, from, at)
    }

    /// Compiles the kernels that the adapter can run.
    fn compile(&mut self) -> Result<()> {
        let context = &self.context;
        let given: Vec<u8> = [0.5f32, 0.5, self.rounds as f32, 0.0]
            .into_iter()
            .flat_map(f32::to_le_bytes)
            .collect();
        let parameters = buffer(context, 16, BufferUsages::STORAGE | BufferUsages::COPY_DST)?;
        context.guard("writing to the device", || {
            context.queue.write_buffer(&parameters, 0, &given);
        })?;
        let groups = (self.bytes / GRAIN) as u32;
        let busy = if context.info.software { 8 } else { 1 << 10 };
        let fma = |ty: &str, enable: &str| {
            let text = include_str!("../../../../shaders/limits/fma.wgsl");
            format!("{enable}{}", fill(text, &[("T", ty)]))
        };
        let copy = include_str!("../../../../shaders/limits/copy.wgsl");
        let read = include_str!("../../../../shaders/limits/read.wgsl");
        let touch = include_str!("../../../../shaders/limits/touch.wgsl");
        let both = [&self.source, &self.copied];
        let summed = [&self.source, &self.sums];
        let given = [&parameters, &self.sums];
        let mut all = vec![
            (RawLimit::CopyKernel, copy.to_string(), &both[..], 16 * groups),
            (RawLimit::Read, read.to_string(), &summed[..], groups),
            (RawLimit::Dispatch, touch.to_string(), &both[1..], 1),
            (RawLimit::FmaF32, fma("f32", ""), &given[..], busy),
        ];
        if context.features.contains(Features::SHADER_F64) {
            all.push((RawLimit::FmaF64, fma("f64", ""), &given[..], busy));
        }
        if context.features.contains(Features::SHADER_F16) {
            all.push((RawLimit::FmaF16, fma("f16", "enable f16;\n"), &given[..], busy));
        }
        let kernels = all
            .into_iter()
            .map(|(limit, text, buffers, groups)| Ok((limit, Kernel::new(context, &text, buffers, groups)?)))
            .collect::<Result<_>>()?;
        self.kernels = kernels;
        Ok(())
    }

    /// Whether the arrays that are measured really move.
    fn check_memory(&mut self) -> Result<()> {
        let words = self.bytes / 4;
        let expect = |what: &str, got: u32, want: u32| match got == want {
            true => Ok(()),
            false => Err(self
                .context
                .error(what, format!("{got:#x} came instead of {want:#x}"))),
        };
        self.run(RawLimit::CopyKernel, 1)?;
        for word in [0, words / 2 + 1, words - 1] {
            expect("copying", self.peek(&self.copied, 4 * word)?, pattern(word))?;
        }
        self.run(RawLimit::Read, 1)?;
        // The last invocation: 64 vectors, one per step of all invocations.
        let step = 4 * self.bytes / GRAIN * 256;
        let last = (0..64).flat_map(|n| (0..4).map(move |k| (n + 1) * step - 4 + k));
        let sum = last.map(pattern).fold(0, u32::wrapping_add);
        expect("reading", self.peek(&self.sums, step - 4)?, sum)?;
        self.bus.download(&self.context, &self.copied)?;
        match self.bus.came_back() {
            true => Ok(()),
            false => Err(self
                .context
                .error("downloading", "other bytes came than were sent")),
        }
    }
}

/// The word at an index of the array that is moved.
pub(super) fn pattern(word: u64) -> u32 {
    (word as u32).wrapping_mul(0x9e37_79b1)
}

/// A fresh buffer.
pub(super) fn buffer(context: &Context, size: u64, usage: BufferUsages) -> Result<wgpu::Buffer> {
    context.guard("allocating a buffer", || {
        context.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::gpu::adapters;

    #[test]
    fn every_limit_that_an_adapter_has_can_be_measured() {
        let Some(info) = adapters().into_iter().find(|a| a.refusal().is_none()) else {
            println!("no adapter here: skipped");
            return;
        };
        let mut probe = Probe::open(info.index, 1 << 20, true).unwrap();
        for limit in RawLimit::ALL
            .into_iter()
            .filter(|l| probe.has(*l))
            .collect::<Vec<_>>()
        {
            let turn = probe.turn(limit).unwrap();
            assert!(turn.seconds > 0.0 && turn.amount > 0.0, "{limit:?}: {turn:?}");
            println!("{limit:?} {turn:?} {:.3e}", turn.amount / turn.seconds);
        }
        assert_eq!(probe.turn(RawLimit::CopyKernel).unwrap().amount, (2 << 20) as f64);
        assert!(Probe::open(99, 1 << 20, true).is_err());
    }
}
