//! How elements become keys in WGSL, and keys elements again.
//!
//! A key is an unsigned integer in the order of the elements, as on the CPU
//! ([`tilewise_kernels::order::Ordered`]), in 32 bits for all narrower dtypes and in two words for
//! those of 64 bits. So every dtype sorts on every adapter: no 64-bit number is computed with.

use crate::DType;

const COMMON: &str = include_str!("../../../../shaders/blocks/sort_common.wgsl");
const RECORDS: [&str; 4] = [
    include_str!("../../../../shaders/blocks/sort_record_32.wgsl"),
    include_str!("../../../../shaders/blocks/sort_record_64.wgsl"),
    include_str!("../../../../shaders/blocks/sort_record_32_place.wgsl"),
    include_str!("../../../../shaders/blocks/sort_record_64_place.wgsl"),
];

/// What kernels sort: keys of a dtype, alone or with the places that they came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keys {
    pub dtype: DType,
    /// Whether records hold places.
    pub places: bool,
    /// Whether equal elements have equal keys: both zeros, and all NaN.
    pub ranks: bool,
    /// Whether keys fall as elements rise.
    pub turned: bool,
}

impl Keys {
    /// Keys from which elements come back.
    pub fn of(dtype: DType) -> Keys {
        Keys {
            dtype,
            places: false,
            ranks: false,
            turned: false,
        }
    }

    /// Keys that are equal where elements are.
    pub fn ranks(dtype: DType) -> Keys {
        Keys {
            ranks: true,
            ..Keys::of(dtype)
        }
    }

    /// Bits of a key that differ between elements.
    pub fn bits(self) -> u32 {
        8 * self.dtype.size() as u32
    }

    fn wide(self) -> bool {
        self.dtype.size() == 8
    }

    /// Bytes of a record.
    pub fn record_bytes(self) -> usize {
        4 + 4 * usize::from(self.wide()) + 4 * usize::from(self.places)
    }

    /// A key as words of a table.
    pub fn words(self, key: u64) -> impl Iterator<Item = u32> {
        [key as u32, (key >> 32) as u32]
            .into_iter()
            .take(1 + usize::from(self.wide()))
    }

    /// A kernel's text behind what all of them share.
    pub fn kernel(self, parts: &[&str]) -> String {
        let record = RECORDS[usize::from(self.wide()) + 2 * usize::from(self.places)];
        let parts = [&[COMMON, record], parts].concat().join("\n");
        format!("{}{parts}", super::super::library::needed_by(&parts))
    }

    /// `Word`, of which the buffer `source` is made, and `key_at`, the key of an element there.
    pub fn loader(self) -> String {
        let (word, bits) = match self.dtype.size() {
            1 => ("u32", "(source[at / 4u] >> (8u * (at % 4u))) & 0xffu"),
            2 => ("u32", "(source[at / 2u] >> (16u * (at % 2u))) & 0xffffu"),
            4 => ("u32", "source[at]"),
            _ => ("vec2<u32>", "source[at]"),
        };
        let key = match self.dtype {
            DType::Bool => "min(bits, 1u)",
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => "bits",
            DType::I8 => "bits ^ 0x80u",
            DType::I16 => "bits ^ 0x8000u",
            DType::I32 => "bits ^ 0x80000000u",
            DType::I64 => "bits ^ vec2<u32>(0u, 0x80000000u)",
            DType::F16 => "tw_key_half(bits, 0x7c00u)",
            DType::BF16 => "tw_key_half(bits, 0x7f80u)",
            DType::F32 => "tw_key_f32(bits)",
            DType::F64 => "tw_key_f64(bits)",
            DType::C64 | DType::C128 => DType::complex_is_refused(),
        };
        let rank = match self.dtype {
            DType::F16 if self.ranks => "tw_rank(key, 0x7fffu, 0xfc01u)",
            DType::BF16 if self.ranks => "tw_rank(key, 0x7fffu, 0xff81u)",
            DType::F32 if self.ranks => "tw_rank(key, 0x7fffffffu, 0xff800001u)",
            DType::F64 if self.ranks => "tw_rank_f64(key)",
            _ => "key",
        };
        let turn = if self.turned { "~" } else { "" };
        format!(
            "alias Word = {word};\n\nfn key_at(at: u32) -> Key {{\n    let bits = {bits};\n    \
             let key = {key};\n    return {turn}({rank});\n}}\n"
        )
    }

    /// `bits_of`, the bits of a key's element.
    pub fn unloader(self) -> String {
        let turned = if self.turned { "~key" } else { "key" };
        let bits = match self.dtype {
            DType::Bool | DType::U8 | DType::U16 | DType::U32 | DType::U64 => "ordered",
            DType::I8 => "ordered ^ 0x80u",
            DType::I16 => "ordered ^ 0x8000u",
            DType::I32 => "ordered ^ 0x80000000u",
            DType::I64 => "ordered ^ vec2<u32>(0u, 0x80000000u)",
            DType::F16 | DType::BF16 => "tw_unkey_half(ordered)",
            DType::F32 => "tw_unkey_f32(ordered)",
            DType::F64 => "tw_unkey_f64(ordered)",
            DType::C64 | DType::C128 => DType::complex_is_refused(),
        };
        format!("fn bits_of(key: Key) -> Key {{\n    let ordered = {turned};\n    return {bits};\n}}\n")
    }

    /// `is_nan`, whether a key is that of a NaN.
    pub fn nan_test(self) -> String {
        let test = match self.dtype {
            DType::F16 => "key > 0xfc00u",
            DType::BF16 => "key > 0xff80u",
            DType::F32 => "key > 0xff800000u",
            DType::F64 => "key.y > 0xfff00000u || (key.y == 0xfff00000u && key.x != 0u)",
            _ => "false",
        };
        format!("fn is_nan(key: Key) -> bool {{\n    return {test};\n}}\n")
    }
}

/// `Out`, of which a buffer of results is made, and how many results such a word holds.
pub(super) fn out(dtype: DType) -> (String, usize) {
    let word = if dtype.size() == 8 { "vec2<u32>" } else { "u32" };
    (format!("alias Out = {word};\n"), (4 / dtype.size()).max(1))
}
