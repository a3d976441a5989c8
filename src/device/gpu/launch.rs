//! A unit of work for the device: buffers out of one reservation, dispatches, one command buffer.
//!
//! Everything that a unit holds is told first ([`Need`]) and reserved in one step; then data is
//! uploaded and dispatches are recorded in the order in which they run. Who wants results on the host
//! submits the unit and waits for them; one whose results stay on the device is gathered with others,
//! since later units run after this one.

use super::Gpu;
use super::context::{Context, Step};
use super::kernel::Style;
use super::memory::{Bytes as Cost, Reservation, Role};
use super::pipeline::Compiled;
use super::resident::Resident;
use crate::device::{Bytes, OutMut};
use crate::{Error, Result, human_bytes};
use std::ops::Range;
use std::sync::Arc;
use wgpu::MapMode;

/// Bytes to which an uploaded window begins at a multiple: those of the longest vector.
const VECTOR: usize = 64;

/// Bytes rounded up to whole vectors, at least one: kernels may read and write whole vectors.
pub(super) fn padded(bytes: usize) -> u64 {
    (bytes.max(1) as u64).div_ceil(VECTOR as u64) * VECTOR as u64
}

/// To which multiple the first byte of a window of such bytes must be rounded down.
pub(super) fn alignment(bytes: &Bytes<'_>) -> usize {
    match bytes {
        Bytes::Host(_) => VECTOR,
        Bytes::Resident(_) => 256,
    }
}

/// The place of a list of words among others: bindings begin at multiples of 256 bytes.
fn aligned_words(len: usize) -> usize {
    len.next_multiple_of(64)
}

/// A range of a buffer on the device.
#[derive(Clone, Debug)]
pub(super) struct Span {
    buffer: wgpu::Buffer,
    offset: u64,
    /// Bytes that a kernel sees: whole vectors.
    bytes: u64,
    /// Bytes that are meant.
    pub len: usize,
}

impl Span {
    fn whole(buffer: wgpu::Buffer, len: usize) -> Span {
        Span {
            buffer,
            offset: 0,
            bytes: padded(len),
            len,
        }
    }
}

/// What a unit of work will hold.
#[derive(Clone)]
pub(super) struct Need<'g> {
    gpu: &'g Gpu,
    cost: Cost,
    uploaded: u64,
    downloaded: u64,
}

impl<'g> Need<'g> {
    pub fn new(gpu: &'g Gpu) -> Need<'g> {
        Need {
            gpu,
            cost: Cost::default(),
            uploaded: 0,
            downloaded: 0,
        }
    }

    fn add(&mut self, role: Role, bytes: u64) {
        let more = self.gpu.home.memory.cost(role, bytes);
        self.cost.device = self.cost.device.saturating_add(more.device);
        self.cost.staging = self.cost.staging.saturating_add(more.staging);
    }

    /// Bytes of the host that are uploaded.
    pub fn upload(&mut self, bytes: usize) {
        self.add(Role::Input, padded(bytes));
        self.uploaded += padded(bytes);
    }

    /// Bytes of the host for [`Launch::stage`], or to be uploaded where that has no staging.
    pub fn upload_or_stage(&mut self, bytes: usize) {
        match self.gpu.home.memory.direct {
            true => self.upload(bytes),
            false => self.uploaded += padded(bytes),
        }
    }

    /// What [`Launch::many`] uploads.
    pub fn many(&mut self, lists: &[Vec<u32>]) {
        self.upload(4 * lists.iter().map(|list| aligned_words(list.len())).sum::<usize>());
    }

    /// So many bytes of an operand.
    pub fn operand(&mut self, operand: &Bytes<'_>, bytes: usize) {
        if let Bytes::Host(_) = operand {
            self.upload(bytes);
        }
    }

    /// Bytes that only kernels see.
    pub fn scratch(&mut self, bytes: usize) {
        self.add(Role::Output, padded(bytes));
    }

    /// A result of so many bytes that goes to `out`.
    pub fn output(&mut self, out: &OutMut<'_>, bytes: usize) {
        match out {
            OutMut::Keep(_) => self.scratch(bytes),
            _ => self.read(bytes),
        }
    }

    /// Bytes that kernels write and the host reads.
    pub fn read(&mut self, bytes: usize) {
        self.scratch(bytes);
        self.downloaded += padded(bytes);
    }

    /// Device and staging memory of it all.
    pub fn total(&self) -> Cost {
        let mut whole = self.clone();
        if !self.gpu.home.memory.direct {
            if self.uploaded > 0 {
                whole.add(Role::Upload, self.uploaded);
            }
            if self.downloaded > 0 {
                whole.add(Role::Download, self.downloaded);
            }
        }
        whole.cost
    }
}

/// A dispatch, recorded when the unit is submitted.
struct Dispatch {
    pipeline: Arc<Compiled>,
    group: wgpu::BindGroup,
    groups: u32,
}

/// A unit of work in the making.
pub(super) struct Launch<'g> {
    gpu: &'g Gpu,
    held: Reservation<'g>,
    /// The mapped staging buffer; none where device buffers are mapped themselves.
    staging: Option<wgpu::Buffer>,
    staged: u64,
    /// Copies to record: from this offset of the staging buffer, to that buffer, so many bytes.
    copies: Vec<(u64, wgpu::Buffer, u64)>,
    dispatches: Vec<Dispatch>,
    /// Bytes that copies and kernels touch.
    touched: u64,
}

impl<'g> Launch<'g> {
    /// Reserves all that is needed; the caller holds no other unit.
    ///
    /// # Errors
    /// [`Error::Memory`] when it does not fit the budget; [`Error::Device`] for a lost or full device.
    pub fn new(gpu: &'g Gpu, need: Need<'_>) -> Result<Launch<'g>> {
        gpu.home.context.alive()?;
        let mut held = gpu.home.memory.reserve(need.total())?;
        let mut staging = None;
        if !gpu.home.memory.direct && need.uploaded > 0 {
            let buffer = held.buffer(&gpu.home.context, Role::Upload, need.uploaded)?;
            gpu.home.context.map(&buffer, MapMode::Write, buffer.size())?;
            staging = Some(buffer);
        }
        Ok(Launch {
            gpu,
            held,
            staging,
            staged: 0,
            copies: Vec::new(),
            dispatches: Vec::new(),
            touched: 0,
        })
    }

    /// How kernels are cut for the adapter.
    pub fn style(&self) -> Style {
        self.gpu.style
    }

    /// A hand-written kernel, compiled once.
    pub fn compiled(&self, wgsl: &str) -> Result<Arc<Compiled>> {
        self.gpu.pipelines.text(self.context(), wgsl)
    }

    fn context(&self) -> &'g Context {
        &self.gpu.home.context
    }

    /// `data` and zeros behind it, on the device.
    pub fn upload(&mut self, data: &[u8]) -> Result<Span> {
        self.gather(&[data])
    }

    /// Pieces of the host one behind the other, and zeros behind them, on the device.
    pub fn gather(&mut self, pieces: &[&[u8]]) -> Result<Span> {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        let bytes = padded(len);
        let device = self.held.buffer(self.context(), Role::Input, bytes)?;
        if !self.stage_to(pieces, &device)? {
            let context = self.context();
            context.map(&device, MapMode::Write, bytes)?;
            fill(context, &device, 0, pieces)?;
            device.unmap();
        }
        Ok(Span::whole(device, len))
    }

    /// Copies `data` to a span of this unit before its dispatches; `false` where nothing is staged, and
    /// the span is as before.
    pub fn stage(&mut self, data: &[u8], to: &Span) -> Result<bool> {
        self.stage_to(&[data], &to.buffer)
    }

    fn stage_to(&mut self, pieces: &[&[u8]], device: &wgpu::Buffer) -> Result<bool> {
        let Some(staging) = &self.staging else {
            return Ok(false);
        };
        let bytes = fill(self.context(), staging, self.staged, pieces)?;
        self.copies.push((self.staged, device.clone(), bytes));
        self.touched += bytes;
        self.staged += bytes;
        Ok(true)
    }

    /// Words, such as parameters, on the device.
    pub fn words(&mut self, words: &[u32]) -> Result<Span> {
        self.upload(bytemuck::cast_slice(words))
    }

    /// Several lists of words in one upload, for dispatches that are many and small. Their place is
    /// [`Need::many`].
    pub fn many(&mut self, lists: &[Vec<u32>]) -> Result<Vec<Span>> {
        let mut all = vec![0u32; lists.iter().map(|list| aligned_words(list.len())).sum()];
        let mut at = 0;
        for list in lists {
            all[at..at + list.len()].copy_from_slice(list);
            at += aligned_words(list.len());
        }
        let whole = self.words(&all)?;
        let mut offset = 0;
        let spans = lists.iter().map(|list| {
            let span = Span {
                buffer: whole.buffer.clone(),
                offset,
                bytes: padded(4 * list.len()),
                len: 4 * list.len(),
            };
            offset += 4 * aligned_words(list.len()) as u64;
            span
        });
        Ok(spans.collect())
    }

    /// A range of an operand: uploaded, or where it lies. It begins at a multiple of
    /// [`alignment`]; what it lacks at its end is cut off.
    pub fn operand(&mut self, operand: Bytes<'_>, range: Range<usize>) -> Result<Span> {
        match operand {
            Bytes::Host(bytes) => {
                let range = range.start.min(bytes.len())..range.end.min(bytes.len());
                self.upload(&bytes[range])
            }
            Bytes::Resident(tile) => {
                let (offset, end) = (range.start as u64, range.end.min(tile.len()) as u64);
                if !offset.is_multiple_of(256) || offset > end {
                    return Err(self.context().error("binding a tile", "a window out of place"));
                }
                let len = (end - offset) as usize;
                Ok(Span {
                    buffer: tile.buffer().clone(),
                    offset,
                    bytes: padded(len),
                    len,
                })
            }
        }
    }

    /// Device memory of at least so many bytes, content unspecified.
    pub fn scratch(&mut self, bytes: usize) -> Result<Span> {
        let buffer = self.held.buffer(self.context(), Role::Output, padded(bytes))?;
        Ok(Span::whole(buffer, bytes))
    }

    /// Memory for a result of so many bytes.
    pub fn output(&mut self, bytes: usize) -> Result<Span> {
        self.scratch(bytes)
    }

    /// Records a dispatch of so many workgroups, numbered `group.y * groups.x + group.x`. Of the
    /// bindings, those that a kernel only reads and those that it writes are different buffers.
    pub fn dispatch(&mut self, pipeline: &Arc<Compiled>, bindings: &[&Span], groups: u32) -> Result<()> {
        if groups == 0 {
            return Ok(());
        }
        let most = self.gpu.binding_bytes;
        if let Some(span) = bindings.iter().find(|span| span.bytes > most) {
            return Err(Error::Device(format!(
                "a block takes a buffer of {}, of which this adapter shows a kernel {} at once, and cannot \
                 be cut so far",
                human_bytes(span.bytes),
                human_bytes(most)
            )));
        }
        let entries: Vec<wgpu::BindGroupEntry<'_>> = bindings
            .iter()
            .enumerate()
            .map(|(binding, span)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &span.buffer,
                    offset: span.offset,
                    size: std::num::NonZeroU64::new(span.bytes),
                }),
            })
            .collect();
        let context = self.context();
        let group = context.guard("binding buffers", || {
            context.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.layout,
                entries: &entries,
            })
        })?;
        self.touched += bindings.iter().map(|span| span.bytes).sum::<u64>();
        self.dispatches.push(Dispatch {
            pipeline: pipeline.clone(),
            group,
            groups,
        });
        Ok(())
    }

    /// Hands the unit on; results that go to the host are waited for and copied, those that stay become
    /// tiles.
    ///
    /// # Errors
    /// [`Error::Device`]; then no result is written whole.
    pub fn finish(mut self, mut results: Vec<(Span, OutMut<'_>)>) -> Result<()> {
        let context = self.context();
        let wanted: Vec<(Span, usize)> = results
            .iter()
            .filter_map(|(span, out)| match out {
                OutMut::Store(bytes) => Some((span.clone(), bytes.len())),
                _ => None,
            })
            .collect();
        let download = self.downloads(&wanted)?;
        context.checkpoint(Step::Submit)?;
        if let Some(buffer) = &self.staging {
            buffer.unmap();
        }
        let commands = context.guard("recording work", || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            if let Some(buffer) = &self.staging {
                for (from, device, bytes) in &self.copies {
                    encoder.copy_buffer_to_buffer(buffer, *from, device, 0, *bytes);
                }
            }
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for step in &self.dispatches {
                    pass.set_pipeline(&step.pipeline.pipeline);
                    pass.set_bind_group(0, &step.group, &[]);
                    let across = step.groups.min(self.gpu.max_groups);
                    pass.dispatch_workgroups(across, step.groups.div_ceil(across), 1);
                }
            }
            if let Some(download) = &download {
                let mut at = 0;
                for (span, len) in &wanted {
                    let bytes = padded(*len);
                    encoder.copy_buffer_to_buffer(&span.buffer, span.offset, download, at, bytes);
                    at += bytes;
                }
            }
            encoder.finish()
        })?;
        let ticket = match wanted.is_empty() {
            true => context.gather(commands, self.touched)?,
            false => context.submit(commands)?,
        };
        if !wanted.is_empty() {
            context.wait_until(ticket)?;
            self.bring(download.as_ref(), &mut results)?;
        }
        for (span, out) in results {
            if let OutMut::Keep(tile) = out {
                self.held.keep(&span.buffer);
                *tile = Some(Resident::new(span.buffer, span.len, self.gpu.home.clone()));
            }
        }
        self.held.finish(ticket);
        Ok(())
    }

    /// The staging buffer for results; none where device buffers are mapped themselves.
    fn downloads(&mut self, wanted: &[(Span, usize)]) -> Result<Option<wgpu::Buffer>> {
        if self.gpu.home.memory.direct || wanted.is_empty() {
            return Ok(None);
        }
        let bytes = wanted.iter().map(|(_, len)| padded(*len)).sum();
        self.held.buffer(self.context(), Role::Download, bytes).map(Some)
    }

    /// Copies results to the host.
    fn bring(&self, download: Option<&wgpu::Buffer>, results: &mut [(Span, OutMut<'_>)]) -> Result<()> {
        let context = self.context();
        if let Some(download) = download {
            context.map(download, MapMode::Read, download.size())?;
        }
        let mut at = 0;
        for (span, out) in results {
            let OutMut::Store(out) = out else { continue };
            let bytes = padded(out.len());
            let (buffer, offset) = match download {
                Some(download) => (download, at),
                None => {
                    context.map(&span.buffer, MapMode::Read, bytes)?;
                    (&span.buffer, 0)
                }
            };
            at += bytes;
            let view = context
                .guard("reading a result", || {
                    buffer.get_mapped_range(offset..offset + bytes)
                })?
                .map_err(|error| context.error("reading a result", error))?;
            out.copy_from_slice(&view[..out.len()]);
            drop(view);
            if download.is_none() {
                span.buffer.unmap();
            }
        }
        if let Some(download) = download {
            download.unmap();
        }
        Ok(())
    }
}

/// Writes pieces and zeros behind them to a mapped buffer; how many bytes it wrote.
fn fill(context: &Context, buffer: &wgpu::Buffer, from: u64, pieces: &[&[u8]]) -> Result<u64> {
    let len: usize = pieces.iter().map(|piece| piece.len()).sum();
    let bytes = padded(len);
    let mut view = context
        .guard("writing to the device", || {
            buffer.get_mapped_range_mut(from..from + bytes)
        })?
        .map_err(|error| context.error("writing to the device", error))?;
    let mut at = 0;
    for piece in pieces {
        view.slice(at..at + piece.len()).copy_from_slice(piece);
        at += piece.len();
    }
    view.slice(len..).fill(0);
    Ok(bytes)
}
