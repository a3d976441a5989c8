//! What is measured on a GPU: the families of the CPU's table, on persisted arrays, and those that
//! only a GPU has.

use super::super::families;
use super::super::family::{Family, Job, Near, Setting, Work};
use super::super::field::Field;
use crate::device::gpu::RawLimit;
use crate::session::ChunkSpec;
use crate::{Norm, Result};
use tilewise_kernels::DType;

/// Where a row's arrays are before and after its time is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Inputs and results are persisted, on the device unless it is full or the CPU ran a part.
    Resident,
    /// Inputs come from the host's memory and results go there.
    Streamed,
    /// The array is persisted with a budget of device memory of a quarter of it; results go to the
    /// host's memory.
    OutOfCard,
}

impl Way {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Way::Resident => "resident",
            Way::Streamed => "streamed",
            Way::OutOfCard => "out of card",
        }
    }
}

/// Every family and its way, in the order of the table.
pub fn all() -> impl Iterator<Item = (&'static Family, Way)> {
    // The scheduler's families are closures and calls of the CPU.
    let shared = families::all().filter(|f| f.group != "scheduler");
    let shared = shared.map(|family| (family, Way::Resident));
    shared.chain(OWN.iter().map(|(way, family)| (family, *way)))
}

/// What bounds a time from below: each amount at the best rate of its limits, one after the other.
pub struct Bound {
    /// Its name in tables.
    pub name: &'static str,
    /// Amounts and the limits that count them.
    pub parts: Vec<(f64, &'static [RawLimit])>,
}

/// The bound of some work.
pub fn bound(work: Work, way: Way) -> Option<Bound> {
    let of = |name, parts: &[(f64, &'static [RawLimit])]| {
        let parts = parts.iter().copied().filter(|(amount, _)| *amount > 0.0);
        Some(Bound {
            name,
            parts: parts.collect(),
        })
    };
    let small = |read: usize, written: usize| written * 16 <= read;
    match (work, way) {
        (Work::Bytes { read, written }, Way::Resident) if small(read, written) => {
            of("read", &[(work.amount(), &[RawLimit::Read])])
        }
        (Work::Bytes { .. }, Way::Resident) => of(
            "copy",
            &[(work.amount(), &[RawLimit::CopyKernel, RawLimit::CopyCommand])],
        ),
        (Work::Bytes { read, written }, _) => of(
            if small(read, written) {
                "upload"
            } else {
                "upload, download"
            },
            &[
                (read as f64, &[RawLimit::Upload]),
                (written as f64, &[RawLimit::Download]),
            ],
        ),
        (Work::FlopsF32(n), _) => of("multiply-add f32", &[(n, &[RawLimit::FmaF32])]),
        (Work::FlopsF64(n), _) => of("multiply-add f64", &[(n, &[RawLimit::FmaF64])]),
        (Work::FlopsF16(n), _) => of("multiply-add f16", &[(n, &[RawLimit::FmaF16])]),
        (Work::Each { .. }, _) => None,
    }
}

/// Families that only a GPU has.
const OWN: &[(Way, Family)] = &[
    (
        Way::Resident,
        Family {
            group: "contract",
            name: "hgemm",
            about: "a @ b, float16, up to 4096 x 4096",
            make: |setting| families::contract::product(setting, DType::F16),
        },
    ),
    (
        Way::Resident,
        Family {
            group: "fft",
            name: "rows of 256",
            about: "irfft(rfft(x)) along rows of 256 float32, per pass over memory",
            make: |setting| there_and_back(setting, 256, 2),
        },
    ),
    (
        Way::Resident,
        Family {
            group: "fft",
            name: "rows of 4096",
            about: "irfft(rfft(x)) along rows of 4096 float32, per pass over memory",
            make: |setting| there_and_back(setting, 4096, 2),
        },
    ),
    (
        Way::Resident,
        Family {
            group: "fft",
            name: "rows of 2^20",
            about: "irfft(rfft(x)) along rows of 2^20 float32, per pass over memory",
            make: |setting| there_and_back(setting, 1 << 20, 5),
        },
    ),
    (
        Way::Resident,
        Family {
            group: "fft",
            name: "columns of 256",
            about: "irfft(rfft(x)) along columns of 256 float32, per pass over memory",
            make: across_and_back,
        },
    ),
    (
        Way::Resident,
        Family {
            group: "small",
            name: "tiles",
            about: "x + 1 on 10^4 chunks of 4096 elements (fewer for small sizes), which the plan may join",
            make: tiles,
        },
    ),
    (
        Way::Resident,
        Family {
            group: "small",
            name: "calls",
            about: "x + 1 of 1000 elements, a call",
            make: calls,
        },
    ),
    (
        Way::Streamed,
        Family {
            group: "stream",
            name: "mean",
            about: "mean of (time, lat, lon) over time, from the host's memory",
            make: mean,
        },
    ),
    (
        Way::Streamed,
        Family {
            group: "stream",
            name: "triad",
            about: "a*b + c - 1, from the host's memory and back to it",
            make: triad,
        },
    ),
    (
        Way::OutOfCard,
        Family {
            group: "out of card",
            name: "mean",
            about: "mean of (time, lat, lon) over time, an array of four budgets",
            make: mean,
        },
    ),
    (
        Way::OutOfCard,
        Family {
            group: "out of card",
            name: "scale",
            about: "x*2 + 1 to the host's memory, an array of four budgets",
            make: scale,
        },
    ),
];

/// Elements of a chunk of [`tiles`], and the most chunks.
const CHUNK: usize = 4096;
const CHUNKS: usize = 10_000;

/// The transform of rows of `len` numbers and back, which read and write as much in each of `passes`.
fn there_and_back(setting: &Setting<'_>, len: usize, passes: usize) -> Result<Job> {
    let count = setting.count(DType::F32);
    let len = len.min(1 << count.ilog2());
    let field = setting.field(&[count / len, len], -1.0, 2.0, 1)?;
    transformed(field, len, (1, passes))
}

/// The same along columns of 256.
fn across_and_back(setting: &Setting<'_>) -> Result<Job> {
    let count = setting.count(DType::F32);
    let len = 256.min(1 << count.ilog2());
    let field = setting.field(&[len, count / len], -1.0, 2.0, 1)?;
    transformed(field, len, (0, 2))
}

fn transformed(field: Field, len: usize, (axis, passes): (isize, usize)) -> Result<Job> {
    let there = field.array()?.rfft(None, axis, Norm::Backward)?;
    let out = there.irfft(Some(len), axis, Norm::Backward)?;
    let bytes = field.bytes();
    let job = Job::memory(out, bytes, Near::Absolute(1e-5), move |i| field.at(i));
    Ok(job.counted(Work::Bytes {
        read: passes * bytes,
        written: passes * bytes,
    }))
}

fn tiles(setting: &Setting<'_>) -> Result<Job> {
    let count = (setting.count(DType::F32) / CHUNK).clamp(1, CHUNKS);
    let field = setting.field(&[count * CHUNK], 1.0, 1.0, 1)?;
    let cut = field.array()?.rechunk(&[ChunkSpec::Size(CHUNK)])?;
    let job = Job::memory((&cut + 1)?, field.bytes(), Near::Equal, move |i| {
        f64::from(field.f32()[i] + 1.0)
    });
    Ok(job.counted(Work::Each {
        count: count as f64,
        thing: "tile",
    }))
}

fn calls(setting: &Setting<'_>) -> Result<Job> {
    let field = setting.field(&[1000], 1.0, 1.0, 1)?;
    let out = (&field.array()? + 1)?;
    let job = Job::memory(out, field.bytes(), Near::Equal, move |i| {
        f64::from(field.f32()[i] + 1.0)
    });
    Ok(job.counted(Work::Each {
        count: 1.0,
        thing: "call",
    }))
}

fn mean(setting: &Setting<'_>) -> Result<Job> {
    let shape = setting.climate();
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let out = field.array()?.mean(&[0])?;
    let (cells, times) = (shape[1] * shape[2], shape[0]);
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |cell| {
        let sum: f64 = (0..times).map(|t| field.at(t * cells + cell)).sum();
        sum / times as f64
    }))
}

fn triad(setting: &Setting<'_>) -> Result<Job> {
    let shape = [setting.count(DType::F32)];
    let (x, y, z) = (
        setting.field(&shape, 0.5, 1.5, 1)?,
        setting.field(&shape, 0.5, 1.5, 2)?,
        setting.field(&shape, 2.0, 1.0, 3)?,
    );
    let out = (&(&(&x.array()? * &y.array()?)? + &z.array()?)? - 1)?;
    let read = x.bytes() + y.bytes() + z.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |i| {
        x.at(i) * y.at(i) + z.at(i) - 1.0
    }))
}

fn scale(setting: &Setting<'_>) -> Result<Job> {
    let field = setting.field(&[setting.count(DType::F32)], 1.0, 1.0, 1)?;
    let out = (&(&field.array()? * 2)? + 1)?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |i| {
        2.0 * field.at(i) + 1.0
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_what_the_work_is_like() {
        let bytes = |read, written, way| {
            let bound = bound(Work::Bytes { read, written }, way).unwrap();
            (bound.name, bound.parts.len())
        };
        assert_eq!(bytes(100, 1, Way::Resident), ("read", 1));
        assert_eq!(bytes(300, 100, Way::Resident), ("copy", 1));
        assert_eq!(bytes(300, 100, Way::Streamed), ("upload, download", 2));
        assert_eq!(bytes(300, 1, Way::OutOfCard), ("upload", 2));
        assert_eq!(bytes(300, 0, Way::Streamed), ("upload", 1));
        let each = Work::Each {
            count: 1.0,
            thing: "call",
        };
        assert!(bound(each, Way::Resident).is_none());
    }
}
