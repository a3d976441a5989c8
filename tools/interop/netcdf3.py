"""Reads the NetCDF-3 files that tilewise writes with the NetCDF library and xarray.

    python netcdf3.py [FOLDER]      a folder where the tests wrote already; else they are run

The tests of tests/io_netcdf3.rs write them into a folder; every variable and attribute is compared
with the file of the library that it is a copy of, bit for bit.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import netCDF4
import numpy as np
import xarray as xr

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORACLE = ROOT / "tests" / "oracle" / "netcdf3"
MODELS = {"1": "NETCDF3_CLASSIC", "2": "NETCDF3_64BIT_OFFSET", "5": "NETCDF3_64BIT_DATA"}


def raw(path):
    file = netCDF4.Dataset(path)
    file.set_auto_maskandscale(False)
    for variable in file.variables.values():
        variable.set_auto_chartostring(False)
    return file


def same(a, b):
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_attributes(a, b):
    added = {"_Encoding"}
    return set(a.ncattrs()) - added == set(b.ncattrs()) and all(
        same(np.array(a.getncattr(n)), np.array(b.getncattr(n))) for n in b.ncattrs()
    )


def compare(path, expected):
    ours, theirs = raw(path), raw(expected)
    assert {n: (len(d), d.isunlimited()) for n, d in ours.dimensions.items()} == {
        n: (len(d), d.isunlimited()) for n, d in theirs.dimensions.items()
    }, path
    assert same_attributes(ours, theirs), path
    assert list(ours.variables) == list(theirs.variables), path
    for name, variable in theirs.variables.items():
        assert variable.dimensions == ours[name].dimensions, (path, name)
        assert same(ours[name][...], variable[...]), (path, name)
        assert same_attributes(ours[name], variable), (path, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a dimension that a variable has twice
        xr.open_dataset(path, decode_times=False).load()
    return len(theirs.variables)


def written():
    """The folder of the files, made where none is given."""
    if len(sys.argv) > 1 and pathlib.Path(sys.argv[1]).is_dir():
        return pathlib.Path(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="tilewise-interop-")
    command = ["cargo", "test", "--quiet", "--test", "io_netcdf3", "--", "written", "texts"]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"TILEWISE_INTEROP": folder})
    return pathlib.Path(folder)


def main():
    folder = written()
    compared = 0
    for path in sorted(folder.glob("as*_*.nc")):
        source = ORACLE / path.name[4:].replace("_streaming", "")
        assert raw(path).data_model == MODELS[path.name[2]], path
        compared += compare(path, source)
    for path in sorted(folder.glob("filled_*.nc")):
        file = raw(path)
        for variable in file.variables.values():
            if variable.name.startswith("unwritten"):
                default = netCDF4.default_fillvals[variable.dtype.str[1:]]
                assert (variable[...] == np.array(default).astype(variable.dtype)).all(), (path, variable.name)
        compared += len(file.variables)
    texts = xr.open_dataset(folder / "texts.nc")
    assert list(texts["a"].values) == ["größe", "", "xyz"] and texts["one"].item() == "alone", texts
    print(f"{compared} variables are those of the NetCDF library")
    assert compared > 400, compared


if __name__ == "__main__":
    main()
