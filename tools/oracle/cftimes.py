"""Makes tests/oracle/cftime.json: numbers and units to dates in every CF calendar, by cftime.

    { "cftime": version,
      "cases": [ {"calendar": c, "units": u,
                  "values": words,       float64, see common.py
                  "dates": [ [year, month, day, hour, minute, second, microsecond, dayofyear], .. ] }
                 or {"calendar": c, "units": u, "error": class} ] }

`standard` and `gregorian` are the mixed calendar: Julian to 1582-10-04, Gregorian from 1582-10-15,
which has no year 0, as `julian` has none; the others count a year 0. Values with a fraction of a
second are good to a microsecond, so a test compares the instant with that tolerance. A time zone in
the units shifts the reference; dates are UTC. An `error` is a unit or reference that must be refused.
"""

import cftime
import numpy as np

from common import words, write

CALENDARS = ["standard", "gregorian", "proleptic_gregorian", "noleap", "365_day", "all_leap", "366_day",
             "360_day", "julian"]
REFERENCES = ["1970-01-01", "1850-01-01 00:00:00", "2000-01-01T12:00:00", "0001-01-01 00:00:0.0", "1582-10-01",
              "1900-01-01 00:00:00.0", "2000-02-28 23:59:59", "1979-1-1 6:0:0", "2001-07-04 10:30:00 +05:30",
              "1999-12-30 18:00:00 -06:00", "1970-01-01T00:00:00Z", "1992-10-08 15:15:42.5 UTC"]
WHOLE = {
    "days": [0, 1, -1, 27, 28, 29, 30, 31, 58, 59, 60, 89, 90, 359, 360, 364, 365, 366, 730, 1460, 1461, 36523,
             36524, 36525, 146096, 146097, 577735, 577736, 577737, 730000, 0.5, 0.25, 15.5, 44.96875,
             1000.0009765625, -0.5, -365.25],
    "hours": [0, 1, 23, 24, 25, -1, 744, 8759, 8760, 8783, 8784, 87600.5, 1314000, 0.75],
    "minutes": [0, 1, 59, 60, 1439, 1440, 525600, 527040, -1, 0.5],
    "seconds": [0, 1, 59, 60, 3599, 3600, 86399, 86400, 31536000, 31622400, 1e9, -1, -86401, 0.5],
    "milliseconds": [0, 1, 999, 1000, 86400000, 31536000000, 1500],
    "microseconds": [0, 1, 999999, 1000000, 86400000000],
}
ALIASES = ["day", "d", "hour", "hr", "hrs", "h", "minute", "min", "mins", "second", "sec", "secs", "s", "msec",
           "millisecond", "microsecond"]
REFUSED = [
    ("standard", "days"), ("standard", "days since"), ("standard", "fortnights since 2000-01-01"),
    ("standard", "days since yesterday"), ("standard", "days since 2001-02-29"), ("noleap", "days since 2000-02-29"),
    ("360_day", "days since 2000-01-31"), ("standard", "days since 1582-10-10"), ("standard", "days since 2000-13-01"),
    ("noleap", "months since 2000-01-01"), ("lunar", "days since 2000-01-01"), ("standard", "days since 0000-01-01"),
]


def dates(values, units, calendar):
    out = []
    for value in values:
        number = int(value) if float(value).is_integer() else float(value)
        d = cftime.num2date(number, units, calendar=calendar, only_use_cftime_datetimes=True)
        out.append([d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond, d.dayofyr])
    return out


def main():
    cases = []

    def add(calendar, units, values):
        got = dates(values, units, calendar)
        cases.append({"calendar": calendar, "units": units, "values": words(np.array(values, "f8")), "dates": got})

    for calendar in CALENDARS:
        for reference in REFERENCES:
            days = [v for v in WHOLE["days"] if v >= 0 or not reference.startswith("0001")]
            add(calendar, f"days since {reference}", days)
        for unit, values in list(WHOLE.items())[1:]:
            for reference in [REFERENCES[0], REFERENCES[2], REFERENCES[8]]:
                add(calendar, f"{unit} since {reference}", values)
        add(calendar, "days since 2000-02-01", range(25, 33))
    for unit in ALIASES:
        add("standard", f"{unit} since 2000-01-01", [0, 1, 1000])
    for year in [1, 4, 100, 400, 1500, 1582, 1600, 1700, 1900, 2000, 2100]:
        for calendar in ["standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"]:
            add(calendar, f"days since {year:04d}-02-01", [27, 28, 29, 30, 58, 333])
    for calendar in ["noleap", "360_day", "proleptic_gregorian", "all_leap"]:
        add(calendar, "days since 0000-01-01", [0, 59, 365, 366, 730])
        add(calendar, "days since 0001-01-01", [-1, -366, -367])
    for calendar in ["standard", "julian"]:
        add(calendar, "days since 0001-01-01", [-1, -366, -367])
    add("360_day", "months since 2000-01-01", [0, 1, 12, 13, 0.5])
    add("360_day", "days since 2000-02-30", [0, 1])
    for calendar, units in REFUSED:
        try:
            got = dates([0], units, calendar)
        except Exception as error:  # the class is what is recorded
            cases.append({"calendar": calendar, "units": units, "error": type(error).__name__})
        else:
            print(f"taken, not refused: {calendar}, {units}: {got}")
    write("cftime.json", {"cftime": cftime.__version__}, cases)


main()
