//! How fast an adapter moves bytes: what placement goes by.
//!
//! Measured once per adapter, driver and version, when first asked for, and kept in the cache folder.
//! A few megabytes tell enough: placement has to know whether the bus pays, not the last percent.

use super::Gpu;
use super::cache;
use super::probe::{Probe, RawLimit};
use crate::Result;

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

/// Bytes of an array that is moved, at most.
const BYTES: u64 = 32 << 20;
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

    /// Measures by the limits of the adapter, on a device opened and closed for that.
    fn measure(&self) -> Result<Rates> {
        let memory = &self.home.memory;
        let bytes = BYTES.min(memory.budget().device / 8);
        let info = &self.home.context.info;
        let mut probe = Probe::open(info.index, bytes, info.software)?;
        let mut rate = |limit: RawLimit| -> Result<f64> {
            (0..TURNS).try_fold(0.0, |best: f64, _| {
                let turn = probe.turn(limit)?;
                Ok(best.max(turn.amount / turn.seconds.max(1e-9)))
            })
        };
        let (up, down) = match memory.direct {
            true => (RawLimit::MappedWrite, RawLimit::MappedRead),
            false => (RawLimit::Upload, RawLimit::Download),
        };
        Ok(Rates {
            upload: rate(up)?,
            download: rate(down)?,
            copy: rate(RawLimit::CopyKernel)?,
            task: rate(RawLimit::RoundTrip)?.recip(),
        })
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
