//! Transforms of a few points in registers, written out as statements.
//!
//! Composite lengths are made of shorter ones with constant factors between; an odd prime pairs its
//! points around the first. Constants are rounded once, from f64.

use super::tables::unit;
use std::fmt::Write;

/// The element type of a kernel's complex numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Real {
    F32,
    F64,
}

impl Real {
    /// Its name in WGSL.
    pub fn name(self) -> &'static str {
        match self {
            Real::F32 => "f32",
            Real::F64 => "f64",
        }
    }

    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Real::F32 => 4,
            Real::F64 => 8,
        }
    }

    /// A constant.
    fn literal(self, value: f64) -> String {
        match self {
            Real::F32 => format!("{:?}f", value as f32),
            Real::F64 => format!("{value:?}lf"),
        }
    }
}

/// Statements in the making; every one names a new value.
pub(super) struct Codelet {
    pub text: String,
    real: Real,
    named: usize,
    indent: &'static str,
}

impl Codelet {
    pub fn new(real: Real, indent: &'static str) -> Codelet {
        Codelet {
            text: String::new(),
            real,
            named: 0,
            indent,
        }
    }

    fn name(&mut self, value: &str) -> String {
        let name = format!("t{}", self.named);
        self.named += 1;
        let _ = writeln!(self.text, "{}let {name} = {value};", self.indent);
        name
    }

    /// The forward transform of the values of these names; its own are returned in their order.
    pub fn transform(&mut self, points: &[String]) -> Vec<String> {
        match points.len() {
            1 => points.to_vec(),
            2 => {
                let (a, b) = (&points[0], &points[1]);
                vec![self.name(&format!("{a} + {b}")), self.name(&format!("{a} - {b}"))]
            }
            n => match outer(n) {
                Some(first) => self.composite(points, first),
                None => self.prime(points),
            },
        }
    }

    /// Transforms of `first` points, factors, and transforms across them.
    fn composite(&mut self, points: &[String], first: usize) -> Vec<String> {
        let (n, second) = (points.len(), points.len() / first);
        let mut across = vec![Vec::new(); first];
        for j in 0..second {
            let column: Vec<String> = (0..first).map(|i| points[i * second + j].clone()).collect();
            for (k, value) in self.transform(&column).into_iter().enumerate() {
                across[k].push(self.turned(&value, j * k, n));
            }
        }
        let mut out = vec![String::new(); n];
        for (k, row) in across.iter().enumerate() {
            for (m, value) in self.transform(row).into_iter().enumerate() {
                out[k + first * m] = value;
            }
        }
        out
    }

    /// A value times exp(-2 pi i at / n).
    fn turned(&mut self, value: &str, at: usize, n: usize) -> String {
        let at = at % n;
        if at == 0 {
            return value.to_string();
        }
        let text = match (4 * at == n, 2 * at == n, 4 * at == 3 * n) {
            (true, ..) => format!("vec2({value}.y, -{value}.x)"),
            (_, true, _) => format!("-{value}"),
            (.., true) => format!("vec2(-{value}.y, {value}.x)"),
            _ => {
                let (re, im) = unit(at as u64, n as u64);
                let [re, im] = [re, im].map(|x| self.real.literal(x));
                format!("times({value}, vec2({re}, {im}))")
            }
        };
        self.name(&text)
    }

    /// An odd prime number of points.
    fn prime(&mut self, points: &[String]) -> Vec<String> {
        let p = points.len();
        let half = p / 2;
        let (mut sums, mut differences) = (Vec::new(), Vec::new());
        for j in 1..=half {
            let (a, b) = (&points[j], &points[p - j]);
            sums.push(self.name(&format!("{a} + {b}")));
            differences.push(self.name(&format!("{a} - {b}")));
        }
        let mut out = vec![String::new(); p];
        out[0] = self.name(&format!("{} + {}", points[0], sums.join(" + ")));
        for k in 1..=half {
            // The sine is that of the negative angle.
            let roots: Vec<(f64, f64)> = (1..=half).map(|j| unit((j * k % p) as u64, p as u64)).collect();
            let term = |real: Real, name: &String, factor: f64| format!("{name} * {}", real.literal(factor));
            let even: Vec<String> = sums
                .iter()
                .zip(&roots)
                .map(|(s, r)| term(self.real, s, r.0))
                .collect();
            let odd: Vec<String> = differences
                .iter()
                .zip(&roots)
                .map(|(d, r)| term(self.real, d, r.1))
                .collect();
            let even = self.name(&format!("{} + {}", points[0], even.join(" + ")));
            let odd = self.name(&odd.join(" + "));
            out[k] = self.name(&format!("vec2({even}.x - {odd}.y, {even}.y + {odd}.x)"));
            out[p - k] = self.name(&format!("vec2({even}.x + {odd}.y, {even}.y - {odd}.x)"));
        }
        out
    }
}

/// The first factor of a composite number of points: fours before twos; none of a prime.
fn outer(n: usize) -> Option<usize> {
    [4, 2, 3, 5, 7]
        .into_iter()
        .find(|&f| n > f && n.is_multiple_of(f))
}
