//! A kernel family: what is computed, what it must move at least, and whether the answer is right.

use super::field::{Field, Fields, Numbers, element};
use super::limits::Limit;
use crate::{Array, Error, Result};
use tilewise_kernels::DType;
use tilewise_kernels::limits::{Stores, has_streaming};

/// One row of the table of families.
pub struct Family {
    /// Its group, which `--only` knows too.
    pub group: &'static str,
    /// Its name, unique within the group.
    pub name: &'static str,
    /// The expression, for people.
    pub about: &'static str,
    /// Makes the arrays and what to compute of them.
    pub make: fn(&Setting<'_>) -> Result<Job>,
}

impl Family {
    /// `group: name`, as tables and `--only` say it.
    pub fn title(&self) -> String {
        format!("{}: {}", self.group, self.name)
    }
}

/// How large the work is to be.
pub struct Setting<'a> {
    /// Bytes of one large array.
    pub size: usize,
    /// Where arrays come from.
    pub fields: &'a Fields,
}

impl Setting<'_> {
    /// An f32 array of that shape, of numbers from `low` to `low + span`.
    ///
    /// # Errors
    /// No memory.
    pub fn field(&self, shape: &[usize], low: f32, span: f32, seed: u32) -> Result<Field> {
        self.fields
            .make(shape, DType::F32, Numbers::Between(low, span), seed)
    }

    /// As [`Setting::field`], in another dtype.
    ///
    /// # Errors
    /// No memory.
    pub fn field_of(&self, dtype: DType, shape: &[usize], low: f32, span: f32, seed: u32) -> Result<Field> {
        self.fields.make(shape, dtype, Numbers::Between(low, span), seed)
    }

    /// Elements of an array of `dtype`.
    pub fn count(&self, dtype: DType) -> usize {
        (self.size / dtype.size()).max(64)
    }

    /// (time, lat, lon) of an f32 array: a grid of 361 × 512 points where there is room for a year.
    pub fn climate(&self) -> [usize; 3] {
        let count = self.count(DType::F32);
        let (lat, lon) = if count >= 361 * 512 * 60 {
            (361, 512)
        } else {
            (19, 32)
        };
        [(count / (lat * lon)).max(32), lat, lon]
    }

    /// (time, lat, lon) of an f32 array with a time as long as eight years of days, where there is
    /// room, and few latitudes.
    pub fn columns(&self) -> [usize; 3] {
        let count = self.count(DType::F32);
        let days = (count / (32 * 512)).clamp(32, 2920);
        [days, (count / (days * 512)).max(1), 512]
    }

    /// The side of a square matrix of either float, at most 4096.
    pub fn matrix(&self) -> usize {
        self.square().min(4096)
    }

    /// The side of a square f32 array.
    pub fn square(&self) -> usize {
        self.count(DType::F32).isqrt()
    }

    /// The side of a cubic f32 array of twice the bytes.
    pub fn cube(&self) -> usize {
        (2.0 * self.count(DType::F32) as f64).cbrt().round() as usize
    }
}

/// What a family's time is divided by.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Work {
    /// Bytes that have to be moved at least.
    Bytes {
        /// Read from memory.
        read: usize,
        /// Written to it.
        written: usize,
    },
    /// Multiplications and additions of f32.
    FlopsF32(f64),
    /// Multiplications and additions of f64.
    FlopsF64(f64),
    /// Multiplications and additions of f16.
    FlopsF16(f64),
    /// So many equal things of that name; no limit of the machine.
    Each {
        /// How many.
        count: f64,
        /// What they are.
        thing: &'static str,
    },
}

impl Work {
    /// The limits of which the best one is the measure: what is as much read and written.
    pub fn limits(self) -> &'static [Limit] {
        const COPY: [Limit; 2] = [Limit::Copy(Stores::Streaming), Limit::Copy(Stores::Plain)];
        const TRIAD: [Limit; 2] = [Limit::Triad(Stores::Streaming), Limit::Triad(Stores::Plain)];
        let best = |both: &'static [Limit; 2]| if has_streaming() { &both[..1] } else { &both[1..] };
        match self {
            Work::Bytes { read, written } if written * 16 <= read => &[Limit::Read],
            Work::Bytes { read, written } if read < written * 3 / 2 => best(&COPY),
            Work::Bytes { .. } => best(&TRIAD),
            Work::FlopsF32(_) => &[Limit::FmaF32],
            Work::FlopsF64(_) => &[Limit::FmaF64],
            Work::FlopsF16(_) | Work::Each { .. } => &[],
        }
    }

    /// How much of it there is, in what its limit counts.
    pub fn amount(self) -> f64 {
        match self {
            Work::Bytes { read, written } => (read + written) as f64,
            Work::FlopsF32(n) | Work::FlopsF64(n) | Work::FlopsF16(n) => n,
            Work::Each { count, .. } => count,
        }
    }

    /// What it is counted in, as JSON says it, and the bytes read and written where it is those.
    pub(super) fn unit(self) -> (&'static str, Option<usize>, Option<usize>) {
        match self {
            Work::Bytes { read, written } => ("bytes", Some(read), Some(written)),
            Work::FlopsF32(_) | Work::FlopsF64(_) | Work::FlopsF16(_) => ("operations", None, None),
            Work::Each { thing, .. } => (thing, None, None),
        }
    }

    /// Its rate over so many seconds, for people.
    pub(super) fn rate(self, seconds: f64) -> String {
        let rate = self.amount() / seconds;
        match self {
            Work::Bytes { .. } => format!("{:.2} GB/s", rate / 1e9),
            Work::FlopsF32(_) | Work::FlopsF64(_) | Work::FlopsF16(_) => format!("{:.1} Gflop/s", rate / 1e9),
            Work::Each { thing, .. } => format!("{:.3} µs/{thing}", 1e6 / rate),
        }
    }
}

/// Looks at the results, in the order of [`Job::arrays`].
pub type Check = Box<dyn Fn(&Results<'_>) -> Result<()>>;

/// What is run.
pub struct Job {
    /// What is computed.
    pub arrays: Vec<Array>,
    /// What its time is divided by.
    pub work: Work,
    /// Whether the answer is right.
    pub check: Check,
}

/// How near an answer has to be to the right one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Near {
    /// Equal, or both NaN.
    Equal,
    /// Within this share of the right one.
    Relative(f64),
    /// Within this difference.
    Absolute(f64),
}

impl Near {
    fn accepts(self, got: f64, want: f64) -> bool {
        let within = match self {
            Near::Equal => 0.0,
            Near::Relative(share) => share * want.abs(),
            Near::Absolute(most) => most,
        };
        got == want || got.is_nan() && want.is_nan() || (got - want).abs() <= within
    }
}

impl Job {
    /// A job of one array that has to read so many bytes, whose element at a flat index is `near`
    /// to `right`, at evenly spread indices.
    pub fn memory(array: Array, read: usize, near: Near, right: impl Fn(usize) -> f64 + 'static) -> Job {
        let written = array.len() * array.dtype().size();
        Job {
            arrays: vec![array],
            work: Work::Bytes { read, written },
            check: Box::new(move |results| results.compare(near, &right)),
        }
    }

    /// The same job, counted otherwise.
    pub fn counted(self, work: Work) -> Job {
        Job { work, ..self }
    }
}

/// Computed arrays as dense bytes.
pub struct Results<'a> {
    /// What was computed.
    pub arrays: &'a [Array],
    /// Their bytes.
    pub bytes: Vec<&'a [u8]>,
}

/// How many elements of a result are checked.
const CHECKED: usize = 400;

impl Results<'_> {
    /// Element of the array of that number at a flat index.
    pub fn at(&self, array: usize, index: usize) -> f64 {
        element(self.bytes[array], self.arrays[array].dtype(), index)
    }

    /// Compares elements of the first array, the first and the last among them.
    ///
    /// # Errors
    /// The first element that differs by more.
    pub fn compare(&self, near: Near, right: &dyn Fn(usize) -> f64) -> Result<()> {
        for index in spread(self.arrays[0].len(), CHECKED) {
            let (got, want) = (self.at(0, index), right(index));
            if !near.accepts(got, want) {
                return Err(Error::Device(format!(
                    "element {index} is {got}, the loop of its definition gives {want}"
                )));
            }
        }
        Ok(())
    }

    /// A few elements of the first array, for other programs to compare with.
    pub fn digest(&self) -> Vec<f64> {
        spread(self.arrays[0].len(), 8).map(|i| self.at(0, i)).collect()
    }
}

/// At most `count` indices below `len`, evenly spread from the first to the last.
pub fn spread(len: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(len);
    (0..count).map(move |k| match count {
        1 => 0,
        _ => (k as u128 * (len - 1) as u128 / (count - 1) as u128) as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_spread_over_all() {
        assert_eq!(spread(5, 10).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(spread(101, 3).collect::<Vec<_>>(), [0, 50, 100]);
        assert_eq!(spread(1, 3).collect::<Vec<_>>(), [0]);
        assert_eq!(spread(0, 3).count(), 0);
    }

    #[test]
    fn work_is_judged_by_what_it_is_like() {
        let bytes = |read, written| Work::Bytes { read, written }.limits()[0];
        assert_eq!(bytes(100, 1), Limit::Read);
        assert!(matches!(bytes(100, 100), Limit::Copy(_)));
        assert!(matches!(bytes(200, 100), Limit::Triad(_)));
        assert!(matches!(bytes(50, 100), Limit::Copy(_)));
    }

    #[test]
    fn a_wrong_answer_is_named() {
        let arrays = [Array::from_vec(&[3], vec![1.0f32, 2.0, 3.0]).unwrap()];
        let values = [1.0f32, 2.5, f32::NAN];
        let results = Results {
            arrays: &arrays,
            bytes: vec![bytemuck::cast_slice(&values)],
        };
        let right = |i: usize| [1.0, 2.0, f64::NAN][i];
        let text = results.compare(Near::Equal, &right).unwrap_err().to_string();
        assert_eq!(text, "element 1 is 2.5, the loop of its definition gives 2");
        assert!(results.compare(Near::Relative(0.2), &right).is_err());
        assert!(results.compare(Near::Relative(0.25), &right).is_ok());
        assert!(results.compare(Near::Absolute(0.5), &right).is_ok());
        assert!(results.compare(Near::Absolute(9.0), &|_| 1.0).is_err());
    }
}
