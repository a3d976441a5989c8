"""Makes tests/oracle/files.json: what the real NetCDF files hold, by netCDF4, xarray and cftime.

    python files.py [FOLDER]         the folder with the files; ../shared/data from the root by default

    { "xarray": version, "netCDF4": version,
      "cases": [ {"file": bare name, "format": "NETCDF4", "NETCDF4_CLASSIC" or "NETCDF3_CLASSIC",
                  "dims": {name: size}, "other": [names of variables that are not numeric],
                  "variables": { name: {
                      "dims": [..], "shape": [..], "dtype": stored, "chunks": [..] or null (contiguous),
                      "packing": {attribute: {"dtype": d, "values": words}},    _FillValue, missing_value,
                                                                  scale_factor, add_offset, as stored
                      "attributes": {name: text},                 the attributes that are text
                      "decoded": dtype,                           after xarray's mask_and_scale
                      "count": elements that are not NaN, "default_fill": elements that netCDF4 masks as the
                                                                  type's default fill, which no attribute names
                      "min", "max", "mean": words,                float64, over what is not NaN
                      "samples": [ [index, ..], .. ], "values": words    float64 at those indices
                      "time": {"units", "calendar", "first": date, "last": date} } } } ] }

`words` is described in common.py, a date is [year, month, day, hour, minute, second, microsecond,
dayofyear]. Times are not decoded in min, max, mean and samples. The mean is exact, rounded once.
"""

import math
import pathlib
import sys

import cftime
import netCDF4
import numpy as np
import xarray as xr

from common import ROOT, words, write

PACKING = ["_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned"]


def f64(*values):
    return words(np.array(values, "f8"))


def sample_indices(shape, seed):
    """The first, the last, and some between."""
    if 0 in shape:
        return []
    rng = np.random.default_rng(seed)
    ends = [tuple(0 for _ in shape), tuple(n - 1 for n in shape)]
    return list(dict.fromkeys(ends + [tuple(int(rng.integers(n)) for n in shape) for _ in range(6)]))


def date(value, units, calendar):
    d = cftime.num2date(value, units, calendar=calendar, only_use_cftime_datetimes=True)
    return [d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond, d.dayofyr]


def time_of(variable):
    """The first and the last instant, or None where it is no time or cftime refuses it."""
    units = getattr(variable, "units", "")
    if " since " not in units or variable.size == 0:
        return None
    calendar = getattr(variable, "calendar", "standard")
    raw = np.asarray(variable[...]).reshape(-1)
    try:
        return {"units": units, "calendar": calendar, "first": date(raw[0], units, calendar),
                "last": date(raw[-1], units, calendar)}
    except ValueError as error:
        return {"units": units, "calendar": calendar, "error": str(error)}


def describe(stored, decoded, seed):
    x = decoded.values
    valid = x[~np.isnan(x)] if x.dtype.kind == "f" else x.reshape(-1)
    fill = np.array(netCDF4.default_fillvals[stored.dtype.str[1:]]).astype(stored.dtype)
    stored.set_auto_maskandscale(False)
    named = any(a in stored.ncattrs() for a in ("_FillValue", "missing_value"))
    default_fill = 0 if named or stored.dtype.itemsize == 1 else int(np.sum(stored[...] == fill))
    samples = sample_indices(x.shape, seed)
    chunks = stored.chunking()
    out = {
        "dims": list(stored.dimensions), "shape": list(stored.shape), "dtype": str(stored.dtype),
        "chunks": None if chunks in ("contiguous", None) else list(chunks),
        "packing": {a: {"dtype": str(np.asarray(stored.getncattr(a)).dtype), "values": words(np.asarray(stored.getncattr(a)))}
                    for a in PACKING if a in stored.ncattrs() and not isinstance(stored.getncattr(a), str)},
        "attributes": {a: stored.getncattr(a) for a in stored.ncattrs() if isinstance(stored.getncattr(a), str)},
        "decoded": str(x.dtype), "count": int(valid.size), "default_fill": default_fill,
        "samples": [list(i) for i in samples], "values": f64(*[x[i] for i in samples]),
    }
    if valid.size:
        wide = valid.astype("f8")
        out |= {"min": f64(wide.min()), "max": f64(wide.max()), "mean": f64(math.fsum(wide) / wide.size)}
    time = time_of(stored)
    return out | ({"time": time} if time else {})


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data"
    cases = []
    for path in sorted(folder.glob("*.nc*")):
        raw = netCDF4.Dataset(path)
        with xr.open_dataset(path, decode_times=False, mask_and_scale=True, decode_coords=False, engine="netcdf4") as decoded:
            numeric = [n for n, v in raw.variables.items() if v.dtype is not str and v.dtype.kind in "iuf"]
            cases.append({
                "file": path.name, "format": raw.data_model, "dims": {n: len(d) for n, d in raw.dimensions.items()},
                "other": [n for n in raw.variables if n not in numeric],
                "variables": {n: describe(raw.variables[n], decoded[n], 7) for n in numeric},
            })
    write("files.json", {"xarray": xr.__version__, "netCDF4": netCDF4.__version__}, cases)


if __name__ == "__main__":
    main()
