//! Wall and CPU seconds of a piece of work, and medians of them.

use crate::store::cpu_seconds;
use serde_json::{Value, json};
use std::time::Instant;

/// What one turn took.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Sample {
    /// Wall seconds.
    pub wall: f64,
    /// CPU seconds of all threads; 0 where the system does not tell.
    pub cpu: f64,
}

impl Sample {
    /// Runs `work` and tells what it took beside what it gave.
    pub fn of<T>(work: impl FnOnce() -> T) -> (Sample, T) {
        let cpu = || cpu_seconds().unwrap_or(0.0);
        let (before, began) = (cpu(), Instant::now());
        let out = work();
        let wall = began.elapsed().as_secs_f64();
        let sample = Sample {
            wall,
            cpu: cpu() - before,
        };
        (sample, out)
    }

    /// One of `count` equal parts.
    pub fn part(self, count: f64) -> Sample {
        Sample {
            wall: self.wall / count,
            cpu: self.cpu / count,
        }
    }

    /// The medians of wall and of CPU seconds; zeros for none.
    pub fn median(samples: &[Sample]) -> Sample {
        let middle = |pick: fn(&Sample) -> f64| {
            let mut all: Vec<f64> = samples.iter().map(pick).collect();
            all.sort_by(f64::total_cmp);
            match all.len() {
                0 => 0.0,
                n if n % 2 == 1 => all[n / 2],
                n => (all[n / 2 - 1] + all[n / 2]) / 2.0,
            }
        };
        Sample {
            wall: middle(|s| s.wall),
            cpu: middle(|s| s.cpu),
        }
    }

    /// As JSON, in seconds of four digits.
    pub(super) fn json(self) -> Value {
        json!({ "wall": rounded(self.wall), "cpu": rounded(self.cpu) })
    }
}

/// A number of four significant digits.
pub(super) fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_take_the_middle() {
        let of = |wall: f64, cpu: f64| Sample { wall, cpu };
        let odd = [of(3.0, 1.0), of(1.0, 9.0), of(2.0, 5.0)];
        assert_eq!(Sample::median(&odd), of(2.0, 5.0));
        assert_eq!(Sample::median(&odd[..2]), of(2.0, 5.0));
        assert_eq!(Sample::median(&[]), Sample::default());
        assert_eq!(rounded(123456.0), 123500.0);
    }
}
