//! What is left when there is next to nothing to compute: the cost of a tile and of a call.

use super::super::family::{Family, Job, Near, Setting, Work};
use crate::Result;
use crate::session::ChunkSpec;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "scheduler",
        name: "tiles",
        about: "a closure on each of 10^6 chunks of 16 elements (fewer for small sizes)",
        make: tiles,
    },
    Family {
        group: "scheduler",
        name: "chunks",
        about: "x + 1 on as many chunks, which the plan may join",
        make: chunks,
    },
    Family {
        group: "scheduler",
        name: "small mean",
        about: "mean of 1000 elements, a call",
        make: small_mean,
    },
];

/// Elements of a chunk.
const CHUNK: usize = 16;

/// How many chunks.
fn count(setting: &Setting<'_>) -> usize {
    (setting.size / 4 / CHUNK).clamp(1, 1_000_000)
}

fn tiles(setting: &Setting<'_>) -> Result<Job> {
    let count = count(setting);
    let field = setting.field(&[count * CHUNK], 1.0, 1.0, 1)?;
    let cut = field.array()?.rechunk(&[ChunkSpec::Size(CHUNK)])?;
    let out = cut.map_blocks::<f32, f32>("add one", |block, _, _, out| {
        for (slot, value) in out.iter_mut().zip(block) {
            *slot = value + 1.0;
        }
        Ok(())
    })?;
    Ok(each(out, count, move |i| f64::from(field.f32()[i] + 1.0)))
}

fn chunks(setting: &Setting<'_>) -> Result<Job> {
    let count = count(setting);
    let field = setting.field(&[count * CHUNK], 1.0, 1.0, 1)?;
    let cut = field.array()?.rechunk(&[ChunkSpec::Size(CHUNK)])?;
    Ok(each((&cut + 1)?, count, move |i| f64::from(field.f32()[i] + 1.0)))
}

fn each(out: crate::Array, count: usize, right: impl Fn(usize) -> f64 + 'static) -> Job {
    let count = count as f64;
    Job::memory(out, 0, Near::Equal, right).counted(Work::Each { count, thing: "tile" })
}

fn small_mean(setting: &Setting<'_>) -> Result<Job> {
    let field = setting.field(&[1000], 1.0, 1.0, 1)?;
    let out = field.array()?.mean(&[0])?;
    let job = Job::memory(out, field.bytes(), Near::Relative(1e-7), move |_| {
        (0..1000).map(|i| field.at(i)).sum::<f64>() / 1000.0
    });
    Ok(job.counted(Work::Each {
        count: 1.0,
        thing: "call",
    }))
}
