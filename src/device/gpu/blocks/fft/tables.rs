//! Factors that kernels read: roots of unity, chirps, and the spectrum of a chirp.
//!
//! All are computed in f64 from angles reduced to an eighth of a turn, and rounded once. Those of the
//! last few transforms are kept for their next blocks.

use super::codelet::Real;
use super::plan::{Plan, Problem};
use crate::device::gpu::context::lock;
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex};
use tilewise_kernels::fft::{Planned, Transform};
use tilewise_kernels::{Columns, ColumnsMut, Complex64};

/// Bytes of tables that are kept, at most.
const KEPT_BYTES: usize = 4 << 20;

/// A complex number.
pub(super) type Complex = (f64, f64);

/// exp(-2 pi i at / n), for fewer than 2^32 points.
pub(super) fn unit(at: u64, n: u64) -> Complex {
    let at = at % n;
    // The eighth of a turn, and how far from its nearer end on an axis.
    let eighth = (8 * at / n) as u32;
    let quarter = u64::from(eighth.div_ceil(2));
    let rest = (4 * at).abs_diff(quarter * n);
    let angle = TAU * (rest as f64) / (4.0 * n as f64);
    let (sin, cos) = angle.sin_cos();
    // Odd eighths end on their axis, even ones begin there.
    let sin = if eighth % 2 == 1 { -sin } else { sin };
    let (re, im) = match quarter % 4 {
        0 => (cos, sin),
        1 => (-sin, cos),
        2 => (-cos, -sin),
        _ => (sin, -cos),
    };
    (re, -im)
}

/// exp(-i pi at^2 / n).
pub(super) fn chirp(at: u64, n: u64) -> Complex {
    unit(at * at % (2 * n), 2 * n)
}

/// The factors of the stages of a transform: for each stage but the first, by input but the first, by
/// place among what earlier stages gave.
pub(super) fn stages(list: &[usize]) -> Vec<Complex> {
    let mut found = Vec::new();
    let mut before = 1;
    for &radix in list {
        if before > 1 {
            for q in 1..radix {
                found.extend((0..before).map(|j| unit((q * j) as u64, (before * radix) as u64)));
            }
        }
        before *= radix;
    }
    found
}

/// Roots of order `n` in two levels: those of the lowest `shift` bits of an index, and of the others.
pub(super) struct Roots {
    pub shift: u32,
    pub low: Vec<Complex>,
    pub high: Vec<Complex>,
}

impl Roots {
    pub fn new(n: usize) -> Roots {
        let bits = usize::BITS - n.leading_zeros();
        let shift = bits.div_ceil(2);
        let of = |at: usize| unit(at as u64, n as u64);
        Roots {
            shift,
            low: (0..n.min(1 << shift)).map(of).collect(),
            high: (0..n.div_ceil(1 << shift)).map(|at| of(at << shift)).collect(),
        }
    }

    /// Where both levels begin once they are added, and the bits of the lower one.
    fn added(self, add: &mut impl FnMut(Vec<Complex>) -> usize) -> [usize; 3] {
        [add(self.low), add(self.high), self.shift as usize]
    }
}

/// The transform of the chirp that a product with turns into a transform of `n` points, by a product
/// of `padded` of them, over `padded`. Its order is that of a transform cut into `pieces`: the last
/// one's index counts fastest.
pub(super) fn spectrum(n: usize, pieces: &[usize]) -> Vec<Complex> {
    let padded: usize = pieces.iter().product();
    let mut wave = vec![Complex64::new(0.0, 0.0); padded];
    for at in 0..n {
        let (re, im) = chirp(at as u64, n as u64);
        wave[at] = Complex64::new(re, -im);
        wave[(padded - at) % padded] = wave[at];
    }
    let mut found = wave.clone();
    Planned::<f64>::new(Transform::Forward, padded, 1.0 / padded as f64).complex(
        Columns::dense(&wave, 1, padded, 1),
        ColumnsMut::dense(&mut found, 1, padded, 1),
    );
    // The index of a piece counts in steps of the pieces before it.
    let (mut weights, mut before) = (Vec::new(), 1);
    for piece in pieces {
        weights.push(before);
        before *= piece;
    }
    (0..padded)
        .map(|at| {
            let (mut rest, mut from) = (at, 0);
            for (piece, weight) in pieces.iter().zip(&weights).rev() {
                from += rest % piece * weight;
                rest /= piece;
            }
            (found[from].re, found[from].im)
        })
        .collect()
}

/// Complex numbers as a kernel reads them.
fn bytes(real: Real, values: &[Complex]) -> Vec<u8> {
    let flat = values.iter().flat_map(|&(re, im)| [re, im]);
    match real {
        Real::F32 => flat.flat_map(|x| (x as f32).to_ne_bytes()).collect(),
        Real::F64 => flat.flat_map(f64::to_ne_bytes).collect(),
    }
}

/// All tables of a transform, and where they begin in complex numbers; the scale of the result is the
/// first.
pub(super) struct Tables {
    pub bytes: Vec<u8>,
    /// Of each pass: factors of its stages and of those back, and the roots behind it in two levels
    /// with the bits of the lower one.
    pub stages: Vec<[usize; 2]>,
    pub roots: Vec<[usize; 3]>,
    pub chirp: usize,
    pub spectrum: usize,
    /// Roots that pairs of real numbers are joined with.
    pub pairs: [usize; 3],
}

impl Tables {
    fn new(plan: &Plan, problem: &Problem, scale: f64) -> Tables {
        let mut values = vec![(scale, 0.0)];
        let mut add = |list: Vec<Complex>| {
            let at = values.len();
            values.extend(list);
            at
        };
        let mut starts: Vec<[usize; 2]> = Vec::new();
        let mut roots: Vec<[usize; 3]> = Vec::new();
        for pass in &plan.passes {
            // On the way back a piece has the factors and roots that it had.
            let known = plan.passes[..starts.len()]
                .iter()
                .position(|p| p.piece == pass.piece);
            if let Some(known) = known {
                starts.push(starts[known]);
                roots.push(roots[known]);
                continue;
            }
            let list = &pass.kernel.radices;
            let back: Vec<usize> = list.iter().rev().copied().collect();
            let there = add(stages(list));
            let back = if pass.kernel.again { add(stages(&back)) } else { 0 };
            starts.push([there, back]);
            let last = pass.piece + 1 == plan.pieces.len();
            roots.push(match last {
                true => [0; 3],
                false => Roots::new(pass.kernel.len() * pass.parts).added(&mut add),
            });
        }
        let (mut wave, mut of_wave) = (0, 0);
        if plan.chirped {
            let n = plan.points as u64;
            wave = add((0..n).map(|at| chirp(at, n)).collect());
            of_wave = add(spectrum(plan.points, &plan.pieces));
        }
        let pairs = match problem.paired() {
            true => Roots::new(problem.len).added(&mut add),
            false => [0; 3],
        };
        Tables {
            bytes: bytes(problem.real, &values),
            stages: starts,
            roots,
            chirp: wave,
            spectrum: of_wave,
            pairs,
        }
    }
}

/// What decides tables.
#[derive(PartialEq)]
struct Key {
    real: Real,
    len: usize,
    pairs: bool,
    pieces: Vec<usize>,
    scale: u64,
    radices: Vec<Vec<usize>>,
}

/// Tables of the last few transforms, the last one behind.
#[derive(Default)]
pub(in crate::device::gpu) struct Transforms(Mutex<Vec<(Key, Arc<Tables>)>>);

impl Transforms {
    /// The tables of a plan.
    pub(super) fn of(&self, plan: &Plan, problem: &Problem, scale: f64) -> Arc<Tables> {
        let key = Key {
            real: problem.real,
            len: problem.len,
            pairs: problem.paired(),
            pieces: plan.pieces.clone(),
            scale: scale.to_bits(),
            radices: plan
                .passes
                .iter()
                .map(|pass| pass.kernel.radices.clone())
                .collect(),
        };
        if let Some((_, tables)) = lock(&self.0).iter().find(|(known, _)| *known == key) {
            return tables.clone();
        }
        let tables = Arc::new(Tables::new(plan, problem, scale));
        let mut kept = lock(&self.0);
        if tables.bytes.len() <= KEPT_BYTES {
            kept.push((key, tables.clone()));
        }
        while kept.iter().map(|(_, tables)| tables.bytes.len()).sum::<usize>() > KEPT_BYTES {
            kept.remove(0);
        }
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(a: Complex, b: Complex) -> Complex {
        (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
    }

    fn close(a: Complex, b: Complex, by: f64) -> bool {
        (a.0 - b.0).abs() <= by && (a.1 - b.1).abs() <= by
    }

    #[test]
    fn roots_are_those_of_their_angles_and_exact_on_axes() {
        for n in [1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 1000] {
            for at in 0..2 * n {
                let angle = -TAU * at as f64 / n as f64;
                let (sin, cos) = angle.sin_cos();
                assert!(close(unit(at, n), (cos, sin), 3e-15), "{at} of {n}");
            }
        }
        assert_eq!(
            [0, 1, 2, 3].map(|at| unit(at, 4)),
            [(1.0, -0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0)]
        );
        let (re, im) = unit(1, 8);
        assert!((re + im).abs() < 2e-16);
        assert!(close(chirp(5, 7), unit(25, 14), 0.0));
    }

    #[test]
    fn two_levels_give_every_root() {
        for n in [1, 2, 9, 64, 1000] {
            let roots = Roots::new(n);
            for at in 0..n {
                let low = roots.low[at & ((1 << roots.shift) - 1)];
                let high = roots.high[at >> roots.shift];
                assert!(close(times(low, high), unit(at as u64, n as u64), 1e-15));
            }
        }
    }

    #[test]
    fn the_spectrum_is_that_of_the_chirp() {
        for (n, pieces) in [(3, vec![5]), (7, vec![15]), (11, vec![3, 4, 2]), (1, vec![1])] {
            let padded: usize = pieces.iter().product();
            let found = spectrum(n, &pieces);
            for (at, &value) in found.iter().enumerate() {
                let k = match pieces[..] {
                    [a, b, c] => at / (b * c) + a * (at / c % b) + a * b * (at % c),
                    _ => at,
                };
                let mut sum = (0.0, 0.0);
                for j in 0..padded {
                    let back = j.min(padded - j);
                    if back < n {
                        let (re, im) = chirp(back as u64, n as u64);
                        let term = times((re, -im), unit((j * k) as u64, padded as u64));
                        sum = (sum.0 + term.0, sum.1 + term.1);
                    }
                }
                let want = (sum.0 / padded as f64, sum.1 / padded as f64);
                assert!(close(value, want, 1e-13), "{n} {pieces:?} {at}");
            }
        }
    }
}
