"""Makes tests/oracle/netcdf3/: small NetCDF-3 files with the corners of the format, written by the
NetCDF library, and netcdf3.json: what that library reads from them.

    python netcdf3.py

    { "netCDF4": version,
      "cases": [ {"file": name, "format": as tilewise names it, "dims": {name: [length, grows]},
                  "variables": {name: {"dtype": NumPy's name, "shape": [..], "dims": [..], "words": words}},
                  "text": {name: [strings]},
                  "attributes": {owner ("" for the file): {name: text or {"dtype", "words"}}}} ] }
"""

import netCDF4
import numpy as np

from common import OUT, words, write

FOLDER = OUT / "netcdf3"
NAMES = {
    "NETCDF3_CLASSIC": "NetCDF-3 classic",
    "NETCDF3_64BIT_OFFSET": "NetCDF-3 64-bit offset",
    "NETCDF3_64BIT_DATA": "NetCDF-3 CDF-5",
}
CLASSIC = ["i1", "i2", "i4", "f4", "f8"]
WIDE = CLASSIC + ["u1", "u2", "u4", "i8", "u8"]


def data(shape, dtype, seed=0):
    """A ramp with the ends of the dtype, NaN, infinities and -0 in it."""
    n = int(np.prod(shape, dtype=int))
    out = ((np.arange(n) * 37 + seed) % 101).astype(dtype)
    kind = np.dtype(dtype).kind
    special = [np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).tiny / 4] if kind == "f" else [np.iinfo(dtype).min, np.iinfo(dtype).max]
    out[: len(special)] = np.array(special, dtype)[:n]
    return out.reshape(shape)


def make(name, model):
    path = FOLDER / name
    file = netCDF4.Dataset(path, "w", format=model)
    file.set_fill_on()
    return file


def put(file, name, kind, dims, values=None, **attributes):
    fill = attributes.pop("fill", None)
    variable = file.createVariable(name, kind, dims, fill_value=fill)
    variable.set_auto_maskandscale(False)
    variable.set_auto_chartostring(False)
    for key, value in attributes.items():
        variable.setncattr(key, value)
    if values is not None:
        variable[...] = values
    return variable


def everything(name, model):
    """All dtypes, fixed and growing, scalars, extents of 1, padded and odd sizes, attributes of all types."""
    file = make(name, model)
    dtypes = WIDE if model.endswith("DATA") else CLASSIC
    for dim, n in [("time", None), ("y", 3), ("x", 5), ("one", 1), ("letters", 6)]:
        file.createDimension(dim, n)
    file.title = "ünïcode title"
    file.setncattr("empty", "")
    for dtype in dtypes:
        file.setncattr(f"many_{dtype}", data((3,), dtype))
        put(file, f"fixed_{dtype}", dtype, ("y", "x"), data((3, 5), dtype), units="K", number=data((), dtype).reshape(1))
        put(file, f"grows_{dtype}", dtype, ("time", "x"), data((4, 5), dtype, 3))
        put(file, f"alone_{dtype}", dtype, ("time",), data((4,), dtype, 5))
        put(file, f"scalar_{dtype}", dtype, (), data((7,), dtype, 9)[6])
        put(file, f"thin_{dtype}", dtype, ("time", "one", "one"), data((4, 1, 1), dtype, 11))
        put(file, f"unwritten_{dtype}", dtype, ("x",))
    put(file, "flags", "i1", ("x",), np.array([0, 1, 1, 0, 1], "i1"), dtype="bool")
    put(file, "packed", "i2", ("time", "y", "x"), data((4, 3, 5), "i2"), fill=np.int16(-99), scale_factor=np.float32(0.1), add_offset=np.float32(2.5))
    put(file, "unsigned", "i1", ("x",), np.array([-1, -2, 3, 4, 127], "i1"), _Unsigned="true")
    names = np.array([list("abc".ljust(6, "\0")), list("sixsix"), list("\0" * 6)], "S1")
    put(file, "names", "S1", ("y", "letters"), names)
    put(file, "stamps", "S1", ("time", "letters"), np.array([list(f"t{i}".ljust(6, "\0")) for i in range(4)], "S1"))
    put(file, "letter", "S1", (), np.array("q", "S1"))
    file.close()


def one_growing(name, model, dtype, dims, shape):
    """One variable that grows, so that its records are not padded."""
    file = make(name, model)
    for dim, n in [("time", None), ("a", 3), ("b", 1)]:
        file.createDimension(dim, n)
    put(file, "fixed", "i2", ("a",), data((3,), "i2"))
    put(file, "v", dtype, dims, data(shape, dtype, 2))
    file.close()


def no_records(name, model):
    file = make(name, model)
    file.createDimension("time", None)
    file.createDimension("x", 2)
    put(file, "time", "f8", ("time",))
    put(file, "v", "i2", ("time", "x"))
    put(file, "x", "f4", ("x",), data((2,), "f4"))
    file.close()


def bare(name, model):
    make(name, model).close()


def streaming(name, source):
    """A file whose header leaves the number of records open."""
    raw = bytearray((FOLDER / source).read_bytes())
    width = 8 if raw[3] == 5 else 4
    raw[4 : 4 + width] = b"\xff" * width
    (FOLDER / name).write_bytes(raw)


def describe(path, like=None):
    """What the NetCDF library reads; of a file that it does not read, what it reads from a like one."""
    file = netCDF4.Dataset(FOLDER / (like or path))
    file.set_auto_maskandscale(False)
    case = {
        "file": path, "format": NAMES[file.data_model],
        "dims": {n: [len(d), d.isunlimited()] for n, d in file.dimensions.items()},
        "variables": {}, "text": {}, "attributes": {"": attributes(file)},
    }
    for name, variable in file.variables.items():
        variable.set_auto_chartostring(False)
        case["attributes"][name] = attributes(variable)
        values = np.asarray(variable[...])
        if values.dtype.kind == "S":
            rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
            case["text"][name] = [b"".join(r).split(b"\0")[0].decode() for r in rows]
        else:
            case["variables"][name] = {
                "dtype": "bool" if "dtype" in variable.ncattrs() else str(values.dtype),
                "shape": list(values.shape), "dims": list(variable.dimensions), "words": words(values),
            }
    file.close()
    return case


def attributes(owner):
    out = {}
    for name in owner.ncattrs():
        value = owner.getncattr(name)
        if not isinstance(value, str):
            value = {"dtype": str(np.asarray(value).dtype), "words": words(np.atleast_1d(value))}
        out[name] = value
    return out


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = []
    for model, short in zip(NAMES, ["classic", "offset", "data"]):
        everything(f"{short}.nc", model)
        no_records(f"{short}_empty.nc", model)
        bare(f"{short}_bare.nc", model)
        files = [f"{short}.nc", f"{short}_empty.nc", f"{short}_bare.nc"]
        for dtype in ["i1", "i2", "i4", "f8"] + (["u1", "u2"] if short == "data" else []):
            for n, (dims, shape) in enumerate([(("time",), (5,)), (("time", "a"), (3, 3)), (("time", "b"), (5, 1))]):
                one_growing(f"{short}_{dtype}_{n}.nc", model, dtype, dims, shape)
                files.append(f"{short}_{dtype}_{n}.nc")
        cases += [describe(f) for f in files]
        for source in [f"{short}.nc", f"{short}_i2_1.nc"]:
            streaming(source.replace(".nc", "_streaming.nc"), source)
            cases.append(describe(source.replace(".nc", "_streaming.nc"), source))
    write("netcdf3.json", {"netCDF4": netCDF4.__version__, "numpy": np.__version__}, cases)


if __name__ == "__main__":
    main()
