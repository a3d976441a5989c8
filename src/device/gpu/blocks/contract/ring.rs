//! What the GPU computes products in: four types, to which dtypes are widened as factors are
//! packed and from which results are narrowed as they are stored.
//!
//! They are those of `tilewise_kernels::gemm`, except that bools are counted in u32: fewer than
//! 2^32 products are added, so the count is zero exactly where no pair is true.

use tilewise_kernels::DType;

/// A type that products are added in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Ring {
    U32,
    U64,
    F32,
    F64,
}

impl Ring {
    /// The ring of a dtype.
    pub fn of(dtype: DType) -> Ring {
        match dtype {
            DType::Bool | DType::I8 | DType::I16 | DType::I32 | DType::U8 | DType::U16 | DType::U32 => {
                Ring::U32
            }
            DType::I64 | DType::U64 => Ring::U64,
            DType::F16 | DType::BF16 | DType::F32 => Ring::F32,
            DType::F64 => Ring::F64,
            DType::C64 | DType::C128 => DType::complex_is_refused(),
        }
    }

    /// The dtype of its sums.
    pub fn dtype(self) -> DType {
        match self {
            Ring::U32 => DType::U32,
            Ring::U64 => DType::U64,
            Ring::F32 => DType::F32,
            Ring::F64 => DType::F64,
        }
    }

    /// Whether elements of a dtype are stored as they are computed.
    pub fn is_native(self, dtype: DType) -> bool {
        dtype.size() == self.size()
    }

    /// Its name in WGSL.
    pub fn name(self) -> &'static str {
        match self {
            Ring::U32 => "u32",
            Ring::U64 => "u64",
            Ring::F32 => "f32",
            Ring::F64 => "f64",
        }
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Ring::U32 | Ring::F32 => 4,
            Ring::U64 | Ring::F64 => 8,
        }
    }

    /// The words that a buffer of a dtype is bound as.
    pub fn word(self) -> &'static str {
        match self {
            Ring::U32 | Ring::F32 => "u32",
            Ring::U64 | Ring::F64 => self.name(),
        }
    }

    /// `x · y + sum`; floats of 32 bits are rounded once where the adapter can.
    pub fn multiply_add(self, x: &str, y: &str, sum: &str) -> String {
        match self {
            Ring::F32 => format!("fma({x}, {y}, {sum})"),
            _ => format!("{x} * {y} + {sum}"),
        }
    }

    /// Element `at` of the words `words`, widened.
    pub fn load(dtype: DType, words: &str) -> String {
        let byte = format!("({words}[at >> 2u] >> ((at & 3u) * 8u))");
        let half = format!("({words}[at >> 1u] >> ((at & 1u) * 16u))");
        match dtype {
            DType::Bool => format!("select(0u, 1u, ({byte} & 0xffu) != 0u)"),
            DType::U8 | DType::I8 => byte, // what lies above is cut off when the result is stored
            DType::U16 | DType::I16 => half,
            DType::F16 => format!("tw_f16_load({half} & 0xffffu)"),
            DType::BF16 => format!("bitcast<f32>({half} << 16u)"),
            DType::F32 => format!("bitcast<f32>({words}[at])"),
            DType::I32 | DType::U32 | DType::U64 | DType::F64 => format!("{words}[at]"),
            DType::I64 => format!("{words}[at]"),
            DType::C64 | DType::C128 => DType::complex_is_refused(),
        }
    }

    /// The bits of the word that `sum` becomes as an element of a dtype.
    pub fn narrow(dtype: DType) -> &'static str {
        match dtype {
            DType::Bool => "select(0u, 1u, sum != 0u)",
            DType::U8 | DType::I8 => "(sum & 0xffu)",
            DType::U16 | DType::I16 => "(sum & 0xffffu)",
            DType::F16 => "tw_f16_store(tw_f16_round(sum))",
            DType::BF16 => "tw_bf16_store(tw_bf16_round(sum))",
            DType::F32 => "bitcast<u32>(sum)",
            DType::I32 | DType::U32 | DType::I64 | DType::U64 | DType::F64 => "sum",
            DType::C64 | DType::C128 => DType::complex_is_refused(),
        }
    }
}
