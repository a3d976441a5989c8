"""Makes the GRIB files in tests/oracle/grib/ and tests/oracle/grib.json: what cfgrib reads from them.

    python grib.py [FOLDER]         the folder with real files; ../shared/data from the root by default

    { "cfgrib": version, "eccodes": version,
      "cases": [ {"file": name, "real": whether it is one of the real files,
                  "variables": { name: {"dims": [..], "shape": [..], "units": text, "attributes": {..},
                      "count": elements that are not NaN, "sum": words of their float64 sum,
                      "samples": [ [index, ..], .. ], "values": words of float32 } },
                  "coords": { name: {"dims": [..], "values": words of float64, times in seconds from 1970,
                      steps in hours} } } ] }

Files hold fields on regular and reduced grids in simple and complex packing with and without missing
values, of both editions, and in scanning modes that run otherwise.
"""

import pathlib
import sys

import cfgrib
import eccodes as ec
import numpy as np
import xarray as xr

from common import OUT, ROOT, words, write

FOLDER = OUT / "grib"
RNG = np.random.default_rng(5)


def message(sample, values, missing=None, **keys):
    """One message; values in the order of the file, NaN where missing."""
    handle = ec.codes_grib_new_from_samples(sample)
    packing = {k: keys.pop(k) for k in ["packingType", "orderOfSpatialDifferencing"] if k in keys}
    for key, value in keys.items():
        ec.codes_set(handle, key, value)
    values = np.asarray(values, "f8").reshape(-1)
    if np.isnan(values).any():
        ec.codes_set(handle, "missingValue", 9999)
        ec.codes_set(handle, "bitmapPresent", 1)
        values = np.where(np.isnan(values), 9999, values)
    ec.codes_set_values(handle, values)
    for key, value in packing.items():
        ec.codes_set(handle, key, value)
    if packing:
        ec.codes_set_values(handle, values)  # an order of differences holds for values that are set after it
    out = ec.codes_get_message(handle)
    ec.codes_release(handle)
    return out


def regular(ni, nj, la1, lo1, la2, lo2, di, dj, **more):
    return {"Ni": ni, "Nj": nj, "latitudeOfFirstGridPointInDegrees": la1, "longitudeOfFirstGridPointInDegrees": lo1,
            "latitudeOfLastGridPointInDegrees": la2, "longitudeOfLastGridPointInDegrees": lo2,
            "iDirectionIncrementInDegrees": di, "jDirectionIncrementInDegrees": dj, **more}


GLOBE = regular(12, 7, 90, 0, -90, 330, 30, 30)
FINE = regular(36, 19, 90, 0, -90, 350, 10, 10)
PART = regular(5, 4, -10, 350, 20, 30, 10, 10, jScansPositively=1)


def smooth(nj, ni, at=0.0):
    y, x = np.mgrid[0:nj, 0:ni]
    return 280 + 15 * np.sin(x / 2 + at) * np.cos(y / 3) + 0.1 * RNG.normal(size=(nj, ni))


def holes(values):
    values = values.copy()
    values[1, 2:5] = np.nan
    values[-1, -1] = np.nan
    return values


def levels(edition):
    sample = f"regular_ll_pl_grib{edition}"
    for step in [0, 6]:
        for level in [850, 500]:
            for name in ["t", "u"]:
                yield message(sample, smooth(7, 12, level + step), shortName=name, level=level, dataDate=20200229, dataTime=1200,
                              stepRange=str(step), **GLOBE)


def surface():
    sample = "regular_ll_sfc_grib2"
    base = {"dataDate": 20211231, "dataTime": 1800}
    for packing in ["grid_simple", "grid_ieee"]:
        step = {"grid_simple": 3, "grid_ieee": 6}[packing]
        yield message(sample, smooth(4, 5, step), shortName="2t", stepRange=step, packingType=packing, **base, **PART)
    yield message(sample, holes(smooth(4, 5)), shortName="msl", stepRange=3, **base, **PART)
    yield message(sample, np.abs(smooth(4, 5) - 280), shortName="tp", stepRange="0-3", stepType="accum", **base, **PART)


def complex_packing():
    sample = "regular_ll_sfc_grib2"
    for at, (packing, order) in enumerate([("grid_complex", 0), ("grid_complex_spatial_differencing", 1),
                                           ("grid_complex_spatial_differencing", 2)]):
        for step, values in [(0, np.round(smooth(19, 36, at), 1)), (1, holes(np.round(smooth(19, 36, at), 1)))]:
            keys = {"decimalScaleFactor": 1, "bitsPerValue": 0} | ({"orderOfSpatialDifferencing": order} if order else {})
            yield message(sample, values, shortName=["2t", "2d", "msl"][at], stepRange=step, packingType=packing, **keys,
                          dataDate=20200101, dataTime=0, **FINE)


def constant():
    yield message("regular_ll_sfc_grib2", np.full((7, 12), 273.0), shortName="2t", dataDate=20200101, dataTime=0, **GLOBE)


def gaussian():
    handle = ec.codes_grib_new_from_samples("regular_gg_pl_grib2")
    count = ec.codes_get(handle, "numberOfDataPoints")
    yield message("regular_gg_pl_grib2", np.round(smooth(1, count), 1), shortName="t", level=500, bitsPerValue=8)
    ec.codes_release(handle)


def reduced():
    handle = ec.codes_grib_new_from_samples("reduced_gg_pl_32_grib2")
    count = ec.codes_get(handle, "numberOfDataPoints")
    yield message("reduced_gg_pl_32_grib2", smooth(1, count), shortName="t", level=500, bitsPerValue=8)
    ec.codes_release(handle)


FILES = {"levels1.grib": lambda: levels(1), "levels2.grib": lambda: levels(2), "surface.grib": surface, "complex.grib": complex_packing,
         "constant.grib": constant, "regular_gg.grib": gaussian, "reduced_gg.grib": reduced}


def variable(array, seed):
    x = array.values
    valid = x[~np.isnan(x)].astype("f8")
    rng = np.random.default_rng(seed)
    ends = [tuple(0 for _ in x.shape), tuple(n - 1 for n in x.shape)]
    at = list(dict.fromkeys(ends + [tuple(int(rng.integers(n)) for n in x.shape) for _ in range(12)]))
    return {"dims": list(array.dims), "shape": list(x.shape), "units": array.attrs.get("units", ""),
            "long_name": array.attrs.get("long_name", ""), "count": int(valid.size), "sum": words(np.array([valid.sum()])),
            "samples": [list(i) for i in at], "values": words(np.array([x[i] for i in at], "f4"))}


def coordinate(array):
    x = array.values
    if x.dtype.kind == "M":
        x = x.astype("datetime64[s]").astype("f8")
    elif x.dtype.kind == "m":
        x = x.astype("timedelta64[s]").astype("f8") / 3600
    x = np.asarray(x, "f8").reshape(-1)
    some = x if x.size <= 200 else np.concatenate([x[:50], x[-50:]])
    return {"dims": list(array.dims), "count": int(x.size), "values": words(some)}


def main():
    real = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data"
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        (FOLDER / name).write_bytes(b"".join(make()))
    cases = []
    for path in [FOLDER / name for name in FILES] + sorted(real.glob("*.grib")):
        # Levels that differ make files of several datasets.
        sets = cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""})
        cases.append({"file": path.name, "real": path.parent != FOLDER,
                      "sets": [{"variables": {n: variable(d[n], 3) for n in d.data_vars},
                                "coords": {n: coordinate(d[n]) for n in d.coords}} for d in sets]})
    write("grib.json", {"cfgrib": cfgrib.__version__, "eccodes": ec.codes_get_api_version()}, cases)


if __name__ == "__main__":
    main()
