//! The kernels' texts are valid for every dtype and tiling, checked without a GPU.

use super::plan::STEPS;
use super::ring::Ring;
use super::tiling::{Bounds, TILINGS};
use super::*;
use crate::device::gpu::blocks::valid::validate;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::BTreeSet;

const BOUNDS: Bounds = Bounds {
    threads: 1024,
    memory: 32 << 10,
};

#[test]
fn inner_loops_are_valid() {
    for ring in [Ring::U32, Ring::U64, Ring::F32, Ring::F64] {
        for tiling in TILINGS {
            let Some(depth) = tiling.depth(ring, BOUNDS) else {
                assert_eq!(ring.size(), 8, "{tiling:?} has no depth");
                continue;
            };
            assert!(STEPS.is_multiple_of(depth));
            for unroll in [1, depth] {
                validate(&tiling.text(ring, depth, unroll), true);
            }
        }
        let fits = TILINGS.iter().filter(|t| t.depth(ring, BOUNDS).is_some());
        let small = TILINGS.iter().filter(|t| t.tile == [32, 32]);
        assert!(fits.count() >= 4 && small.count() == 1, "{ring:?}");
    }
}

#[test]
fn kernels_of_matrix_units_are_valid() {
    let can = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX | Capabilities::SUBGROUP;
    for (edge, subgroup) in [(8, 8), (16, 32), (16, 64), (8, 32)] {
        let tilings = units::UnitTiling::all(Units { edge, subgroup }, BOUNDS);
        assert!(!tilings.is_empty());
        for tiling in tilings {
            assert!(STEPS.is_multiple_of(tiling.depth), "{tiling:?}");
            for text in [tiling.text(), inner::Inner::Units(tiling).pack_text(DType::F16)] {
                let module = naga::front::wgsl::parse_str(&text);
                let module = module.unwrap_or_else(|e| panic!("{tiling:?}: {}", e.emit_to_string(&text)));
                if let Err(error) = Validator::new(ValidationFlags::all(), can).validate(&module) {
                    panic!("{tiling:?}: {}", error.emit_to_string(&text));
                }
            }
        }
    }
}

#[test]
fn tiles_are_blocks_of_invocations_and_whole_packs() {
    for tiling in TILINGS {
        let [down, across] = [0, 1].map(|n| tiling.tile[n] / tiling.own[n]);
        assert!(down % 4 == 0 && across % 8 == 0, "{tiling:?}");
        assert!(tiling.tile.iter().all(|n| n % packed::PACK == 0), "{tiling:?}");
        assert!(tiling.own.iter().all(|n| n % 4 == 0), "{tiling:?}");
    }
}

#[test]
fn passes_are_valid_for_every_dtype() {
    let mut texts = BTreeSet::new();
    for dtype in DType::real() {
        let ring = Ring::of(dtype);
        for text in [
            packed::pack_text(dtype, ring.word(), ring.name(), &Ring::load(dtype, "x")),
            thin::text(dtype),
            finish_text(dtype, false),
            finish_text(dtype, true),
        ] {
            validate(&text, true);
            texts.insert(text);
        }
    }
    assert_eq!(
        texts.len(),
        36,
        "signed and unsigned integers share their kernels"
    );
}
