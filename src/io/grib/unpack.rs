//! Packed values to floats.

use super::bits::{Bits, Octets, Short};
use super::complex;
use super::field::{Packed, Span};
use crate::io::file::ReadFile;
use crate::{Error, Result};

/// How the values of a field become numbers: `(reference + x · 2^binary) · 10^-decimal`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub reference: f64,
    /// 2^binary.
    pub binary: f64,
    /// 10^-decimal.
    pub decimal: f64,
    /// Bits of each number.
    pub width: u32,
}

impl Scale {
    /// From the reference value, both exponents and the width.
    pub fn new(reference: f64, binary: i64, decimal: i64, width: u8) -> Short<Scale> {
        if width > 32 {
            return Err(format!("values are packed in {width} bits, at most 32 are read"));
        }
        if !reference.is_finite() || binary.abs() > 1000 || decimal.abs() > 200 {
            return Err("the scale of its values is out of range".to_string());
        }
        Ok(Scale {
            reference,
            binary: 2f64.powi(binary as i32),
            decimal: 10f64.powi(-decimal as i32),
            width: u32::from(width),
        })
    }

    /// The value of a packed number.
    pub fn value(&self, x: f64) -> f32 {
        ((x * self.binary + self.reference) * self.decimal) as f32
    }
}

/// Decodes a field into its values, NaN where one is missing.
///
/// # Errors
/// When the file ends early, the message contradicts itself, or the packing is none of ours.
pub(super) fn unpack(file: &ReadFile, packed: &Packed) -> Result<Vec<f32>> {
    let wrong = |reason: String| {
        Error::format(
            file.path(),
            format!("the field at byte {}: {reason}", packed.describes.at),
        )
    };
    let describes = read(file, packed.describes)?;
    let head = Octets(&describes);
    let bitmap = match packed.bitmap {
        Some(span) => Some(read(file, span)?),
        None => None,
    };
    let present = match &bitmap {
        None => packed.points,
        Some(bytes) => count(bytes, packed.points).map_err(wrong)?,
    };
    let bytes = read(file, packed.values)?;
    let values = match packed.edition {
        1 => edition1(head, packed, &bytes, present),
        _ => edition2(head, &bytes, present),
    };
    let values = values.map_err(wrong)?;
    Ok(match bitmap {
        None => values,
        Some(bitmap) => {
            let mut values = values.into_iter();
            let there = |at: usize| bitmap[at / 8] & (0x80 >> (at % 8)) != 0;
            (0..packed.points)
                .map(|at| {
                    if there(at) {
                        values.next().unwrap_or(f32::NAN)
                    } else {
                        f32::NAN
                    }
                })
                .collect()
        }
    })
}

/// The bytes of a span, which was checked to lie in the file.
fn read(file: &ReadFile, span: Span) -> Result<Vec<u8>> {
    let mut bytes = vec![0; span.len as usize];
    file.read_at(span.at, &mut bytes)?;
    Ok(bytes)
}

/// How many of the first `points` bits are set.
fn count(bitmap: &[u8], points: usize) -> Short<usize> {
    if bitmap.len() < points.div_ceil(8) {
        return Err(format!(
            "its bitmap of {} bytes is too short for {points} points",
            bitmap.len()
        ));
    }
    let whole: usize = bitmap[..points / 8].iter().map(|b| b.count_ones() as usize).sum();
    let rest = match points % 8 {
        0 => 0,
        n => (bitmap[points / 8] >> (8 - n)).count_ones() as usize,
    };
    Ok(whole + rest)
}

/// `count` values of simple packing.
pub(super) fn simple(scale: &Scale, bytes: &[u8], count: usize) -> Short<Vec<f32>> {
    if scale.width == 0 {
        return Ok(vec![scale.value(0.0); count]);
    }
    let needed = count.checked_mul(scale.width as usize);
    if needed.is_none_or(|bits| bits.div_ceil(8) > bytes.len()) {
        return Err(format!(
            "{count} values of {} bits are more than its {} bytes",
            scale.width,
            bytes.len()
        ));
    }
    let value = |x: u64| scale.value(x as f64);
    Ok(match scale.width {
        8 => bytes[..count].iter().map(|&x| value(u64::from(x))).collect(),
        16 => {
            let pairs = bytes[..2 * count].chunks_exact(2);
            pairs
                .map(|b| value(u64::from(u16::from_be_bytes([b[0], b[1]]))))
                .collect()
        }
        width => {
            let mut bits = Bits::new(bytes);
            let values = (0..count).map(|_| bits.next(width).map(|x| value(u64::from(x))));
            values.collect::<Short<_>>()?
        }
    })
}

/// The data section of edition 1.
fn edition1(head: Octets, packed: &Packed, bytes: &[u8], count: usize) -> Short<Vec<f32>> {
    let flags = head.byte(4)?;
    let kinds = [
        (0x80, "spherical harmonics"),
        (0x40, "second-order packing"),
        (0x20, "integers"),
    ];
    if let Some((_, what)) = kinds.iter().find(|(bit, _)| flags & bit != 0) {
        return Err(format!(
            "its values are packed as {what}, which is not read: repack it with `grib_set -r -w packingType=* -s packingType=grid_simple IN OUT`"
        ));
    }
    let scale = Scale::new(
        head.ibm_float(7)?,
        head.signed(5, 2)?,
        i64::from(packed.decimal),
        head.byte(11)?,
    )?;
    simple(&scale, bytes, count)
}

/// Sections 5 and 7 of edition 2.
fn edition2(head: Octets, bytes: &[u8], count: usize) -> Short<Vec<f32>> {
    let told = head.unsigned(6, 4)? as usize;
    let template = head.unsigned(10, 2)?;
    if told != count {
        return Err(format!("it has {told} values for {count} points"));
    }
    let scale = || -> Short<Scale> {
        Scale::new(
            head.float(12)?,
            head.signed(16, 2)?,
            head.signed(18, 2)?,
            head.byte(20)?,
        )
    };
    match template {
        0 => simple(&scale()?, bytes, count),
        2 => complex::unpack(&scale()?, head, None, bytes, count),
        3 => complex::unpack(
            &scale()?,
            head,
            Some((head.byte(48)?, head.byte(49)?)),
            bytes,
            count,
        ),
        4 => floats(head.byte(12)?, bytes, count),
        other => {
            let name = match other {
                40 => "JPEG 2000",
                41 => "PNG",
                42 => "CCSDS",
                50 | 51 => "spherical harmonics",
                61 => "logarithmic",
                _ => "unknown",
            };
            Err(format!(
                "its values have {name} packing (template 5.{other}), which is not read: repack it with \
                 `grib_set -r -s packingType=grid_simple IN OUT`"
            ))
        }
    }
}

/// IEEE floats.
fn floats(precision: u8, bytes: &[u8], count: usize) -> Short<Vec<f32>> {
    let size = match precision {
        1 => 4,
        2 => 8,
        _ => {
            return Err(format!(
                "its floats have precision {precision}, which is not read"
            ));
        }
    };
    if count.checked_mul(size).is_none_or(|n| n > bytes.len()) {
        return Err(format!("{count} floats are more than its {} bytes", bytes.len()));
    }
    let values = bytes[..count * size].chunks_exact(size);
    Ok(values
        .map(|b| match *b {
            [a, b, c, d] => f32::from_be_bytes([a, b, c, d]),
            [a, b, c, d, e, f, g, h] => f64::from_be_bytes([a, b, c, d, e, f, g, h]) as f32,
            _ => f32::NAN,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_agree_and_short_data_is_refused() {
        let scale = |width| Scale::new(-1.0, 1, 1, width).unwrap();
        let values: Vec<f32> = simple(&scale(8), &[0, 1, 255], 3).unwrap();
        assert_eq!(values, [-0.1, 0.1, 50.9]);
        assert_eq!(simple(&scale(16), &[0, 0, 0, 1, 0, 255], 3).unwrap(), values);
        assert_eq!(simple(&scale(12), &[0, 0, 1, 0x0f, 0xf0], 3).unwrap(), values);
        assert!(simple(&scale(16), &[0; 5], 3).is_err());
        assert!(simple(&scale(1), &[0; 5], usize::MAX).is_err());
        assert!(Scale::new(f64::NAN, 0, 0, 8).is_err() && Scale::new(0.0, 0, 0, 33).is_err());
        assert_eq!(count(&[0xff, 0b0100_0000], 10), Ok(9));
        assert!(count(&[0xff], 9).is_err());
    }
}
