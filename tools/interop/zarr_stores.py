"""Reads Zarr stores that tilewise wrote with zarr-python and xarray, and compares.

    cargo build && python tools/interop/zarr_stores.py target/debug/tilewise
"""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import xarray as xr
import zarr

warnings.simplefilter("ignore")

DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
CODECS = ["none", "deflate:4", "zstd:3", "blosc-lz4:5", "blosc-zstd:3"]


def dataset():
    """Every dtype that NetCDF has, special values, texts, times, packing, a scalar."""
    rng = np.random.default_rng(1)
    out = {}
    for dtype in DTYPES:
        kind = np.dtype(dtype).kind
        data = rng.normal(size=(11, 5, 7)) * 100
        if kind == "f":
            data[0, 0, :6] = [np.nan, np.inf, -np.inf, -0.0, 1e30, -1e-30]
            out[dtype] = (("time", "y", "x"), data.astype(dtype), {"units": "K", "numbers": [1.5, 2.0]})
        else:
            limits = np.iinfo(dtype)
            data = rng.integers(limits.min, limits.max, (11, 5, 7), dtype=dtype, endpoint=True)
            out[dtype] = (("time", "y", "x"), data, {"long_name": "whole numbers"})
    out["scalar"] = ((), np.float64(2.5))
    coords = {"time": np.datetime64("2000-01-01", "ns") + np.arange(11) * np.timedelta64(1, "D"),
              "y": ("y", ["a", "Åse", "", "🦀", "z"]), "x": np.arange(7) * 0.5}
    return xr.Dataset(out, coords, {"title": "interop", "count": 3})


def same(ours, theirs, what):
    """Compares bits, any NaN with any NaN."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: {ours.shape} instead of {theirs.shape}"
    if theirs.dtype.kind in "fc":
        assert ours.dtype == theirs.dtype, f"{what}: {ours.dtype} instead of {theirs.dtype}"
        assert np.array_equal(ours, theirs, equal_nan=True), what
        for part in [np.real, np.imag] if theirs.dtype.kind == "c" else [np.asarray]:
            solid = ~np.isnan(theirs)
            assert np.array_equal(np.signbit(part(ours)[solid]), np.signbit(part(theirs)[solid])), what
    else:
        assert np.array_equal(ours.astype(theirs.dtype), theirs), what


def main(program):
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source, data = folder / "in.nc", dataset()
        data.to_netcdf(source, encoding={n: {"_FillValue": None} for n in data.data_vars})
        expression = "; ".join(f"{name} = {name}" for name in data.data_vars)
        for ending in ["zarr2", "zarr"]:
            for codec in CODECS:
                out = folder / f"{codec.replace(':', '_')}.{ending}"
                subprocess.run([program, "eval", expression, source, "-o", out, "--codec", codec], check=True, stdout=subprocess.DEVNULL)
                version = 2 if ending == "zarr2" else 3
                group = zarr.open_group(out, mode="r")
                assert group.metadata.zarr_format == version
                assert group.metadata.consolidated_metadata is not None
                with xr.open_zarr(out) as opened:
                    assert opened.attrs["title"] == "interop"
                    for name in list(data.data_vars) + list(data.coords):
                        what = f"{out.name}:{name}"
                        assert opened[name].dims == data[name].dims, what
                        same(opened[name].values, data[name].values, what)
                        for key, value in data[name].attrs.items():
                            assert np.array_equal(opened[name].attrs[key], value), f"{what}.{key}"
                        compared += 1
                for name in DTYPES:
                    same(group[name][...], data[name].values, f"{out.name}:{name} by zarr")
                    compared += 1
        for expression, dtype in [("float64 > 0", "bool"), ("float32.astype(\"float16\")", "float16"), ("fft(float32, \"x\")", "complex64")]:
            for ending in ["zarr2", "zarr"]:
                out = folder / f"{dtype}.{ending}"
                subprocess.run([program, "eval", f"v = {expression}", source, "-o", out], check=True, stdout=subprocess.DEVNULL)
                array = zarr.open_group(out, mode="r")["v"]
                assert array.dtype.kind == np.dtype(dtype).kind, f"{out.name}: {array.dtype}"
                if dtype == "bool":
                    same(array[...], data["float64"].values > 0, out.name)
                if dtype == "float16":
                    same(array[...], data["float32"].values.astype(dtype), out.name)
                compared += 1
    print(f"{compared} arrays are the same for tilewise, zarr-python {zarr.__version__} and xarray {xr.__version__}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "target/debug/tilewise")
