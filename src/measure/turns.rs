//! Turns of what is measured and of its limit, one after the other, so that both meet the same
//! neighbours.

use super::sample::Sample;
use crate::Result;

/// Seconds after which nothing gets more turns, once it had three.
const LONGEST: f64 = 12.0;

/// How turns are taken.
pub struct Turns {
    quick: bool,
    rounds: usize,
    shortest: f64,
}

impl Turns {
    /// So many turns that count, each repeated until it takes `shortest` seconds unless `quick`.
    pub fn new(quick: bool, rounds: usize, shortest: f64) -> Turns {
        Turns {
            quick,
            rounds,
            shortest,
        }
    }

    /// Warms up, then calls `limit` and `turn` in turns; `turn` gets the repeats and tells the time
    /// of one of them. Gives the samples of `turn`.
    ///
    /// # Errors
    /// The first of either.
    pub fn take(
        &self,
        limit: &mut dyn FnMut() -> Result<()>,
        turn: &mut dyn FnMut(usize) -> Result<Sample>,
    ) -> Result<Vec<Sample>> {
        let first = turn(1)?;
        let repeats = match (self.quick, first.wall) {
            (true, _) => 1,
            (false, wall) => (self.shortest / wall.max(1e-7)).clamp(1.0, 10_000.0) as usize,
        };
        let mut samples = Vec::new();
        let mut spent = 0.0;
        for _ in 0..self.rounds {
            limit()?;
            let sample = turn(repeats)?;
            samples.push(sample);
            spent += sample.wall * repeats as f64;
            if spent > LONGEST && samples.len() >= 3 {
                break;
            }
        }
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_turns_are_repeated_and_long_ones_end_early() {
        let of = |wall: f64| Sample { wall, cpu: 0.0 };
        let run = |turns: Turns, wall: f64| {
            let (mut limits, mut repeats) = (0, Vec::new());
            let samples = turns.take(
                &mut || {
                    limits += 1;
                    Ok(())
                },
                &mut |count| {
                    repeats.push(count);
                    Ok(of(wall))
                },
            );
            (samples.unwrap().len(), limits, repeats)
        };
        assert_eq!(run(Turns::new(false, 2, 1e-2), 1e-3), (2, 2, vec![1, 10, 10]));
        assert_eq!(run(Turns::new(true, 1, 1e-2), 1e-3), (1, 1, vec![1, 1]));
        assert_eq!(run(Turns::new(false, 9, 1e-2), 5.0), (3, 3, vec![1; 4]));
    }
}
