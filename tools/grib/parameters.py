"""Makes src/io/grib/parameters.txt: names and units of common GRIB quantities, by ecCodes.

    python parameters.py [OUT]

A line for each: edition (`2.98` for ECMWF's own numbers of edition 2), three numbers (edition 1:
centre, 0 for WMO's table; table; number), where it is meant to hold, then NAME|LONG NAME|UNITS|CF NAME.
"""

import pathlib
import sys

import eccodes as ec

OUT = pathlib.Path(__file__).resolve().parents[2] / "src" / "io" / "grib" / "parameters.txt"

CATEGORIES = {0: [0, 1, 2, 3, 4, 5, 6, 7, 13, 14, 16, 19], 2: [0], 10: [0, 1, 2, 3]}
SURFACE, HEIGHT = 1, 103
LEVELS = {"-": (SURFACE, None), "2": (HEIGHT, 2), "10": (HEIGHT, 10), "other": (101, None), "pressure": (100, 50000),
          "atmosphere": (10, None), "above": (HEIGHT, 100)}
# Quantities whose numbers are ECMWF's own or hold at one place alone.
SHORT = """msl tp cp lsp sf tcc lcc mcc hcc cape cin tcwv tcw ssrd strd ssr str slhf sshf e ro ssro sro sd asn rsn sst ci skt
stl1 stl2 stl3 stl4 swvl1 swvl2 swvl3 swvl4 10u 10v 100u 100v 2t 2d sp z gh t u v w q r vo d pv o3 clwc ciwc cc crwc cswc
mx2t mn2t 10fg 10si ws i10fg blh vis lsm orog al fdir tisr ttr tsr prmsl""".split()


def described(handle):
    get = lambda key: ec.codes_get(handle, key)
    short, name, title, units, cf = get("shortName"), get("cfVarName"), get("name"), get("units"), get("cfName")
    if short in ("unknown", "~", "-") or "deprecated" in title or "Experimental" in title:
        return None
    name = short if name in ("unknown", "~") else name
    return f"{name}|{title}|{units.replace('~', '')}|{'' if cf == 'unknown' else cf}"


def from_keys(sample, keys):
    handle = ec.codes_grib_new_from_samples(sample)
    try:
        for key, value in keys.items():
            ec.codes_set(handle, key, value)
        return described(handle)
    except ec.CodesInternalError:
        return None
    finally:
        ec.codes_release(handle)


def standard(table):
    for discipline, categories in CATEGORIES.items():
        for category in categories:
            for number in range(70 if category < 4 and discipline == 0 else 36):
                seen = set()
                for place, (kind, height) in LEVELS.items():
                    keys = {"discipline": discipline, "parameterCategory": category, "parameterNumber": number,
                            "typeOfFirstFixedSurface": kind}
                    if height is not None:
                        keys |= {"scaleFactorOfFirstFixedSurface": 0, "scaledValueOfFirstFixedSurface": height}
                    text = from_keys("regular_ll_sfc_grib2", keys)
                    if text and text not in seen:
                        seen.add(text)
                        place = place if place in ("-", "2", "10") else "-"
                        table.setdefault(("2", discipline, category, number, place), text)


def named(table):
    for short in SHORT:
        handle = ec.codes_grib_new_from_samples("regular_ll_sfc_grib2")
        try:
            ec.codes_set(handle, "shortName", short)
        except ec.CodesInternalError:
            continue
        get = lambda key: ec.codes_get(handle, key)
        numbers = get("discipline"), get("parameterCategory"), get("parameterNumber")
        kind, level, step = get("typeOfLevel"), get("level"), get("stepType")
        own = max(numbers) >= 192
        place = "-"
        if not own and kind == "heightAboveGround" and level:
            place = str(level)
        elif not own and kind in ("meanSea", "nominalTop"):
            place = kind
        place += f":{step}" if step in ("max", "min") else ""
        text = described(handle)
        if text:
            table.setdefault(("2.98" if own else "2", *numbers, place), text)
        ec.codes_release(handle)


def first_edition(table):
    for centre, version in [(98, 128), (7, 2)]:
        for number in range(1, 255):
            keys = {"centre": centre, "table2Version": version, "indicatorOfParameter": number}
            text = from_keys("regular_ll_sfc_grib1", keys)
            if text:
                table.setdefault(("1", 0 if version == 2 else centre, version, number, "-"), text)


def main():
    table = {}
    standard(table)
    named(table)
    first_edition(table)
    order = lambda key: (key[0], key[1], key[2], key[3], key[4] != "-", key[4])
    lines = [f"{' '.join(map(str, key))} {table[key]}\n" for key in sorted(table, key=order)]
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    out.write_text("".join(lines))
    print(f"{out}: {len(lines)} quantities")


if __name__ == "__main__":
    main()
