//! The WGSL of a kernel that merges the parts of the cells of a reduction.
//!
//! A reduce kernel leaves `splits` parts per cell. This kernel merges them in a fixed order, after
//! what the cell held before if it is told so, and leaves one: so that nothing but final cells goes to
//! the host, and a state can stay on the device while block after block joins it. Few cells of many
//! parts have a workgroup each, which meets in a tree; many cells have an invocation each.

use super::cell::Cell;
use super::kernel::{Declarations, Style, indent};
use super::launch::{Launch, Need, Span};
use crate::Result;
use std::fmt::Write;

/// A merge kernel. Its bindings: parameters, the parts' words and 64-bit words as far as there are
/// such planes, the cells' words and 64-bit words likewise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct MergeKernel {
    /// The whole module.
    pub wgsl: String,
    /// Cells that a workgroup merges.
    pub cells_of_workgroup: usize,
}

/// The planes of some cells on the device.
#[derive(Clone, Debug)]
pub(super) struct Planes {
    /// 32-bit planes, where cells have such.
    pub words: Option<Span>,
    /// 64-bit planes, where cells have such.
    pub wide: Option<Span>,
}

impl Planes {
    /// From what a kernel wrote, in the order in which it is bound.
    pub fn take(cell: &Cell, spans: &mut impl Iterator<Item = Span>) -> Planes {
        Planes {
            words: (cell.words() > 0).then(|| spans.next()).flatten(),
            wide: (cell.wide() > 0).then(|| spans.next()).flatten(),
        }
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        self.words.iter().chain(&self.wide)
    }
}

impl Cell {
    /// Notes what merging takes into so many cells that the host reads.
    pub fn need(&self, need: &mut Need<'_>, cells: usize) {
        need.upload(4 * PARAMETERS);
        self.bytes(cells).for_each(|bytes| need.read(bytes));
    }
}

impl Launch<'_> {
    /// Merges the parts of each cell: `splits` parts, each with all cells.
    pub fn merge(&mut self, cell: &Cell, parts: &Planes, splits: usize, cells: usize) -> Result<Planes> {
        let into = Planes {
            words: match cell.words() {
                0 => None,
                planes => Some(self.output(4 * planes * cells)?),
            },
            wide: match cell.wide() {
                0 => None,
                planes => Some(self.output(8 * planes * cells)?),
            },
        };
        let merge = Merge {
            cells,
            splits,
            onto: false,
            shift: 0,
        };
        self.merge_into(cell, parts, merge, &into)?;
        Ok(into)
    }

    /// Merges parts into cells.
    pub fn merge_into(&mut self, cell: &Cell, parts: &Planes, merge: Merge, into: &Planes) -> Result<()> {
        let style = self.style();
        let workgroup = style.workgroup;
        let kernel = merge_kernel(cell, style, merge.teams());
        let compiled = self.compiled(&kernel.wgsl)?;
        let parameters = self.words(&merge.parameters(workgroup))?;
        let bindings: Vec<&Span> = std::iter::once(&parameters)
            .chain(parts.spans())
            .chain(into.spans())
            .collect();
        let groups = merge.cells.div_ceil(kernel.cells_of_workgroup);
        self.dispatch(&compiled, &bindings, groups as u32)
    }
}

/// Words of the first buffer.
pub(super) const PARAMETERS: usize = 6;

/// The parameters of a merge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Merge {
    /// Number of cells.
    pub cells: usize,
    /// Parts of each.
    pub splits: usize,
    /// Whether the cells hold something already, which comes before the parts.
    pub onto: bool,
    /// What is added to the element indices of the parts.
    pub shift: i32,
}

/// Parts of a cell from which on a workgroup takes care of it.
const MANY: usize = 8;

impl Merge {
    /// The words of the first buffer.
    pub fn parameters(self, workgroup: u32) -> [u32; PARAMETERS] {
        let team = if self.teams() { workgroup } else { 1 };
        let [cells, splits] = [self.cells as u32, self.splits as u32];
        [0, cells, splits, team, u32::from(self.onto), self.shift as u32]
    }

    /// Whether a workgroup takes care of each cell.
    pub fn teams(self) -> bool {
        self.splits >= MANY && self.cells <= 1 << 14
    }
}

/// Writes the kernel that merges cells.
pub(super) fn merge_kernel(cell: &Cell, style: Style, teams: bool) -> MergeKernel {
    let workgroup = style.workgroup;
    let mut declare = Declarations::new();
    let both = |declare: &mut Declarations, words: &str, wide: &str, written: bool| {
        let mut push = |name: &str, of: &str| match written {
            true => declare.output(name, of),
            false => declare.input(name, of),
        };
        if cell.words() > 0 {
            push(words, "u32");
        }
        if cell.wide() > 0 {
            push(wide, "u64");
        }
    };
    both(&mut declare, "words", "wide", false);
    both(&mut declare, "cell_words", "cell_wide", true);
    if teams {
        declare.shared_planes(std::slice::from_ref(cell), workgroup);
    }
    let params = "    let zero = p[0];\n    let cells = p[1];\n    let splits = p[2];\n    let team = p[3];\n    \
                  let onto = p[4];\n    let shift = bitcast<i32>(p[5]);\n";
    let own = |plane: usize, wide: bool| match wide {
        true => format!("cell_wide[{plane}u * cells + cell]"),
        false => format!("cell_words[{plane}u * cells + cell]"),
    };
    let part = |plane: usize, wide: bool| match wide {
        true => format!("wide[{plane}u * parts + part]"),
        false => format!("words[{plane}u * parts + part]"),
    };
    let mut text = String::new();
    if teams {
        text.push_str("let cell = thread / team;\nlet member = thread & (team - 1u);\n");
    } else {
        text.push_str("let cell = thread;\nlet member = 0u;\n");
    }
    // What was there before comes first, so all else is merged onto it.
    text.push_str("let parts = cells * splits;\nlet live = cell < cells;\n");
    text.push_str(&cell.fresh("sum"));
    text.push_str("for (var k = member; live && k < splits; k = k + team) {\nlet part = k * cells + cell;\n");
    text.push_str(&cell.load("new", "let", &part));
    text.push_str(&cell.merge("sum", "new"));
    text.push_str("}\n");
    if teams {
        text.push_str("{\n");
        text.push_str(&cell.tree("sum", style.subgroup));
        text.push_str("}\n");
    }
    text.push_str("if (live && member == 0u) {\n");
    if let Some(at) = cell.fields.iter().find(|f| f.name == "at") {
        let _ = writeln!(text, "sum_{0} = sum_{0} + shift;", at.name);
    }
    text.push_str("if (onto != 0u) {\n");
    text.push_str(&cell.load("old", "var", &own));
    text.push_str(&cell.merge("old", "sum"));
    for field in &cell.fields {
        let _ = writeln!(text, "sum_{0} = old_{0};", field.name);
    }
    text.push_str("}\n");
    text.push_str(&cell.store("sum", &own));
    text.push_str("}\n");
    let mut body = String::new();
    indent(&mut body, &text, 1);
    MergeKernel {
        wgsl: declare.module(workgroup, params, &body),
        cells_of_workgroup: if teams { 1 } else { workgroup as usize },
    }
}
