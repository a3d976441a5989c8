//! The inner loops that a contraction is summed by: those of registers or those of matrix units.

use super::Job;
use super::packed::pack_text;
use super::ring::Ring;
use super::tiling::Tiling;
use super::tune::bounds;
use super::units::UnitTiling;
use crate::device::gpu::Gpu;
use crate::device::gpu::pipeline::Compiled;
use crate::{DType, Result};
use std::sync::Arc;

/// Inner loops, and what they want of their factors and sums.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inner {
    /// Sums in registers of invocations, of a ring and a depth.
    Registers(Tiling, Ring, usize),
    /// Sums in matrices of subgroups.
    Units(UnitTiling),
}

impl Inner {
    /// Those that serve a contraction best.
    pub fn choose(job: &Job<'_>) -> Result<Inner> {
        if let Some(tiling) = UnitTiling::choose(job.gpu, &job.problem, job.dtype, bounds(job.gpu)) {
            return Ok(Inner::Units(tiling));
        }
        let (tiling, depth) = job.gpu.tilings.choose(job.gpu, &job.problem, job.ring)?;
        Ok(Inner::Registers(tiling, job.ring, depth))
    }

    /// Rows and columns of the result that a workgroup sums.
    pub fn tile(&self) -> [usize; 2] {
        match self {
            Inner::Registers(tiling, ..) => tiling.tile,
            Inner::Units(tiling) => tiling.tile,
        }
    }

    /// Steps of the summed axis in a slab.
    pub fn depth(&self) -> usize {
        match self {
            Inner::Registers(_, _, depth) => *depth,
            Inner::Units(tiling) => tiling.depth,
        }
    }

    /// Bytes of an element of a packed factor.
    pub fn packed_bytes(&self) -> usize {
        match self {
            Inner::Registers(_, ring, _) => ring.size(),
            Inner::Units(_) => DType::F16.size(),
        }
    }

    /// Whether sums are written in whole tiles, beyond the ends of the result too.
    pub fn writes_whole_tiles(&self) -> bool {
        matches!(self, Inner::Units(_))
    }

    /// The kernel that packs elements of a dtype.
    pub fn pack_text(&self, dtype: DType) -> String {
        match self {
            Inner::Registers(..) => {
                let ring = Ring::of(dtype);
                pack_text(dtype, ring.word(), ring.name(), &Ring::load(dtype, "x"))
            }
            Inner::Units(_) => format!("enable f16;\n{}", pack_text(dtype, "f16", "f16", "x[at]")),
        }
    }

    /// Them, compiled.
    pub fn compiled(&self, gpu: &Gpu) -> Result<Arc<Compiled>> {
        let text = match self {
            Inner::Registers(tiling, ring, depth) => {
                // Long loops cost a software adapter seconds to compile and nothing to run.
                let unroll = if gpu.home.context.info.software { 1 } else { *depth };
                tiling.text(*ring, *depth, unroll)
            }
            Inner::Units(tiling) => tiling.text(),
        };
        // SAFETY: whoever dispatches it gives factors of whole tiles and slabs, which is all that is read;
        // slabs in workgroup memory are as long as their indices reach; sums are written only where the
        // row and the column are those of the result, or in whole tiles where there is room for them
        // (`Inner::writes_whole_tiles`).
        unsafe { gpu.pipelines.unchecked_text(&gpu.home.context, &text) }
    }
}
