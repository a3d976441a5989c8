//! Every coefficient and every split constant, once.
//!
//! The Rust functions take them from here and `wgsl_constants` renders the same
//! values for the shaders, so the two devices cannot drift apart. Polynomials
//! are near-minimax, fitted in 60 digits with each coefficient rounded to f32
//! before the next was fitted, lowest degree first.

use std::f32::consts;
use std::fmt::Write;

/// Declares each list as a constant and the table that names them all.
macro_rules! coefficients {
    ($($(#[$doc:meta])* $name:ident: $n:literal = $values:expr;)*) => {
        $($(#[$doc])* pub const $name: [f32; $n] = $values;)*
        /// Every list by name.
        pub const TABLE: &[(&str, &[f32])] = &[$((stringify!($name), &$name)),*];
    };
}

coefficients! {
    /// `(eʳ - 1 - r) / r²` for `|r| <= ln 2 / 2`, relative error 2⁻³³ of eʳ.
    EXP: 6 = [0.5, 0.166_666_66, 0.041_666_456, 0.008_333_568, 0.001_393_593_3, 0.000_197_434_84];
    /// `(2ʳ - 1) / r` for `|r| <= 1/2`, 2⁻³² of 2ʳ.
    EXP2: 7 = [consts::LN_2, 0.240_226_5, 0.055_504_054, 0.009_618_085, 0.001_333_750_8, 0.000_154_532_72, 1.445_110_3e-5];
    /// `(ln(1 + f) - f + f²/2) / f³` for `1 + f` in `√½..√2`, 2⁻³⁰.
    LOG: 9 = [0.333_333_1, -0.25, 0.200_022_37, -0.166_685_12, 0.142_177_31, -0.123_964_84, 0.118_925_2, -0.117_278_64, 0.067_976_74];
    /// `(sin √z / √z - 1) / z` for `√z <= π/4`, 2⁻³².
    SIN: 4 = [-0.166_666_67, 0.008_333_379, -0.000_198_530_24, 2.831_687_9e-6];
    /// The same for `√z <= π/2`, 2⁻²⁷ of the sine.
    SIN_HALF: 4 = [-0.166_666_6, 0.008_333_066_5, -0.000_198_096_04, 2.605_782e-6];
    /// `(cos √z - 1 + z/2) / z²` for `√z <= π/4`, 2⁻³⁷.
    COS: 4 = [0.041_666_668, -0.001_388_897_9, 2.482_149_5e-5, -2.882_388_8e-7];
    /// `(asin √z / √z - 1) / z` for `√z <= 1/2`, 2⁻³¹.
    ASIN: 6 = [0.166_666_6, 0.075_005_196, 0.044_514_164, 0.031_830_1, 0.014_356_179, 0.037_630_29];
    /// `(atan √z / √z - 1) / z` for `√z <= 1`, 2⁻³¹.
    ATAN: 10 = [-0.333_333_28, 0.199_997_16, -0.142_803_43, 0.110_612_325, -0.088_214_554, 0.067_636_24, -0.044_982_75, 0.022_777_054, -0.007_425_035_4, 0.001_134_443_9];
    /// `(sinh √z / √z - 1) / z` for `√z <= 1`, 2⁻³².
    SINH: 5 = [0.166_666_67, 0.008_333_284, 0.000_198_561_33, 2.578_433_6e-6, 9.793_674e-8];
    /// `(tanh √z / √z - 1) / z` for `√z <= 0.6`, 2⁻³².
    TANH: 6 = [-0.333_333_3, 0.133_332_3, -0.053_950_094, 0.021_720_855, -0.008_232_083, 0.002_197_605_8];
    /// `(log₂((1+s)/(1-s)) / s - LOG2_S) / s² - LOG2_S3` over `s²` for `s <= 0.172`, 2⁻⁴².
    LOG2_TAIL: 4 = [0.577_078, 0.412_205_9, 0.320_015_1, 0.281_631_68];
    /// `erf √z / √z - 1` for `√z <= 0.925`, 2⁻³⁰.
    ERF: 7 = [0.128_379_17, -0.376_126_3, 0.112_836_27, -0.026_855_854, 0.005_192_753_4, -0.000_805_389_66, 8.014_140_6e-5];
    /// `ln erfc t` for `0.92 <= t <= 3.95`, 2⁻³⁶ of erf.
    ERFC: 10 = [9.121_898e-5, -1.129_010_4, -0.634_675_6, -0.106_280_446, 0.023_226_054, -0.003_002_328_3, -3.548_369_2e-5, 9.751_344e-5, -1.703_786_6e-5, 1.060_609_4e-6];

    /// `1 / ln 2`.
    INV_LN2: 1 = [consts::LOG2_E];
    /// ln 2 in two parts, the first of 15 bits.
    LN2: 2 = [0.693_145_75, 1.428_606_8e-6];
    /// `1 / ln 2` in two parts, the first of 12 bits.
    LOG2_E: 2 = [1.442_871_1, -0.000_176_052_85];
    /// `1 / ln 10` in two parts, the first of 12 bits.
    LOG10_E: 2 = [0.434_326_17, -3.168_997e-5];
    /// `log₁₀ 2` in two parts, the first of 12 bits.
    LOG10_2: 2 = [0.301_025_4, 4.605_039e-6];
    /// `2 / ln 2` in two parts.
    LOG2_S: 2 = [2.885_39, 3.851_926e-8];
    /// `2 / (3 ln 2)` in two parts.
    LOG2_S3: 2 = [0.961_796_7, -7.028_462e-9];
    /// `2 / π`.
    TWO_OVER_PI: 1 = [0.636_619_75];
    /// π/2 in four parts, the first three of 12 bits.
    PI_2: 4 = [1.570_312_5, 0.000_483_751_3, 7.549_533_6e-8, 2.563_344e-12];
    /// `1 / π`.
    ONE_OVER_PI: 1 = [consts::FRAC_1_PI];
    /// π/2 in two parts.
    HALF_PI: 2 = [1.570_796_4, -4.371_139e-8];
    /// π/2 in two parts, the first of 12 bits.
    HALF_PI_12: 2 = [1.570_312_5, 0.000_483_826_8];
    /// π in two parts.
    PI: 2 = [consts::PI, -8.742_278e-8];
}

/// The bits of 2/π behind 32 zero bits, for the reduction of large angles.
pub const TWO_OVER_PI_BITS: [u32; 8] = [
    0,
    0xa2f9_836e,
    0x4e44_1529,
    0xfc27_57d1,
    0xf534_ddc0,
    0xdb62_9599,
    0x3c43_9041,
    0xfe51_63ab,
];

/// The coefficients as WGSL: element `i` of list `NAME` is `TW_NAME_i`, and the
/// bits of 2/π are the array `TW_TWO_OVER_PI_BITS`. Every literal reads back to
/// the same bits.
pub fn wgsl_constants() -> String {
    let mut text = String::new();
    for (name, values) in TABLE {
        for (i, v) in values.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "const TW_{name}_{i}: f32 = {v:e}f;");
        }
    }
    let words: Vec<String> = TWO_OVER_PI_BITS.iter().map(|w| format!("{w:#x}u")).collect();
    let _ = writeln!(
        text,
        "const TW_TWO_OVER_PI_BITS = array<u32, 8>({});",
        words.join(", ")
    );
    text
}
