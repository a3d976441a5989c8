//! The kinds of levels, by ecCodes' names.

use super::bits::{Octets, Short};
use super::field::Level;

/// Names by the number in edition 1's table 3 and in edition 2's table 4.5, each of a single level
/// and of a layer between two; an empty name is none.
const NAMES: [(u8, u8, &str, &str); 30] = [
    (1, 1, "surface", ""),
    (2, 2, "cloudBase", ""),
    (3, 3, "cloudTop", ""),
    (4, 4, "isothermZero", ""),
    (6, 6, "maxWind", ""),
    (7, 7, "tropopause", ""),
    (8, 8, "nominalTop", ""),
    (9, 9, "seaBottom", ""),
    (100, 100, "isobaricInhPa", "isobaricLayer"),
    (101, 0, "isobaricLayer", "isobaricLayer"),
    (102, 101, "meanSea", ""),
    (103, 102, "heightAboveSea", "heightAboveSeaLayer"),
    (104, 0, "heightAboveSeaLayer", "heightAboveSeaLayer"),
    (105, 103, "heightAboveGround", "heightAboveGroundLayer"),
    (106, 0, "heightAboveGroundLayer", "heightAboveGroundLayer"),
    (107, 104, "sigma", "sigmaLayer"),
    (108, 0, "sigmaLayer", "sigmaLayer"),
    (109, 105, "hybrid", "hybridLayer"),
    (110, 0, "hybridLayer", "hybridLayer"),
    (111, 106, "depthBelowLand", "depthBelowLandLayer"),
    (112, 0, "depthBelowLandLayer", "depthBelowLandLayer"),
    (113, 107, "theta", "thetaLayer"),
    (0, 108, "pressureFromGround", "pressureFromGroundLayer"),
    (116, 0, "pressureFromGroundLayer", "pressureFromGroundLayer"),
    (117, 109, "potentialVorticity", ""),
    (160, 160, "depthBelowSea", "depthBelowSeaLayer"),
    (0, 10, "entireAtmosphere", ""),
    (200, 200, "atmosphere", ""),
    (201, 201, "entireOcean", ""),
    (0, 151, "soil", "soilLayer"),
];

/// The level of edition 1: its type and two octets.
pub(super) fn edition1(kind: u8, top: u8, bottom: u8) -> Level {
    let found = NAMES.iter().find(|n| n.0 == kind && kind != 0);
    let layer = found.is_some_and(|n| n.2 == n.3);
    let both = f64::from(u16::from_be_bytes([top, bottom]));
    if kind == 210 {
        return Level {
            kind: "isobaricInPa".to_string(),
            value: both,
        };
    }
    let value = match (layer, kind) {
        (true, _) => f64::from(top),
        // Places along sigma are given in ten thousandths, and depths below land in centimetres.
        (false, 107) => both / 10_000.0,
        (false, 111) => both / 100.0,
        // Layers without two numbers have none that says anything.
        (false, 1..=9 | 102 | 200 | 201) => 0.0,
        _ => both,
    };
    Level {
        kind: found.map_or(format!("level{kind}"), |n| n.2.to_string()),
        value,
    }
}

/// The level of edition 2, from section 4.
pub(super) fn edition2(section: Octets) -> Short<Level> {
    const MISSING: u64 = 0xff;
    let (kind, second) = (section.byte(23)?, section.byte(29)?);
    let value = |at: usize| -> Short<f64> {
        if section.unsigned(at, 1)? == MISSING || section.unsigned(at + 1, 4)? == u64::from(u32::MAX) {
            return Ok(0.0);
        }
        let (scale, value) = (section.signed(at, 1)?, section.signed(at + 1, 4)?);
        // Dividing keeps numbers such as 0.07 as they are written.
        let power = 10f64.powi(scale.unsigned_abs() as i32);
        Ok(if scale >= 0 {
            value as f64 / power
        } else {
            value as f64 * power
        })
    };
    let first = value(24)?;
    let layer = second != 255;
    let found = NAMES.iter().find(|n| n.1 == kind && kind != 0);
    let name = found.map(|n| if layer && !n.3.is_empty() { n.3 } else { n.2 });
    let (name, value) = match (name, kind) {
        (Some("isobaricInhPa"), _) if first % 100.0 == 0.0 => ("isobaricInhPa", first / 100.0),
        (Some("isobaricInhPa"), _) => ("isobaricInPa", first),
        (Some("isobaricLayer"), _) => ("isobaricLayer", first / 100.0),
        (Some(name), _) => (name, first),
        (None, _) => {
            return Ok(Level {
                kind: format!("level{kind}"),
                value: first,
            });
        }
    };
    Ok(Level {
        kind: name.to_string(),
        value,
    })
}

/// The unit, standard name and direction of a kind of level, where it has one.
pub(super) fn meaning(kind: &str) -> (&'static str, &'static str, &'static str) {
    match kind {
        "isobaricInhPa" | "isobaricLayer" => ("hPa", "air_pressure", "down"),
        "isobaricInPa" => ("Pa", "air_pressure", "down"),
        "heightAboveGround" | "heightAboveGroundLayer" => ("m", "height", "up"),
        "heightAboveSea" | "heightAboveSeaLayer" => ("m", "height_above_mean_sea_level", "up"),
        "depthBelowLand" | "depthBelowLandLayer" | "depthBelowSea" | "depthBelowSeaLayer" => {
            ("m", "depth", "down")
        }
        "hybrid" | "hybridLayer" => ("1", "atmosphere_hybrid_sigma_pressure_coordinate", "down"),
        "theta" => ("K", "", "up"),
        "potentialVorticity" => ("10-9 K m2 kg-1 s-1", "", ""),
        _ => ("1", "", ""),
    }
}

/// Whether levels of a kind are listed from large to small, as pressures are.
pub(super) fn falls(kind: &str) -> bool {
    kind.starts_with("isobaric")
}
