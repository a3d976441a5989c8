//! Scans, windows, differences and derivatives of arrays, on every way that they can lie.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tilewise::expr::Expr;
use tilewise::kernels::scan::{Carry, Scan, ScanKind, Scanned};
use tilewise::kernels::window::{Scratch, Window, WindowKind};
use tilewise::kernels::{Columns, ColumnsMut, Element, Isa, bf16, dispatch_real, f16};
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session, s};
use tilewise::{Array, DType, Scalar};

fn session(memory: u64, threads: usize) -> Session {
    let config = Config {
        memory: Some(memory),
        threads: Some(threads),
        device: DeviceChoice::Cpu,
        ..Config::default()
    };
    Session::new(config).unwrap()
}

fn scalars(words: &Value, dtype: DType) -> Vec<Scalar> {
    let words = words.as_str().unwrap().split_whitespace();
    words
        .map(|w| Scalar::from_bytes(dtype, &u64::from_str_radix(w, 16).unwrap().to_le_bytes()))
        .collect()
}

fn numbers(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|n| n.as_u64().unwrap() as usize).collect()
}

fn oracle(name: &str) -> Value {
    let path = format!("{}/tests/oracle/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// An array of an oracle.
fn array(whole: &Value, name: &str) -> Array {
    let entry = &whole["arrays"][name];
    let dtype = DType::parse(entry["dtype"].as_str().unwrap()).unwrap();
    let values = scalars(&entry["values"], dtype);
    dispatch_real!(dtype, T => {
        Array::from_vec::<T>(&numbers(&entry["shape"]), values.iter().map(|v| v.get().unwrap()).collect()).unwrap()
    })
}

fn compute(session: &Session, array: &Array) -> Vec<Scalar> {
    let size = array.dtype().size();
    let mut bytes = vec![0; array.len() * size];
    session.compute_into(&[array], vec![&mut bytes]).unwrap();
    let parts = bytes.chunks_exact(size);
    parts.map(|b| Scalar::from_bytes(array.dtype(), b)).collect()
}

/// The array as it is, in ragged chunks, computed, and turned twice.
fn forms(session: &Session, x: &Array) -> Vec<Array> {
    let ragged = [ChunkSpec::Size(2), ChunkSpec::Size(3), ChunkSpec::Size(2)];
    let chunked = x.rechunk(&ragged[..x.rank()]).unwrap();
    let turned = x.transpose().unwrap();
    let kept = session.persist(&turned).unwrap();
    vec![x.clone(), chunked, kept.transpose().unwrap()]
}

/// Checks every element within `units` of its last place, or `slack`.
fn check(what: &str, got: &[Scalar], want: &[Scalar], units: f64, slack: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        assert_eq!(got.dtype(), want.dtype(), "{what}");
        let epsilon = match want.dtype() {
            DType::F16 => f64::from(f16::EPSILON.to_f32()),
            DType::F32 => f64::from(f32::EPSILON),
            DType::F64 => f64::EPSILON,
            _ => 0.0,
        };
        let (a, b) = (got.to_f64(), want.to_f64());
        let near = (a - b).abs() <= units * epsilon * b.abs() + slack * epsilon;
        let same = if epsilon == 0.0 {
            got == want
        } else {
            a == b || (a.is_nan() && b.is_nan()) || near
        };
        assert!(same, "{what}: element {at} is {got}, not {want}");
    }
}

fn largest(x: &[Scalar]) -> f64 {
    let finite = x.iter().map(|v| v.to_f64().abs()).filter(|v| v.is_finite());
    finite.fold(0.0, f64::max)
}

#[test]
fn scans_and_windows_of_arrays_are_those_of_numpy_and_xarray() {
    let whole = oracle("scans.json");
    let session = session(64 << 20, 2);
    let mut checked = 0;
    for case in whole["cases"].as_array().unwrap() {
        let name = case["array"].as_str().unwrap();
        let axis = case["axis"].as_u64().unwrap() as isize;
        let x = array(&whole, name);
        // What windows and long sums of f64 lose, of their largest element.
        let scale = largest(&compute(&session, &x));
        for (op, result) in case["results"].as_object().unwrap() {
            let dtype = DType::parse(result["dtype"].as_str().unwrap()).unwrap();
            let want = scalars(&result["values"], dtype);
            for x in forms(&session, &x) {
                let (y, slack) = if let Some(window) = case["window"].as_u64() {
                    let least = case["min_periods"].as_u64().map(|n| n as usize);
                    let center = case["center"].as_bool().unwrap();
                    let rolling = x.rolling(axis, window as usize, least, center).unwrap();
                    let (name, ddof) = op
                        .strip_suffix(".ddof1")
                        .map_or((op.as_str(), 0), |name| (name, 1));
                    let kind = WindowKind::parse(name).unwrap();
                    let scale = if kind == WindowKind::Var {
                        scale * scale
                    } else {
                        scale
                    };
                    // In f64, as a part of the result's epsilon.
                    let part = if dtype == DType::F64 { 4.0 } else { 1e-6 };
                    (rolling.apply(kind, ddof).unwrap(), part * scale)
                } else {
                    let (name, skipna) = op
                        .strip_prefix("nan")
                        .map_or((op.as_str(), false), |name| (name, true));
                    let kind = ScanKind::parse(name).unwrap();
                    (x.scan(Scan { kind, skipna }, axis).unwrap(), 0.0)
                };
                assert_eq!((y.dtype(), y.shape()), (dtype, x.shape()), "{op} of {name}");
                check(
                    &format!("{op} of {name} along {axis}"),
                    &compute(&session, &y),
                    &want,
                    2.0,
                    slack,
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 2000, "only {checked} results checked");
}

#[test]
fn differences_and_derivatives_are_numpys() {
    let whole = oracle("differences.json");
    let session = session(64 << 20, 2);
    let mut checked = 0;
    for case in whole["cases"].as_array().unwrap() {
        let name = case["array"].as_str().unwrap();
        let axis = case["axis"].as_u64().unwrap() as isize;
        let x = array(&whole, name);
        let dtype = DType::parse(case["dtype"].as_str().unwrap()).unwrap();
        let want = scalars(&case["values"], dtype);
        let what = format!("{case}");
        let scale = largest(&compute(&session, &x));
        for x in forms(&session, &x) {
            let (y, slack) = if let Some(n) = case["n"].as_u64() {
                let other = |key: &str| case[key].as_str().map(|name| array(&whole, name));
                let (before, after) = (other("before"), other("after"));
                let y = x.diff_within(n as usize, axis, before.as_ref(), after.as_ref());
                (y.unwrap(), 0.0)
            } else {
                let edge_order = case["edge_order"].as_u64().unwrap() as usize;
                let y = match case["step"].as_f64() {
                    Some(step) => x.gradient(axis, step, edge_order),
                    None => {
                        let places = scalars(&case["places"], DType::F64);
                        let places: Vec<f64> = places.iter().map(|p| p.to_f64()).collect();
                        x.gradient_at(axis, &places, edge_order)
                    }
                };
                (y.unwrap(), 16.0 * scale)
            };
            assert_eq!(
                (y.dtype(), y.shape()),
                (dtype, &numbers(&case["shape"])[..]),
                "{what}"
            );
            check(&what, &compute(&session, &y), &want, 4.0, slack);
            checked += 1;
        }
    }
    assert!(checked > 500, "only {checked} results checked");
}

const LARGE: [usize; 3] = [230, 37, 41];

/// Values with NaN here and there in some columns.
fn field<T: Element>(from: impl Fn(f64) -> T) -> Vec<T> {
    let count: usize = LARGE.iter().product();
    let value = |i: usize| {
        let x = ((i.wrapping_mul(2_654_435_761) >> 9) % 4001) as f64 / 8.0 - 250.0;
        if i % 41 < 5 && i.is_multiple_of(7) {
            f64::NAN
        } else {
            x
        }
    };
    (0..count).map(|i| from(value(i))).collect()
}

/// Runs `work` along an axis of the whole array at once.
fn at_once<T: Element, U: Element>(
    axis: usize,
    values: &[T],
    work: impl FnOnce(Columns<'_, T::Stored>, ColumnsMut<'_, U::Stored>),
) -> Vec<U> {
    let stored: Vec<T::Stored> = values.iter().map(|x| x.store()).collect();
    let mut out = vec![U::Stored::default(); stored.len()];
    let (outer, len) = (LARGE[..axis].iter().product(), LARGE[axis]);
    let inner = LARGE[axis + 1..].iter().product();
    work(
        Columns::dense(&stored, outer, len, inner),
        ColumnsMut::dense(&mut out, outer, len, inner),
    );
    out.into_iter().map(U::load).collect()
}

/// Checks the bits of all elements, of NaN only that it is one.
fn same_bits<T: Element>(got: ndarray::ArrayD<T>, want: &[T], what: &str) {
    let bits = |x: T| match x.to_f64().is_nan() {
        true => u64::MAX,
        false => Scalar::new(x).bits(),
    };
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            bits(*got) == bits(*want),
            "{what}: element {at} is {got:?}, not {want:?} of {}",
            T::DTYPE
        );
    }
}

/// However an array is cut, and on as many threads, the bits are those of one block.
fn cut_alike<T: Element + Scanned>(values: &[T]) {
    let x = Array::from_vec::<T>(&LARGE, values.to_vec()).unwrap();
    let ragged = [ChunkSpec::Size(50), ChunkSpec::Size(7), ChunkSpec::Size(41)];
    let chunked = x.rechunk(&ragged).unwrap();
    for axis in 0..3 {
        let scan = Scan {
            kind: ScanKind::Sum,
            skipna: true,
        };
        let window = Window::new(WindowKind::Mean, 17, 4, axis == 1);
        let summed = at_once::<T, T::Total>(axis, values, |from, to| {
            let (outer, inner) = (from.outer(), from.inner());
            let mut carry = vec![0; outer * inner * scan.carry_words(T::DTYPE)];
            T::total(scan, Isa::detect())(from, to, &mut Carry::dense(&mut carry, outer, inner));
        });
        let rolled = at_once::<T, T>(axis, values, |from, to| {
            window.run::<T, T>((from, 0), (to, 0), &mut Scratch::default(), Isa::detect());
        });
        for (memory, threads) in [(256 << 20, 2), (6 << 20, 3)] {
            let session = session(memory, threads);
            let check = |form: &str, x: &Array| {
                let y = x.scan(scan, axis as isize).unwrap();
                let got = session.compute::<T::Total>(&y).unwrap();
                same_bits(got, &summed, &format!("cumsum of {form} along {axis}"));
                let scanned = session.last_report().unwrap();
                let rolling = x.rolling(axis as isize, 17, Some(4), axis == 1).unwrap();
                let got = session.compute::<T>(&rolling.mean().unwrap()).unwrap();
                same_bits(got, &rolled, &format!("rolling mean of {form} along {axis}"));
                [scanned, session.last_report().unwrap()]
            };
            for report in check("memory", &x) {
                let (peak, proved) = (report.host_peak, report.host_proved);
                assert!(peak <= proved, "{peak} of {proved} bytes along {axis}");
            }
            let tiled = session.persist(&chunked).unwrap();
            check("tiles", &tiled);
            let turned = session.persist(&x.transpose().unwrap()).unwrap();
            check("turned", &turned.transpose().unwrap());
        }
    }
}

#[test]
fn results_do_not_depend_on_cuts() {
    cut_alike(&field(|x| x as f32));
    cut_alike(&field(|x| x));
    cut_alike(&field(bf16::from_f64));
}

#[test]
fn they_join_with_what_is_around_them() {
    let session = session(64 << 20, 2);
    let x = Array::arange(60)
        .unwrap()
        .reshape(&[6, 10])
        .unwrap()
        .astype(DType::F64);
    // The differences of running sums are the elements again.
    let sums = (&x * 2).unwrap().cumsum(0).unwrap();
    let back = (&sums.diff(1, 0).unwrap() / 2).unwrap();
    let rest = x.slice(&[s(Some(1), None, None)]).unwrap();
    assert_eq!(
        session.compute::<f64>(&back).unwrap(),
        session.compute::<f64>(&rest).unwrap()
    );
    // A scan of a window of a scan, and a reduction of it.
    let nested = x
        .cumsum(1)
        .unwrap()
        .rolling(0, 2, None, false)
        .unwrap()
        .max()
        .unwrap()
        .cummax(1)
        .unwrap();
    let last = nested
        .slice(&[s(Some(-1), None, None), s(Some(-1), None, None)])
        .unwrap();
    assert_eq!(
        session.compute::<f64>(&last).unwrap()[[0, 0]],
        (50..60).sum::<i32>() as f64
    );
    let total = session
        .compute::<f64>(&x.cumsum(0).unwrap().sum(&[0, 1]).unwrap())
        .unwrap();
    let want: usize = (0..60).map(|i| i * (6 - i / 10)).sum();
    assert_eq!(total[[]], want as f64);
    // The slope of a line, and of a parabola at any places.
    let slope = session.compute::<f64>(&x.gradient(1, 0.5, 2).unwrap()).unwrap();
    assert!(slope.iter().all(|s| *s == 2.0));
    let places: Vec<f64> = (0..10).map(|i| f64::from(i * i) / 4.0).collect();
    let at = Array::from_vec(&[10], places.clone()).unwrap();
    let parabola = (&at * &at).unwrap();
    let slope = session
        .compute::<f64>(&parabola.gradient_at(0, &places, 2).unwrap())
        .unwrap();
    assert!(
        slope
            .iter()
            .zip(&places)
            .all(|(s, p)| (s - 2.0 * p).abs() < 1e-12),
        "{slope}"
    );
}

#[test]
fn errors_name_what_is_wrong() {
    let x = Array::from_vec(&[2, 3], vec![0.0f32; 6]).unwrap();
    let text = |result: tilewise::Result<Array>| result.unwrap_err().to_string();
    assert!(text(x.cumsum(2)).contains("axis 2 is out of range"));
    let rolling = |window, least| x.rolling(1, window, least, false).and_then(|r| r.mean());
    assert!(text(rolling(0, None)).contains("a window of 0 places"));
    assert!(text(rolling(usize::MAX, Some(1))).contains("it has 1 to"));
    assert!(text(rolling(3, Some(0))).contains("min_periods is 0"));
    assert!(text(rolling(3, Some(4))).contains("min_periods is 4"));
    assert!(text(x.gradient(0, 1.0, 2)).contains("needs 3"));
    assert!(text(x.gradient(1, 1.0, 3)).contains("edge_order is 1 or 2"));
    assert!(text(x.gradient_at(1, &[0.0, 1.0], 1)).contains("2 coordinates"));
    let scalar = Array::scalar(1.0f64);
    assert!(text(scalar.cumsum(0)).contains("out of range"));
    // A window longer than the axis is no error.
    let session = session(64 << 20, 1);
    let long = x.rolling(1, 100, Some(3), false).unwrap().sum().unwrap();
    let got = session.compute::<f32>(&long).unwrap();
    assert!(got[[0, 1]].is_nan() && got[[0, 2]] == 0.0);
    let none = Expr::full(&[0, 3], Scalar::new(1i8)).unwrap();
    let none = Array::from_expr(none);
    assert_eq!(
        session.compute::<i64>(&none.cumsum(0).unwrap()).unwrap().shape(),
        [0, 3]
    );
    let none = none.rolling(0, 2, None, true).unwrap().std(0).unwrap();
    assert_eq!(session.compute::<f64>(&none).unwrap().shape(), [0, 3]);
}

/// Along contiguous lanes, more than are taken together, against loops of the definition; whole
/// numbers are exact however they are added.
#[test]
fn lanes_give_what_the_definition_says() {
    fn number(i: usize) -> f64 {
        (i.wrapping_mul(2_654_435_761) >> 9 & 63) as f64 - 20.0
    }
    const SHAPE: [usize; 2] = [83, 301];
    let whole = Array::from_vec(&SHAPE, (0..83 * 301).map(number).collect()).unwrap();
    let session = session(64 << 20, 2);
    let near = |got: &[Scalar], want: &[f64], slack: f64, what: &str| {
        assert_eq!(got.len(), want.len());
        for (at, (got, want)) in got.iter().zip(want).enumerate() {
            let same = (got.to_f64() - want).abs() <= slack * want.abs().max(1.0);
            let both = got.to_f64().is_nan() && want.is_nan();
            assert!(same || both, "{what} at {at}: {got}, not {want}");
        }
    };
    for dtype in [DType::I16, DType::I32, DType::I64, DType::F32, DType::F64] {
        let x = whole.astype(dtype);
        for (kind, name) in ScanKind::ALL.into_iter().filter(|k| k.0 != ScanKind::Prod) {
            let join = |a: f64, b: f64| match kind {
                ScanKind::Sum => a + b,
                ScanKind::Max => a.max(b),
                _ => a.min(b),
            };
            let lanes = (0..83).flat_map(|lane| {
                let mut state = None;
                (0..301).map(move |i| {
                    let x = number(lane * 301 + i);
                    *state.insert(state.map_or(x, |state| join(state, x)))
                })
            });
            let want: Vec<f64> = lanes.collect();
            let scan = Scan { kind, skipna: false };
            let got = compute(&session, &x.scan(scan, 1).unwrap());
            near(&got, &want, 0.0, &format!("{name} of {dtype}"));
        }
    }
    for dtype in [DType::I8, DType::I32, DType::F16, DType::F32, DType::F64] {
        let gap = |i: usize| dtype.is_float() && i % 11 == 3;
        let gapped = (0..83 * 301).map(|i| if gap(i) { f64::NAN } else { number(i) });
        let x = match dtype.is_float() {
            true => Array::from_vec(&SHAPE, gapped.collect()).unwrap().astype(dtype),
            false => whole.astype(dtype),
        };
        for (len, least, center) in [(5, 3, false), (64, 59, true), (200, 1, false)] {
            let rolling = x.rolling(1, len, Some(least), center).unwrap();
            for (kind, name) in WindowKind::ALL {
                let want: Vec<f64> = (0..83 * 301)
                    .map(|at| {
                        let (lane, end) = (at / 301, at % 301 + if center { (len - 1) / 2 } else { 0 } + 1);
                        let places = end.saturating_sub(len)..end.min(301);
                        let places = places.map(|i| lane * 301 + i).filter(|&i| !gap(i));
                        let seen: Vec<f64> = places.map(number).collect();
                        let (n, sum) = (seen.len() as f64, seen.iter().sum::<f64>());
                        let squares: f64 = seen.iter().map(|x| (x - sum / n).powi(2)).sum();
                        match kind {
                            _ if seen.len() < least => f64::NAN,
                            WindowKind::Count => n,
                            WindowKind::Sum => sum,
                            WindowKind::Mean => sum / n,
                            WindowKind::Min => seen.iter().copied().fold(f64::INFINITY, f64::min),
                            WindowKind::Max => seen.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                            WindowKind::Var => squares / n,
                            WindowKind::Std => (squares / n).sqrt(),
                        }
                    })
                    .collect();
                let result = rolling.apply(kind, 0).unwrap();
                let slack = match result.dtype() {
                    DType::F16 => 1e-3,
                    DType::F32 => 2e-7,
                    _ => 1e-13,
                };
                let got = compute(&session, &result);
                near(&got, &want, slack, &format!("{name} of {len} {dtype} {center}"));
            }
        }
    }
}
