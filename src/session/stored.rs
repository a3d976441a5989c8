//! Tasks of stages that store their values: a block of one program, or of several parts.
//!
//! Where values are put together along an axis, as edges are to what lies between them, each part of a
//! block has a program of its own. Parts are computed one after another and handed on together, so that
//! sinks and tiles get whole blocks.

use super::run::{Placement, Run, Value, Want};
use super::{fetch, output};
use crate::Result;
use crate::geometry::Region;
use crate::plan::{ArrayId, Destination, Stage, Variant, copies_boxes};
use crate::store::Canvas;

impl Run<'_> {
    /// One task of a stage that stores its values.
    pub fn store_task(&self, stage: &Stage, placement: &Placement, number: usize) -> Result<()> {
        let block = stage.grid.region(&stage.grid.block(number));
        if block.is_empty() {
            return Ok(());
        }
        match &stage.parts(&block)[..] {
            [_] => self.store_block(stage, placement, &block),
            // What goes to the caller's memory is put there part by part.
            parts if stage.arrays.iter().all(|&id| output::is_placed(self, id)) => parts
                .iter()
                .try_for_each(|part| self.store_block(stage, placement, part)),
            parts => self.store_parts(stage, placement, &block, parts),
        }
    }

    /// A block whose parts have programs of their own, brought together.
    fn store_parts(
        &self,
        stage: &Stage,
        placement: &Placement,
        block: &Region,
        parts: &[Region],
    ) -> Result<()> {
        let size = |&id: &ArrayId| self.plan.arrays[id].dtype.size();
        let sizes: Vec<usize> = stage.arrays.iter().map(size).collect();
        let bytes: Vec<usize> = sizes.iter().map(|size| block.len() * size).collect();
        let mut whole = self.store.take_many("output blocks", &bytes)?;
        let canvases = whole.iter_mut().zip(&sizes);
        let canvases: Vec<Canvas<'_>> = canvases
            .map(|(whole, &size)| Canvas::new(whole, &block.shape, size))
            .collect::<Result<_>>()?;
        for part in parts {
            let variant = stage.variant(&part.start);
            let place = part.relative_to(&block.start);
            if let ([canvas], true) = (&canvases[..], self.copies_straight(stage, placement, variant)) {
                let data = fetch::copy(self, &variant.inputs[0], part)?;
                canvas.claim(&place)?.fill_from(&data);
                continue;
            }
            let mut wants = Vec::with_capacity(canvases.len());
            for (canvas, size) in canvases.iter().zip(&sizes) {
                wants.push(Want {
                    place: Some(canvas.claim(&place)?),
                    ..Want::buffer("output blocks", part.len() * size)
                });
            }
            let values = self.compute(stage, placement, variant, part, wants)?;
            for (value, canvas) in values.into_iter().zip(&canvases) {
                if let Value::Buffer(buffer) = value {
                    canvas.claim(&place)?.fill_from(&buffer);
                }
            }
        }
        drop(canvases);
        let made = stage.arrays.iter().zip(whole);
        made.into_iter()
            .try_for_each(|(&array, whole)| output::deliver(self, array, block, whole))
    }

    /// Whether a variant's values are boxes of its input, read to where they go.
    fn copies_straight(&self, stage: &Stage, placement: &Placement, variant: &Variant) -> bool {
        let goes_on = |&root: &usize| matches!(self.plan.destinations[root], Destination::Sink(_));
        let to_buffer = |&id: &ArrayId| self.plan.arrays[id].roots.iter().all(goes_on);
        placement.device.keeper().is_none()
            && stage.arrays.iter().all(to_buffer)
            && copies_boxes(stage, variant, &self.plan.arrays)
    }

    /// A block within one part.
    fn store_block(&self, stage: &Stage, placement: &Placement, block: &Region) -> Result<()> {
        let variant = stage.variant(&block.start);
        if let ([array], true) = (&stage.arrays[..], self.copies_straight(stage, placement, variant)) {
            let data = fetch::copy(self, &variant.inputs[0], block)?;
            return output::deliver(self, *array, block, data);
        }
        let outputs = variant.program.outputs.iter().enumerate();
        let wants = outputs.map(|(number, out)| {
            let size = variant.program.insts[out.value()].dtype.size();
            let array = stage.arrays.get(number).copied();
            Ok(Want {
                place: match array {
                    Some(array) => output::place(self, array, block)?,
                    None => None,
                },
                stays: array.is_some_and(|array| output::stays(self, array)),
                consumer: "output blocks",
                bytes: block.len() * size,
            })
        });
        let wants = wants.collect::<Result<Vec<_>>>()?;
        let values = self.compute(stage, placement, variant, block, wants)?;
        for (&array, value) in stage.arrays.iter().zip(values) {
            value.hand_on(self, placement, array, block)?;
        }
        Ok(())
    }
}
