//! The WGSL of a kernel that stores what it makes of turned inputs: a tile of points a workgroup.
//!
//! Of an input whose neighbours lie along an outer axis of the result, neighbouring points are far
//! apart: loading them one by one takes a cache line for each. So a workgroup has a square of points
//! along that axis and the innermost, loads the square of each turned input along the input's
//! neighbours into its memory, and then computes the points along the result's. Other inputs are
//! loaded as they are elsewhere.

use super::digits::{Digit, split};
use super::expression::{fetched, shift, stored, word};
use super::kernel::{Declarations, Style, indent, offset};
use super::store::{Lane, Writer};
use super::walk::{Load, TILE};
use crate::DType;
use std::fmt::Write;

/// The type of a tile's elements: those of narrow dtypes have words of their own.
pub(super) fn declare(declare: &mut Declarations, writer: &Writer<'_>) {
    for n in writer.turned() {
        let of = word(writer.program.inputs[n]);
        declare.shared(&format!("tile{n}"), of, TILE * (TILE + 1));
    }
}

/// The body of a kernel whose tiles lie along the axis `row` and the innermost; with `fours` outputs
/// are vectors of four points of a row.
pub(super) fn body(writer: &Writer<'_>, row: usize, fours: bool, style: Style) -> Result<String, String> {
    let inner = writer.shape.dims.len() - 1;
    let batch: Vec<usize> = (0..inner).filter(|&d| d != row).collect();
    let digits: Vec<Digit> = batch.iter().map(|&d| Digit::axis(d)).collect();
    let last = TILE - 1;
    // The number of the workgroup, which is the same for all its invocations, so that all come to the
    // barrier or none does.
    let mut body = format!(
        "    let number = group.y * groups.x + group.x;\n    let across = (n{inner} + {last}u) / {TILE}u;\n    \
         let down = (n{row} + {last}u) / {TILE}u;\n    let left = number % across * {TILE}u;\n    \
         let top = number / across % down * {TILE}u;\n    let batch = number / across / down;\n"
    );
    body.push_str(&split("batch", "let", "", &digits, "    "));
    let beyond = match batch.first() {
        Some(d) => format!("i{d} >= n{d}"),
        None => "batch > 0u".into(),
    };
    let _ = writeln!(body, "    if ({beyond}) {{ return; }}");
    for n in writer.turned() {
        let start = offset(n, &format!("offset{n}"), &batch, writer.shape, &|d| {
            format!("i{d}")
        });
        let _ = writeln!(body, "    let base{n} = {start};");
    }
    indent(&mut body, &loads(writer, row, style), 1);
    body.push_str("    workgroupBarrier();\n");
    let width = if fours { 4 } else { 1 };
    let mut text = format!(
        "for (var turn = lane; turn < {}u; turn = turn + {}u) {{\n",
        TILE * TILE / width,
        style.workgroup,
    );
    let _ = writeln!(
        text,
        "let down_tile = turn / {0}u;\nlet along_tile = turn % {0}u * {width}u;\nlet i{row} = top + down_tile;\n\
         let i{inner} = left + along_tile;\nlet slot = down_tile * {1}u + along_tile;",
        TILE / width,
        TILE + 1
    );
    let _ = writeln!(text, "if (i{row} < n{row} && i{inner} < n{inner}) {{");
    let point = (1..=inner).fold("i0".to_string(), |outer, d| format!("({outer} * n{d} + i{d})"));
    let _ = writeln!(text, "let point = {point};");
    text.push_str(&match fours {
        true => writer.four(&[])?,
        false => one(writer)?,
    });
    text.push_str("}\n}\n");
    indent(&mut body, &text, 1);
    Ok(body)
}

/// The statements that load a tile of each turned input, element by element.
fn loads(writer: &Writer<'_>, row: usize, style: Style) -> String {
    let inner = writer.shape.dims.len() - 1;
    let mut text = format!(
        "for (var turn = lane; turn < {}u; turn = turn + {}u) {{\n\
         let down_tile = turn % {TILE}u;\nlet along_tile = turn / {TILE}u;\n\
         let i{row} = top + down_tile;\nlet i{inner} = left + along_tile;\n\
         if (i{row} < n{row} && i{inner} < n{inner}) {{\n",
        TILE * TILE,
        style.workgroup,
    );
    for n in writer.turned() {
        let dtype: DType = writer.program.inputs[n];
        let at = offset(n, &format!("base{n}"), &[row, inner], writer.shape, &|d| {
            format!("i{d}")
        });
        let name = format!("at{n}");
        let element = match shift(dtype, &name) {
            Some(bits) => format!("{} >> {bits}", fetched(n, dtype, &name)),
            None => fetched(n, dtype, &name),
        };
        let _ = writeln!(
            text,
            "let {name} = u32({at});\ntile{n}[down_tile * {}u + along_tile] = {element};",
            TILE + 1
        );
    }
    text.push_str("}\n}\n");
    text
}

/// The statements for a single point, whose outputs are words.
fn one(writer: &Writer<'_>) -> Result<String, String> {
    let mut text = writer.starts();
    text.push_str(&writer.point(&Lane::Known(0))?);
    for (output, dtype, value) in writer.results() {
        let _ = writeln!(text, "out{output}[point] = {};", stored(dtype, &value));
    }
    Ok(text)
}

impl Writer<'_> {
    /// The inputs that go through tiles.
    fn turned(&self) -> impl Iterator<Item = usize> {
        self.inputs
            .iter()
            .copied()
            .filter(|&n| self.load(n) == Load::Turned)
    }
}
