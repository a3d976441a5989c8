//! Names and units of common quantities.
//!
//! The table beside this file has a line for each: the edition (`2.98` for numbers of edition 2 that
//! are the centre's own), three numbers, where it is meant to hold (metres above ground, perhaps
//! with a way of taking it over time; a kind of level; `-` for any), and, between bars, its name as
//! cfgrib has it, its long name, its unit, and its CF standard name.

use super::field::Parameter;
use super::group::Variable;

const TABLE: &str = include_str!("parameters.txt");

/// What is known of a quantity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Meaning {
    pub name: String,
    pub long_name: &'static str,
    pub units: &'static str,
    pub standard_name: &'static str,
}

/// What a variable is.
pub(super) fn meaning(variable: &Variable) -> Meaning {
    let kind = variable.level_kind.as_str();
    let place = match (kind, variable.axes[3].as_slice()) {
        ("heightAboveGround", [one]) => one.to_string(),
        _ => kind.to_string(),
    };
    find(variable.parameter, &place, variable.step_type)
}

/// What a quantity is at a place (metres above ground, or a kind of level), taken over time in a way.
fn find(parameter: Parameter, place: &str, step_type: &str) -> Meaning {
    let numbers = match parameter {
        // The tables of WMO, up to 127, are the same for all centres; those of centres are their own.
        Parameter::One(_, table, number) if table < 128 => format!("1 0 2 {number} "),
        Parameter::One(centre, table, number) => format!("1 {centre} {table} {number} "),
        Parameter::Two(discipline, category, number, 0) => format!("2 {discipline} {category} {number} "),
        Parameter::Two(discipline, category, number, centre) => {
            format!("2.{centre} {discipline} {category} {number} ")
        }
    };
    // The more a line says of the place, the better it fits.
    let fits = [format!("{place}:{step_type}"), place.to_string(), "-".to_string()];
    let lines = TABLE
        .lines()
        .filter_map(|l| l.strip_prefix(numbers.as_str())?.split_once(' '));
    let found = lines
        .filter_map(|(at, rest)| Some((fits.iter().position(|f| f == at)?, rest)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, rest)| rest);
    let mut parts = found.unwrap_or_default().split('|');
    let mut next = || parts.next().unwrap_or_default();
    let (name, long_name, units, standard_name) = (next(), next(), next(), next());
    let name = match (name, parameter) {
        ("", Parameter::One(_, table, number)) => format!("var{table}_{number}"),
        ("", Parameter::Two(discipline, category, number, _)) => {
            format!("var{discipline}_{category}_{number}")
        }
        (name, _) => name.to_string(),
    };
    Meaning {
        name,
        long_name,
        units,
        standard_name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_names() {
        let name = |parameter, place, step| find(parameter, place, step).name;
        let t = Parameter::Two(0, 0, 0, 0);
        assert_eq!(name(t, "isobaricInhPa", "instant"), "t");
        assert_eq!(name(t, "2", "instant"), "t2m");
        assert_eq!(name(t, "2", "max"), "mx2t");
        assert_eq!(name(Parameter::Two(0, 3, 0, 0), "meanSea", "instant"), "msl");
        assert_eq!(name(Parameter::Two(0, 1, 193, 98), "surface", "accum"), "tp");
        assert_eq!(
            name(Parameter::Two(0, 1, 193, 7), "surface", "instant"),
            "var0_1_193"
        );
        assert_eq!(
            name(Parameter::One(98, 128, 130), "isobaricInhPa", "instant"),
            "t"
        );
        assert_eq!(
            find(Parameter::One(98, 128, 129), "surface", "instant").units,
            "m**2 s**-2"
        );
        assert_eq!(name(Parameter::One(1, 200, 9), "surface", "instant"), "var200_9");
        for line in TABLE.lines() {
            let words: Vec<&str> = line.splitn(6, ' ').collect();
            assert!(words.len() == 6 && words[5].matches('|').count() == 3, "{line}");
        }
    }
}
