//! The WGSL of a kernel that reduces: every invocation feeds a part of the points of one cell.
//!
//! Where neighbours in memory are neighbouring cells, neighbouring invocations have neighbouring
//! cells. Where they go to one cell, a *team* of neighbouring invocations shares a part, reads side
//! by side, and brings its cells together through the memory of the workgroup. Either way loads are
//! contiguous. Short programs load a few points before they feed any, so that enough loads are on
//! their way; the members of a group are read from a list, so cells stay in registers.

use super::cell::Cell;
use super::digits::{By, Digit, advance, split};
use super::expression::{Expression, fetched, loaded, shift, word};
use super::feed::{Feed, Scheme, feed};
use super::kernel::{
    Declarations, Kernel, Param, Params, Style, Written, access_params, indent, indices, offset,
};
use super::walk::Shape;
use crate::DType;
use crate::plan::program::{Output, Program};
use std::fmt::Write;

/// Instructions and reductions up to which points are loaded ahead; drivers take long for long
/// kernels, and those have enough to do while they wait.
const SHORT: usize = 20;

/// What the parts of a kernel's text need to know.
struct Writer<'a> {
    program: &'a Program,
    expression: Expression<'a>,
    inputs: Vec<usize>,
    shape: &'a Shape,
    /// Axes of the kernel along which a cell has points, the grouped one last.
    inner: Vec<usize>,
    /// The numbers that count the points of a cell.
    digits: Vec<Digit>,
    group: Option<usize>,
    feeds: Vec<Feed>,
    /// Reductions that need the index of a value.
    indexed: Vec<usize>,
}

/// Writes the kernel of some reductions of a program, all with the same roles.
pub(super) fn reduce_kernel(
    program: &Program,
    outputs: &[usize],
    schemes: &[Scheme],
    shape: &Shape,
    style: Style,
) -> Result<Kernel, String> {
    let expression = Expression::new(program, outputs);
    let inputs = expression.inputs();
    let dims = shape.dims.len();
    let mut params = vec![
        Param::Zero,
        Param::Total,
        Param::Splits,
        Param::Team,
        Param::Cells,
    ];
    params.extend((0..dims).map(Param::Extent));
    access_params(&mut params, &expression, &inputs, shape);
    let kept: Vec<usize> = (0..dims).filter(|&d| shape.dims[d].1 != 1).collect();
    let fixed: Vec<usize> = (0..dims).filter(|&d| shape.dims[d].1 == 0).collect();
    let mut inner: Vec<usize> = (0..dims).filter(|&d| shape.dims[d].1 == 1).collect();
    let group = (0..dims).find(|&d| shape.dims[d].1 == 2);
    let mut digits: Vec<Digit> = inner.iter().map(|&d| Digit::axis(d)).collect();
    if group.is_some() {
        params.extend([Param::GroupStarts, Param::GroupMembers]);
        digits.push(Digit::new("m".into(), "size".into()));
    }
    inner.extend(group);
    let (mut cells, mut feeds, mut indexed) = (Vec::new(), Vec::new(), Vec::new());
    for (j, (&output, &scheme)) in outputs.iter().zip(schemes).enumerate() {
        let Output::Reduce { value, reduction, .. } = &program.outputs[output] else {
            return Err(format!("output {output} is not a reduction"));
        };
        let dtype = program.insts[*value].dtype;
        if scheme == Scheme::Indexed {
            params.extend((0..dims).map(|d| Param::IndexStep(j, d)));
            indexed.push(j);
        }
        cells.push(Cell::new(scheme, *reduction, dtype));
        feeds.push(feed(scheme, *reduction, dtype, j, &expression.name(*value)));
    }
    let params = Params(params);
    let writer = Writer {
        program,
        expression,
        inputs,
        shape,
        inner,
        digits,
        group,
        feeds,
        indexed,
    };
    let (declare, written) = declarations(&writer, outputs, &cells, style);
    let cell: Vec<Digit> = kept
        .iter()
        .map(|&d| match group == Some(d) {
            true => Digit::new(format!("g{d}"), format!("n{d}")),
            false => Digit::axis(d),
        })
        .collect();
    let mut body = String::from(part(shape.teams));
    body.push_str(&split("cell", "let", "", &cell, "    "));
    body.push_str(&writer.share());
    for &n in &writer.inputs {
        let start = offset(n, &format!("offset{n}"), &fixed, shape, &|d| format!("i{d}"));
        let _ = writeln!(body, "    let base{n} = {start};");
    }
    for feed in &writer.feeds {
        indent(&mut body, &feed.declare, 1);
    }
    if writer.digits.len() > 1 {
        body.push_str(&split("begin", "var", "", &writer.digits, "    "));
        if shape.teams {
            body.push_str(&split("team", "let", "by_", &writer.digits, "    "));
        }
    }
    body.push_str("    var k = begin;\n");
    let stride = if shape.teams { "team" } else { "1u" };
    let ahead = writer.ahead(style);
    if ahead > 1 {
        let _ = writeln!(
            body,
            "    for (; k + {}u * {stride} < end; k = k + {ahead}u * {stride}) {{",
            ahead - 1
        );
        indent(&mut body, &writer.points(ahead)?, 2);
        body.push_str("    }\n");
    }
    let _ = writeln!(body, "    for (; k < end; k = k + {stride}) {{");
    indent(&mut body, &writer.points(1)?, 2);
    body.push_str("    }\n");
    for feed in &writer.feeds {
        indent(&mut body, &feed.finish, 1);
    }
    let mut writes = String::new();
    for ((&output, cell), feed) in outputs.iter().zip(&cells).zip(&writer.feeds) {
        if shape.teams {
            body.push_str("    {\n");
            indent(&mut body, &cell.tree(&feed.cell, style.subgroup), 2);
            body.push_str("    }\n");
        }
        writes += &cell.store(&feed.cell, &|plane, wide| match wide {
            true => format!("wide{output}[{plane}u * total + place]"),
            false => format!("out{output}[{plane}u * total + place]"),
        });
    }
    let first = if shape.teams { " && member == 0u" } else { "" };
    let _ = writeln!(body, "    if (part < total{first}) {{");
    indent(&mut body, &writes, 2);
    body.push_str("    }\n");
    Ok(Kernel {
        wgsl: declare.module(style.workgroup, &params.read(shape), &body),
        params,
        inputs: writer.inputs,
        written,
        points: 1,
        workgroup: style.workgroup,
        schemes: schemes.to_vec(),
    })
}

/// Which part of which cell an invocation feeds, and where the part's planes lie. No invocation
/// returns early, since all have to come to a team's meetings.
fn part(teams: bool) -> &'static str {
    if teams {
        "    let part = thread / team;\n    let member = thread & (team - 1u);\n    \
         let cell = (part / splits) % cells;\n    let turn = part % splits;\n    \
         let place = turn * cells + cell;\n"
    } else {
        "    let part = thread;\n    let cell = part % cells;\n    let turn = part / cells;\n    \
         let place = part;\n"
    }
}

/// The buffers of the kernel, and what is written to those behind the inputs.
fn declarations(
    writer: &Writer<'_>,
    outputs: &[usize],
    cells: &[Cell],
    style: Style,
) -> (Declarations, Vec<Written>) {
    let mut declare = Declarations::new();
    for &n in &writer.inputs {
        declare.input(&format!("in{n}"), word(writer.program.inputs[n]));
    }
    let mut written = Vec::new();
    for (&output, cell) in outputs.iter().zip(cells) {
        if cell.words() > 0 {
            declare.output(&format!("out{output}"), "u32");
            let planes = cell.words();
            written.push(Written::Words { output, planes });
        }
        if cell.wide() > 0 {
            declare.output(&format!("wide{output}"), "u64");
            let planes = cell.wide();
            written.push(Written::Wide { output, planes });
        }
    }
    if writer.shape.teams {
        declare.shared_planes(cells, style.workgroup);
    }
    (declare, written)
}

impl Writer<'_> {
    /// Points that are loaded before any is fed: more of narrow elements, so that as many bytes are on
    /// their way.
    fn ahead(&self, style: Style) -> usize {
        let narrow = |&n: &usize| self.program.inputs[n].size() <= 2;
        match self.expression.len() + 4 * self.feeds.len() <= SHORT {
            true if self.inputs.iter().all(narrow) => 2 * style.ahead,
            true => style.ahead,
            false => 1,
        }
    }

    /// The points of a part: from `begin` to before `end`.
    fn share(&self) -> String {
        let mut text = String::new();
        let mut count: Vec<String> = Vec::new();
        for &d in &self.inner {
            if self.group != Some(d) {
                count.push(format!("n{d}"));
            }
        }
        if let Some(g) = self.group {
            let _ = writeln!(
                text,
                "    let member0 = p[starts + g{g}];\n    let size = p[starts + g{g} + 1u] - member0;"
            );
            count.push("size".into());
        }
        let count = match count.is_empty() {
            true => "1u".into(),
            false => count.join(" * "),
        };
        let first = if self.shape.teams { " + member" } else { "" };
        let _ = write!(
            text,
            "    let count = {count};\n    let share = (count + splits - 1u) / splits;\n    \
             let begin = turn * share{first};\n    \
             let end = select(min(turn * share + share, count), 0u, part >= total);\n"
        );
        text
    }

    /// A step of the loop: so many points, loaded and then fed.
    fn points(&self, count: usize) -> Result<String, String> {
        let mut text = String::new();
        for feed in &self.feeds {
            if !feed.open.is_empty() {
                let _ = writeln!(text, "{}", feed.open);
            }
        }
        let stride = if self.shape.teams { "team" } else { "1u" };
        for number in 0..count {
            text.push_str(&self.load(number, stride));
        }
        for number in 0..count {
            let index = |d: usize| match self.inner.contains(&d) {
                true => format!("i{d}_{number}"),
                false => format!("i{d}"),
            };
            text.push_str("{\n");
            text.push_str(&indices(&self.expression, self.shape, "", &index));
            let load = |n: usize| {
                let (dtype, at) = (self.program.inputs[n], format!("at{n}_{number}"));
                loaded(dtype, &format!("v{n}_{number}"), shift(dtype, &at).as_deref())
            };
            text.push_str(&self.expression.statements("", &load)?);
            for (j, feed) in self.feeds.iter().enumerate() {
                if self.indexed.contains(&j) {
                    let terms: Vec<String> = (0..self.shape.dims.len())
                        .map(|d| format!("i32({}) * jump{j}_{d}", index(d)))
                        .collect();
                    let _ = writeln!(text, "let place{j} = {};", terms.join(" + "));
                }
                let _ = writeln!(text, "{}", feed.body);
            }
            text.push_str("}\n");
        }
        for feed in &self.feeds {
            if !feed.close.is_empty() {
                let _ = writeln!(text, "{}", feed.close);
            }
        }
        Ok(text)
    }

    /// Loads the words of a point of the step and counts the digits on.
    fn load(&self, number: usize, stride: &str) -> String {
        let mut text = String::new();
        if let [digit] = &self.digits[..] {
            let ahead = match number {
                0 => "k".into(),
                _ => format!("k + {number}u * {stride}"),
            };
            let _ = writeln!(text, "let {}_{number} = {ahead};", digit.name);
        } else {
            for digit in &self.digits {
                let _ = writeln!(text, "let {0}_{number} = {0};", digit.name);
            }
        }
        if let Some(g) = self.group {
            let _ = writeln!(text, "let i{g}_{number} = p[members + member0 + m_{number}];");
        }
        for &n in &self.inputs {
            let at = offset(n, &format!("base{n}"), &self.inner, self.shape, &|d| {
                format!("i{d}_{number}")
            });
            let dtype: DType = self.program.inputs[n];
            let name = format!("at{n}_{number}");
            let word = fetched(n, dtype, &name);
            let _ = writeln!(text, "let {name} = u32({at});\nlet v{n}_{number} = {word};");
        }
        if self.digits.len() > 1 {
            let by = match self.shape.teams {
                true => By::Digits,
                false => By::Number(1),
            };
            text.push_str(&advance(&self.digits, by, ""));
        }
        text
    }
}
