//! Every function against f64 and against the special values of Annex F.

use super::Function::{Binary, Unary};
use super::*;

/// Numbers where functions change their formula or their meaning.
const EDGES: &[f32] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    1.0e-45,
    -1.0e-45,
    1.0e-40,
    -1.0e-40,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    3.0e9,
    -3.0e9,
    88.722_84,
    88.722_85,
    -87.336_55,
    -103.972_08,
    -103.97,
    128.0,
    -149.0,
    -150.0,
    0.999_999_94,
    1.000_000_1,
    1.0e-8,
    -1.0e-8,
    16_777_216.0,
    8_388_607.5,
    4_194_304.5,
    6000.0,
    6_000.000_5,
    std::f32::consts::FRAC_PI_2,
    std::f32::consts::PI,
    std::f32::consts::FRAC_PI_4,
    89.4,
    -89.4,
    1.0e18,
    1.0e-12,
    1.0e30,
    7.0,
    -7.0,
    0.1,
    1.5,
    2.5,
    -2.5,
    1.0e-20,
    1.0e10,
];

/// The f64 oracle of a function of two arguments.
fn binary_oracle(name: &str) -> fn(f64, f64) -> f64 {
    match name {
        // Neighbours and rounded quotients are those of f32.
        "nextafter" => |x, y| f64::from(libm::nextafterf(x as f32, y as f32)),
        "floor_divide" => |x, y| f64::from(numpy_floor_divide(x as f32, y as f32)),
        _ => platform::binary(name),
    }
}

/// NumPy's `npy_floor_dividef`, on the platform's `fmodf`.
fn numpy_floor_divide(a: f32, b: f32) -> f32 {
    let m = a % b;
    if b == 0.0 {
        return a / b;
    }
    let mut d = (a - m) / b;
    if m != 0.0 && (b < 0.0) != (m < 0.0) {
        d -= 1.0;
    }
    if d == 0.0 {
        return 0.0_f32.copysign(a / b);
    }
    let f = d.floor();
    if d - f > 0.5 { f + 1.0 } else { f }
}

/// The error of `got` in units in the last place of `want`, `floor` being the
/// least magnitude of `want` that the unit is taken at.
fn error(got: f32, want: f64, floor: f64) -> f64 {
    let rounded = want as f32;
    if rounded.is_nan() || got.is_nan() {
        return if rounded.is_nan() && got.is_nan() {
            0.0
        } else {
            f64::INFINITY
        };
    }
    if got == rounded {
        // Zeros must agree in sign.
        let signs = got != 0.0 || floor > 0.0 || got.is_sign_negative() == rounded.is_sign_negative();
        if !signs {
            return f64::INFINITY;
        }
        if got.is_infinite() {
            return 0.0;
        }
    }
    let got = if got.is_infinite() {
        f64::from(got.signum()) * 2.0_f64.powi(128)
    } else {
        f64::from(got)
    };
    let want = want.clamp(-(2.0_f64.powi(128)), 2.0_f64.powi(128));
    let at = want.abs().max(floor).clamp(2.0_f64.powi(-126), 2.0_f64.powi(127));
    let unit = 2.0_f64.powi(((at.to_bits() >> 52) as i32 - 1023) - 23);
    (got - want).abs() / unit
}

/// A worst error and where it was met.
#[derive(Debug, Clone, Copy, Default)]
struct Worst(f64, f32, f32);

impl Worst {
    fn note(&mut self, error: f64, x: f32, y: f32) {
        if error > self.0 || error.is_nan() {
            *self = Worst(error, x, y);
        }
    }
}

/// A deterministic sequence of 64 bits (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The worst error over every `stride`-th pattern of 32 bits and the edges.
fn worst_unary(f: fn(f32) -> f32, oracle: fn(f64) -> f64, stride: usize) -> Worst {
    let mut worst = Worst::default();
    let patterns = (0..=u32::MAX).step_by(stride).map(f32::from_bits);
    for x in patterns.chain(EDGES.iter().copied()) {
        worst.note(error(f(x), oracle(f64::from(x)), 0.0), x, 0.0);
    }
    worst
}

/// The worst error over `count` random pairs, half of any bits and half of
/// ordinary size, and all pairs of edges.
fn worst_binary(name: &str, f: fn(f32, f32) -> f32, oracle: fn(f64, f64) -> f64, count: usize) -> Worst {
    let mut worst = Worst::default();
    let floor = if name == "logaddexp" {
        std::f64::consts::LN_2
    } else {
        0.0
    };
    let mut check = |x: f32, y: f32| {
        let want = oracle(f64::from(x), f64::from(y));
        worst.note(error(f(x, y), want, floor), x, y);
    };
    for &x in EDGES {
        for &y in EDGES {
            check(x, y);
        }
    }
    let mut state = 1;
    for i in 0..count {
        let bits = random(&mut state);
        let (x, y) = (f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32));
        match i % 3 {
            0 => check(x, y),
            // Exponents within 2^±8.
            1 => check(near_one(x), near_one(y)),
            // For `pow`: the second argument brings the result near the range's edge.
            _ => check(
                near_one(x),
                near_one(y) * 16.0 / near_one(x).abs().ln().abs().max(1.0e-7),
            ),
        }
    }
    worst
}

/// `x` with its exponent folded to −8..8.
fn near_one(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = ((bits >> 23) & 15) + 127 - 8;
    f32::from_bits((bits & 0x807f_ffff) | (exponent << 23))
}

fn worst(name: &str, function: Function, stride: usize) -> Worst {
    match function {
        Unary(f) => worst_unary(f, platform::unary(name), stride),
        Binary(f) => worst_binary(name, f, binary_oracle(name), (1 << 32) / stride),
    }
}

/// Samples every 4093rd f32; `TILEWISE_ULP_STRIDE` in the environment chooses
/// another step (1: all of them, which takes hours).
#[test]
fn errors_stay_within_the_stated_ulp() {
    let stride = std::env::var("TILEWISE_ULP_STRIDE")
        .ok()
        .and_then(|s| s.parse().ok());
    let stride = stride.unwrap_or(4_093);
    let mut failures = Vec::new();
    for &(name, ulp, function) in FUNCTIONS {
        let w = worst(name, function, stride);
        println!("{name:14} {:8.4} at {:e}, {:e}", w.0, w.1, w.2);
        let stated = f64::from(ulp);
        if w.0.is_nan() || w.0 > stated {
            failures.push(format!(
                "{name}: {} ULP at {:e}, {:e}, stated {ulp}",
                w.0, w.1, w.2
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn special_values_are_those_of_annex_f() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let same = |got: f32, want: f32, what: &str| {
        let equal = (got.is_nan() && want.is_nan()) || got.to_bits() == want.to_bits();
        assert!(equal, "{what}: {got:e}, wanted {want:e}");
    };
    same(pow(1.0, nan), 1.0, "pow(1, nan)");
    same(pow(nan, 0.0), 1.0, "pow(nan, 0)");
    same(pow(-2.0, 3.0), -8.0, "pow(-2, 3)");
    same(pow(-2.0, 0.5), nan, "pow(-2, 0.5)");
    same(pow(-1.0, inf), 1.0, "pow(-1, inf)");
    same(pow(-0.0, -3.0), -inf, "pow(-0, -3)");
    same(pow(-inf, 3.0), -inf, "pow(-inf, 3)");
    same(pow(-inf, -3.0), -0.0, "pow(-inf, -3)");
    same(pow(0.5, -inf), inf, "pow(0.5, -inf)");
    same(log(-0.0), -inf, "log(-0)");
    same(expm1(-0.0), -0.0, "expm1(-0)");
    same(log1p(-0.0), -0.0, "log1p(-0)");
    same(sin(-0.0), -0.0, "sin(-0)");
    same(sin(inf), nan, "sin(inf)");
    same(atan2(-0.0, -1.0), -std::f32::consts::PI, "atan2(-0, -1)");
    same(
        atan2(inf, -inf),
        3.0 * std::f32::consts::FRAC_PI_4,
        "atan2(inf, -inf)",
    );
    same(hypot(nan, -inf), inf, "hypot(nan, -inf)");
    same(logaddexp(-inf, -inf), -inf, "logaddexp(-inf, -inf)");
    same(logaddexp(inf, inf), inf, "logaddexp(inf, inf)");
    same(logaddexp(nan, inf), nan, "logaddexp(nan, inf)");
    same(remainder(-1.0, 3.0), 2.0, "remainder(-1, 3)");
    same(remainder(5.0, 0.0), nan, "remainder(5, 0)");
    same(floor_divide(-1.0, 3.0), -1.0, "floor_divide(-1, 3)");
    same(floor_divide(1.0, 0.0), inf, "floor_divide(1, 0)");
    same(rint(-0.5), -0.0, "rint(-0.5)");
    same(rint(2.5), 2.0, "rint(2.5)");
    same(nextafter(0.0, -1.0), -1.0e-45, "nextafter(0, -1)");
}

#[test]
fn exact_results_are_exact() {
    for n in -149..128_i32 {
        assert_eq!(exp2(n as f32), 2.0_f64.powi(n) as f32, "exp2({n})");
        assert_eq!(log2(2.0_f64.powi(n) as f32), n as f32, "log2(2^{n})");
    }
    for n in 1..1000_u32 {
        let x = n as f32;
        assert_eq!(pow(x, 2.0), x * x, "{n} squared");
        if n < 256 {
            assert_eq!(cbrt(x * x * x), x, "cube root of {n} cubed");
        }
    }
    for n in 0..=10_i32 {
        assert_eq!(log10(10.0_f64.powi(n) as f32), n as f32, "log10(1e{n})");
    }
}

#[test]
fn small_arguments_take_the_same_bits_either_way() {
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let angles = [
        (Unary(sin), Unary(sin_small)),
        (Unary(cos), Unary(cos_small)),
        (Unary(tan), Unary(tan_small)),
    ];
    let quotients = [
        (Binary(fmod), Binary(fmod_small)),
        (Binary(remainder), Binary(remainder_small)),
        (Binary(floor_divide), Binary(floor_divide_small)),
    ];
    let (mut state, mut small) = (3, [0; 2]);
    let pairs = (0..200_000).map(|i| {
        let bits = random(&mut state);
        let (x, y) = (f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32));
        if i % 2 == 0 {
            (x, y)
        } else {
            (near_one(x), near_one(y))
        }
    });
    let edges = EDGES.iter().flat_map(|&x| EDGES.iter().map(move |&y| (x, y)));
    for (x, y) in pairs.chain(edges) {
        for pair in angles.iter().chain(&quotients) {
            let equal = match *pair {
                (Unary(full), Unary(quick)) if angle_is_small(x) => {
                    small[0] += 1;
                    same(full(x), quick(x))
                }
                (Binary(full), Binary(quick)) if quotient_is_small(x, y) => {
                    small[1] += 1;
                    same(full(x, y), quick(x, y))
                }
                _ => true,
            };
            assert!(equal, "{pair:?} at {x:e}, {y:e}");
        }
    }
    assert!(small.iter().all(|&n| n > 300_000), "{small:?}");
}

#[test]
fn pairs_are_exact() {
    let mut state = 7;
    for _ in 0..100_000 {
        let bits = random(&mut state);
        let (a, b) = (
            near_one(f32::from_bits(bits as u32)),
            near_one(f32::from_bits((bits >> 32) as u32)),
        );
        let (p, e) = exact::two_prod(a, b);
        assert_eq!(f64::from(p) + f64::from(e), f64::from(a) * f64::from(b));
        let (s, e) = exact::two_sum(a, b);
        assert_eq!(f64::from(s) + f64::from(e), f64::from(a) + f64::from(b));
    }
}

#[test]
fn constants_read_back_to_the_same_bits() {
    let text = wgsl_constants();
    let read = |name: &str, i: usize| -> Option<f32> {
        let start = format!("const TW_{name}_{i}: f32 = ");
        let line = text.lines().find(|l| l.starts_with(&start))?;
        line[start.len()..].trim_end_matches("f;").parse().ok()
    };
    for (name, values) in coefficients::TABLE {
        for (i, v) in values.iter().enumerate() {
            assert_eq!(read(name, i).map(f32::to_bits), Some(v.to_bits()), "{name} {i}");
        }
    }
}

#[test]
fn names_are_unique() {
    for (i, (name, _)) in TWINS.iter().enumerate() {
        assert!(
            TWINS[i + 1..].iter().all(|(other, _)| other != name),
            "{name} twice"
        );
        assert_eq!(FUNCTIONS[i].0, *name);
        assert_eq!(double::FUNCTIONS[i].0, *name);
    }
}
