//! Random numbers as a function of their place, so that any block of an array can be drawn at any time,
//! on any device, and is the same each time.
//!
//! Philox4x64-10 of Salmon, Moraes, Dror, Shaw: *Parallel random numbers: as easy as 1, 2, 3* (2011), with
//! NumPy's numbering of its words.

use super::record::{EXACT, Wgsl};
use super::strip::map;
use super::{OpDef, infer};

/// Word number `index` of NumPy's `Philox(key=key)`: the counter is that of its group of four and
/// begins with 1.
fn philox(index: u64, key: u64) -> u64 {
    let wide = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        ((product >> 64) as u64, product as u64)
    };
    let mut words = [(index >> 2).wrapping_add(1), 0, 0, 0];
    let mut keys = [key, 0];
    for _ in 0..10 {
        let (high0, low0) = wide(0xd2e7_470e_e14c_6c93, words[0]);
        let (high1, low1) = wide(0xca5a_8263_9512_1157, words[2]);
        words = [high1 ^ words[1] ^ keys[0], low1, high0 ^ words[3] ^ keys[1], low0];
        keys = [
            keys[0].wrapping_add(0x9e37_79b9_7f4a_7c15),
            keys[1].wrapping_add(0xbb67_ae85_84ca_a73b),
        ];
    }
    words[(index & 3) as usize]
}

pub(super) static OPS: &[OpDef] = &[OpDef {
    name: "philox",
    aliases: &[],
    arity: 2,
    infer: infer::words,
    kernel: |args, isa| {
        map!(args, isa;
            unsigned: (a, b) = philox(a as u64, b as u64) as Self::Out;
        )
    },
    wgsl: |args| {
        Wgsl {
            u64: Some("tw_philox($0, $1)"),
            ..Wgsl::NONE
        }
        .of(args)
    },
    ulp: EXACT,
    doc: "64 random bits: word number x1 of NumPy's Philox(key=x2).",
    example: "philox(x, 7)",
}];

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.random.Philox(key=k).random_raw(6)`.
    #[test]
    fn words_are_those_of_numpy() {
        let words = |key| (0..6).map(|i| philox(i, key)).collect::<Vec<u64>>();
        let zero = [
            0x02f4_ba64_08e4_d89b,
            0x3dd6_2b0b_9ca8_c5b2,
            0x1c86_67a5_5d90_2e79,
            0x907d_7a05_2fd5_b4dc,
            0x809b_f322_8839_87c3,
            0x4711_28b9_e807_f7dd,
        ];
        let most = [
            0x3c25_21c5_8dde_5bfb,
            0xb7a1_ad5d_ae13_06d7,
            0x6942_eae9_fd2f_eb84,
            0xb755_2e87_8d1c_26fe,
            0x59a4_39c0_96c1_7b4e,
            0xc34c_cc24_92b8_fcfe,
        ];
        assert_eq!((words(0), words(u64::MAX)), (zero.to_vec(), most.to_vec()));
    }
}
