//! Factors that kernels read: roots of unity, chirps, and the spectrum of a chirp.
//!
//! All are computed in f64 from angles reduced to an eighth of a turn, and rounded once.

use super::codelet::Real;
use super::factor::radices;
use std::f64::consts::TAU;

/// A complex number.
pub(super) type Complex = (f64, f64);

/// exp(-2 pi i at / n).
pub(super) fn unit(at: u64, n: u64) -> Complex {
    let at = u128::from(at % n);
    let n = u128::from(n);
    // The eighth of a turn, and how far from its nearer end on an axis.
    let eighth = (8 * at / n) as u32;
    let quarter = u128::from(eighth.div_ceil(2));
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
    let square = u128::from(at) * u128::from(at) % (2 * u128::from(n));
    unit(square as u64, 2 * n)
}

fn times(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
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
}

/// The transform of the chirp that a product with turns into a transform of `n` points, by a product
/// of `padded` of them, over `padded`. Its order is that of a transform cut into `pieces`: the last
/// one's index counts fastest.
pub(super) fn spectrum(n: usize, pieces: &[usize]) -> Vec<Complex> {
    let padded: usize = pieces.iter().product();
    let mut wave = vec![(0.0, 0.0); padded];
    for at in 0..n {
        let (re, im) = chirp(at as u64, n as u64);
        wave[at] = (re, -im);
        wave[(padded - at) % padded] = (re, -im);
    }
    let found = transform(wave);
    let scale = 1.0 / padded as f64;
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
            (found[from].0 * scale, found[from].1 * scale)
        })
        .collect()
}

/// The forward transform of a smooth number of points, in f64.
fn transform(mut points: Vec<Complex>) -> Vec<Complex> {
    let n = points.len();
    let roots: Vec<Complex> = (0..n).map(|at| unit(at as u64, n as u64)).collect();
    let mut made = vec![(0.0, 0.0); n];
    let mut before = 1;
    for radix in radices(n, 4) {
        let apart = n / radix;
        for b in 0..apart {
            let (outer, j) = (b / before, b % before);
            let step = n / (before * radix);
            for k in 0..radix {
                let mut sum = (0.0, 0.0);
                for q in 0..radix {
                    let root = roots[q * (j * step + k * apart) % n];
                    let term = times(points[b + q * apart], root);
                    sum = (sum.0 + term.0, sum.1 + term.1);
                }
                made[outer * before * radix + j + k * before] = sum;
            }
        }
        std::mem::swap(&mut points, &mut made);
        before *= radix;
    }
    points
}

/// Complex numbers as a kernel reads them.
pub(super) fn bytes(real: Real, values: &[Complex]) -> Vec<u8> {
    let flat = values.iter().flat_map(|&(re, im)| [re, im]);
    match real {
        Real::F32 => flat.flat_map(|x| (x as f32).to_ne_bytes()).collect(),
        Real::F64 => flat.flat_map(f64::to_ne_bytes).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!([0, 1, 2, 3].map(|at| unit(at, 4)), [(1.0, -0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0)]);
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
