"""Makes tests/oracle/many_files.json: files that belong together, and what xarray makes of them.

    python many_files.py

    { "xarray": version,
      "cases": [ {"name": ..,
          "files": [ {"dims": {name: size}, "variables": { name: {"dims": [..], "dtype": d, "attributes": {..},
                       "chunks": [..] (optional), "values": words, or "texts": [..] } } } ],
          "expected": { name: {"dims": [..], "shape": [..], "dtype": d, "values": words}
                        or, for times, {"dims", "shape", "times": [ISO text without fractions below microseconds]}
                        or, for texts, {"dims", "shape", "texts": [..]} } } ] }

The files are given in the order in which they are opened. `words` is described in common.py. An
attribute that is no text is {"dtype": d, "values": words}. The expected values are those of
open_mfdataset(combine="by_coords"), decoded.
"""

import pathlib
import tempfile

import netCDF4
import numpy as np
import xarray as xr

from common import canonical, words, write

RNG = np.random.default_rng(11)


def var(dims, values, chunks=None, **attributes):
    return {"dims": dims, "values": np.asarray(values), "chunks": chunks, "attributes": attributes}


def field(*shape, dtype="f4"):
    return (RNG.normal(size=shape) * 8).astype(dtype)


LAT = var(["lat"], np.array([-45.0, 0.25, 45.0]), units="degrees_north")
LON = var(["lon"], np.array([0.0, 120.0], "f4"), units="degrees_east")


def monthly(start, count, units="days since 2000-01-01", calendar="standard", dtype="f8", step=1):
    values = (np.arange(count) * step + start).astype(dtype)
    return var(["time"], values, units=units, calendar=calendar)


def grid(count, time, data, **more):
    return {"time": time, "lat": LAT, "lon": LON, "tas": data, **more}


def plain():
    special = field(2, 3, 2)
    special[0, 0] = [np.nan, -0.0]
    special[1, 2] = [np.inf, -np.inf]
    make = lambda start, values, **kw: grid(len(values), monthly(start, len(values)), var(["time", "lat", "lon"], values, units="K", **kw))
    return [make(5, field(3, 3, 2)), make(0, special), make(2, field(1, 3, 2)), make(100, field(4, 3, 2))]


def units():
    def make(year, count, first, kind, step, dtype):
        time = monthly(first, count, f"{kind} since {year}-01-01", dtype=dtype, step=step)
        bounds = np.stack([time["values"] - step / 2, time["values"] + step / 2], 1).astype("f8")
        time["attributes"]["bounds"] = "time_bnds"
        stamp = var(["time"], time["values"] + 1, units=time["attributes"]["units"], calendar="standard")
        return grid(count, time, var(["time", "lat", "lon"], field(count, 3, 2), units="K"),
                    time_bnds=var(["time", "bnds"], bounds), made=stamp)
    return [make(2001, 3, 0, "days", 1, "i4"), make(2000, 2, 0, "days", 1, "i4"), make(2002, 2, 6, "hours", 12, "f8")]


def calendars():
    make = lambda year, kind, step: grid(2, monthly(0, 2, f"{kind} since {year}-02-28", "noleap", step=step),
                                         var(["time", "lat", "lon"], field(2, 3, 2)))
    return [make(2000, "days", 1), make(2004, "hours", 7)]


def packing():
    def make(start, dtype, scale, offset, fill):
        stored = RNG.integers(-100, 100, (2, 3, 2)).astype(dtype)
        stored[1, 1, 1] = fill
        data = var(["time", "lat", "lon"], stored, chunks=[1, 3, 2], scale_factor=scale, add_offset=offset,
                   _FillValue=np.array(fill, dtype), units="K")
        return grid(2, monthly(start, 2), data)
    return [make(0, "i2", np.float64(0.01), np.float64(273.15), -32767), make(2, "i2", np.float64(0.0125), np.float64(270.0), -32767),
            make(4, "i2", np.float64(0.01), np.float64(273.15), -999), make(6, "i1", np.float64(0.5), np.float64(1.0), -128)]


def packing32():
    def make(start, scale, fill):
        stored = RNG.integers(-100, 100, (2, 3, 2)).astype("i2")
        stored[0, 1, 1] = fill
        return grid(2, monthly(start, 2), var(["time", "lat", "lon"], stored, scale_factor=np.float32(scale), _FillValue=np.int16(fill)))
    return [make(0, 0.1, -1), make(2, 0.3, -1)]


def dtypes():
    make = lambda start, a, b: grid(2, monthly(start, 2), var(["time", "lat", "lon"], field(2, 3, 2, dtype=a)),
                                    n=var(["time"], np.array([3, 4], b)))
    return [make(0, "f4", "i2"), make(2, "f8", "i4"), make(4, "f4", "u1")]


def falling():
    make = lambda levels: {"plev": var(["plev"], np.array(levels, "f4"), units="Pa", positive="down"), "lat": LAT,
                           "ta": var(["lat", "plev"], field(3, len(levels)))}
    return [make([500.0, 300.0]), make([1000.0, 850.0, 700.0]), make([100.0])]


def merged():
    make = lambda name, start, **kw: {"time": monthly(start, 2), "lat": LAT, "lon": LON, name: var(["time", "lat", "lon"], field(2, 3, 2), **kw)}
    fixed = {"lat": LAT, "lon": LON, "orog": var(["lat", "lon"], field(3, 2, dtype="f8"), units="m")}
    return [make("tas", 0), make("pr", 2), fixed, make("tas", 2), make("pr", 0)]


def members():
    make = lambda name: {"member": var(["member"], np.array([name], object)), "lat": LAT,
                         "tas": var(["member", "lat"], field(1, 3)), "height": var([], np.float64(2.0), units="m")}
    return [make("r2"), make("r1"), make("r10")]


CASES = [plain, units, calendars, packing, packing32, dtypes, falling, merged, members]


def save(path, variables):
    with netCDF4.Dataset(path, "w") as out:
        for v in variables.values():
            for dim, size in zip(v["dims"], v["values"].shape):
                if dim not in out.dimensions:
                    out.createDimension(dim, size)
        for name, v in variables.items():
            text = v["values"].dtype == object
            attributes = dict(v["attributes"])
            made = out.createVariable(name, str if text else v["values"].dtype, v["dims"], chunksizes=v["chunks"],
                                      fill_value=attributes.pop("_FillValue", None))
            made.set_auto_maskandscale(False)
            made.setncatts(attributes)
            made[...] = v["values"]


def file_json(variables):
    dims = {}
    for v in variables.values():
        dims |= dict(zip(v["dims"], v["values"].shape))
    attribute = lambda a: a if isinstance(a, str) else {"dtype": str(np.asarray(a).dtype), "values": words(np.asarray(a))}
    out = {}
    for name, v in variables.items():
        one = {"dims": v["dims"], "attributes": {k: attribute(a) for k, a in v["attributes"].items()}}
        if v["chunks"]:
            one["chunks"] = v["chunks"]
        if v["values"].dtype == object:
            one["texts"] = list(v["values"])
        else:
            one |= {"dtype": str(v["values"].dtype), "values": words(v["values"])}
        out[name] = one
    return {"dims": dims, "variables": out}


def expected(array):
    out = {"dims": list(array.dims), "shape": list(array.shape)}
    values = array.values
    if values.dtype.kind == "M":
        return out | {"times": [str(t)[:19].replace("T", " ") for t in values.reshape(-1).astype("datetime64[us]")]}
    if values.dtype == object and values.size and hasattr(values.reshape(-1)[0], "isoformat"):
        return out | {"times": [t.isoformat(" ")[:19] for t in values.reshape(-1)]}
    if values.dtype.kind in "OUT":
        return out | {"texts": [str(t) for t in values.reshape(-1)]}
    return out | {"dtype": str(values.dtype), "values": words(canonical(values))}


def main():
    cases = []
    for make in CASES:
        files = make()
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / f"{n}.nc" for n in range(len(files))]
            for path, variables in zip(paths, files):
                save(path, variables)
            with xr.open_mfdataset(paths, combine="by_coords", data_vars="minimal", coords="minimal", compat="override",
                                   join="exact") as joined:
                found = {n: expected(joined[n]) for n in joined.variables}
        cases.append({"name": make.__name__, "files": [file_json(f) for f in files], "expected": found})
    write("many_files.json", {"xarray": xr.__version__}, cases)


if __name__ == "__main__":
    main()
