//! Matrix units: contractions of f16 by the cooperative matrices of an adapter.
//!
//! Products of f16 are exact in f32, and in f32 they are summed, as the other inner loops do it; but in
//! which order within a step, and how roundings are made, is the adapter's. So they are used only where
//! they are asked for, and where the self-test finds sums as exact as f32 can be.

use super::problem::Problem;
use super::tiling::{Bounds, fill_loops};
use crate::device::gpu::Gpu;
use crate::device::{Bytes, Operand, OutMut};
use crate::geometry::{Region, row_major_strides};
use crate::{DType, f16};
use std::fmt::Write;
use tilewise_kernels::gemm::Axes;

/// What the matrix units of an adapter multiply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::device::gpu) struct Units {
    /// Rows and columns of a matrix.
    pub edge: usize,
    /// Invocations that hold one together.
    pub subgroup: usize,
}

/// A tile of the result, and how many subgroups sum it, down and across.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct UnitTiling {
    pub tile: [usize; 2],
    grid: [usize; 2],
    units: Units,
    /// Steps of the summed axis in a slab.
    pub depth: usize,
}

/// Tiles and the subgroups that sum them, for large results first.
const TILINGS: [([usize; 2], [usize; 2]); 2] = [([128, 128], [2, 4]), ([64, 64], [2, 2])];
/// Vectors behind each row of a slab.
const APART: usize = 2;
/// Bytes of a vector.
const VECTOR_BYTES: usize = 8;

impl UnitTiling {
    /// The tiling of a contraction of a dtype; `None` where matrix units do not serve it.
    pub fn choose(gpu: &Gpu, problem: &Problem, dtype: DType, bounds: Bounds) -> Option<UnitTiling> {
        let units = gpu.units.filter(|_| dtype == DType::F16)?;
        let time = |tiling: &UnitTiling| {
            let [down, across] = tiling.tile;
            let tiles = problem.batch * problem.rows.div_ceil(down) * problem.cols.div_ceil(across);
            // A smaller tile reads its factors more often.
            tiles.max(gpu.style.parallel / tiling.threads()) * down * across * (down + 64) / down
        };
        UnitTiling::all(units, bounds).into_iter().min_by_key(time)
    }

    /// Those that an adapter can run.
    pub fn all(units: Units, bounds: Bounds) -> Vec<UnitTiling> {
        let fits = |&(tile, grid): &([usize; 2], [usize; 2])| UnitTiling::new(tile, grid, units, bounds);
        TILINGS.iter().filter_map(fits).collect()
    }

    fn new(tile: [usize; 2], grid: [usize; 2], units: Units, bounds: Bounds) -> Option<UnitTiling> {
        let tiling = |depth| UnitTiling {
            tile,
            grid,
            units,
            depth,
        };
        let own = [0, 1].map(|n| tile[n] / grid[n]);
        [32, 16].map(tiling).into_iter().find(|this| {
            let whole = |n: &usize| (n / 4 * this.depth).is_multiple_of(this.threads());
            this.depth.is_multiple_of(units.edge)
                && own.iter().all(|n| n.is_multiple_of(units.edge))
                && this.threads() <= bounds.threads
                && this.slabs().iter().sum::<usize>() * 2 * VECTOR_BYTES <= bounds.memory
                && tile.iter().all(whole)
        })
    }

    /// Invocations of a workgroup.
    pub fn threads(&self) -> usize {
        self.grid[0] * self.grid[1] * self.units.subgroup
    }

    /// Vectors of a slab of each factor.
    fn slabs(&self) -> [usize; 2] {
        self.tile.map(|n| (n / 4 + APART) * self.depth)
    }

    /// The kernel.
    pub fn text(&self) -> String {
        let (threads, edge, depth) = (self.threads(), self.units.edge, self.depth);
        let [rows, cols] = self.tile.map(|n| n / 4);
        let [row_a, row_b] = [rows + APART, cols + APART];
        let own = [0, 1].map(|n| self.tile[n] / self.grid[n]);
        let [down, across] = own.map(|n| n / edge);

        let (mut from, mut fetch, mut keep) = (String::new(), String::new(), String::new());
        for (name, width, row) in [("a", rows, row_a), ("b", cols, row_b)] {
            for j in 0..width * depth / threads {
                let lane = format!("(lane + {}u)", j * threads);
                let place = format!("{lane} / {width}u * {name}_row + {lane} % {width}u");
                let _ = writeln!(
                    from,
                    "    let from_{name}{j} = {name}_base + {place};\n    var {name}{j} = vec4<f16>();\n    \
                     let to_{name}{j} = {lane} / {width}u * {row}u + {lane} % {width}u;"
                );
                let _ = writeln!(
                    fetch,
                    "        {name}{j} = {name}[from_{name}{j} + next * {depth}u * {name}_row];"
                );
                let _ = writeln!(
                    keep,
                    "        {name}_slab[other * {}u + to_{name}{j}] = {name}{j};",
                    row * depth
                );
            }
        }

        let matrix = |of: &str, role: &str| format!("coop_mat{edge}x{edge}<{of}, {role}>");
        let (mut sums, mut resume, mut stores) = (String::new(), String::new(), String::new());
        for (i, j) in (0..down).flat_map(|i| (0..across).map(move |j| (i, j))) {
            let (row, col) = (i * edge, j * edge);
            let _ = writeln!(
                sums,
                "    var s{i}_{j} = {0}();\n    let to{i}_{j} = c_base + {row}u * c_row + {col}u;",
                matrix("f32", "C")
            );
            let at = format!("&c[to{i}_{j}], c_row");
            let _ = writeln!(
                resume,
                "        s{i}_{j} = coopLoadT<{}>({at});",
                matrix("f32", "C")
            );
            let _ = writeln!(stores, "    coopStoreT(s{i}_{j}, {at});");
        }
        let mut multiply = String::new();
        for k in (0..depth).step_by(edge) {
            multiply.push_str("        {\n");
            // A lies with its columns side by side, B with its rows.
            for (load, of, count, row, role) in [
                ("coopLoad", "a", down, row_a, "A"),
                ("coopLoadT", "b", across, row_b, "B"),
            ] {
                for n in 0..count {
                    let at = k * row + n * edge / 4;
                    let _ = writeln!(
                        multiply,
                        "            let {of}_{n} = {load}<{}>(&{of}_slab[{of}_half + {at}u], {row}u);",
                        matrix("f16", role)
                    );
                }
            }
            for (i, j) in (0..down).flat_map(|i| (0..across).map(move |j| (i, j))) {
                let _ = writeln!(
                    multiply,
                    "            s{i}_{j} = coopMultiplyAdd(a_{i}, b_{j}, s{i}_{j});"
                );
            }
            multiply.push_str("        }\n");
        }

        let [slab_a, slab_b] = self.slabs();
        fill_loops(
            include_str!("../../../../../shaders/blocks/gemm_units.wgsl"),
            "f32",
            &[
                ("ROWS", rows),
                ("COLS", cols),
                ("DEPTH", depth),
                ("THREADS", threads),
                ("UNITS_X", self.grid[1]),
                ("OWN_ROWS", own[0]),
                ("OWN_COLS", own[1]),
                ("HALF_A", slab_a),
                ("HALF_B", slab_b),
                ("SLAB_A", 2 * slab_a),
                ("SLAB_B", 2 * slab_b),
            ],
            [
                ("FROM", from),
                ("FETCH_NEXT", fetch),
                ("KEEP_NEXT", keep),
                ("SUMS", sums),
                ("RESUME", resume),
                ("MULTIPLY", multiply),
                ("STORES", stores),
            ],
        )
    }
}

/// Rows, columns and summed elements of the product that is tried: several tiles and slabs, none whole.
const TRIED: [usize; 3] = [70, 70, 140];

/// Matrix units sum as exactly as f32 can: what is beyond f16 is kept, and 22 bits of a sum are right.
pub(in crate::device::gpu) fn matrix_unit_facts(gpu: &Gpu) -> Result<(), String> {
    let [rows, cols, long] = TRIED;
    // Products of 8192 that cancel beside products of 1/256: sums need 22 bits, and no order or
    // rounding of a step can lose one.
    let (mut a, mut b) = (vec![f16::ZERO; rows * long], vec![f16::ZERO; long * cols]);
    for (at, x) in a.iter_mut().enumerate() {
        let (row, k) = (at / long, at % long);
        *x = f16::from_f32(match k % 3 {
            0 => [128.0, -128.0][k / 3 % 2],
            1 => 0.0625,
            _ => (row % 7) as f32 - 3.0,
        });
    }
    for (at, y) in b.iter_mut().enumerate() {
        let (k, col) = (at / cols, at % cols);
        *y = f16::from_f32(match k % 3 {
            0 => 64.0,
            1 => 0.0625 * (1 + col % 3) as f32,
            _ => (col % 5) as f32,
        });
    }
    // The smallest f16, and what is no number.
    a[long..2 * long].fill(f16::from_bits(1));
    b[..cols].fill(f16::from_f32(64.0));
    a[3 * long + 7] = f16::NAN;
    a[4 * long + 7] = f16::INFINITY;
    let found = product(gpu, &a, &b, TRIED).map_err(|error| error.to_string())?;
    for (at, &got) in found.iter().enumerate() {
        let (row, col) = (at / cols, at % cols);
        let products = (0..long).map(|k| a[row * long + k].to_f64() * b[k * cols + col].to_f64());
        let want = f16::from_f64(products.sum());
        if got.to_bits() != want.to_bits() && !(got.is_nan() && want.is_nan()) {
            return Err(format!("element {row}, {col} of a product is {got}, not {want}"));
        }
    }
    Ok(())
}

/// The product of two matrices that lie row by row.
fn product(gpu: &Gpu, a: &[f16], b: &[f16], [rows, cols, long]: [usize; 3]) -> crate::Result<Vec<f16>> {
    let axes = Axes {
        batch: vec![],
        rows: vec![(0, 0)],
        cols: vec![(1, 1)],
        summed: vec![(1, 0)],
    };
    let operand = |data, shape: [usize; 2]| Operand {
        bytes: Bytes::Host(bytemuck::cast_slice(data)),
        offset: 0,
        strides: row_major_strides(&shape),
        region: Region {
            start: vec![0, 0],
            shape: shape.to_vec(),
        },
        dtype: DType::F16,
    };
    let mut found = vec![f16::ZERO; rows * cols];
    super::contract(
        gpu,
        &axes,
        &[operand(a, [rows, long]), operand(b, [long, cols])],
        &[rows, cols],
        (DType::F16, DType::F16),
        OutMut::Store(bytemuck::cast_slice_mut(&mut found)),
    )?;
    Ok(found)
}
