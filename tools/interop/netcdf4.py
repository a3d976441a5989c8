#!/usr/bin/env python3
"""NetCDF-4 files that tilewise writes, read by netCDF4, h5py, h5netcdf, xarray, ncdump and CDO.

    python3 tools/interop/netcdf4.py BINARY

A file is made by netCDF4-python, converted and computed with by tilewise, and every reader must see
the same values, dimensions and attributes in the result.
"""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import xarray

BINARY = sys.argv[1]


def tilewise(*args):
    subprocess.run([BINARY, *map(str, args)], check=True)


def original(path):
    rng = np.random.default_rng(7)
    with netCDF4.Dataset(path, "w") as f:
        f.createDimension("time", None)
        f.createDimension("lat", 18)
        f.createDimension("lon", 36)
        time = f.createVariable("time", "f8", ("time",))
        time.units, time.calendar = "days since 2001-01-01", "noleap"
        time[:] = np.arange(40) + 0.5
        for name, n, units in [("lat", 18, "degrees_north"), ("lon", 36, "degrees_east")]:
            v = f.createVariable(name, "f8", (name,))
            v.units, v.standard_name = units, "latitude" if name == "lat" else "longitude"
            v[:] = np.linspace(-85, 85, n) if name == "lat" else np.arange(n) * 10.0
        t = f.createVariable("t", "f4", ("time", "lat", "lon"), zlib=True, complevel=2, fill_value=1e20)
        t.units, t.standard_name, t.long_name = "K", "air_temperature", "Température"
        values = rng.normal(280, 10, (40, 18, 36)).astype("f4")
        values[rng.random(values.shape) < 0.1] = 1e20
        t.set_auto_mask(False)
        t[:] = values
        p = f.createVariable("p", "i2", ("time", "lat", "lon"), fill_value=-9999)
        p.scale_factor, p.add_offset = 0.5, 1000.0
        p[:] = rng.normal(1010, 20, (40, 18, 36))
        f.title, f.numbers = "made for reading", np.array([1, 2, 3], "i4")
    return path


def same_everywhere(reference, path):
    """Raw values and attributes of every variable are those of the reference, in each library."""
    with netCDF4.Dataset(reference) as a, netCDF4.Dataset(path) as b, h5py.File(path) as h:
        a.set_auto_maskandscale(False)
        b.set_auto_maskandscale(False)
        for name, v in a.variables.items():
            w = b.variables[name]
            assert v.dtype == w.dtype and v.dimensions == w.dimensions, name
            assert np.array_equal(v[:], w[:], equal_nan=v.dtype.kind == "f"), name
            assert np.array_equal(v[:], h[name][()]), name
            for key in v.ncattrs():
                assert np.array_equal(v.getncattr(key), w.getncattr(key)), (name, key)
        for key in a.ncattrs():
            assert np.array_equal(a.getncattr(key), b.getncattr(key)) or key == "history", key
    for engine in ["netcdf4", "h5netcdf"]:
        with xarray.open_dataset(reference, engine="netcdf4") as a, xarray.open_dataset(path, engine=engine) as b:
            for name in a.variables:
                xarray.testing.assert_equal(a[name], b[name])


def tools(path):
    """ncdump and CDO read it, where they are."""
    if shutil.which("ncdump"):
        header = subprocess.run(["ncdump", "-h", path], check=True, capture_output=True, text=True).stdout
        assert "float t(time, lat, lon)" in header or "short t(" in header or "t(" in header, header
    else:
        print("ncdump is not there: left out")
    if shutil.which("cdo"):
        subprocess.run(["cdo", "-s", "sinfo", path], check=True, capture_output=True)
        out = subprocess.run(["cdo", "-s", "outputf,%.9g", "-fldmean", "-timmean", "-selname,t", path],
                             check=True, capture_output=True, text=True).stdout
        return float(out.split()[0])
    print("cdo is not there: left out")
    return None


def main():
    folder = Path(tempfile.mkdtemp(prefix="interop-"))
    reference = original(folder / "original.nc")
    tools_say = tools(reference)
    for n, flags in enumerate([[], ["--codec", "none"], ["--codec", "deflate:9", "--chunks", "time=7,lat=5"],
                               ["--codec", "deflate:1", "--chunks", "time=100,lon=36"]]):
        out = folder / f"converted{n}.nc"
        tilewise("convert", reference, out, "-q", *flags)
        same_everywhere(reference, out)
        assert tools(out) == tools_say

    out = folder / "computed.nc"
    tilewise("eval", "m = t.mean('time'); t = t + 1", reference, "-o", out, "--unlimited", "time", "-q")
    with xarray.open_dataset(reference) as a, xarray.open_dataset(out) as b:
        np.testing.assert_array_equal((a.t + np.float32(1)).values, b.t.values)
        np.testing.assert_allclose(a.t.mean("time").values, b.m.values, rtol=2e-6)
        assert b.t.attrs["units"] == "K" and b.time.equals(a.time)
    tools(out)

    out = folder / "packed.nc"
    tilewise("eval", "t = t", reference, "-o", out, "--pack", "int16", "--deflate", "3", "-q")
    with xarray.open_dataset(reference) as a, xarray.open_dataset(out) as b:
        assert b.t.encoding["dtype"] == np.int16
        step = b.t.encoding["scale_factor"]
        assert np.array_equal(np.isnan(a.t), np.isnan(b.t))
        assert float(abs(a.t - b.t).max()) <= 0.51 * step + 4e-5
    packed_mean = tools(out)
    assert packed_mean is None or abs(packed_mean - tools_say) < step
    shutil.rmtree(folder)
    print("netCDF-4: read by netCDF4, h5py, h5netcdf, xarray" + (", CDO" if tools_say else ""))


if __name__ == "__main__":
    main()
