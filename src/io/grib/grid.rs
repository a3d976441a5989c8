//! Where the points of a field are.
//!
//! Regular grids have a latitude and a longitude for each row and column, reduced ones rows of
//! different length. Of grids in other projections the points are not worked out here.

use super::bits::{Octets, Short};

/// Axes longer than this are a broken file.
const LONGEST: usize = 1 << 22;

/// Fields of more points than this are not read: as floats they have 4 GiB.
const MOST_POINTS: usize = 1 << 30;

/// The points of a field, in the order of its values.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Grid {
    /// ecCodes' name of its kind.
    pub kind: &'static str,
    /// Number of points.
    pub points: usize,
    /// Where they are.
    pub layout: Layout,
    /// Whether the points of a column follow each other, not those of a row.
    pub columns: bool,
    /// Whether every second row runs backwards.
    pub turning: bool,
}

/// Where points are.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Layout {
    /// Rows of latitude, columns of longitude.
    Axes {
        /// The latitude of each row.
        latitudes: Vec<f64>,
        /// The longitude of each column.
        longitudes: Vec<f64>,
    },
    /// Rows of different length around the globe: the latitude of each and its number of points.
    Rows(Vec<(f64, usize)>),
    /// Rows and columns of a projection.
    Plane(usize, usize),
    /// Points of which nothing is known.
    Points,
}

impl Grid {
    /// The names of the dimensions and their extents.
    pub fn dims(&self) -> Vec<(&'static str, usize)> {
        match &self.layout {
            Layout::Axes {
                latitudes,
                longitudes,
            } => {
                vec![("latitude", latitudes.len()), ("longitude", longitudes.len())]
            }
            Layout::Plane(rows, columns) => vec![("y", *rows), ("x", *columns)],
            Layout::Rows(_) | Layout::Points => vec![("values", self.points)],
        }
    }

    /// Brings values from the order of the message into rows from first to last.
    pub fn arranged(&self, values: Vec<f32>) -> Vec<f32> {
        let dims = self.dims();
        let &[(_, rows), (_, columns)] = dims.as_slice() else {
            return values;
        };
        if !self.columns && !self.turning {
            return values;
        }
        let (lines, length) = if self.columns {
            (columns, rows)
        } else {
            (rows, columns)
        };
        let mut out = vec![f32::NAN; values.len()];
        for line in 0..lines {
            for at in 0..length {
                let place = if self.turning && line % 2 == 1 {
                    length - 1 - at
                } else {
                    at
                };
                let to = if self.columns {
                    place * columns + line
                } else {
                    line * columns + place
                };
                out[to] = values[line * length + at];
            }
        }
        out
    }
}

/// The corners and steps of a grid of latitudes and longitudes.
struct Corners {
    columns: Option<usize>,
    rows: usize,
    first: (f64, f64),
    last: (f64, f64),
    scan: u8,
    /// Rows between a pole and the equator of a Gaussian grid.
    gaussian: Option<usize>,
    /// Points of each row of a reduced grid.
    lengths: Vec<usize>,
}

/// The grid of section 2 of edition 1.
pub(super) fn edition1(section: Octets) -> Short<Grid> {
    bounded(grid1(section)?)
}

/// The grid of section 3 of edition 2.
pub(super) fn edition2(section: Octets) -> Short<Grid> {
    bounded(grid2(section)?)
}

/// A grid of no more points than are read.
fn bounded(grid: Grid) -> Short<Grid> {
    match grid.points {
        ..=MOST_POINTS => Ok(grid),
        points => Err(format!("fields of {points} points are not read")),
    }
}

fn grid1(section: Octets) -> Short<Grid> {
    let kind = section.byte(6)?;
    let (columns, rows) = (section.unsigned(7, 2)? as usize, section.unsigned(9, 2)? as usize);
    if !matches!(kind, 0 | 4) {
        let name = match kind {
            1 => "mercator",
            3 => "lambert",
            5 => "polar_stereographic",
            10 => "rotated_ll",
            14 => "rotated_gg",
            50 => return Err("spherical harmonics are not read".to_string()),
            _ => "unknown",
        };
        return plane(name, rows, columns, section.byte(28)?);
    }
    let degrees = |at: usize| -> Short<f64> { Ok(section.signed(at, 3)? as f64 / 1000.0) };
    let mut lengths = Vec::new();
    if columns == 0xffff {
        let (vertical, place) = (usize::from(section.byte(4)?), usize::from(section.byte(5)?));
        for row in 0..rows {
            lengths.push(section.unsigned(place + 4 * vertical + 2 * row, 2)? as usize);
        }
    }
    lat_lon(Corners {
        columns: (columns != 0xffff).then_some(columns),
        rows,
        first: (degrees(11)?, degrees(14)?),
        last: (degrees(18)?, degrees(21)?),
        scan: section.byte(28)?,
        gaussian: if kind == 4 {
            Some(section.unsigned(26, 2)? as usize)
        } else {
            None
        },
        lengths,
    })
}

fn grid2(section: Octets) -> Short<Grid> {
    const MISSING: u64 = u32::MAX as u64;
    if section.byte(6)? != 0 {
        return Err("its grid is one of a list that is not in the file".to_string());
    }
    let points = section.unsigned(7, 4)? as usize;
    let template = section.unsigned(13, 2)?;
    let size = || -> Short<(usize, usize)> {
        Ok((
            section.unsigned(35, 4)? as usize,
            section.unsigned(31, 4)? as usize,
        ))
    };
    let of_plane = |name: &'static str, scan: usize| {
        let (rows, columns) = size()?;
        plane(name, rows, columns, section.byte(scan)?)
    };
    let grid = match template {
        0 | 40 => {
            let (rows, columns) = (section.unsigned(35, 4)?, section.unsigned(31, 4)?);
            let (basic, parts) = (section.unsigned(39, 4)?, section.unsigned(43, 4)?);
            let unit = match (basic, parts) {
                (0 | MISSING, _) | (_, 0 | MISSING) => 1e6,
                (basic, parts) => parts as f64 / basic as f64,
            };
            let degrees = |at: usize| -> Short<f64> { Ok(section.signed(at, 4)? as f64 / unit) };
            let mut lengths = Vec::new();
            if columns == MISSING {
                let size = usize::from(section.byte(11)?);
                if !(1..=4).contains(&size) {
                    return Err("a reduced grid has no lengths of rows".to_string());
                }
                for row in 0..rows as usize {
                    lengths.push(section.unsigned(73 + size * row, size)? as usize);
                }
            }
            lat_lon(Corners {
                columns: (columns != MISSING).then_some(columns as usize),
                rows: rows as usize,
                first: (degrees(47)?, degrees(51)?),
                last: (degrees(56)?, degrees(60)?),
                scan: section.byte(72)?,
                gaussian: if template == 40 {
                    Some(section.unsigned(68, 4)? as usize)
                } else {
                    None
                },
                lengths,
            })?
        }
        1 => of_plane("rotated_ll", 72)?,
        10 => of_plane("mercator", 60)?,
        20 => of_plane("polar_stereographic", 65)?,
        30 => of_plane("lambert", 65)?,
        41 => of_plane("rotated_gg", 72)?,
        50..=53 => return Err("spherical harmonics are not read".to_string()),
        _ => Grid {
            kind: "unknown",
            points,
            layout: Layout::Points,
            columns: false,
            turning: false,
        },
    };
    match grid.points == points {
        true => Ok(grid),
        false => Err(format!(
            "its grid has {} points, its values {points}",
            grid.points
        )),
    }
}

/// A grid of rows and columns in a projection.
fn plane(kind: &'static str, rows: usize, columns: usize, scan: u8) -> Short<Grid> {
    let points = rows
        .checked_mul(columns)
        .filter(|_| rows <= LONGEST && columns <= LONGEST);
    Ok(Grid {
        kind,
        points: points.ok_or_else(|| format!("a grid of {rows} rows and {columns} columns is not read"))?,
        layout: Layout::Plane(rows, columns),
        columns: scan & 0x20 != 0,
        turning: scan & 0x10 != 0,
    })
}

/// A grid of latitudes and longitudes.
fn lat_lon(c: Corners) -> Short<Grid> {
    if c.rows > LONGEST || c.columns.is_some_and(|n| n > LONGEST) {
        return Err(format!("a grid of {} rows is not read", c.rows));
    }
    let latitudes = match c.gaussian {
        None => steps(c.first.0, c.last.0, c.rows),
        Some(n) => gaussian_rows(n, c.rows, c.first.0, c.last.0)?,
    };
    let (columns, turning) = (c.scan & 0x20 != 0, c.scan & 0x10 != 0);
    let Some(count) = c.columns else {
        let points = c.lengths.iter().sum();
        // Only rows around the whole globe have their points at multiples of a step.
        let widest = c.lengths.iter().max().copied().unwrap_or(1).max(1);
        let around = (c.last.1 - c.first.1).rem_euclid(360.0);
        let global = c.first.1 == 0.0 && around > 360.0 - 360.0 / widest as f64 - 0.01;
        let kind = if c.gaussian.is_some() {
            "reduced_gg"
        } else {
            "reduced_ll"
        };
        return Ok(Grid {
            kind,
            points,
            layout: match global && !columns && !turning && c.scan & 0x80 == 0 {
                true => Layout::Rows(latitudes.into_iter().zip(c.lengths).collect()),
                false => Layout::Points,
            },
            columns: false,
            turning: false,
        });
    };
    let (mut west, mut east) = (c.first.1, c.last.1);
    // Columns run eastward unless the first bit says otherwise; where they cross the meridian they
    // begin before it, as with ecCodes.
    if c.scan & 0x80 == 0 {
        west -= if east < west { 360.0 } else { 0.0 };
    } else if east > west {
        east -= 360.0;
    }
    Ok(Grid {
        kind: if c.gaussian.is_some() {
            "regular_gg"
        } else {
            "regular_ll"
        },
        points: c.rows.checked_mul(count).ok_or("its grid has too many points")?,
        layout: Layout::Axes {
            latitudes,
            longitudes: steps(west, east, count),
        },
        columns,
        turning,
    })
}

/// Even steps from one place to another.
fn steps(first: f64, last: f64, count: usize) -> Vec<f64> {
    let most = count.saturating_sub(1).max(1) as f64;
    // Places are told in millionths of a degree, and dividing by thirds leaves more.
    let place = |i: usize| first + (last - first) * i as f64 / most;
    (0..count).map(|i| (place(i) * 1e10).round() / 1e10).collect()
}

/// The rows of a Gaussian grid of `n` rows a hemisphere that lie between two latitudes.
fn gaussian_rows(n: usize, rows: usize, first: f64, last: f64) -> Short<Vec<f64>> {
    if n == 0 || n > 20_000 || rows > 2 * n {
        return Err(format!(
            "a Gaussian grid of {n} rows a hemisphere cannot have {rows}"
        ));
    }
    let mut all = gaussian_latitudes(n);
    if first < last {
        all.reverse();
    }
    // The corners are rounded, so the row nearest to the first is meant.
    let near = |at: &usize| (all[*at] - first).abs();
    let start = (0..=all.len() - rows).min_by(|a, b| near(a).total_cmp(&near(b)));
    let start = start.unwrap_or(0);
    Ok(all[start..start + rows].to_vec())
}

/// The latitudes of a Gaussian grid from north to south: where the Legendre polynomial of degree 2n
/// vanishes, found by Newton's method.
fn gaussian_latitudes(n: usize) -> Vec<f64> {
    let degree = 2 * n;
    let mut out = vec![0.0; degree];
    for k in 0..n {
        let angle = std::f64::consts::PI * (k as f64 + 0.75) / (degree as f64 + 0.5);
        let mut x = angle.cos();
        for _ in 0..20 {
            let (mut before, mut value) = (1.0, x);
            for m in 2..=degree {
                let m = m as f64;
                (before, value) = (value, ((2.0 * m - 1.0) * x * value - (m - 1.0) * before) / m);
            }
            let slope = degree as f64 * (x * value - before) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        let latitude = x.asin().to_degrees();
        (out[k], out[degree - 1 - k]) = (latitude, -latitude);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaussian_latitudes_are_known_ones() {
        // N32, by ecCodes.
        let all = gaussian_latitudes(32);
        assert_eq!(all.len(), 64);
        assert!((all[0] - 87.863_798_839_232_9).abs() < 1e-9, "{}", all[0]);
        assert!((all[31] - 1.395_306_910_861_0).abs() < 1e-6, "{}", all[31]);
        let part = gaussian_rows(32, 3, all[5] + 1e-4, all[7]).unwrap();
        assert_eq!(part, all[5..8]);
        assert!(gaussian_rows(4, 9, 0.0, 1.0).is_err());
    }

    #[test]
    fn scanning_modes_are_undone() {
        let grid = |columns, turning| Grid {
            kind: "regular_ll",
            points: 6,
            layout: Layout::Plane(2, 3),
            columns,
            turning,
        };
        let values = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(grid(false, false).arranged(values.clone()), values);
        assert_eq!(
            grid(false, true).arranged(values.clone()),
            [0.0, 1.0, 2.0, 5.0, 4.0, 3.0]
        );
        assert_eq!(
            grid(true, false).arranged(values.clone()),
            [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
        );
        assert_eq!(grid(true, true).arranged(values), [0.0, 3.0, 4.0, 1.0, 2.0, 5.0]);
    }
}
