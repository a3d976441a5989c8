//! Complex packing: values in groups, each with its own least value, width and length, perhaps as
//! differences of the first or second order along the field (templates 5.2 and 5.3).

use super::bits::{Bits, Octets, Short};
use super::unpack::Scale;

/// One group.
struct Group {
    least: u32,
    width: u32,
    length: usize,
}

/// Decodes `count` values. `spatial` is the order of the differences and the bytes of each of the
/// numbers that begin them.
pub(super) fn unpack(
    scale: &Scale,
    head: Octets,
    spatial: Option<(u8, u8)>,
    bytes: &[u8],
    count: usize,
) -> Short<Vec<f32>> {
    let missing = head.byte(23)?;
    if missing > 2 {
        return Err(format!(
            "missing values are marked in way {missing}, which is not read"
        ));
    }
    let (bytes, start) = match spatial {
        None => (bytes, None),
        Some((order @ (1 | 2), size @ 0..=8)) => {
            let (order, size) = (usize::from(order), usize::from(size));
            let octets = Octets(bytes);
            let mut first = Vec::new();
            for n in 0..order {
                first.push(if size == 0 {
                    0
                } else {
                    octets.signed(1 + n * size, size)?
                });
            }
            let least = if size == 0 {
                0
            } else {
                octets.signed(1 + order * size, size)?
            };
            (&bytes[(order + 1) * size..], Some((first, least)))
        }
        Some((order, size)) => {
            return Err(format!(
                "differences of order {order} in numbers of {size} bytes are not read"
            ));
        }
    };
    let groups = groups(scale, head, bytes, count)?;
    let numbers = numbers(scale, missing, &groups.0, groups.1, count)?;
    let value = |x: Option<i64>| x.map_or(f32::NAN, |x| scale.value(x as f64));
    Ok(match start {
        None => numbers.into_iter().map(value).collect(),
        Some((first, least)) => summed(numbers, &first, least).into_iter().map(value).collect(),
    })
}

/// The groups, and the bits of the values.
fn groups<'a>(scale: &Scale, head: Octets, bytes: &'a [u8], count: usize) -> Short<(Vec<Group>, Bits<'a>)> {
    let total = head.unsigned(32, 4)? as usize;
    let (width_least, width_bits) = (head.byte(36)?, head.byte(37)?);
    let length_least = head.unsigned(38, 4)?;
    let length_step = u64::from(head.byte(42)?);
    let length_last = head.unsigned(43, 4)?;
    let length_bits = head.byte(47)?;
    if width_bits > 32 || length_bits > 32 {
        return Err("its groups are described in more than 32 bits".to_string());
    }
    // Groups of no bits at all are bounded by their values, of which each has one at least.
    if total > count {
        return Err(format!("it has {total} groups for {count} values"));
    }
    let mut bits = Bits::new(bytes);
    let mut groups = Vec::with_capacity(total);
    for _ in 0..total {
        groups.push(Group {
            least: bits.next(scale.width)?,
            width: 0,
            length: 0,
        });
    }
    bits.align();
    for group in &mut groups {
        group.width = u32::from(width_least) + bits.next(u32::from(width_bits))?;
        if group.width > 32 {
            return Err(format!("a group has values of {} bits", group.width));
        }
    }
    bits.align();
    let mut all = 0u64;
    for (at, group) in groups.iter_mut().enumerate() {
        let told = length_least + length_step * u64::from(bits.next(u32::from(length_bits))?);
        let length = if at + 1 == total { length_last } else { told };
        all += length;
        if all > count as u64 {
            return Err(format!("its groups have more than its {count} values"));
        }
        group.length = length as usize;
    }
    bits.align();
    match all == count as u64 {
        true => Ok((groups, bits)),
        false => Err(format!("its groups have {all} of its {count} values")),
    }
}

/// The packed numbers, `None` for missing ones.
fn numbers(
    scale: &Scale,
    missing: u8,
    groups: &[Group],
    mut bits: Bits,
    count: usize,
) -> Short<Vec<Option<i64>>> {
    // The highest numbers of a width stand for missing values, the second highest in way 2.
    let marks = |x: u32, width: u32| {
        let top = ((1u64 << width) - 1) as u32;
        (missing >= 1 && x == top) || (missing == 2 && width > 0 && Some(x) == top.checked_sub(1))
    };
    let mut out = Vec::with_capacity(count);
    for group in groups {
        if group.width == 0 {
            let gone = missing > 0 && scale.width > 0 && marks(group.least, scale.width);
            let value = (!gone).then_some(i64::from(group.least));
            out.resize(out.len() + group.length, value);
            continue;
        }
        for _ in 0..group.length {
            let x = bits.next(group.width)?;
            let gone = missing > 0 && marks(x, group.width);
            out.push((!gone).then_some(i64::from(group.least) + i64::from(x)));
        }
    }
    Ok(out)
}

/// Undoes differences; missing values take no part.
fn summed(mut numbers: Vec<Option<i64>>, first: &[i64], least: i64) -> Vec<Option<i64>> {
    let (mut last, mut before) = (0i64, 0i64);
    for (at, number) in numbers.iter_mut().flatten().enumerate() {
        let value = match (first.get(at), first.len()) {
            (Some(&value), _) => value,
            (None, 1) => number.wrapping_add(least).wrapping_add(last),
            _ => number
                .wrapping_add(least)
                .wrapping_add(last.wrapping_mul(2))
                .wrapping_sub(before),
        };
        (before, last) = (last, value);
        *number = value;
    }
    numbers
}
