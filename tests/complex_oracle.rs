//! Complex numbers and Fourier transforms against NumPy's values, on the CPU and on a Vulkan adapter.
//!
//! `tests/oracle/complex.json` says how it is read. Errors of complex numbers are measured by their
//! length, since a part that is much smaller than the other cannot be right to the last place.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

use serde_json::Value;
use tilewise::kernels::scan::{Scan, ScanKind};
use tilewise::kernels::{Literal, ReduceKind, Reduction, dispatch, promote, promote_weak};
use tilewise::session::{Array, ChunkSpec, Config, DeviceChoice, Session};
use tilewise::{Complex64, DType, Norm, Transform};

/// An array of the oracle.
#[derive(Clone)]
struct Stored {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn new(value: &Value) -> Stored {
        let word = |word: &str| {
            let bits = u64::from_str_radix(word, 16).unwrap();
            bits.to_le_bytes()[..word.len() / 2].to_vec()
        };
        let shape = value["shape"].as_array().unwrap().iter();
        Stored {
            dtype: DType::parse(value["dtype"].as_str().unwrap()).unwrap(),
            shape: shape.map(|n| n.as_u64().unwrap() as usize).collect(),
            bytes: value["values"]
                .as_str()
                .unwrap()
                .split_whitespace()
                .flat_map(word)
                .collect(),
        }
    }

    fn array(&self) -> Array {
        use tilewise::kernels::Element;
        dispatch!(self.dtype, T => {
            type S = <T as Element>::Stored;
            let load = |bytes: &[u8]| T::load(bytemuck::pod_read_unaligned::<S>(bytes));
            let values: Vec<T> = self.bytes.chunks_exact(size_of::<S>()).map(load).collect();
            Array::from_vec(&self.shape, values).unwrap()
        })
    }

    /// The elements as complex numbers of f64.
    fn values(&self) -> Vec<Complex64> {
        let scalars = self.bytes.chunks_exact(self.dtype.size());
        let scalars = scalars.map(|bytes| tilewise::Scalar::from_bytes(self.dtype, bytes).parts());
        scalars
            .map(|(re, im)| Complex64::new(re.to_f64(), im.to_f64()))
            .collect()
    }
}

/// The CPU, and an adapter if there is one; under CI there has to be.
fn sessions() -> Vec<Session> {
    let open = |device| {
        Session::new(Config {
            memory: Some(256 << 20),
            device,
            ..Config::default()
        })
    };
    let mut all = vec![open(DeviceChoice::Cpu).unwrap()];
    match open(DeviceChoice::Gpu(None)) {
        Ok(session) => all.push(session),
        Err(error) if std::env::var_os("CI").is_none() => println!("skipped, no adapter: {error}"),
        Err(error) => panic!("{error}"),
    }
    all
}

fn computed(session: &Session, array: &Array) -> Stored {
    let mut bytes = vec![0; array.len() * array.dtype().size()];
    session.compute_into(&[array], vec![&mut bytes]).unwrap();
    Stored {
        dtype: array.dtype(),
        shape: array.shape().to_vec(),
        bytes,
    }
}

/// Whether two numbers that are not both finite are of one class; signs of zeros and of the infinite
/// parts of numbers with a NaN part are free, as in C99.
fn same_class(a: Complex64, b: Complex64) -> bool {
    let loose = b.re.is_nan() || b.im.is_nan();
    let same = |a: f64, b: f64| {
        (a.is_nan() && b.is_nan())
            || a == b
            || (loose && a.is_infinite() && b.is_infinite())
            || (a.is_finite() && b.is_finite() && (a - b).abs() <= 1e-5 * b.abs())
    };
    same(a.re, b.re) && same(a.im, b.im)
}

/// Where two arrays differ by more than `units` of their precision, of each number's own length.
fn off(found: &Stored, expect: &Stored, units: f64) -> Option<String> {
    if found.dtype != expect.dtype || found.shape != expect.shape {
        return Some(format!(
            "{} {:?}, not {} {:?}",
            found.dtype, found.shape, expect.dtype, expect.shape
        ));
    }
    let unit = match expect.dtype.part() {
        DType::F32 => f64::from(f32::EPSILON),
        DType::F64 => f64::EPSILON,
        _ => 0.0,
    };
    let (found, expect) = (found.values(), expect.values());
    let wrong = |(a, b): (&Complex64, &Complex64)| match b.is_finite() && a.is_finite() {
        true => (a - b).norm() > units * unit * b.norm(),
        false => !same_class(*a, *b),
    };
    let at = found.iter().zip(&expect).position(wrong)?;
    Some(format!("at {at}: {}, not {}", found[at], expect[at]))
}

/// Where two arrays differ by more than `units` of their precision, of the length of all.
fn off_together(found: &Stored, expect: &Stored, units: f64) -> Option<String> {
    if found.dtype.part() != expect.dtype.part() || found.shape != expect.shape {
        return Some(format!(
            "{} {:?}, not {} {:?}",
            found.dtype, found.shape, expect.dtype, expect.shape
        ));
    }
    let unit = match expect.dtype.part() {
        DType::F32 => f64::from(f32::EPSILON),
        _ => f64::EPSILON,
    };
    let (found, expect) = (found.values(), expect.values());
    let size = expect.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
    let gap = found
        .iter()
        .zip(&expect)
        .map(|(a, b)| (a - b).norm_sqr())
        .sum::<f64>()
        .sqrt();
    (gap.is_nan() || gap > units * unit * size).then(|| format!("{gap:e} off of {size:e}"))
}

fn oracle() -> Value {
    serde_json::from_str(include_str!("oracle/complex.json")).unwrap()
}

fn arguments(oracle: &Value, case: &Value) -> Vec<Array> {
    let names = case["args"].as_array().unwrap().iter();
    names
        .map(|name| Stored::new(&oracle["sets"][name.as_str().unwrap()]).array())
        .collect()
}

fn list(value: &Value) -> Vec<i64> {
    let items = value
        .as_array()
        .map(|items| items.iter().map(|n| n.as_i64().unwrap()).collect());
    items.unwrap_or_default()
}

/// The array that a case of the numeric functions asks for.
fn numeric(what: &str, args: &[Array], also: &Value) -> tilewise::Result<Array> {
    let axes: Vec<isize> = list(&also["axes"]).iter().map(|&a| a as isize).collect();
    let skipna = also["skipna"].as_bool() == Some(true);
    if let Some((kind, _)) = ReduceKind::ALL.iter().find(|(_, name)| *name == what) {
        return args[0].reduce(Reduction::new(*kind).skipna(skipna), Some(&axes), false);
    }
    match what {
        "cumulative_sum" => {
            let kind = ScanKind::Sum;
            args[0]
                .expr()
                .scan(Scan { kind, skipna }, axes[0])
                .map(Array::from_expr)
        }
        "diff" => args[0].expr().diff(1, axes[0], None, None).map(Array::from_expr),
        "gradient" => {
            let even = tilewise::expr::Spacing::Even(1.0);
            args[0].expr().gradient(&even, axes[0], 1).map(Array::from_expr)
        }
        "matmul" => args[0].matmul(&args[1]),
        "where" => args[1].where_(&args[0], &args[2]),
        "pow" if args.len() == 1 => {
            let exponent = i128::from(also["exponent"].as_i64().unwrap());
            args[0].apply("pow", &[&Literal::Int(exponent)])
        }
        name => {
            let others: Vec<&dyn tilewise::session::IntoOperand> = args[1..]
                .iter()
                .map(|a| a as &dyn tilewise::session::IntoOperand)
                .collect();
            args[0].apply(name, &others)
        }
    }
}

fn is_transform(what: &str) -> bool {
    what.contains("fft")
}

#[test]
fn numbers_agree_with_numpy() {
    let oracle = oracle();
    let mut failures = Vec::new();
    for (number_of_session, session) in sessions().iter().enumerate() {
        for (number, case) in oracle["cases"].as_array().unwrap().iter().enumerate() {
            let (what, also) = (case["what"].as_str().unwrap(), &case["also"]);
            if is_transform(what) {
                continue;
            }
            let args: Vec<Array> = arguments(&oracle, case);
            let expect = Stored::new(&case["expect"]);
            let found = computed(session, &numeric(what, &args, also).unwrap());
            // What has no f64 functions in it stays on the adapter.
            let report = session.last_report().unwrap();
            let on_gpu = |stage: &tilewise::session::StageReport| {
                stage.fallbacks == 0 && !stage.device.starts_with("cpu")
            };
            let single = args.iter().all(|array| array.dtype().part() != DType::F64);
            if number_of_session > 0 && single && !report.stages.iter().all(on_gpu) {
                failures.push(format!("case {number}, {what}: {report}"));
            }
            let units = match what {
                _ if also["exact"] == true => 0.0,
                "pow" if args.len() > 1 => 60.0,
                "exp2" | "pow" => 16.0,
                _ => 8.0,
            };
            if let Some(why) = off(&found, &expect, units) {
                failures.push(format!(
                    "case {number}, {what} of {} {also}: {why}",
                    args[0].dtype()
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures[..failures.len().min(40)].join("\n")
    );
}

/// The array that a case of `numpy.fft` asks for.
fn transformed(what: &str, args: &[Array], also: &Value) -> tilewise::Result<Array> {
    let n = also["n"].as_u64().map(|n| n as usize);
    let axis = also["axis"].as_i64().unwrap_or(0) as isize;
    let norm = also["norm"]
        .as_str()
        .map_or(Norm::Backward, |name| Norm::parse(name).unwrap());
    let axes: Vec<isize> = list(&also["axes"]).iter().map(|&a| a as isize).collect();
    let sizes: Vec<usize> = list(&also["sizes"]).iter().map(|&n| n as usize).collect();
    let sizes = Some(&sizes[..]).filter(|sizes| !sizes.is_empty());
    let several = |transform| args[0].fftn(transform, sizes, &axes, norm);
    match what {
        "fft" => args[0].fft(n, axis, norm),
        "ifft" => args[0].ifft(n, axis, norm),
        "rfft" => args[0].rfft(n, axis, norm),
        "irfft" => args[0].irfft(n, axis, norm),
        "hfft" => args[0].hfft(n, axis, norm),
        "ihfft" => args[0].ihfft(n, axis, norm),
        "fftn" => several(Transform::Forward),
        "ifftn" => several(Transform::Inverse),
        "rfftn" => several(Transform::RealForward),
        "irfftn" => several(Transform::RealInverse),
        "fftshift" => args[0].fftshift(&axes),
        "ifftshift" => args[0].ifftshift(&axes),
        "fftfreq" => Array::fftfreq(n.unwrap(), 0.25),
        "rfftfreq" => Array::rfftfreq(n.unwrap(), 0.25),
        other => panic!("{other}"),
    }
}

#[test]
fn transforms_agree_with_numpy() {
    let oracle = oracle();
    let mut failures = Vec::new();
    for session in sessions() {
        for (number, case) in oracle["cases"].as_array().unwrap().iter().enumerate() {
            let (what, also) = (case["what"].as_str().unwrap(), &case["also"]);
            if !is_transform(what) {
                continue;
            }
            let stored: Vec<Array> = arguments(&oracle, case);
            let expect = Stored::new(&case["expect"]);
            // In both precisions, and with chunks that cut every axis.
            for (single, cut) in [(false, false), (true, false), (false, true), (true, true)] {
                let args: Vec<Array> = stored
                    .iter()
                    .map(|array| {
                        let part = if single { DType::F32 } else { DType::F64 };
                        let dtype = if array.dtype().is_complex() {
                            part.with_imaginary()
                        } else {
                            part
                        };
                        let array = array.astype(dtype);
                        match cut {
                            true => array
                                .rechunk(&vec![ChunkSpec::Size(4); array.shape().len()])
                                .unwrap(),
                            false => array,
                        }
                    })
                    .collect();
                let found = computed(&session, &transformed(what, &args, also).unwrap());
                if what == "rfft" && found.shape.len() == 1 {
                    assert_eq!(found.values()[0].im, 0.0, "the sum of real numbers is real");
                }
                let is_single = found.dtype.part() == DType::F32;
                assert!(
                    is_single == (single && !args.is_empty()),
                    "{what}: {}",
                    found.dtype
                );
                let rounded = match is_single {
                    true => {
                        let dtype = if expect.dtype.is_complex() {
                            DType::C64
                        } else {
                            DType::F32
                        };
                        computed(&session, &expect.array().astype(dtype))
                    }
                    false => expect.clone(),
                };
                let units = if also["exact"] == true { 0.0 } else { 8.0 };
                if let Some(why) = off_together(&found, &rounded, units) {
                    failures.push(format!(
                        "case {number}, {what} {also} single {single} cut {cut}: {why}"
                    ));
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures[..failures.len().min(40)].join("\n")
    );
}

#[test]
fn promotion_is_numpys() {
    let oracle = oracle();
    let dtype = |value: &Value| DType::parse(value.as_str().unwrap()).unwrap();
    for pair in oracle["pairs"].as_array().unwrap() {
        assert_eq!(
            promote(dtype(&pair[0]), dtype(&pair[1])),
            dtype(&pair[2]),
            "{pair}"
        );
    }
    for weak in oracle["scalars"].as_array().unwrap() {
        let found = promote_weak(dtype(&weak[0]), Literal::Complex(0.0, 1.0));
        assert_eq!(found, Ok(dtype(&weak[1])), "{weak}");
    }
}

#[test]
fn what_needs_an_order_is_refused() {
    let z = Array::from_vec(&[3], vec![Complex64::new(1.0, 2.0); 3]).unwrap();
    let refused = |made: tilewise::Result<Array>, part: &str| {
        let message = made.unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let order = "complex numbers have no order; take abs, real or imag first";
    refused(z.max(&[0]), order);
    refused(z.apply("less", &[&z]), "less is not defined for complex numbers");
    refused(z.apply("floor", &[]), "floor is not defined for complex numbers");
    refused(
        z.rfft(None, 0, Norm::Backward),
        "it takes real numbers; use fft, or real(x)",
    );
    refused(
        z.fft(Some(0), 0, Norm::Backward),
        "a Fourier transform of no point",
    );
    refused(z.fft(None, 1, Norm::Backward), "axis");
    refused(
        z.reduce(Reduction::new(ReduceKind::Prod), None, false),
        "prod of complex128 is not there",
    );
}

/// Exponents that are one number under a broadcast take another way than arrays of them.
#[test]
fn powers_have_the_shape_of_both() {
    let session = Session::global().unwrap();
    let z = Array::from_vec(&[2, 1], vec![Complex64::new(0.0, 1.0), Complex64::new(2.0, 0.0)]).unwrap();
    for (exponent, expect) in [(0, [1.0, 1.0]), (2, [-1.0, 4.0]), (-2, [-1.0, 0.25])] {
        let one = Array::from_vec(&[], vec![f64::from(exponent)]).unwrap();
        let wide = Array::full(&[3], f64::from(exponent)).unwrap();
        for (exponent, shape) in [(one, vec![2, 1]), (wide, vec![2, 3])] {
            let power = z.apply("pow", &[&exponent]).unwrap();
            assert_eq!(power.shape(), shape);
            for (at, found) in session.compute::<Complex64>(&power).unwrap().indexed_iter() {
                assert!((found - expect[at[0]]).norm() < 1e-15, "{at:?}: {found}");
            }
        }
    }
}
