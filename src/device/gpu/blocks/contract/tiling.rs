//! The tilings of the inner loops, and their text.
//!
//! A tiling says how large a tile of the result a workgroup sums and how many sums an invocation
//! keeps in registers. Which one is fastest depends on the adapter, so there are several, as data;
//! none of them changes the order in which an element's products are added.

use super::ring::Ring;
use crate::device::gpu::template::fill;
use std::fmt::Write;

/// A tile of the result and the sums of one invocation, as extents that are multiples of 4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Tiling {
    /// Rows and columns of the tile of a workgroup.
    pub tile: [usize; 2],
    /// Rows and columns of an invocation.
    pub own: [usize; 2],
    /// How fast it is beside the first, in percent, where nothing was measured.
    pub rate: u32,
}

/// What an adapter allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Invocations of a workgroup.
    pub threads: usize,
    /// Bytes of workgroup memory.
    pub memory: usize,
}

const fn tiling(tile: [usize; 2], own: [usize; 2], rate: u32) -> Tiling {
    Tiling { tile, own, rate }
}

/// All tilings, for large results first.
pub(super) const TILINGS: [Tiling; 7] = [
    tiling([128, 128], [8, 8], 100),
    tiling([128, 128], [8, 16], 90),
    tiling([64, 64], [8, 8], 75),
    tiling([64, 64], [4, 4], 60),
    tiling([128, 32], [8, 4], 55),
    tiling([32, 128], [4, 8], 55),
    tiling([32, 32], [4, 4], 40),
];

/// Bytes of the sums of an invocation that registers hold.
const SUM_BYTES: usize = 512;

impl Tiling {
    /// Invocations of a workgroup, down and across.
    fn grid(&self) -> [usize; 2] {
        [self.tile[0] / self.own[0], self.tile[1] / self.own[1]]
    }

    /// Invocations of a workgroup.
    pub fn threads(&self) -> usize {
        self.grid().iter().product()
    }

    /// Steps of the summed axis in a slab, of which workgroup memory holds two; `None` where not
    /// even a thin one fits.
    pub fn depth(&self, ring: Ring, bounds: Bounds) -> Option<usize> {
        let row = (self.tile[0] + self.tile[1]) * ring.size();
        let sums = self.own[0] * self.own[1] * ring.size();
        let whole = |depth: usize| {
            let vectors = self.tile.map(|n| n / 4 * depth);
            vectors.iter().all(|n| n.is_multiple_of(self.threads()))
        };
        [16, 8]
            .into_iter()
            .find(|&depth| 2 * depth * row <= bounds.memory && whole(depth))
            .filter(|_| self.threads() <= bounds.threads && sums <= SUM_BYTES)
    }

    /// The kernel that sums in `ring`, with so many steps of a slab written out.
    pub fn text(&self, ring: Ring, depth: usize, unroll: usize) -> String {
        let threads = self.threads();
        let [down, across] = self.grid();
        let [rows, cols] = self.tile.map(|n| n / 4);
        let [own_rows, own_cols] = self.own.map(|n| n / 4);
        let [loads_a, loads_b] = [rows, cols].map(|n| n * depth / threads);
        let r = ring.name();

        let (mut from, mut fetch, mut keep) = (String::new(), String::new(), String::new());
        for (name, width, loads) in [("a", rows, loads_a), ("b", cols, loads_b)] {
            for j in 0..loads {
                let _ = writeln!(
                    from,
                    "    let from_{name}{j} = {name}_base + (lane + {0}u) / {width}u * {name}_row \
                     + (lane + {0}u) % {width}u;\n    var {name}{j} = vec4<{r}>();",
                    j * threads
                );
                let _ = writeln!(
                    fetch,
                    "        {name}{j} = {name}[from_{name}{j} + next * {depth}u * {name}_row];"
                );
                let _ = writeln!(
                    keep,
                    "        {name}_slab[other * {}u + lane + {}u] = {name}{j};",
                    width * depth,
                    j * threads
                );
            }
        }

        let (mut sums, mut stores) = (String::new(), String::new());
        let mut resume = String::new();
        for (f, i) in (0..own_rows).flat_map(|f| (0..4).map(move |i| (f, i))) {
            let row = format!("c_row0 + {}u", f * down * 4 + i);
            for g in 0..own_cols {
                let (sum, col) = (format!("s{f}{i}_{g}"), format!("c_col0 + {}u", g * across));
                let at = format!("c[c_base + ({row}) * c_row + {col}]");
                let inside = format!("if ({row} < rows && {col} < cols)");
                let _ = writeln!(sums, "    var {sum} = vec4<{r}>();");
                let _ = writeln!(resume, "        {inside} {{ {sum} = {at}; }}");
                let _ = writeln!(stores, "    {inside} {{ {at} = {sum}; }}");
            }
        }
        let _ = write!(sums, "    if (continues) {{\n{resume}    }}");

        let mut multiply = String::new();
        for k in 0..unroll {
            multiply.push_str("            {\n");
            for f in 0..own_rows {
                let _ = writeln!(
                    multiply,
                    "                let x{f} = a_slab[a_at + {}u];",
                    k * rows + f * down
                );
            }
            for g in 0..own_cols {
                let _ = writeln!(
                    multiply,
                    "                let y{g} = b_slab[b_at + {}u];",
                    k * cols + g * across
                );
            }
            for (f, i) in (0..own_rows).flat_map(|f| (0..4).map(move |i| (f, i))) {
                for g in 0..own_cols {
                    let sum = format!("s{f}{i}_{g}");
                    let x = format!("vec4<{r}>(x{f}.{})", ["x", "y", "z", "w"][i]);
                    let _ = writeln!(
                        multiply,
                        "                {sum} = {};",
                        ring.multiply_add(&x, &format!("y{g}"), &sum)
                    );
                }
            }
            multiply.push_str("            }\n");
        }

        fill_loops(
            include_str!("../../../../../shaders/blocks/gemm.wgsl"),
            r,
            &[
                ("ROWS", rows),
                ("COLS", cols),
                ("DEPTH", depth),
                ("UNROLL", unroll),
                ("THREADS", threads),
                ("BLOCKS_X", across / 8),
                ("HALF_A", rows * depth),
                ("HALF_B", cols * depth),
                ("SLAB_A", 2 * rows * depth),
                ("SLAB_B", 2 * cols * depth),
            ],
            [
                ("FROM", from),
                ("FETCH_NEXT", fetch),
                ("KEEP_NEXT", keep),
                ("SUMS", sums),
                ("MULTIPLY", multiply),
                ("STORES", stores),
            ],
        )
    }
}

/// The text of inner loops that sum in `ring`, from their numbers and statements. What is fetched and kept
/// first is what is fetched and kept next, of slab 0 and in the first half.
pub(super) fn fill_loops<const N: usize>(
    text: &str,
    ring: &str,
    numbers: &[(&str, usize)],
    statements: [(&str, String); N],
) -> String {
    let tile = include_str!("../../../../../shaders/blocks/gemm_tile.wgsl");
    let text = text.replace("{{TILE}}", tile.trim_end());
    let mut values = vec![("R", ring.to_string())];
    values.extend(numbers.iter().map(|&(name, n)| (name, n.to_string())));
    for (name, lines) in statements {
        let lines = lines.trim_end().to_string();
        let first = lines.replace("next", "0u").replace("other", "0u");
        match name {
            "FETCH_NEXT" => values.push(("FETCH_FIRST", first)),
            "KEEP_NEXT" => values.push(("KEEP_FIRST", first)),
            _ => {}
        }
        values.push((name, lines));
    }
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    fill(&text, &values)
}
