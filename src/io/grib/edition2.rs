//! A message of edition 2, which may hold several fields.

use super::bits::{Octets, Short};
use super::field::{Field, Packed, Parameter, Span, seconds, unit_seconds};
use super::levels;
use super::scan::Reader;

/// Statistical processes by their number in table 4.10.
const PROCESSES: [&str; 10] = [
    "avg", "accum", "max", "min", "diff", "rms", "sd", "cov", "diff", "ratio",
];

/// Reads the fields of a message that lies in `span`; what is none of ours is told to `skip`.
pub(super) fn fields(
    reader: &mut Reader,
    span: Span,
    discipline: u8,
    mut found: impl FnMut(Field),
    mut skip: impl FnMut(String),
) -> Short<()> {
    let end = span.at + span.len - 4;
    let mut at = span.at + 16;
    let mut origin = None;
    let mut grid = None;
    let mut product = Vec::new();
    let mut describes = None;
    let mut bitmap = None;
    while at < end {
        let head = reader.bytes(at, 5)?;
        let (len, number) = (Octets(&head).unsigned(1, 4)?, head[4]);
        if len < 5 || len > end - at {
            return Err(format!("section {number} claims {len} bytes"));
        }
        let section = Span { at, len };
        match number {
            1 => {
                let bytes = reader.section2(section)?;
                let centre = Octets(&bytes).unsigned(6, 2)? as u16;
                origin = Some((centre, reference(&bytes)?));
            }
            3 => {
                // What cannot be read of one grid is no reason against fields on another.
                let bytes = reader.section2(section)?;
                grid = Some(reader.grid(2, &bytes));
            }
            4 => product = reader.section2(section)?,
            5 => describes = Some(section),
            6 => bitmap = of_bitmap(reader, section, bitmap)?,
            7 => {
                let origin = origin.ok_or("it has no section 1")?;
                let describes = describes.ok_or("it has no section 5")?;
                let grid = grid.clone().ok_or("it has no section 3")?;
                let made = grid.and_then(|grid| {
                    let packed = Packed {
                        describes,
                        values: Span {
                            at: at + 5,
                            len: len - 5,
                        },
                        bitmap,
                        points: grid.points,
                        decimal: 0,
                        edition: 2,
                    };
                    field(Octets(&product), discipline, origin, packed, grid)
                });
                match made {
                    Ok(field) => found(field),
                    Err(reason) => skip(reason),
                }
            }
            2 => {}
            other => return Err(format!("it has a section {other}")),
        }
        at += len;
    }
    Ok(())
}

/// Seconds from 1970 to the reference time of section 1.
fn reference(section: &[u8]) -> Short<i64> {
    let head = Octets(section);
    let mut date = [head.unsigned(13, 2)? as i64, 0, 0, 0, 0, 0];
    for (n, part) in date.iter_mut().enumerate().skip(1) {
        *part = i64::from(head.byte(14 + n)?);
    }
    seconds(date).ok_or_else(|| "its reference time is no date".to_string())
}

/// The bitmap of section 6: its own, the one before, or none.
fn of_bitmap(reader: &mut Reader, section: Span, before: Option<Span>) -> Short<Option<Span>> {
    let head = reader.bytes(section.at, section.len.min(6))?;
    match Octets(&head).byte(6)? {
        0 => Ok(Some(Span {
            at: section.at + 6,
            len: section.len - 6,
        })),
        254 => before
            .map(Some)
            .ok_or_else(|| "it refers to a bitmap that is not there".to_string()),
        255 => Ok(None),
        other => Err(format!("it names bitmap {other}, which is not in the file")),
    }
}

/// A field from its section 4.
fn field(
    product: Octets,
    discipline: u8,
    (centre, time): (u16, i64),
    packed: Packed,
    grid: std::sync::Arc<super::grid::Grid>,
) -> Short<Field> {
    let template = product.unsigned(8, 2)?;
    // Where the statistical process stands, and the number of the member.
    let (process, member) = match template {
        0 => (None, false),
        1 => (None, true),
        8 => (Some(47), false),
        11 => (Some(50), true),
        other => return Err(format!("product template 4.{other} is not read")),
    };
    let seconds_of = |unit: usize, value: i64| -> Short<i64> {
        let unit = product.byte(unit)?;
        let seconds = unit_seconds(unit).and_then(|s| s.checked_mul(value));
        seconds.ok_or_else(|| format!("steps in units of number {unit} are not read"))
    };
    let mut step = seconds_of(18, product.signed(19, 4)?)?;
    let step_type = match process {
        None => "instant",
        Some(at) => {
            step += seconds_of(at + 2, product.unsigned(at + 3, 4)? as i64)?;
            let process = product.byte(at)?;
            let name = PROCESSES.get(usize::from(process)).copied();
            name.ok_or_else(|| format!("statistical process {process} is not read"))?
        }
    };
    let (category, number) = (product.byte(10)?, product.byte(11)?);
    // Numbers from 192 on are each centre's own.
    let own = [discipline, category, number].iter().any(|n| *n >= 192);
    Ok(Field {
        parameter: Parameter::Two(discipline, category, number, if own { centre } else { 0 }),
        level: levels::edition2(product)?,
        step_type,
        number: if member {
            Some(i64::from(product.byte(36)?))
        } else {
            None
        },
        time,
        step,
        grid,
        packed,
    })
}
