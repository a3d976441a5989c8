//! How fast an adapter moves bytes: what placement goes by.
//!
//! Measured once per adapter, driver and version, when first asked for, and kept in the cache folder.
//! A few megabytes tell enough: placement has to know whether the bus pays, not the last percent.

use super::Gpu;
use super::assemble::copy_words;
use super::cache;
use super::launch::{Launch, Need};
use crate::Result;
use crate::device::OutMut;
use std::time::Instant;

/// Bytes per second, and what a task costs beside its bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rates {
    /// From host memory to the device.
    pub upload: f64,
    /// From the device to host memory.
    pub download: f64,
    /// Read and written by a kernel that copies.
    pub copy: f64,
    /// Seconds of a task that moves nothing.
    pub task: f64,
}

/// Bytes that are moved at once, at most.
const BYTES: usize = 32 << 20;
/// Passes of the copy in one submission.
const PASSES: usize = 8;
/// Turns, the best of which counts.
const TURNS: usize = 3;

impl Gpu {
    /// The adapter's rates, measured now if they are not known yet.
    ///
    /// # Errors
    /// What the device meets.
    pub fn rates(&self) -> Result<Rates> {
        if let Some(rates) = self.rates.get() {
            return Ok(*rates);
        }
        let mode = if self.home.memory.direct {
            "direct"
        } else {
            "staged"
        };
        let name = format!(
            "rates-{mode}-{:016x}.txt",
            cache::adapter_key(&self.home.context.info)
        );
        let known = cache::read(&name).and_then(|data| parse(&String::from_utf8(data).ok()?));
        let rates = match known {
            Some(rates) => rates,
            None => {
                let rates = self.measure()?;
                cache::write(&name, print(rates).as_bytes());
                rates
            }
        };
        Ok(*self.rates.get_or_init(|| rates))
    }

    fn measure(&self) -> Result<Rates> {
        let budget = self.home.memory.budget();
        let mut bytes = (budget.device / 8).min(BYTES as u64).min(self.binding_bytes) as usize;
        if !self.home.memory.direct {
            bytes = bytes.min(budget.staging as usize / 4);
        }
        let bytes = bytes.next_multiple_of(64).max(256) - 64;
        let mut data = vec![1u8; bytes];
        let best = |turn: &mut dyn FnMut() -> Result<f64>| -> Result<f64> {
            (0..TURNS).try_fold(f64::INFINITY, |best, _| Ok(turn()?.min(best)))
        };
        let task = best(&mut || self.turn(&[], 0, &mut [0; 32], 1))?;
        let upload = best(&mut || self.turn(&data, 0, &mut [0; 32], 1))?;
        let once = best(&mut || self.turn(&[], bytes, &mut [0; 32], 1))?;
        let often = best(&mut || self.turn(&[], bytes, &mut [0; 32], 1 + PASSES))?;
        let download = best(&mut || self.turn(&[], 0, &mut data, 1))?;
        let rate = |bytes: usize, seconds: f64| bytes as f64 / seconds.max(1e-9);
        Ok(Rates {
            upload: rate(bytes, upload - task.min(upload / 2.0)),
            download: rate(bytes, download - task.min(download / 2.0)),
            copy: rate(2 * bytes * PASSES, (often - once).max(often / 100.0)),
            task,
        })
    }

    /// Seconds from the making of a unit of work to its results: it uploads `data`, copies `moved`
    /// bytes so many times, and brings `out` home.
    fn turn(&self, data: &[u8], moved: usize, out: &mut [u8], passes: usize) -> Result<f64> {
        let (words, groups) = copy_words(moved.max(32));
        let out_len = out.len();
        let mut result = OutMut::Store(out);
        let mut need = Need::new(self);
        need.upload(data.len());
        need.upload(4 * words.len());
        need.scratch(moved.max(32));
        need.scratch(moved.max(32));
        need.output(&result, out_len);
        let kernel = self.copy_kernel()?;
        let started = Instant::now();
        let mut launch = Launch::new(self, need)?;
        launch.upload(data)?;
        let parameters = launch.words(&words)?;
        let (from, to) = (launch.scratch(moved.max(32))?, launch.scratch(moved.max(32))?);
        for pass in 0..passes {
            let (from, to) = if pass % 2 == 0 { (&from, &to) } else { (&to, &from) };
            launch.dispatch(&kernel, &[&parameters, from, to], groups)?;
        }
        let span = launch.output(out_len)?;
        if let OutMut::Store(bytes) = &mut result {
            launch.finish(vec![(span, OutMut::Store(bytes))])?;
        }
        Ok(started.elapsed().as_secs_f64())
    }
}

fn print(rates: Rates) -> String {
    let Rates {
        upload,
        download,
        copy,
        task,
    } = rates;
    format!("{upload} {download} {copy} {task}")
}

fn parse(text: &str) -> Option<Rates> {
    let numbers: Option<Vec<f64>> = text.split(' ').map(|t| t.parse().ok()).collect();
    match numbers?[..] {
        [upload, download, copy, task] if upload > 0.0 && download > 0.0 && copy > 0.0 => Some(Rates {
            upload,
            download,
            copy,
            task,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_come_back_from_their_text() {
        let rates = Rates {
            upload: 1.25e10,
            download: 9.5e9,
            copy: 3.1e12,
            task: 4.5e-5,
        };
        assert_eq!(parse(&print(rates)), Some(rates));
        assert_eq!(parse("1 2 x 3"), None);
        assert_eq!(parse("0 1 1 1"), None);
    }
}
