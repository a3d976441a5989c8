//! The WGSL of a kernel that stores: four neighbouring points at a time.
//!
//! Memory moves best in 16 bytes an invocation, and finding an element costs more than most
//! programs do with it. So an invocation takes *fours*: points of which the first has a number
//! divisible by four, or eights and sixteens of narrow elements. Outputs are dense, so a four is one vector of each. Where rows are as long
//! as fours need, a four lies in one row: its place is found once, and inputs that lie there as
//! vectors are loaded as such. Elsewhere indices are counted on from point to point.

use super::digits::{By, Digit, advance, split};
use super::expression::{Expression, fetched, loaded, shift, stored, word};
use super::kernel::{
    Declarations, Kernel, Param, Params, Style, Written, access_params, indent, indices, offset,
};
use super::tiled;
use super::walk::{Four, Load, Shape};
use crate::DType;
use crate::plan::program::Program;
use std::fmt::Write;

/// Instructions up to which the four points are written out; longer programs loop over them, since
/// drivers take long for long kernels.
const WRITTEN_OUT: usize = 24;

/// One of the points of a four: its number as WGSL and how its component of a vector is named.
#[derive(Clone)]
pub(super) enum Lane {
    Known(usize),
    Counted,
}

impl Lane {
    fn number(&self) -> String {
        match self {
            Lane::Known(number) => format!("{number}u"),
            Lane::Counted => "k".into(),
        }
    }

    /// The component of a vector that holds the element, of elements of so many bytes.
    fn component(&self, size: usize) -> String {
        match (self, size) {
            (Lane::Known(number), 1 | 2) => format!(".{}", XYZW[number * size / 4]),
            (Lane::Known(number), _) => format!(".{}", XYZW[*number]),
            (Lane::Counted, 1) => "[k >> 2u]".into(),
            (Lane::Counted, 2) => "[k >> 1u]".into(),
            (Lane::Counted, _) => "[k]".into(),
        }
    }

    /// Where an element of so many bytes begins in its word, in bits; nothing for its lowest.
    fn shift(&self, size: usize) -> Option<String> {
        let per = 4 / size;
        match self {
            Lane::Known(number) => {
                let bits = number % per * size * 8;
                (bits > 0).then(|| format!("{bits}u"))
            }
            Lane::Counted if per == 2 => Some("((k & 1u) * 16u)".into()),
            Lane::Counted => Some("((k & 3u) * 8u)".into()),
        }
    }

    /// The word that holds the element, of a vector of so many.
    fn word(&self, dtype: DType, vector: &str, width: usize) -> String {
        match dtype.size() * width {
            4 => vector.to_string(),
            _ if dtype.is_complex() => format!("{vector}[{}]", self.number()),
            _ => format!("{vector}{}", self.component(dtype.size())),
        }
    }

    /// The statement that puts an element into the vector of an output.
    fn put(&self, dtype: DType, vector: &str, width: usize, value: &str) -> String {
        let word = self.word(dtype, vector, width);
        match dtype.size() {
            1 | 2 => match self.shift(dtype.size()) {
                Some(shift) => format!("{word} = {word} | (({value}) << {shift});"),
                None => format!("{word} = {word} | ({value});"),
            },
            _ => format!("{word} = {value};"),
        }
    }
}

/// The names of a vector's components.
const XYZW: [&str; 4] = ["x", "y", "z", "w"];

/// The type in a buffer of so many elements of a dtype.
fn vector(dtype: DType, width: usize) -> String {
    match (dtype.size(), dtype.size() * width) {
        (8.., _) if dtype.is_complex() => format!("array<{}, 4>", dtype.info().wgsl),
        (8.., _) => format!("vec4<{}>", dtype.info().wgsl),
        (_, 4) => "u32".into(),
        (_, 8) => "vec2<u32>".into(),
        _ => "vec4<u32>".into(),
    }
}

/// What the parts of a kernel's text need to know.
pub(super) struct Writer<'a> {
    pub program: &'a Program,
    outputs: &'a [usize],
    expression: Expression<'a>,
    pub inputs: Vec<usize>,
    pub shape: &'a Shape,
}

/// Writes the kernel of some stores of a program.
pub(super) fn store_kernel(
    program: &Program,
    outputs: &[usize],
    shape: &Shape,
    style: Style,
) -> Result<Kernel, String> {
    let expression = Expression::new(program, outputs);
    let writer = Writer {
        program,
        outputs,
        inputs: expression.inputs(),
        expression,
        shape,
    };
    let dims = shape.dims.len();
    let mut params = vec![Param::Zero, Param::Total];
    params.extend((0..dims).map(Param::Extent));
    access_params(&mut params, &writer.expression, &writer.inputs, shape);
    let params = Params(params);
    let mut declare = Declarations::new();
    for &n in &writer.inputs {
        let dtype = program.inputs[n];
        match writer.load(n) {
            Load::Vector => declare.input(&format!("in{n}"), &vector(dtype, shape.width)),
            _ => declare.input(&format!("in{n}"), word(dtype)),
        }
    }
    let tiled = match &shape.four {
        Four::Tiled { row, fours, .. } => Some((*row, *fours)),
        _ => None,
    };
    for &output in outputs {
        let dtype = writer.stored(output);
        match tiled {
            Some((_, false)) => declare.output(&format!("out{output}"), word(dtype)),
            _ => declare.output(&format!("out{output}"), &vector(dtype, shape.width)),
        }
    }
    if let Some((row, fours)) = tiled {
        tiled::declare(&mut declare, &writer);
        let body = tiled::body(&writer, row, fours, style)?;
        return Ok(writer.kernel(&declare, params, &body, style));
    }
    let digits: Vec<Digit> = (0..dims).map(Digit::axis).collect();
    let width = shape.width;
    let points = style.points.max(width);
    let mut body = String::new();
    let one = points == width;
    let (first, kind) = if one { ("point", "let") } else { ("first", "var") };
    let kind = if writer.in_row() { kind } else { "var" };
    let _ = write!(
        body,
        "    let {first} = thread * {points}u;\n    if ({first} >= total) {{ return; }}\n{}",
        split(first, kind, "", &digits, "    ")
    );
    let mut four = writer.four(&digits)?;
    if one {
        indent(&mut body, &four, 1);
    } else {
        let _ = writeln!(
            body,
            "    for (var point = first; point < min(first + {points}u, total); point = point + {width}u) {{"
        );
        if writer.in_row() {
            four.push_str(&advance(&digits, By::Number(width), ""));
        }
        indent(&mut body, &four, 2);
        body.push_str("    }\n");
    }
    Ok(writer.kernel(&declare, params, &body, style))
}

impl Writer<'_> {
    fn kernel(&self, declare: &Declarations, params: Params, body: &str, style: Style) -> Kernel {
        let written = |&output| Written::Elements { output };
        Kernel {
            wgsl: declare.module(style.workgroup, &params.read(self.shape), body),
            params,
            inputs: self.inputs.clone(),
            written: self.outputs.iter().map(written).collect(),
            points: style.points.max(self.shape.width),
            workgroup: style.workgroup,
            schemes: vec![],
        }
    }

    fn in_row(&self) -> bool {
        !matches!(self.shape.four, Four::Apart)
    }

    pub fn load(&self, n: usize) -> Load {
        match &self.shape.four {
            Four::InRow(loads) | Four::Tiled { loads, .. } => loads[n],
            Four::Apart => Load::Each,
        }
    }

    fn stored(&self, output: usize) -> DType {
        self.program.insts[self.program.outputs[output].value()].dtype
    }

    /// Where a row begins in the inputs, and what is loaded of them for four points.
    pub fn starts(&self) -> String {
        let mut text = String::new();
        let inner = self.shape.dims.len() - 1;
        let outer: Vec<usize> = (0..inner).collect();
        let bits = self.shape.width.ilog2();
        for &n in &self.inputs {
            let start = offset(n, &format!("offset{n}"), &outer, self.shape, &|d| format!("i{d}"));
            let dtype = self.program.inputs[n];
            let _ = match self.load(n) {
                Load::Each => writeln!(text, "let row{n} = {start};"),
                Load::Vector => writeln!(text, "let v{n} = in{n}[u32({start} + i32(i{inner})) >> {bits}u];"),
                Load::Once => {
                    let at = format!("at{n}");
                    writeln!(
                        text,
                        "let {at} = u32({start});\nlet v{n} = {};",
                        fetched(n, dtype, &at)
                    )
                }
                Load::Turned => Ok(()),
            };
        }
        text
    }

    /// The statements for the four that begins at `point`.
    pub fn four(&self, digits: &[Digit]) -> Result<String, String> {
        let (inner, width) = (self.shape.dims.len() - 1, self.shape.width);
        let mut text = match self.in_row() {
            true => self.starts(),
            false => String::new(),
        };
        for &output in self.outputs {
            let _ = writeln!(text, "var q{output}: {};", vector(self.stored(output), width));
        }
        let on = match self.in_row() {
            true => String::new(),
            false => advance(digits, By::Number(1), ""),
        };
        if self.expression.len() * width > 4 * WRITTEN_OUT {
            let bound = match self.in_row() && inner > 0 {
                true => format!("{width}u"),
                false => format!("min({width}u, total - point)"),
            };
            let _ = writeln!(text, "for (var k = 0u; k < {bound}; k = k + 1u) {{");
            text.push_str(&self.lane(&Lane::Counted)?);
            text.push_str(&on);
            text.push_str("}\n");
        } else {
            for number in 0..width {
                // In a row of their own, points behind the last lie in the padding of buffers.
                let guarded = number > 0 && !self.in_row();
                let _ = match guarded {
                    true => writeln!(text, "if (point + {number}u < total) {{"),
                    false => writeln!(text, "{{"),
                };
                text.push_str(&self.lane(&Lane::Known(number))?);
                text.push_str(&on);
                text.push_str("}\n");
            }
        }
        for &output in self.outputs {
            let _ = writeln!(text, "out{output}[point >> {}u] = q{output};", width.ilog2());
        }
        Ok(text)
    }

    /// The statements for one point of a four.
    fn lane(&self, lane: &Lane) -> Result<String, String> {
        let mut text = self.point(lane)?;
        for (output, dtype, value) in self.results() {
            let value = stored(dtype, &value);
            let _ = writeln!(
                text,
                "{}",
                lane.put(dtype, &format!("q{output}"), self.shape.width, &value)
            );
        }
        Ok(text)
    }

    /// Each output, its dtype and the register of its value.
    pub fn results(&self) -> impl Iterator<Item = (usize, DType, String)> {
        self.outputs.iter().map(|&output| {
            let value = self.program.outputs[output].value();
            (output, self.stored(output), self.expression.name(value))
        })
    }

    /// The statements that compute one point.
    pub fn point(&self, lane: &Lane) -> Result<String, String> {
        let mut text = String::new();
        let inner = self.shape.dims.len() - 1;
        // Elements that are loaded one by one do not lie behind a buffer's end.
        let place = |d: usize| match (self.in_row() && d == inner, lane) {
            (false, _) | (_, Lane::Known(0)) => format!("i{d}"),
            (true, _) if inner == 0 => format!("min(i{d} + {}, n{d} - 1u)", lane.number()),
            (true, _) => format!("(i{d} + {})", lane.number()),
        };
        for &n in &self.inputs {
            if self.load(n) == Load::Each {
                let (start, axes) = match self.in_row() {
                    true => (format!("row{n}"), vec![inner]),
                    false => (format!("offset{n}"), (0..=inner).collect()),
                };
                let at = offset(n, &start, &axes, self.shape, &place);
                let _ = writeln!(text, "let at{n} = u32({at});");
            }
        }
        text.push_str(&indices(&self.expression, self.shape, "", &place));
        let load = |n: usize| {
            let (dtype, at) = (self.program.inputs[n], format!("at{n}"));
            match self.load(n) {
                Load::Each => loaded(dtype, &fetched(n, dtype, &at), shift(dtype, &at).as_deref()),
                Load::Once => loaded(dtype, &format!("v{n}"), shift(dtype, &at).as_deref()),
                Load::Turned => match lane {
                    Lane::Known(0) => loaded(dtype, &format!("tile{n}[slot]"), None),
                    _ => loaded(dtype, &format!("tile{n}[slot + {}]", lane.number()), None),
                },
                Load::Vector => {
                    let word = lane.word(dtype, &format!("v{n}"), self.shape.width);
                    let shift = (dtype.size() < 4).then(|| lane.shift(dtype.size())).flatten();
                    loaded(dtype, &word, shift.as_deref())
                }
            }
        };
        text.push_str(&self.expression.statements("", &load)?);
        Ok(text)
    }
}
