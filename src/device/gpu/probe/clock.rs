//! The adapter's own clock: two stamps around what a submission does.

use super::buffer;
use crate::Result;
use crate::device::gpu::context::Context;
use wgpu::{BufferUsages, Features};

/// The clock of an adapter.
pub(super) struct Clock {
    pub set: wgpu::QuerySet,
    pub resolved: wgpu::Buffer,
    pub read: wgpu::Buffer,
    /// Seconds of a tick.
    tick: f64,
}

impl Clock {
    /// The clock, where the adapter has one that can stand between any commands.
    pub fn new(context: &Context) -> Result<Option<Clock>> {
        if !context
            .features
            .contains(Features::TIMESTAMP_QUERY_INSIDE_ENCODERS)
        {
            return Ok(None);
        }
        let set = context.guard("opening the clock", || {
            context.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            })
        })?;
        Ok(Some(Clock {
            set,
            resolved: buffer(context, 16, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC)?,
            read: buffer(context, 16, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?,
            tick: f64::from(context.queue.get_timestamp_period()) * 1e-9,
        }))
    }

    /// Seconds between the two stamps of the last submission.
    pub fn seconds(&self, context: &Context) -> Result<f64> {
        context.map(&self.read, wgpu::MapMode::Read, 16)?;
        let view = context
            .guard("reading the clock", || self.read.get_mapped_range(..))?
            .map_err(|error| context.error("reading the clock", error))?;
        let stamp = |at: usize| {
            let bytes = view.get(at..at + 8).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        let ticks = stamp(8).saturating_sub(stamp(0));
        drop(view);
        self.read.unmap();
        Ok(ticks as f64 * self.tick)
    }
}
