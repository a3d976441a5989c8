//! Scans and windows against NumPy's and xarray's results, through every way through columns.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tilewise::DType;
use tilewise::kernels::scan::{Carry, Scan, ScanKind, Scanned};
use tilewise::kernels::window::{Scratch, Window, WindowKind};
use tilewise::kernels::{Columns, ColumnsMut, Element, Isa, dispatch_real};

/// The bytes of an oracle's words: bit patterns in hexadecimal, most significant digit first.
fn bytes(words: &str) -> Vec<u8> {
    words
        .split_whitespace()
        .flat_map(|word| {
            let bits = u64::from_str_radix(word, 16).unwrap();
            bits.to_le_bytes()[..word.len() / 2].to_vec()
        })
        .collect()
}

fn typed<T: Element>(bytes: &[u8]) -> Vec<T::Stored> {
    let parts = bytes.chunks_exact(size_of::<T>());
    parts.map(bytemuck::pod_read_unaligned).collect()
}

/// One array of the oracle seen along an axis.
struct Line<'a> {
    what: String,
    dtype: DType,
    outer: usize,
    len: usize,
    inner: usize,
    data: Vec<u8>,
    case: &'a Value,
}

fn lines(whole: &Value) -> Vec<Line<'_>> {
    let cases = whole["cases"].as_array().unwrap().iter();
    cases
        .map(|case| {
            let name = case["array"].as_str().unwrap();
            let array = &whole["arrays"][name];
            let axis = case["axis"].as_u64().unwrap() as usize;
            let shape = array["shape"].as_array().unwrap().iter();
            let shape: Vec<usize> = shape.map(|n| n.as_u64().unwrap() as usize).collect();
            Line {
                what: format!("{name} along axis {axis}"),
                dtype: DType::parse(array["dtype"].as_str().unwrap()).unwrap(),
                outer: shape[..axis].iter().product(),
                len: shape[axis],
                inner: shape[axis + 1..].iter().product(),
                data: bytes(array["values"].as_str().unwrap()),
                case,
            }
        })
        .collect()
}

/// Whether two elements agree: bits, any NaN for a NaN, for floats so many units in the last place.
fn agree<T: Element>(got: T::Stored, want: T::Stored, units: u64) -> bool {
    if got == want {
        return true;
    }
    let (a, b) = (T::load(got).to_f64(), T::load(want).to_f64());
    let bits = |x: T::Stored| {
        let mut word = [0; 8];
        word[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&x));
        i64::from_le_bytes(word)
    };
    (a.is_nan() && b.is_nan()) || (T::DTYPE.is_float() && bits(got).abs_diff(bits(want)) <= units)
}

fn turned<T: Copy>(outer: usize, len: usize, inner: usize, values: &[T]) -> Vec<T> {
    let at = |o: usize, j: usize, i: usize| values[(o * len + i) * inner + j];
    let lanes = (0..outer).flat_map(|o| (0..inner).map(move |j| (o, j)));
    lanes
        .flat_map(|(o, j)| (0..len).map(move |i| at(o, j, i)))
        .collect()
}

/// Puts a dense block into a whole whose rows begin at `at + o * outer_step + i * len_step`.
fn place<T: Copy>(
    block: &[T],
    (outer, len, inner): (usize, usize, usize),
    whole: &mut [T],
    (at, outer_step, len_step): (usize, usize, usize),
) {
    for o in 0..outer {
        for i in 0..len {
            let row = &block[(o * len + i) * inner..][..inner];
            whole[at + o * outer_step + i * len_step..][..inner].copy_from_slice(row);
        }
    }
}

/// Lanes one after another, in C order again.
fn turned_back<T: Copy>(outer: usize, len: usize, inner: usize, lanes: &[T]) -> Vec<T> {
    let at = |o: usize, j: usize, i: usize| lanes[(o * inner + j) * len + i];
    let rows = (0..outer).flat_map(|o| (0..len).map(move |i| (o, i)));
    rows.flat_map(|(o, i)| (0..inner).map(move |j| at(o, j, i)))
        .collect()
}

fn isas() -> Vec<Isa> {
    let all = [Isa::Baseline, Isa::Avx2, Isa::Avx512];
    all.into_iter().filter(|isa| isa.available()).collect()
}

/// Every way of running a scan, each with the results in C order.
fn scanned<T: Scanned, U: Element>(
    run: tilewise::kernels::scan::ScanFn<T, U>,
    words: usize,
    (outer, len, inner): (usize, usize, usize),
    data: &[T::Stored],
) -> Vec<(&'static str, Vec<U::Stored>)> {
    let blank = || vec![U::Stored::default(); outer * len * inner];
    let carries = || vec![0u64; words * outer * inner];
    let mut whole = blank();
    run(
        Columns::dense(data, outer, len, inner),
        ColumnsMut::dense(&mut whole, outer, len, inner),
        &mut Carry::dense(&mut carries(), outer, inner),
    );
    // In two blocks, of neighbours in two parts.
    let (cut, part) = (len / 3, inner / 2);
    let mut cuts = blank();
    let mut carry = carries();
    for (start, count) in [(0, cut), (cut, len - cut)] {
        for (from, width) in [(0, part), (part, inner - part)] {
            if count * width * outer == 0 {
                continue;
            }
            let at = start * inner + from;
            let columns = Columns::strided(&data[at..], outer, count, width, len * inner, inner);
            let mut block = vec![U::Stored::default(); outer * count * width];
            let mut carry = Carry::strided(&mut carry, from, inner, outer * inner);
            run(
                columns,
                ColumnsMut::dense(&mut block, outer, count, width),
                &mut carry,
            );
            place(&block, (outer, count, width), &mut cuts, (at, len * inner, inner));
        }
    }
    // As contiguous lanes, in two blocks.
    let flat = turned(outer, len, inner, data);
    let lanes = outer * inner;
    let mut along = blank();
    let mut carry = carries();
    for (start, count) in [(0, cut), (cut, len - cut)] {
        if count * lanes == 0 {
            continue;
        }
        let columns = Columns::strided(&flat[start..], lanes, count, 1, len, 1);
        let mut block = vec![U::Stored::default(); lanes * count];
        let out = ColumnsMut::dense(&mut block, lanes, count, 1);
        run(columns, out, &mut Carry::dense(&mut carry, lanes, 1));
        place(&block, (lanes, count, 1), &mut along, (start, len, 1));
    }
    let back = turned_back(outer, len, inner, &along);
    vec![("whole", whole), ("in blocks", cuts), ("as lanes", back)]
}

fn check_scan<T: Scanned, U: Element>(
    line: &Line<'_>,
    scan: Scan,
    run: impl Fn(Isa) -> tilewise::kernels::scan::ScanFn<T, U>,
    want: &[u8],
) {
    let units = u64::from(scan.kind == ScanKind::Sum);
    let want = typed::<U>(want);
    let data = typed::<T>(&line.data);
    let mut first = None;
    for isa in isas() {
        let extents = (line.outer, line.len, line.inner);
        for (way, got) in scanned::<T, U>(run(isa), scan.carry_words(line.dtype), extents, &data) {
            for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                // Of two zeros either is the larger.
                let zero =
                    U::load(*got).to_f64() == 0.0 && matches!(scan.kind, ScanKind::Sum | ScanKind::Prod);
                let sign = !zero || bytemuck::bytes_of(got) == bytemuck::bytes_of(want);
                assert!(
                    agree::<U>(*got, *want, units) && sign,
                    "{scan:?} of {} {way} by {isa:?} at {at}: {:?} is not {:?}",
                    line.what,
                    U::load(*got),
                    U::load(*want)
                );
            }
            let text = format!("{:?}", got.iter().map(|x| U::load(*x)).collect::<Vec<U>>());
            let first = first.get_or_insert(text.clone());
            assert_eq!(*first, text, "{scan:?} of {} {way} by {isa:?}", line.what);
        }
    }
}

fn oracle() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/scans.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn scans_are_numpys() {
    let whole = oracle();
    let mut checked = 0;
    for line in lines(&whole).iter().filter(|l| l.case["window"].is_null()) {
        for (op, result) in line.case["results"].as_object().unwrap() {
            let (name, skipna) = match op.strip_prefix("nan") {
                Some(name) => (name, true),
                None => (op.as_str(), false),
            };
            let kind = ScanKind::parse(name).unwrap();
            let scan = Scan { kind, skipna };
            assert_eq!(
                scan.result(line.dtype).name(),
                result["dtype"].as_str().unwrap(),
                "{op}"
            );
            let want = bytes(result["values"].as_str().unwrap());
            dispatch_real!(line.dtype, T => match kind {
                ScanKind::Sum | ScanKind::Prod =>
                    check_scan::<T, <T as Scanned>::Total>(line, scan, |isa| T::total(scan, isa), &want),
                _ => check_scan::<T, T>(line, scan, |isa| T::extreme(scan, isa), &want),
            });
            checked += 1;
        }
    }
    assert!(checked > 250, "only {checked} results checked");
}

/// NumPy has no bfloat16; a scan of it is that of the same values in f64, rounded at each place.
#[test]
fn scans_of_bfloat16_are_those_of_wider_types() {
    use tilewise::kernels::bf16;
    let (outer, len, inner) = (3, 19, 5);
    let value = |i: usize| match i % 37 {
        5 => f64::NAN,
        9 => f64::INFINITY,
        _ => ((i * 7919) % 101) as f64 / 8.0 - 6.0,
    };
    let data: Vec<bf16> = (0..outer * len * inner)
        .map(|i| bf16::from_f64(value(i)))
        .collect();
    for (kind, _) in ScanKind::ALL {
        for skipna in [false, true] {
            let scan = Scan { kind, skipna };
            let mut want = vec![bf16::ZERO; data.len()];
            for o in 0..outer {
                for j in 0..inner {
                    let mut state: Option<f64> = None;
                    for i in 0..len {
                        let at = (o * len + i) * inner + j;
                        let x = data[at].to_f64();
                        let fresh = match kind {
                            ScanKind::Sum => 0.0,
                            ScanKind::Prod => 1.0,
                            _ => f64::NAN,
                        };
                        let x = if skipna && x.is_nan() { fresh } else { x };
                        let next = match (state, kind) {
                            (None, _) => x,
                            (Some(s), ScanKind::Sum) => s + x,
                            (Some(s), ScanKind::Prod) => s * x,
                            (Some(s), _) if s.is_nan() => {
                                if skipna {
                                    x
                                } else {
                                    s
                                }
                            }
                            (Some(s), _) if x.is_nan() => {
                                if skipna {
                                    s
                                } else {
                                    x
                                }
                            }
                            (Some(s), ScanKind::Max) => s.max(x),
                            (Some(s), ScanKind::Min) => s.min(x),
                        };
                        state = Some(next);
                        want[at] = bf16::from_f64(next);
                    }
                }
            }
            let run = |isa| match kind {
                ScanKind::Sum | ScanKind::Prod => bf16::total(scan, isa),
                _ => bf16::extreme(scan, isa),
            };
            for isa in isas() {
                for (way, got) in scanned::<bf16, bf16>(
                    run(isa),
                    scan.carry_words(DType::BF16),
                    (outer, len, inner),
                    &data,
                ) {
                    for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                        assert!(
                            agree::<bf16>(*got, *want, 0),
                            "{scan:?} {way} by {isa:?} at {at}: {got} is not {want}"
                        );
                    }
                }
            }
        }
    }
}

/// Every way of running a window, each with the results in C order.
fn rolled<T: Element, U: Element>(
    window: Window,
    (outer, len, inner): (usize, usize, usize),
    data: &[T::Stored],
    isa: Isa,
) -> Vec<(&'static str, Vec<U::Stored>)> {
    let blank = || vec![U::Stored::default(); outer * len * inner];
    let mut scratch = Scratch::default();
    let mut whole = blank();
    window.run::<T, U>(
        (Columns::dense(data, outer, len, inner), 0),
        (ColumnsMut::dense(&mut whole, outer, len, inner), 0),
        &mut scratch,
        isa,
    );
    let mut cut_to = |count: usize, (outer, inner): (usize, usize), data: &[T::Stored]| {
        let mut out = blank();
        for start in (0..len).step_by(count) {
            let count = count.min(len - start);
            let (first, rows) = window.needs(start, count, len);
            let columns = Columns::strided(&data[first * inner..], outer, rows, inner, len * inner, inner);
            let mut block = vec![U::Stored::default(); outer * count * inner];
            let to = ColumnsMut::dense(&mut block, outer, count, inner);
            window.run::<T, U>((columns, first), (to, start), &mut scratch, isa);
            place(
                &block,
                (outer, count, inner),
                &mut out,
                (start * inner, len * inner, inner),
            );
        }
        out
    };
    let (threes, ones) = (cut_to(3, (outer, inner), data), cut_to(1, (outer, inner), data));
    let flat = turned(outer, len, inner, data);
    let along = cut_to(5, (outer * inner, 1), &flat);
    let back = turned_back(outer, len, inner, &along);
    vec![
        ("whole", whole),
        ("in blocks", threes),
        ("one by one", ones),
        ("as lanes", back),
    ]
}

fn check_window<T: Element, U: Element>(line: &Line<'_>, window: Window, want: &[u8]) {
    let want = typed::<U>(want);
    let data = typed::<T>(&line.data);
    // What is added in f64 is as good as its largest element.
    let finite = data.iter().map(|x| T::load(*x).to_f64().abs());
    let largest = finite.filter(|x| x.is_finite()).fold(0.0, f64::max);
    let slack = match window.kind {
        WindowKind::Mean | WindowKind::Sum => 1e-15 * largest,
        WindowKind::Var => 1e-15 * largest * largest,
        // Of the difference of an element from a mean that was rounded.
        WindowKind::Std => 1e-15 * largest,
        _ => 0.0,
    };
    let mut first = None;
    for isa in isas() {
        let extents = (line.outer, line.len, line.inner);
        for (way, got) in rolled::<T, U>(window, extents, &data, isa) {
            for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                let (a, b) = (U::load(*got).to_f64(), U::load(*want).to_f64());
                assert!(
                    agree::<U>(*got, *want, 2) || (a - b).abs() <= slack,
                    "{window:?} of {} {way} by {isa:?} at {at}: {a} is not {b}",
                    line.what,
                );
            }
            let text = format!("{:?}", got.iter().map(|x| U::load(*x)).collect::<Vec<U>>());
            let first = first.get_or_insert(text.clone());
            assert_eq!(*first, text, "{window:?} of {} {way} by {isa:?}", line.what);
        }
    }
}

#[test]
fn windows_are_xarrays() {
    let whole = oracle();
    let mut checked = 0;
    for line in lines(&whole).iter().filter(|l| !l.case["window"].is_null()) {
        let number = |name: &str| line.case[name].as_u64().unwrap() as usize;
        let center = line.case["center"].as_bool().unwrap();
        for (op, result) in line.case["results"].as_object().unwrap() {
            let (name, ddof) = match op.strip_suffix(".ddof1") {
                Some(name) => (name, 1),
                None => (op.as_str(), 0),
            };
            let kind = WindowKind::parse(name).unwrap();
            let window = Window::new(kind, number("window"), number("min_periods"), center);
            let window = Window { ddof, ..window };
            let dtype = window.result(line.dtype);
            assert_eq!(dtype.name(), result["dtype"].as_str().unwrap(), "{op}");
            let want = bytes(result["values"].as_str().unwrap());
            dispatch_real!(line.dtype, T => match dtype {
                DType::F64 => check_window::<T, f64>(line, window, &want),
                _ => check_window::<T, T>(line, window, &want),
            });
            checked += 1;
        }
    }
    assert!(checked > 300, "only {checked} results checked");
}
