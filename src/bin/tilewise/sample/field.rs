//! The values of a sample: a mean state, seasons, days, a trend, and weather.
//!
//! Weather is a sum of zonal waves whose strength varies with latitude and wanders in time, so it
//! is smooth in space and persistent; every coefficient is a hash of its place, so values do not
//! depend on how many are made at once.

use super::layout::Layout;
use super::variable::{MISSING, Name};
use std::f64::consts::TAU;

/// Zonal waves of the weather.
const WAVES: usize = 8;

/// Days over which a wave forgets itself.
const MEMORY: f64 = 4.0;

/// Warming in kelvin per year.
const TREND: f64 = 0.025;

/// The climate of a layout.
#[derive(Debug)]
pub struct Climate<'a> {
    layout: &'a Layout,
    seed: u64,
    /// Cosine and sine of each wave at each longitude.
    waves: Vec<[f32; 2 * WAVES]>,
    /// Land share of each cell, 0 to 1.
    land: Vec<f32>,
}

impl Climate<'_> {
    /// The climate that follows from a seed.
    pub fn new(layout: &Layout, seed: u64) -> Climate<'_> {
        let waves = layout.lon.iter().map(|lon| {
            std::array::from_fn(|k| {
                let angle = (k / 2 + 1) as f64 * lon.to_radians();
                (if k % 2 == 0 { angle.cos() } else { angle.sin() }) as f32
            })
        });
        let mut climate = Climate {
            layout,
            seed,
            waves: waves.collect(),
            land: Vec::new(),
        };
        climate.land = climate.continents();
        climate
    }

    /// The share of land in percent, as the file holds it.
    pub fn land_percent(&self) -> Vec<u8> {
        let percent: Vec<f32> = self.land.iter().map(|share| 100.0 * share).collect();
        bytemuck::cast_slice(&percent).to_vec()
    }

    /// Smooth continents on about a third of the globe, and ice in the south.
    fn continents(&self) -> Vec<f32> {
        let mut land = Vec::with_capacity(self.layout.lat.len() * self.waves.len());
        for lat in &self.layout.lat {
            let row = self.coefficients(u64::MAX, 0.0, lat.to_radians());
            for wave in &self.waves {
                let height = dot(&row, wave) - 0.5 + if *lat < -72.0 { 4.0 } else { 0.0 };
                land.push((height * 2.0).clamp(0.0, 1.0));
            }
        }
        land
    }

    /// The coefficients of the waves at a time and latitude: between two anchors in time, each a
    /// few smooth functions of latitude with random weights.
    fn coefficients(&self, stream: u64, time: f64, lat: f64) -> [f32; 2 * WAVES] {
        let anchor = (time / MEMORY).floor();
        let part = time / MEMORY - anchor;
        // Weights whose squares add up to 1 keep the variance the same between anchors.
        let (before, after) = ((part * TAU / 4.0).cos(), (part * TAU / 4.0).sin());
        std::array::from_fn(|k| {
            let at = |moment: f64| -> f64 {
                (0..4u64)
                    .map(|mode| {
                        let key = [stream, moment as i64 as u64, k as u64, mode];
                        normal(self.seed, key) * ((mode + 1) as f64 * lat + mode as f64).cos()
                    })
                    .sum()
            };
            let size = 1.0 / (1.0 + (k / 2) as f64);
            (size * (before * at(anchor) + after * at(anchor + 1.0))) as f32
        })
    }

    /// The values of `count` steps from step `first`, row-major.
    pub fn slab(&self, name: Name, first: usize, count: usize) -> Vec<f32> {
        let (rows, columns) = (self.layout.lat.len(), self.layout.lon.len());
        let mut out = Vec::with_capacity(count * rows * columns);
        for step in first..first + count {
            let [from, to] = self.layout.bounds[step];
            let time = (from + to) / 2.0;
            for (row, lat) in self.layout.lat.iter().enumerate() {
                let weather = self.coefficients(name as u64, time, lat.to_radians());
                self.row(name, step, row, time, to - from, &weather, &mut out);
            }
        }
        out
    }

    /// One row of a field.
    fn row(
        &self,
        name: Name,
        step: usize,
        row: usize,
        time: f64,
        length: f64,
        weather: &[f32; 2 * WAVES],
        out: &mut Vec<f32>,
    ) {
        let columns = self.layout.lon.len();
        let lat = self.layout.lat[row].to_radians();
        let (north, polar) = (lat.sin(), lat.sin().powi(2));
        let season = (TAU * (time / self.layout.year - 0.07)).cos();
        let mean = 300.5 - 46.0 * polar + TREND * time / self.layout.year * (1.0 + polar);
        // A daily cycle only where a step is shorter than a day; weather is weaker in means.
        let daily = if length < 0.9 {
            4.0 * lat.cos().powi(2)
        } else {
            0.0
        };
        let spread = ((1.5 + 5.0 * polar) / (length / MEMORY).max(1.0).sqrt()) as f32;
        let base = ((step * self.layout.lat.len() + row) * columns) as u64;
        for (column, wave) in self.waves.iter().enumerate() {
            let land = self.land[row * columns + column];
            let seasonal = (-season * north * f64::from(6.0 + 14.0 * land)) as f32;
            let hour = (time.fract() + self.layout.lon[column] / 360.0 - 0.6) * TAU;
            let diurnal = if daily > 0.0 {
                (daily * hour.cos()) as f32 * (0.3 + land)
            } else {
                0.0
            };
            let noise = uniform(self.seed ^ 0x5eed, base + column as u64) - 0.5;
            let weather = spread * (dot(weather, wave) + 0.6 * noise);
            let tas = mean as f32 - 4.0 * land * polar as f32 + seasonal + diurnal + weather;
            out.push(match name {
                Name::Tas => tas,
                Name::Tos if land >= 0.5 => MISSING,
                Name::Tos => (tas - 273.15 + 1.0 - 0.7 * weather).max(-1.8),
                Name::Pr => {
                    let wet = (weather / spread.max(0.1) - 0.4 + (1.0 - polar as f32)).max(0.0);
                    wet * wet * 4e-5 * (0.4 + 0.6 * (1.0 - land))
                }
            });
        }
    }
}

fn dot(a: &[f32; 2 * WAVES], b: &[f32; 2 * WAVES]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// SplitMix64's finaliser: a well-mixed function of its input.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number in 0..1 that follows from a seed and a counter.
fn uniform(seed: u64, counter: u64) -> f32 {
    let bits = mix(mix(seed).wrapping_add(counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    (bits >> 40) as f32 / (1u64 << 24) as f32
}

/// A number of about a normal distribution that follows from a seed and a key.
fn normal(seed: u64, key: [u64; 4]) -> f64 {
    let mut state = mix(seed);
    for part in key {
        state = mix(state.wrapping_add(part).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    let sum: f64 = (0..4).map(|n| f64::from(uniform(state, n))).sum();
    (sum - 2.0) * 1.732
}
