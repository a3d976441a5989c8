//! Every f64 function against the platform's, which share no code with ours.
//!
//! Platforms state errors of up to 2 ULP, so ours may differ by that and what it states. The
//! stated errors themselves are held against exact values in `tests/math_oracle.rs`.

use super::super::{Function, exact, platform};
use super::*;

/// Numbers where functions change their formula or their meaning.
const EDGES: &[f64] = &[
    0.0,
    1.0,
    0.5,
    1.5,
    2.0,
    2.5,
    3.0,
    7.0,
    0.1,
    10.0,
    5.0e-324,
    1.0e-310,
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::INFINITY,
    f64::NAN,
    f64::EPSILON,
    5.0e-17,
    6.0e-17,
    7.4e-9,
    7.5e-9,
    3.7e-9,
    0.999_999_999_999_999_9,
    1.000_000_000_000_000_2,
    708.0,
    708.000_000_000_000_1,
    709.782_712_893_384,
    709.782_712_893_384_1,
    710.475_860_073_943_9,
    710.475_860_073_944,
    745.133_219_101_941_1,
    745.2,
    1_023.999_999_999_999_9,
    1024.0,
    1074.0,
    1075.0,
    37.0,
    40.0,
    std::f64::consts::PI,
    std::f64::consts::FRAC_PI_2,
    std::f64::consts::FRAC_PI_4,
    std::f64::consts::SQRT_2,
    std::f64::consts::FRAC_1_SQRT_2,
    0.546_302_489_843_790_5,
    1.830_487_721_712_452,
    0.92,
    5.95,
    1.0e6,
    1_000_000.000_000_1,
    1.0e22,
    1.152_921_504_606_847e18,
    3.3e150,
    3.3e-136,
    1.0e-250,
    1.0e280,
    1.0e300,
    2_251_799_813_685_248.5,
    4_503_599_627_370_495.5,
    9_007_199_254_740_992.0,
];

/// The edges and their negatives.
fn edges() -> impl Iterator<Item = f64> + Clone {
    EDGES.iter().flat_map(|&x| [x, -x])
}

/// A deterministic sequence of 64 bits (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `bits` with the exponent folded to −8..8.
fn near_one(bits: u64) -> f64 {
    let exponent = ((bits >> 52) & 15) + 1023 - 8;
    f64::from_bits((bits & 0x800f_ffff_ffff_ffff) | (exponent << 52))
}

/// Numbers of any bits, of ordinary size, and for `pow` pairs whose result nears the range's edge.
fn pairs(seed: u64, count: usize) -> impl Iterator<Item = (f64, f64)> {
    let mut state = seed;
    (0..count).map(move |i| {
        let (a, b) = (random(&mut state), random(&mut state));
        let (x, y) = (near_one(a), near_one(b));
        match i % 3 {
            0 => (f64::from_bits(a), f64::from_bits(b)),
            1 => (x, y),
            _ => (x, y * 128.0 / x.abs().ln().abs().max(1.0e-16)),
        }
    })
}

/// How far `got` is from `want` in units in the last place of `want`, but no smaller ones than
/// those of `floor`; infinite where the two do not mean the same.
fn apart(got: f64, want: f64, floor: f64) -> f64 {
    if want.is_nan() || got.is_nan() {
        return if want.is_nan() && got.is_nan() {
            0.0
        } else {
            f64::INFINITY
        };
    }
    if got == want {
        // Zeros must agree in sign.
        let same = got != 0.0 || floor > 0.0 || got.is_sign_negative() == want.is_sign_negative();
        return if same { 0.0 } else { f64::INFINITY };
    }
    // The largest number stands for a result that overflowed in one of the two.
    let (got, want) = (got.clamp(f64::MIN, f64::MAX), want.clamp(f64::MIN, f64::MAX));
    let at = want.abs().max(floor).max(f64::MIN_POSITIVE);
    let unit = f64::from_bits(at.to_bits() & 0x7ff0_0000_0000_0000) * f64::EPSILON;
    // A unit of the smallest numbers is less than can be divided by.
    ((got - want) * 9_007_199_254_740_992.0).abs() / (unit * 9_007_199_254_740_992.0)
}

#[test]
fn functions_agree_with_the_platform() {
    let mut failures = Vec::new();
    for &(name, ulp, function) in FUNCTIONS {
        let exact = ulp <= 0.5;
        let allowed = if exact { 0.0 } else { f64::from(ulp) + 2.0 };
        let floor = if name == "logaddexp" {
            std::f64::consts::LN_2
        } else {
            0.0
        };
        let mut worst = (0.0, 0.0, 0.0);
        let mut check = |got: f64, want: f64, x: f64, y: f64| {
            let off = apart(got, want, floor);
            if off > worst.0 {
                worst = (off, x, y);
            }
        };
        match function {
            Function::Unary(f) => {
                let want = platform::unary(name);
                let all = pairs(5, 60_000).flat_map(|(x, y)| [x, y]).chain(edges());
                all.for_each(|x| check(f(x), want(x), x, 0.0));
            }
            Function::Binary(f) => {
                let want = platform::binary(name);
                let edges = edges().flat_map(|x| edges().map(move |y| (x, y)));
                pairs(6, 90_000)
                    .chain(edges)
                    .for_each(|(x, y)| check(f(x, y), want(x, y), x, y));
            }
        }
        let (off, x, y) = worst;
        println!("{name:14} {off:8.4} at {x:e}, {y:e}");
        if off > allowed {
            failures.push(format!("{name}: {off} ULP at {x:e}, {y:e}, stated {ulp}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn exact_results_are_exact() {
    for n in -1074..1024_i32 {
        let power = 2.0_f64.powi(n / 2) * 2.0_f64.powi(n - n / 2);
        assert_eq!(exp2(f64::from(n)), power, "exp2({n})");
        assert_eq!(log2(power), f64::from(n), "log2(2^{n})");
    }
    for n in 1..2000_u32 {
        let x = f64::from(n);
        assert_eq!(pow(x, 2.0), x * x, "{n} squared");
        assert_eq!(pow(x, 3.0), x * x * x, "{n} cubed");
        assert_eq!(pow(x * x, 0.5), x, "root of {n} squared");
        assert_eq!(cbrt(x * x * x), x, "cube root of {n} cubed");
    }
    for n in 0..=22_i32 {
        assert_eq!(log10(10.0_f64.powi(n)), f64::from(n), "log10(1e{n})");
    }
}

#[test]
fn easy_arguments_take_the_same_bits_either_way() {
    type One = (fn(f64) -> bool, fn(f64) -> f64, fn(f64) -> f64);
    type Two = (fn(f64, f64) -> bool, fn(f64, f64) -> f64, fn(f64, f64) -> f64);
    let ones: [One; 7] = [
        (angle_is_small, sin, sin_small),
        (angle_is_small, cos, cos_small),
        (angle_is_small, tan, tan_small),
        (exponent_is_small, exp, exp_small),
        (is_positive_normal, log, log_normal),
        (is_positive_normal, log2, log2_normal),
        (is_positive_normal, log10, log10_normal),
    ];
    let twos: [Two; 4] = [
        (quotient_is_small, fmod, fmod_small),
        (quotient_is_small, remainder, remainder_small),
        (quotient_is_small, floor_divide, floor_divide_small),
        (power_is_small, pow, pow_small),
    ];
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let mut easy = [0; 11];
    let edges = edges().flat_map(|x| edges().map(move |y| (x, y)));
    for (x, y) in pairs(7, 100_000).chain(edges) {
        for (i, (test, full, quick)) in ones.iter().enumerate() {
            if test(x) {
                easy[i] += 1;
                assert!(same(full(x), quick(x)), "function {i} of {x:e}");
            }
        }
        for (i, (test, full, quick)) in twos.iter().enumerate() {
            if test(x, y) {
                easy[7 + i] += 1;
                assert!(same(full(x, y), quick(x, y)), "pair function {i} of {x:e}, {y:e}");
            }
        }
    }
    assert!(easy.iter().all(|&n| n > 30_000), "{easy:?}");
}

#[test]
fn pairs_are_exact() {
    let mut state = 11;
    for _ in 0..100_000 {
        let (a, b) = (random(&mut state) >> 11, random(&mut state) >> 11);
        let (p, e) = exact::two_prod(a as f64, b as f64);
        assert_eq!(
            (p as u128).wrapping_add_signed(e as i128),
            u128::from(a) * u128::from(b)
        );
        let far = b as f64 * 1_048_576.0;
        let (s, e) = exact::two_sum(a as f64, far);
        assert_eq!(s as i128 + e as i128, i128::from(a) + (i128::from(b) << 20));
    }
}

/// The integer reduction of angles against the subtraction of parts, where both hold.
#[test]
fn both_reductions_of_angles_agree() {
    let mut state = 13;
    for _ in 0..100_000 {
        let x = near_one(random(&mut state)) * 4096.0;
        if x.abs() < 1.0 {
            continue;
        }
        let (a, b) = (angle::reduce_small(x), angle::reduce_large(x));
        assert_eq!(a.k & 3, b.k & 3, "{x:e}");
        let gap = (a.r - b.r) + (a.lo - b.lo);
        assert!(gap.abs() <= a.r.abs() * 2.0_f64.powi(-68), "{x:e}: {gap:e}");
    }
}
