//! Calendars and time units against values of the `cftime` package.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use tilewise::labelled::cftime::{Calendar, Field, Moment, TimeUnits};

fn oracle() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/cftime.json");
    let text = std::fs::read_to_string(path).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    whole["cases"].as_array().unwrap().clone()
}

fn parse(case: &Value) -> tilewise::Result<Option<TimeUnits>> {
    let calendar = Calendar::parse(case["calendar"].as_str().unwrap())?;
    TimeUnits::parse(case["units"].as_str().unwrap(), calendar)
}

fn numbers(case: &Value) -> Vec<f64> {
    let words = case["values"].as_str().unwrap().split_whitespace();
    words
        .map(|w| f64::from_bits(u64::from_str_radix(w, 16).unwrap()))
        .collect()
}

/// Year, month, day, hour, minute, second, microsecond, day of the year.
fn fields(moment: Moment) -> [i64; 8] {
    [
        moment.field(Field::Year),
        moment.field(Field::Month),
        moment.field(Field::Day),
        moment.field(Field::Hour),
        moment.field(Field::Minute),
        moment.field(Field::Second),
        moment.micros.rem_euclid(1_000_000),
        moment.field(Field::DayOfYear),
    ]
}

#[test]
fn dates_equal_those_of_cftime() {
    let mut checked = 0;
    for case in oracle().iter().filter(|c| c.get("dates").is_some()) {
        let units = parse(case).unwrap().unwrap();
        for (value, date) in numbers(case).iter().zip(case["dates"].as_array().unwrap()) {
            let want: Vec<i64> = date
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_i64().unwrap())
                .collect();
            let moment = units.decode(*value).unwrap();
            // A fraction of a second is good to a microsecond.
            let near = [-1, 0, 1].map(|d| {
                fields(Moment {
                    micros: moment.micros + d,
                    ..moment
                })
            });
            let same = if want[6] == 0 && value.fract() == 0.0 {
                near[1].as_slice() == want
            } else {
                near.iter().any(|f| f.as_slice() == want)
            };
            assert!(
                same,
                "{value} {} {}: {:?}, not {want:?}",
                case["units"], case["calendar"], near[1]
            );
            let back = units.encode(moment);
            assert!(
                (back - value).abs() <= 1e-15 * value.abs().max(1.0) + 1.2e-11,
                "{back} {value}"
            );
            checked += 1;
        }
    }
    assert!(checked > 3000, "only {checked} dates in the oracle");
}

#[test]
fn what_cftime_refuses_is_refused() {
    let mut checked = 0;
    for case in oracle().iter().filter(|c| c.get("error").is_some()) {
        let got = parse(case);
        assert!(!matches!(got, Ok(Some(_))), "{case} gave {got:?}");
        checked += 1;
    }
    assert!(checked > 5, "only {checked} refusals in the oracle");
}
