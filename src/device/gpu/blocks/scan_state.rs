//! The state of a scan: what shaders keep of the elements so far, and as what it is handed on.
//!
//! Blocks hand on the words of the CPU's loops, whose zeros are the start of a scan, so that a
//! column may go from one device to the other.

use super::columns::register;
use crate::DType;
use crate::device::gpu::expression::Abilities;
use tilewise_kernels::scan::{Scan, ScanKind};
use tilewise_kernels::{Kind, cast_wgsl};

/// How a scan is computed on an adapter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scheme {
    /// A sum in f64, and what its roundings lost.
    SumWide,
    /// A sum as a pair of f32.
    SumPair,
    /// A product in f64.
    Product,
    /// A sum or product in u64.
    Integers,
    /// The first of the best so far.
    Extreme,
}

impl Scheme {
    /// The scheme for elements of a dtype.
    ///
    /// # Errors
    /// Says what the adapter lacks, or why order matters.
    pub fn new(scan: Scan, dtype: DType, can: Abilities) -> Result<Scheme, String> {
        let name = scan.kind.name();
        let lacks = |what: &str| {
            Err(format!(
                "{name} of {dtype} needs {what} in shaders, which this adapter lacks"
            ))
        };
        let wide = dtype == DType::F64;
        match scan.kind {
            ScanKind::Max | ScanKind::Min if wide && !can.f64 => lacks("64-bit floats"),
            ScanKind::Max | ScanKind::Min if dtype.size() == 8 && !can.i64 => lacks("64-bit integers"),
            ScanKind::Max | ScanKind::Min => Ok(Scheme::Extreme),
            _ if !dtype.is_float() && !can.i64 => lacks("64-bit integers"),
            _ if !dtype.is_float() => Ok(Scheme::Integers),
            ScanKind::Prod if wide => Err(format!(
                "{name} of {dtype} is rounded at each place in order, which runs on the CPU only"
            )),
            ScanKind::Prod if !can.f64 => lacks("64-bit floats"),
            ScanKind::Prod => Ok(Scheme::Product),
            ScanKind::Sum if can.f64 => Ok(Scheme::SumWide),
            ScanKind::Sum if wide => lacks("64-bit floats"),
            ScanKind::Sum => Ok(Scheme::SumPair),
        }
    }
}

/// The state of a scan of elements of a dtype.
pub(super) struct State {
    scheme: Scheme,
    scan: Scan,
    dtype: DType,
}

impl State {
    pub fn new(scheme: Scheme, scan: Scan, dtype: DType) -> State {
        State { scheme, scan, dtype }
    }

    /// Its WGSL.
    pub fn text(&self) -> &'static str {
        match self.scheme {
            Scheme::SumWide => include_str!("../../../../shaders/blocks/scan_sum_wide.wgsl"),
            Scheme::SumPair => include_str!("../../../../shaders/blocks/scan_sum_pair.wgsl"),
            Scheme::Product => include_str!("../../../../shaders/blocks/scan_product.wgsl"),
            Scheme::Integers => include_str!("../../../../shaders/blocks/scan_integers.wgsl"),
            Scheme::Extreme => include_str!("../../../../shaders/blocks/scan_extreme.wgsl"),
        }
    }

    /// Bytes of one in a buffer.
    pub fn bytes(&self) -> usize {
        match self.scheme {
            Scheme::SumWide => 24,
            Scheme::SumPair | Scheme::Product => 16,
            Scheme::Integers => 8,
            Scheme::Extreme => self.dtype.size().max(4),
        }
    }

    /// What its text asks for.
    pub fn values(&self) -> Vec<(&'static str, String)> {
        let product = self.scan.kind == ScanKind::Prod;
        let (carry, counted, from) = match self.scheme {
            Scheme::SumWide | Scheme::Product => ("f64", self.counted(), DType::F64),
            Scheme::SumPair => ("u32", self.counted(), DType::F32),
            Scheme::Integers => ("u64", self.long(), DType::U64),
            Scheme::Extreme => (register(self.dtype), String::new(), self.dtype),
        };
        let to = self.scan.result(self.dtype);
        let result = match (self.scheme, to) {
            (Scheme::Integers, DType::I64) => "bitcast<i64>(total)".to_string(),
            _ => cast_wgsl(from, to).unwrap_or_default().replace("$0", "total"),
        };
        vec![
            ("CARRY", carry.to_string()),
            ("COUNTED", counted),
            ("RESULT", result),
            ("NOTHING", self.nothing()),
            ("SIGN", if product { "*" } else { "+" }.to_string()),
            ("KEEP", self.keep()),
        ]
    }

    /// An element as it counts in a sum or product of floats.
    fn counted(&self) -> String {
        let unit = match (self.scan.kind, self.dtype) {
            (ScanKind::Prod, _) => "1.0f",
            (_, DType::F64) => "0.0lf",
            _ => "0.0f",
        };
        match self.scan.skipna {
            true => format!("select(x, {unit}, {})", self.nan("x")),
            false => "x".to_string(),
        }
    }

    /// An integer modulo 2^64.
    fn long(&self) -> String {
        match (self.dtype.kind(), self.dtype) {
            (Kind::Signed, _) => "bitcast<u64>(i64(x))".to_string(),
            _ => "u64(x)".to_string(),
        }
    }

    fn nan(&self, x: &str) -> String {
        match self.dtype {
            DType::F64 => format!("tw_is_nan_f64({x})"),
            _ => format!("tw_is_nan({x})"),
        }
    }

    /// Whether the best so far stays.
    fn keep(&self) -> String {
        let (low, high) = match self.scan.kind {
            ScanKind::Max => ("x", "best"),
            _ => ("best", "x"),
        };
        let holds = match self.dtype {
            DType::F64 => format!("tw_f64_less_equal({low}, {high})"),
            _ => format!("{low} <= {high}"),
        };
        if !self.dtype.is_float() {
            return holds;
        }
        // A NaN stays for good, or is passed over.
        let (kept, left) = if self.scan.skipna {
            ("x", "best")
        } else {
            ("best", "x")
        };
        format!("{} || (!{} && {holds})", self.nan(kept), self.nan(left))
    }

    /// The start of an integer total or of an extreme, as WGSL.
    fn nothing(&self) -> String {
        let bits = self.start()[0];
        match (self.scheme, register(self.dtype)) {
            (Scheme::Integers, _) => format!("{bits}lu"),
            (_, "f32") => format!("bitcast<f32>({:#x}u ^ tw_zero)", bits as u32),
            (_, "f64") => format!("bitcast<f64>({bits:#x}lu ^ u64(tw_zero))"),
            (_, "i32") => format!("bitcast<i32>({}u)", bits as u32),
            (_, "i64") => format!("bitcast<i64>({bits}lu)"),
            (_, "u64") => format!("{bits}lu"),
            _ => format!("{}u", bits as u32),
        }
    }

    /// The CPU's words before the first element, with which words that are handed on are combined.
    fn start(&self) -> [u64; 2] {
        let max = self.scan.kind == ScanKind::Max;
        let bits = 8 * self.dtype.size().min(8) as u32;
        let most = u64::MAX >> (64 - bits);
        let first = match (self.scheme, self.dtype.kind(), self.dtype) {
            (Scheme::SumWide | Scheme::SumPair, ..) => (-0.0f64).to_bits(),
            (Scheme::Product, ..) => 1.0f64.to_bits(),
            (Scheme::Integers, ..) => u64::from(self.scan.kind == ScanKind::Prod),
            (_, Kind::Float, DType::F64) if self.scan.skipna => f64::NAN.to_bits(),
            (_, Kind::Float, DType::F64) if max => f64::NEG_INFINITY.to_bits(),
            (_, Kind::Float, DType::F64) => f64::INFINITY.to_bits(),
            (_, Kind::Float, _) if self.scan.skipna => u64::from(f32::NAN.to_bits()),
            (_, Kind::Float, _) if max => u64::from(f32::NEG_INFINITY.to_bits()),
            (_, Kind::Float, _) => u64::from(f32::INFINITY.to_bits()),
            (_, Kind::Signed, _) if max => !(most >> 1),
            (_, Kind::Signed, _) => most >> 1,
            _ if max => 0,
            _ => most,
        };
        [first, 0]
    }

    /// What kernels receive for the words of `columns` columns.
    ///
    /// # Errors
    /// When a sum does not fit a pair of f32.
    pub fn receive(&self, words: &[u64], columns: usize) -> Result<Vec<u8>, String> {
        let start = self.start();
        let word = |plane: usize, column: usize| words[plane * columns + column] ^ start[plane];
        let all = |planes: usize| (0..planes).flat_map(move |p| (0..columns).map(move |c| (p, c)));
        if self.scheme == Scheme::SumPair {
            return pairs(words, columns, start[0]);
        }
        let planes = 1 + usize::from(self.scheme == Scheme::SumWide);
        let narrow = self.scheme == Scheme::Extreme && self.dtype.size() < 8;
        let bytes = all(planes).flat_map(|(plane, column)| {
            let bits = word(plane, column).to_le_bytes();
            bits.into_iter().take(if narrow { 4 } else { 8 })
        });
        Ok(bytes.collect())
    }

    /// The words for what kernels handed on.
    pub fn hand_on(&self, bytes: &[u8], words: &mut [u64]) {
        let start = self.start();
        let low = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[4 * at + i]));
        match self.scheme {
            Scheme::SumPair => {
                let columns = words.len() / 2;
                for column in 0..columns {
                    let part = |plane: usize| f64::from(f32::from_bits(low(plane * columns + column)));
                    let sum = match (low(2 * columns + column) & 2 == 0, part(0).is_finite()) {
                        (true, _) => -0.0,
                        (_, true) => part(0) + part(1),
                        (_, false) => part(0),
                    };
                    words[column] = sum.to_bits() ^ start[0];
                    words[columns + column] = 0;
                }
            }
            Scheme::Extreme if self.dtype.size() < 8 => {
                for (at, word) in words.iter_mut().enumerate() {
                    *word = match self.dtype.kind() {
                        Kind::Signed => i64::from(low(at) as i32) as u64,
                        _ => u64::from(low(at)),
                    } ^ start[0];
                }
            }
            _ => {
                let columns = words.len() / (1 + usize::from(self.scheme == Scheme::SumWide));
                for (at, word) in words.iter_mut().enumerate() {
                    let bits = u64::from(low(2 * at)) | (u64::from(low(2 * at + 1)) << 32);
                    *word = bits ^ start[at / columns];
                }
            }
        }
    }
}

/// Sums of f64 with their errors as pairs of f32, and what kinds of elements are in them.
fn pairs(words: &[u64], columns: usize, start: u64) -> Result<Vec<u8>, String> {
    let mut out = vec![0u32; 3 * columns];
    for column in 0..columns {
        let (sum, lost) = (
            f64::from_bits(words[column] ^ start),
            f64::from_bits(words[columns + column]),
        );
        let whole = if sum.is_finite() { sum + lost } else { sum };
        let high = whole as f32;
        if whole.is_finite() && !high.is_finite() {
            return Err("a sum left the range of f32 pairs; it needs the cpu".into());
        }
        let low = if whole.is_finite() {
            (whole - f64::from(high)) as f32
        } else {
            0.0
        };
        out[column] = high.to_bits();
        out[columns + column] = low.to_bits();
        out[2 * columns + column] = u32::from(!whole.is_finite())
            | (2 * u32::from(words[column] != 0 || words[columns + column] != 0));
    }
    Ok(bytemuck::cast_slice(&out).to_vec())
}
