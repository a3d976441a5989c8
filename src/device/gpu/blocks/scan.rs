//! Scans: what has come so far along an axis, a column cut into chunks that are scanned side by side.
//!
//! Where columns are many, each is scanned at once; else the states of chunks come first, are
//! scanned themselves, and each chunk begins with what came before. How columns are cut depends on
//! the shape alone, so the same block gives the same bits every time. Sums and products of some
//! elements may leave the range where adding in order would not: kernels notice, and such a block
//! is for the CPU. Float sums run in f64 with what rounding lost, or else in pairs of f32.

use super::columns::{Columns, check, loaded, register, stored_as};
use super::scan_state::{Scheme, State};
use crate::device::gpu::expression::stored;
use crate::device::gpu::launch::{Launch, Need, Span};
use crate::device::gpu::template::fill;
use crate::device::gpu::{Gpu, library};
use crate::device::{BlockTask, OutMut};
use crate::{DType, Error, Result};
use tilewise_kernels::scan::Scan;

/// Invocations that keep a device busy: columns are cut when they are fewer.
const BUSY: usize = 1 << 16;
/// Workgroups that do.
const BUSY_GROUPS: usize = 1 << 10;
/// Places of the shortest chunk of a column.
const SHORTEST: usize = 32;
/// Rows that are shorter are scanned as columns: a cache line or two each.
const SHORT_ROW: usize = 64;
/// Invocations of a workgroup that scans a row.
const LANES: usize = 256;

/// How the columns of a block are scanned.
struct Cut {
    /// By workgroups, each a tile of a row at a time.
    rows: bool,
    /// Elements of a run in a tile.
    run: usize,
    /// Chunks of a column.
    chunks: usize,
    /// Places of a chunk.
    share: usize,
}

impl Cut {
    fn new(columns: &Columns, wide: bool) -> Cut {
        let run = if wide { 4 } else { 8 };
        let rows = columns.contiguous() && columns.len >= SHORT_ROW;
        let (busy, unit) = if rows {
            (BUSY_GROUPS, LANES * run)
        } else {
            (BUSY, SHORTEST)
        };
        let wanted = busy.div_ceil(columns.count).min(columns.len.div_ceil(unit));
        let share = columns.len.div_ceil(wanted).next_multiple_of(unit);
        Cut {
            rows,
            run,
            chunks: columns.len.div_ceil(share),
            share,
        }
    }

    fn groups(&self, columns: &Columns) -> u32 {
        let units = columns.count * self.chunks;
        (if self.rows { units } else { units.div_ceil(64) }) as u32
    }
}

/// Why a scan of `dtype` has no exact kernel on this adapter.
///
/// # Errors
/// Names the scan, the dtype and what is lacking.
pub(super) fn supports(gpu: &Gpu, scan: Scan, dtype: DType) -> std::result::Result<(), String> {
    Scheme::new(scan, dtype, gpu.abilities).map(|_| ())
}

/// Scans a block.
///
/// # Errors
/// When the device fails, or a sum or product of some elements leaves the range.
pub(super) fn run(
    gpu: &Gpu,
    scan: Scan,
    axis: usize,
    task: &BlockTask<'_>,
    out: OutMut<'_>,
    carry: &mut [u64],
) -> Result<()> {
    let fail = |why: String| Error::Device(format!("{}: {why}", task.op.name()));
    check(task)?;
    let operand = &task.operands[0];
    let dtype = operand.dtype;
    let scheme = Scheme::new(scan, dtype, gpu.abilities).map_err(fail)?;
    let state = State::new(scheme, scan, dtype);
    let columns = Columns::new(operand, axis);
    let size = task.dtype.size();
    let cut = Cut::new(&columns, dtype.size() == 8 && size == 8);
    let points = columns.count * columns.len;
    let texts = Texts::new(&state, dtype, task.dtype, cut.run);
    let received = state.receive(carry, columns.count).map_err(fail)?;
    let parameters = columns.parameters(&[cut.chunks, cut.share]);

    let mut need = Need::new(gpu);
    need.operand(&operand.bytes, columns.range.len());
    need.upload(4 * parameters.len());
    need.upload(received.len());
    let states = if cut.chunks == 1 {
        state.bytes()
    } else {
        need.upload(8);
        state.bytes() * columns.count * cut.chunks
    };
    need.scratch(states);
    need.read(received.len());
    need.read(4);
    if size < 4 {
        need.scratch(4 * points);
        need.upload(4);
    }
    need.output(&out, points * size);

    let mut launch = Launch::new(gpu, need)?;
    let compiled = |text: &str| gpu.pipelines.text(&gpu.home.context, text);
    let operand = launch.operand(operand.bytes, columns.range.clone())?;
    let p = launch.words(&parameters)?;
    let before = launch.upload(&received)?;
    let states = launch.scratch(states)?;
    let handed = launch.output(received.len())?;
    let inexact = launch.output(4)?;
    let result = launch.output(points * size)?;
    let loose = (size < 4).then(|| launch.scratch(4 * points)).transpose()?;
    let place = loose.as_ref().unwrap_or(&result);
    let bound: [&Span; 7] = [&p, &operand, &before, &states, &handed, &inexact, place];
    launch.dispatch(&compiled(&texts.clear())?, &[&inexact], 1)?;
    if cut.chunks > 1 {
        let alone = compiled(&texts.scan(cut.rows, false))?;
        launch.dispatch(&alone, &bound, cut.groups(&columns))?;
        let both = launch.words(&[cut.chunks as u32, columns.count as u32])?;
        let joined = compiled(&texts.chunks())?;
        launch.dispatch(&joined, &[&both, &before, &states], columns.count as u32)?;
    }
    let last = compiled(&texts.scan(cut.rows, true))?;
    launch.dispatch(&last, &bound, cut.groups(&columns))?;
    if let Some(loose) = &loose {
        let count = launch.words(&[points as u32])?;
        let words = (points * size).div_ceil(4);
        let pack = compiled(&texts.pack(4 / size))?;
        launch.dispatch(&pack, &[&count, loose, &result], words.div_ceil(64) as u32)?;
    }
    let (mut after, mut flag) = (vec![0; received.len()], [0; 4]);
    launch.finish(vec![
        (result, out),
        (handed, OutMut::Store(&mut after)),
        (inexact, OutMut::Store(&mut flag)),
    ])?;
    if flag != [0; 4] {
        return Err(fail(
            "a part of it leaves the range of its numbers; it needs the cpu".into(),
        ));
    }
    state.hand_on(&after, carry);
    Ok(())
}

/// The kernels of a scan.
struct Texts<'a> {
    values: Vec<(&'a str, String)>,
    state: &'a str,
}

impl<'a> Texts<'a> {
    fn new(state: &'a State, dtype: DType, result: DType, run: usize) -> Texts<'a> {
        let mut values = vec![
            ("X", register(dtype).to_string()),
            ("Y", register(result).to_string()),
            ("WORD", stored_as(dtype).to_string()),
            ("LOAD", loaded(dtype)),
            ("STORED", stored_as(result).to_string()),
            ("STORE", stored_bits(result)),
            ("RUN", run.to_string()),
        ];
        values.extend(state.values());
        Texts {
            values,
            state: state.text(),
        }
    }

    fn filled(&self, parts: &[&str], more: &[(&str, &str)]) -> String {
        let values: Vec<(&str, &str)> = self.values.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let text = fill(&parts.join("\n"), &[&values, more].concat());
        format!("{}\n{text}", library::needed_by(&text))
    }

    /// The scan of chunks: by workgroups for rows or by invocations, with results or without.
    fn scan(&self, rows: bool, results: bool) -> String {
        let body = if rows {
            include_str!("../../../../shaders/blocks/scan_rows.wgsl")
        } else {
            include_str!("../../../../shaders/blocks/scan_columns.wgsl")
        };
        let parts = [
            include_str!("../../../../shaders/blocks/columns.wgsl"),
            self.state,
            include_str!("../../../../shaders/blocks/scan_buffers.wgsl"),
            body,
        ];
        self.filled(&parts, &[("RESULTS", if results { "true" } else { "false" })])
    }

    /// The scan of the states of chunks.
    fn chunks(&self) -> String {
        let body = include_str!("../../../../shaders/blocks/scan_chunks.wgsl");
        self.filled(&[self.state, body], &[])
    }

    fn clear(&self) -> String {
        include_str!("../../../../shaders/blocks/scan_clear.wgsl").to_string()
    }

    fn pack(&self, per: usize) -> String {
        let body = include_str!("../../../../shaders/blocks/pack.wgsl");
        self.filled(&[body], &[("PER", &per.to_string())])
    }
}

/// What stores `y`: bools are words in registers.
fn stored_bits(dtype: DType) -> String {
    match dtype {
        DType::Bool => "y".to_string(),
        _ => stored(dtype, "y"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::valid::validate;
    use super::*;
    use crate::device::gpu::expression::Abilities;
    use tilewise_kernels::scan::ScanKind;

    #[test]
    fn every_kernel_is_valid() {
        for (dtype, kind) in DType::real().flat_map(|d| ScanKind::ALL.map(|(k, _)| (d, k))) {
            for (wide, skipna) in [(true, false), (true, true), (false, false), (false, true)] {
                let (can, scan) = (Abilities { f64: wide, i64: wide }, Scan { kind, skipna });
                let Ok(scheme) = Scheme::new(scan, dtype, can) else {
                    continue;
                };
                let state = State::new(scheme, scan, dtype);
                let texts = Texts::new(&state, dtype, scan.result(dtype), 8);
                validate(&texts.chunks(), wide);
                validate(&texts.clear(), false);
                validate(&texts.pack(2), false);
                for (rows, results) in [(true, true), (true, false), (false, true), (false, false)] {
                    validate(&texts.scan(rows, results), wide);
                }
            }
        }
    }

    #[test]
    fn columns_are_cut_by_their_shape_alone_and_wholly() {
        for (count, len, contiguous) in [
            (1, 100_000, true),
            (3, 5000, false),
            (1 << 20, 9, false),
            (7, 70, true),
        ] {
            let columns = Columns::of_extents(count, len, contiguous);
            let cut = Cut::new(&columns, false);
            assert!((cut.chunks - 1) * cut.share < len && cut.chunks * cut.share >= len);
            assert_eq!(cut.rows, contiguous);
        }
    }
}
