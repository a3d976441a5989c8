//! A message of edition 1.

use super::bits::{Octets, Short};
use super::field::{Field, Packed, Parameter, Span, seconds, unit_seconds};
use super::levels;
use super::scan::Reader;

/// Local definitions of ECMWF whose octet 50 is the number of the member.
const MEMBERS: [u8; 4] = [1, 26, 30, 36];

/// The field of a message that lies in `span`.
pub(super) fn field(reader: &mut Reader, span: Span) -> Short<Field> {
    let mut at = span.at + 8;
    let product = reader.section1(&mut at, span)?;
    let head = Octets(&product);
    let flags = head.byte(8)?;
    if flags & 0x80 == 0 {
        return Err("it names a grid of a list that is not in the file".to_string());
    }
    let grid = reader.section1(&mut at, span)?;
    let grid = reader.grid(1, &grid)?;
    let mut bitmap = None;
    if flags & 0x40 != 0 {
        let (start, len) = reader.peek1(at, span)?;
        let section = reader.bytes(start, len.min(6))?;
        if Octets(&section).unsigned(5, 2)? != 0 {
            return Err("it names a bitmap that is not in the file".to_string());
        }
        bitmap = Some(Span {
            at: start + 6,
            len: len.saturating_sub(6),
        });
        at = start + len;
    }
    let end = span.at + span.len - 4;
    let describes = Span { at, len: 11 };
    let values = end.checked_sub(at + 11).map(|len| Span { at: at + 11, len });
    let values = values.ok_or("its data section is too short")?;
    let (centre, table) = (head.byte(5)?, head.byte(4)?);
    let year = (i64::from(head.byte(25)?) - 1) * 100 + i64::from(head.byte(13)?);
    let part = |at: usize| head.byte(at).map(i64::from);
    let date = [year, part(14)?, part(15)?, part(16)?, part(17)?, 0];
    let unit = head.byte(18)?;
    let unit = unit_seconds(unit).ok_or_else(|| format!("its steps are in units of number {unit}"))?;
    let (first, second, range) = (part(19)?, part(20)?, head.byte(21)?);
    let (step, step_type) = match range {
        1 => (0, "instant"),
        2 => (second, "instant"),
        3 => (second, "avg"),
        4 => (second, "accum"),
        5 => (second, "diff"),
        10 => (first << 8 | second, "instant"),
        _ => (first, "instant"),
    };
    let member = centre == 98 && product.len() >= 50 && MEMBERS.contains(&head.byte(41)?);
    Ok(Field {
        parameter: Parameter::One(centre, table, head.byte(9)?),
        level: levels::edition1(head.byte(10)?, head.byte(11)?, head.byte(12)?),
        step_type,
        number: if member { Some(part(50)?) } else { None },
        time: seconds(date).ok_or("its reference time is no date")?,
        step: step * unit,
        packed: Packed {
            describes,
            values,
            bitmap,
            points: grid.points,
            decimal: head.signed(27, 2)? as i16,
            edition: 1,
        },
        grid,
    })
}
