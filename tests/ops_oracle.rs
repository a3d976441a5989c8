//! Every op of the table against NumPy's and mpmath's values, for each dtype and instruction set.
//!
//! `tests/oracle/elementwise.json` was made by a script from libraries that share no code with
//! ours; its head says how it is read. The test walks the oracle, so an op that loses a dtype
//! fails here, and the table, so an op that the oracle lacks is named.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tilewise_kernels::{DType, Isa, Kind, Op, Signature, StripFn, cast_kernel};

/// Elements of one dtype, as bytes that are aligned for any dtype.
#[derive(Clone)]
struct Strip {
    dtype: DType,
    words: Vec<u64>,
    len: usize,
}

impl Strip {
    fn zeros(dtype: DType, len: usize) -> Strip {
        Strip {
            dtype,
            words: vec![0; (len * dtype.size()).div_ceil(8)],
            len,
        }
    }

    fn parse(dtype: DType, text: &str) -> Strip {
        let bits: Vec<u64> = text
            .split_ascii_whitespace()
            .map(|w| u64::from_str_radix(w, 16).expect("hexadecimal words"))
            .collect();
        let mut strip = Strip::zeros(dtype, bits.len());
        let size = dtype.size();
        for (i, b) in bits.iter().enumerate() {
            strip.bytes_mut()[i * size..(i + 1) * size].copy_from_slice(&b.to_le_bytes()[..size]);
        }
        strip
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len * self.dtype.size()]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let size = self.len * self.dtype.size();
        &mut bytemuck::cast_slice_mut(&mut self.words)[..size]
    }

    fn bits(&self, i: usize) -> u64 {
        let size = self.dtype.size();
        let mut word = [0; 8];
        word[..size].copy_from_slice(&self.bytes()[i * size..(i + 1) * size]);
        u64::from_le_bytes(word)
    }

    /// Real and imaginary parts in turn.
    fn parts(self) -> Strip {
        let twice = self.dtype.size() / self.dtype.part().size();
        Strip {
            dtype: self.dtype.part(),
            len: self.len * twice,
            words: self.words,
        }
    }

    fn apply(kernel: StripFn, args: &[&Strip], dtype: DType) -> Strip {
        let mut out = Strip::zeros(dtype, args[0].len);
        let args: Vec<&[u8]> = args.iter().map(|a| a.bytes()).collect();
        kernel(&args, out.bytes_mut());
        out
    }

    fn cast(&self, to: DType) -> Strip {
        Strip::apply(cast_kernel(self.dtype, to, Isa::Baseline), &[self], to)
    }
}

/// The result of an op as an evaluator computes it: half floats without a kernel in f32.
fn evaluate(op: Op, signature: &Signature, args: &[Strip], isa: Isa) -> Option<Strip> {
    let half = |d: DType| matches!(d, DType::F16 | DType::BF16);
    let single = |d: DType| if half(d) { DType::F32 } else { d };
    let args: Vec<Strip> = args
        .iter()
        .zip(&signature.args)
        .map(|(a, &d)| a.cast(d))
        .collect();
    if let Some(kernel) = (op.kernel)(&signature.args, isa) {
        let args: Vec<&Strip> = args.iter().collect();
        return Some(Strip::apply(kernel, &args, signature.result));
    }
    if !signature.args.iter().any(|&d| half(d)) {
        return None;
    }
    let wide: Vec<DType> = signature.args.iter().map(|&d| single(d)).collect();
    let args: Vec<Strip> = args.iter().zip(&wide).map(|(a, &d)| a.cast(d)).collect();
    let kernel = (op.kernel)(&wide, isa)?;
    let args: Vec<&Strip> = args.iter().collect();
    Some(Strip::apply(kernel, &args, single(signature.result)).cast(signature.result))
}

/// The position of a float on the line of all floats of its dtype; ±0 have one.
fn order(dtype: DType, bits: u64) -> i128 {
    let sign = 1u64 << (8 * dtype.size() - 1);
    let magnitude = i128::from(bits & (sign - 1));
    if bits & sign == 0 { magnitude } else { -magnitude }
}

fn is_nan(dtype: DType, bits: u64) -> bool {
    let infinity = match dtype {
        DType::F16 => 0x7c00,
        DType::BF16 => 0x7f80,
        DType::F32 => 0x7f80_0000,
        DType::F64 => 0x7ff0_0000_0000_0000,
        _ => return false,
    };
    order(dtype, bits).unsigned_abs() > infinity
}

fn is_zero(dtype: DType, bits: u64) -> bool {
    dtype.is_float() && order(dtype, bits) == 0
}

/// Whether `found` is `expect`, or within `ulp` (of a correctly rounded `expect`, half more).
fn agrees(dtype: DType, found: u64, expect: u64, ulp: f32, zero_sign: bool) -> bool {
    if found == expect || (is_nan(dtype, found) && is_nan(dtype, expect)) {
        return true;
    }
    if !dtype.is_float() || is_nan(dtype, found) || is_nan(dtype, expect) {
        return false;
    }
    if is_zero(dtype, found) && is_zero(dtype, expect) {
        return !zero_sign;
    }
    let gap = (order(dtype, found) - order(dtype, expect)).unsigned_abs();
    ulp > 0.0 && gap as f64 <= (f64::from(ulp) + 0.5).floor()
}

struct Oracle {
    sets: BTreeMap<String, Strip>,
    cases: Vec<Value>,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text {key} in {value}"))
}

fn dtype(value: &Value, key: &str) -> DType {
    DType::parse(text(value, key)).unwrap_or_else(|| panic!("no dtype {key} in {value}"))
}

fn load(name: &str) -> Value {
    let path = format!("{}/tests/oracle/{name}", env!("CARGO_MANIFEST_DIR"));
    let json = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn oracle() -> Oracle {
    let json = load("elementwise.json");
    let sets = json["sets"].as_object().expect("sets");
    Oracle {
        sets: sets
            .iter()
            .map(|(name, set)| {
                (
                    name.clone(),
                    Strip::parse(dtype(set, "dtype"), text(set, "values")),
                )
            })
            .collect(),
        cases: json["cases"].as_array().expect("cases").clone(),
    }
}

fn isas() -> Vec<Isa> {
    let all = [Isa::Baseline, Isa::Avx2, Isa::Avx512];
    all.into_iter().filter(|isa| isa.available()).collect()
}

/// Lists the elements that differ; at most a few a case.
fn compare(what: &str, args: &[Strip], found: &Strip, case: &Value, ulp: f32, failures: &mut Vec<String>) {
    let expect = Strip::parse(dtype(case, "dtype"), text(case, "expect"));
    if found.dtype != expect.dtype || found.len != expect.len {
        failures.push(format!("{what}: {} is not {}", found.dtype, expect.dtype));
        return;
    }
    let zero_sign = case["zero_sign"].as_bool() != Some(false);
    let wrong = (0..found.len)
        .filter(|&i| !agrees(found.dtype, found.bits(i), expect.bits(i), ulp, zero_sign))
        .take(3);
    for i in wrong {
        let args: Vec<String> = args.iter().map(|a| format!("{:x}", a.bits(i))).collect();
        let (found, expect) = (found.bits(i), expect.bits(i));
        failures.push(format!(
            "{what} of {}: {found:x}, not {expect:x}",
            args.join(", ")
        ));
    }
}

#[test]
fn every_op_agrees_with_the_oracle() {
    let oracle = oracle();
    let mut failures = Vec::new();
    for case in &oracle.cases {
        let name = text(case, "op");
        let sets = case["args"].as_array().expect("args");
        let args: Vec<Strip> = sets
            .iter()
            .map(|s| oracle.sets[s.as_str().expect("a set's name")].clone())
            .collect();
        let dtypes: Vec<DType> = args.iter().map(|a| a.dtype).collect();
        for isa in isas() {
            let what = format!("{name}{dtypes:?} with {isa:?}");
            if name == "cast" {
                let to = dtype(case, "dtype");
                let found = Strip::apply(cast_kernel(dtypes[0], to, isa), &[&args[0]], to);
                compare(&what, &args, &found, case, 0.0, &mut failures);
                continue;
            }
            let op = Op::find(name).unwrap_or_else(|| panic!("{name} is not in the table"));
            let signature = op.infer(&dtypes).unwrap_or_else(|e| panic!("{e}"));
            let exact = case["exact"] == Value::Bool(true);
            let ulp = match (exact, signature.result) {
                (true, _) => 0.0,
                (false, DType::F16) => 0.5,
                (false, DType::F64) => op.ulp.f64,
                (false, _) => op.ulp.f32,
            };
            match evaluate(op, &signature, &args, isa) {
                Some(found) => compare(&what, &args, &found, case, ulp, &mut failures),
                None => failures.push(format!("{what} has no kernel")),
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures[..failures.len().min(60)].join("\n")
    );
}

#[test]
fn the_oracle_knows_the_table() {
    let oracle = oracle();
    let asked: BTreeSet<&str> = oracle.cases.iter().map(|c| text(c, "op")).collect();
    // These have values beneath, and in the oracle of complex numbers.
    let here = ["fmax", "fmin", "fmod", "complex", "real", "imag", "conj", "angle"];
    for op in Op::all() {
        assert!(
            asked.contains(op.name) || here.contains(&op.name),
            "{} is in no oracle",
            op.name
        );
    }
}

/// The elementwise functions of the Array API 2024.12 that take real numbers.
const ARRAY_API: &str = "abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift \
    bitwise_invert bitwise_or bitwise_right_shift bitwise_xor ceil clip copysign cos cosh divide equal exp \
    expm1 floor floor_divide greater greater_equal hypot isfinite isinf isnan less less_equal log log1p log2 \
    log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply negative \
    nextafter not_equal positive pow reciprocal remainder round sign signbit sin sinh square sqrt subtract \
    tan tanh trunc where";

/// NumPy's other names, and its functions beyond the standard.
const NUMPY: &str = "absolute arccos arccosh arcsin arcsinh arctan arctan2 arctanh true_divide power mod \
    left_shift right_shift bitwise_not invert deg2rad radians rad2deg degrees cbrt exp2 fmod fmin fmax rint";

#[test]
fn every_function_of_the_standard_is_there() {
    for name in ARRAY_API.split_whitespace() {
        let op = Op::find(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(op.name, name, "the standard's name comes first");
    }
    for name in NUMPY.split_whitespace() {
        assert!(Op::find(name).is_some(), "{name} is missing");
    }
}

#[test]
fn records_are_whole() {
    let mut names = BTreeSet::new();
    for op in Op::all() {
        for name in [&op.name].into_iter().chain(op.aliases) {
            assert!(names.insert(*name), "{name} is there twice");
        }
        assert!(op.doc.ends_with('.'), "{}: {:?}", op.name, op.doc);
        assert!(
            !op.example.is_empty() && (1..=3).contains(&op.arity),
            "{}",
            op.name
        );
        assert!(op.ulp.f32 <= op.ulp.gpu, "{}", op.name);
        assert!(op.infer(&vec![DType::F32; op.arity + 1]).is_err(), "{}", op.name);
    }
}

/// Every list of `n` dtypes.
fn tuples(n: usize) -> Vec<Vec<DType>> {
    (0..n).fold(vec![vec![]], |lists, _| {
        let longer = |list: &Vec<DType>| DType::ALL.map(|d| [&list[..], &[d]].concat());
        lists.iter().flat_map(longer).collect()
    })
}

#[test]
fn inference_ends_in_kernels_and_is_stable() {
    for op in Op::all() {
        for dtypes in tuples(op.arity) {
            let Ok(signature) = op.infer(&dtypes) else {
                continue;
            };
            assert_eq!(signature.args.len(), op.arity);
            assert_eq!(
                op.infer(&signature.args),
                Ok(signature.clone()),
                "{} {dtypes:?}",
                op.name
            );
            let args: Vec<Strip> = dtypes.iter().map(|&d| Strip::zeros(d, 3)).collect();
            for isa in isas() {
                let found = evaluate(op, &signature, &args, isa);
                assert!(found.is_some(), "{} has no kernel for {signature:?}", op.name);
            }
        }
    }
}

#[test]
fn promotion_is_numpys() {
    let json = load("promotion.json");
    for pair in json["pairs"].as_array().expect("pairs") {
        let at = |i: usize| DType::parse(pair[i].as_str().expect("a name")).expect("a dtype");
        let found = tilewise_kernels::promote(at(0), at(1));
        assert_eq!(found, at(2), "{pair}");
    }
    for weak in json["scalars"].as_array().expect("scalars") {
        use tilewise_kernels::Literal;
        let at = |i: usize| DType::parse(weak[i].as_str().expect("a name")).expect("a dtype");
        let literal = match weak[1].as_str() {
            Some("bool") => Literal::Bool(true),
            Some("int") => Literal::Int(1),
            Some("float") => Literal::Float(1.0),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            tilewise_kernels::promote_weak(at(0), literal),
            Ok(at(2)),
            "{weak}"
        );
    }
    for (name, table) in json["results"].as_object().expect("results") {
        let Some(op) = Op::find(name) else {
            continue; // a reduction
        };
        for dtype in DType::real().filter(|&d| d != DType::BF16) {
            let expect = table[dtype.name()].as_str().and_then(DType::parse);
            let found = op.infer(&vec![dtype; op.arity]).ok().map(|s| s.result);
            assert_eq!(found, expect, "{name} of {dtype}");
        }
    }
}

#[test]
fn mixed_64_bit_integers_compare_by_value() {
    let signed = [-1i64, 0, 1, i64::MIN, i64::MAX, -2, i64::MAX, 5];
    let unsigned = [u64::MAX, 0, 1, 1 << 63, 1 << 63, u64::MAX - 1, i64::MAX as u64, 4];
    let strip = |dtype, bits: &[u64]| Strip {
        dtype,
        words: bits.to_vec(),
        len: bits.len(),
    };
    let a = strip(DType::I64, &signed.map(|x| x as u64));
    let b = strip(DType::U64, &unsigned);
    type Ask = fn(i128, i128) -> bool;
    let cases: [(&str, Ask); 6] = [
        ("equal", |x, y| x == y),
        ("not_equal", |x, y| x != y),
        ("less", |x, y| x < y),
        ("less_equal", |x, y| x <= y),
        ("greater", |x, y| x > y),
        ("greater_equal", |x, y| x >= y),
    ];
    for (name, ask) in cases {
        let op = Op::find(name).expect("a comparison");
        for (x, y, swapped) in [(&a, &b, false), (&b, &a, true)] {
            let signature = op.infer(&[x.dtype, y.dtype]).expect("integers");
            for isa in isas() {
                let found = evaluate(op, &signature, &[x.clone(), y.clone()], isa).expect("a kernel");
                for i in 0..signed.len() {
                    let (s, u) = (i128::from(signed[i]), i128::from(unsigned[i]));
                    let expect = if swapped { ask(u, s) } else { ask(s, u) };
                    assert_eq!(found.bytes()[i] != 0, expect, "{name} {s} {u} {swapped}");
                }
            }
        }
    }
    let less = Op::find("less").expect("a comparison");
    let narrow = less.infer(&[DType::I8, DType::U64]).expect("integers");
    assert_eq!(narrow.args, [DType::I64, DType::U64]);
}

/// Results of NumPy 2.4 for functions that the oracle file lacks, written as literals.
#[test]
fn fmod_fmax_and_fmin_are_numpys() {
    let nan = f64::NAN;
    let inf = f64::INFINITY;
    type Six = [f64; 6];
    let floats: [(&str, Six, Six, Six); 3] = [
        (
            "fmod",
            [-7.5, 7.5, inf, 1.0, 1.0, -4.0],
            [2.0, -2.0, 2.0, inf, 0.0, 2.0],
            [-1.5, 1.5, nan, 1.0, nan, -0.0],
        ),
        (
            "fmax",
            [nan, 1.0, nan, -inf, 3.0, 2.0],
            [1.0, nan, nan, 0.5, 2.0, 3.0],
            [1.0, 1.0, nan, 0.5, 3.0, 3.0],
        ),
        (
            "fmin",
            [nan, 1.0, nan, -inf, 3.0, 2.0],
            [1.0, nan, nan, 0.5, 2.0, 3.0],
            [1.0, 1.0, nan, -inf, 2.0, 2.0],
        ),
    ];
    for (name, a, b, expect) in floats {
        let op = Op::find(name).expect("in the table");
        let strip = |x: Six| Strip {
            dtype: DType::F64,
            words: x.map(f64::to_bits).to_vec(),
            len: 6,
        };
        for dtype in [DType::F16, DType::F32, DType::F64] {
            let signature = op.infer(&[dtype, dtype]).expect("floats");
            for isa in isas() {
                let args = [strip(a).cast(dtype), strip(b).cast(dtype)];
                let found = evaluate(op, &signature, &args, isa)
                    .expect("a kernel")
                    .cast(DType::F64);
                for (i, e) in expect.iter().enumerate() {
                    let ok = agrees(DType::F64, found.bits(i), e.to_bits(), 0.0, true);
                    assert!(ok, "{name}({}, {}) is {:x}", a[i], b[i], found.bits(i));
                }
            }
        }
    }
    let fmod = Op::find("fmod").expect("in the table");
    let signature = fmod.infer(&[DType::I32, DType::I32]).expect("integers");
    let ints = |x: &[i32]| Strip {
        dtype: DType::I32,
        words: x
            .chunks(2)
            .map(|p| u64::from(p[0] as u32) | u64::from(p[1] as u32) << 32)
            .collect(),
        len: x.len(),
    };
    let args = [ints(&[7, -7, 5, i32::MIN]), ints(&[-3, 3, 0, -1])];
    let found = evaluate(fmod, &signature, &args, Isa::detect()).expect("a kernel");
    assert_eq!(found.bytes(), ints(&[1, -1, 0, 0]).bytes());
}

/// NumPy has no negative integer powers; ours are the truncated quotients.
#[test]
fn negative_integer_powers_are_truncated() {
    let pow = Op::find("pow").expect("in the table");
    let signature = pow.infer(&[DType::I8, DType::I8]).expect("integers");
    let bytes = |x: &[i8]| {
        let mut strip = Strip::zeros(DType::I8, x.len());
        strip.bytes_mut().copy_from_slice(bytemuck::cast_slice(x));
        strip
    };
    let args = [
        bytes(&[2, 1, -1, -1, 0, -3, 2]),
        bytes(&[-1, -5, -3, -4, -1, -2, 7]),
    ];
    for isa in isas() {
        let found = evaluate(pow, &signature, &args, isa).expect("a kernel");
        assert_eq!(found.bytes(), bytes(&[0, 1, -1, 1, 0, 0, -128]).bytes());
    }
}

#[test]
fn loops_have_the_same_bits_with_every_instruction_set() {
    let n = 4099;
    for op in Op::all() {
        for dtype in DType::ALL {
            let Ok(signature) = op.infer(&vec![dtype; op.arity]) else {
                continue;
            };
            let mut state = 0x9e37_79b9_7f4a_7c15u64;
            let args: Vec<Strip> = signature
                .args
                .iter()
                .map(|&d| {
                    let mut strip = Strip::zeros(d, n);
                    for word in &mut strip.words {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        *word = state ^ (state >> 29);
                    }
                    if d.kind() == Kind::Bool {
                        strip.bytes_mut().iter_mut().for_each(|b| *b &= 1);
                    }
                    strip
                })
                .collect();
            let mut first: Option<Strip> = None;
            for isa in isas() {
                let found = evaluate(op, &signature, &args, isa).expect("a kernel").parts();
                let first = first.get_or_insert_with(|| found.clone());
                for i in 0..found.len {
                    let (a, b) = (first.bits(i), found.bits(i));
                    let same = a == b || (is_nan(found.dtype, a) && is_nan(found.dtype, b));
                    assert!(
                        same,
                        "{} of {dtype} at {i}: {a:x} and {b:x} with {isa:?}",
                        op.name
                    );
                }
            }
        }
    }
}
