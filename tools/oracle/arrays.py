"""Makes tests/oracle/arrays/: small HDF5, NetCDF-4 and NPY files with the corners of the formats,
and arrays.json: what h5py, netCDF4 and NumPy read from them.

    python arrays.py

    { "h5py": version, "netCDF4": version,
      "cases": [ {"file": name, "variables": { path: {"dtype": NumPy's name, "shape": [..], "words": words
                                                      (of a complex array those of its parts in turn),
                                                      "dims": [..] where the format has names} },
                  "text": {path: [strings]}, "other": [paths that are neither numbers nor text]} ] }
"""

import sys

import h5py
import netCDF4
import numpy as np

from common import OUT, words, write

FOLDER = OUT / "arrays"

# Numbers that NumPy has no dtype for, and what they are read as.
ODD = {"odd/int12": "i2", "odd/int24": "i4", "odd/float24": "f4"}


def ramp(shape, dtype):
    n = int(np.prod(shape, dtype=int))
    return ((np.arange(n) * 7) % 120).reshape(shape).astype(dtype)


def native(array):
    array = np.asarray(array)
    return array.astype(array.dtype.newbyteorder("="))


def seen(array, dims=None):
    array = native(array)
    parts = array.reshape(-1).view(f"f{array.itemsize // 2}") if array.dtype.kind == "c" else array
    out = {"dtype": str(array.dtype), "shape": list(array.shape), "words": words(parts)}
    return out | ({"dims": dims} if dims is not None else {})


def typed(file, name, kind, data):
    """A dataset of a type that only the low-level interface makes; arrays are left unwritten."""
    data = np.ascontiguousarray(data)
    group, leaf = name.split("/")
    space = h5py.h5s.create_simple(data.shape)
    dataset = h5py.h5d.create(file.require_group(group).id, leaf.encode(), kind, space)
    if kind.get_class() != h5py.h5t.ARRAY:
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, data)


def integer_type(size, precision, offset):
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(precision)
    kind.set_offset(offset)
    kind.set_size(size)
    return kind


def short_float():
    """24 bits: a sign, 7 of exponent, 16 of mantissa."""
    kind = h5py.h5t.IEEE_F32BE.copy()
    kind.set_fields(23, 16, 7, 0, 16)
    kind.set_precision(24)
    kind.set_size(3)
    kind.set_ebias(63)
    return kind


def quirks(path):
    with h5py.File(path, "w") as f:
        f["big/f8"] = ramp((4, 5), ">f8")
        f.create_dataset("big/i2", data=ramp((7, 9), ">i2"), chunks=(3, 4), shuffle=True, compression=4)
        f.create_dataset("big/u8", data=ramp((6,), ">u8"), chunks=(4,))
        f["half/f2"] = np.array([0, -0.0, 1.5, np.inf, -np.inf, np.nan, 6e-8, 65504], "<f2")
        f["half/big"] = np.array([0.5, -2, 1e-3], ">f2")
        f["flags"] = ramp((3, 4), "i1") % 2 == 1
        f.create_dataset("packed_flags", data=ramp((30,), "i1") % 3 == 0, chunks=(7,), compression=9)
        f.create_dataset("colour", data=[0, 2, 1], dtype=h5py.enum_dtype({"RED": 0, "GREEN": 1, "BLUE": 2}, "i1"))
        f.create_dataset("sums/all", data=ramp((10, 10), "f4"), chunks=(4, 4), fletcher32=True, shuffle=True, compression=1)
        f.create_dataset("sums/only", data=ramp((17,), "i1"), chunks=(7,), fletcher32=True)
        f.create_dataset("sums/odd", data=ramp((5, 3), "f8"), chunks=(5, 3), fletcher32=True)
        f.create_dataset("shuffled", data=ramp((11,), "c16").view("f8"), chunks=(8,), shuffle=True)
        f.create_dataset("noise", data=np.random.default_rng(3).integers(0, 256, (9, 500), "u1"), chunks=(3, 500), compression=9)
        typed(f, "odd/int12", integer_type(2, 12, 2), ramp((5,), "i4"))
        typed(f, "odd/int24", integer_type(3, 24, 0), ramp((5,), "i4") - 60)
        typed(f, "odd/float24", short_float(), ramp((5,), "f4"))
        part = f.create_dataset("unwritten/part", (8, 9), "i4", chunks=(4, 4), fillvalue=7)
        part[:4, :4] = ramp((4, 4), "i4")
        f.create_dataset("unwritten/all", (8, 9), ">f4", chunks=(4, 4), compression=1, fillvalue=-2.5)
        f.create_dataset("unwritten/piece", (5,), "f8", fillvalue=1e20)
        masked = f.create_dataset("masked", (2, 8), "<i2", chunks=(1, 8), shuffle=True, compression=4)
        masked[0] = ramp((8,), "i2")
        masked.id.write_direct_chunk((1, 0), ramp((8,), "<i2").tobytes(), filter_mask=3)
        f["scalar"] = np.float64(-0.0)
        f["empty/null"] = h5py.Empty("f4")
        f.create_dataset("empty/zero", (0, 3), "i4")
        f.create_dataset("empty/grows", (0, 3), "i4", maxshape=(None, 3), chunks=(4, 3))
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        data = ramp((6,), "u2")
        h5py.h5d.create(f.id, b"compact", h5py.h5t.STD_U16LE, h5py.h5s.create_simple((6,)), compact).write(
            h5py.h5s.ALL, h5py.h5s.ALL, data)
        f.create_dataset("foreign/scaled", data=ramp((20, 20), "i4"), chunks=(7, 20), scaleoffset=0)
        f.create_dataset("foreign/lzf", data=ramp((20, 20), "i4"), chunks=(7, 20), compression="lzf")
        f["other/compound"] = np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")])
        f.create_dataset("other/vlen", (2,), h5py.vlen_dtype("i4"))
        typed(f, "other/array", h5py.h5t.array_create(h5py.h5t.STD_I32LE, (3,)), ramp((2,), "i4"))
        f.create_dataset("other/reference", data=[f["flags"].ref], dtype=h5py.ref_dtype)
        f["other/opaque"] = np.array([b"ab"], "V2")
        f.create_dataset("text/vlen", data=["Zürich", "", "x"], dtype=h5py.string_dtype())
        f["text/fixed"] = np.array([b"abc", b"", b"abcd"], "S4")
        f["links/soft"] = h5py.SoftLink("/scalar")
        f["links/dangling"] = h5py.SoftLink("/nothing")
        f["links/cycle"] = f["/"]
        for name in ("x", "y"):
            f[f"scaled/{name}"] = ramp((3 if name == "x" else 4,), "f8")
            f[f"scaled/{name}"].make_scale(name)
        f["scaled/v"] = ramp((4, 3), "f4")
        f["scaled/v"].dims[0].attach_scale(f["scaled/y"])
        f["scaled/v"].dims[1].attach_scale(f["scaled/x"])


def latest(path):
    with h5py.File(path, "w", libver=("v110", "v110")) as f:
        f.create_dataset("single", data=ramp((4, 5), "f4"), chunks=(4, 5), compression=1)
        f.create_dataset("fixed", data=ramp((40, 5), "f4"), chunks=(3, 2), shuffle=True, compression=1)
        f.create_dataset("extensible", data=ramp((40, 5), "f4"), chunks=(3, 2), maxshape=(None, 5))
        f.create_dataset("tree", data=ramp((40, 5), "f4"), chunks=(3, 2), maxshape=(None, None), compression=1)
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_chunk((3, 2))
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        implicit = h5py.h5d.create(f.id, b"implicit", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((40, 5)), early)
        implicit.write(h5py.h5s.ALL, h5py.h5s.ALL, ramp((40, 5), "f4"))
        layout = h5py.VirtualLayout((2, 4, 5), "f4")
        layout[0] = h5py.VirtualSource(f["single"])
        layout[1] = h5py.VirtualSource(f["single"])
        f.create_virtual_dataset("virtual", layout)


def complex_numbers(path):
    def spiral(shape, dtype):
        return (ramp(shape, dtype) * (0.5 - 0.25j)).astype(dtype)

    with h5py.File(path, "w") as f:
        f["piece"] = spiral((4, 5), "c8")
        f.create_dataset("packed", data=spiral((7, 9), "c16"), chunks=(3, 4), shuffle=True, compression=4)
        f["big"] = spiral((3, 2), ">c16")
        f["scalar"] = np.complex64(complex(-0.0, np.nan))
        f["named"] = np.array([(1, 2.5), (3, -4)], [("real", "f4"), ("imag", "f4")])
        f["other"] = np.array([(1, 2.5)], [("r", "f4"), ("i", "f8")])
        f["others"] = np.array([(1, 2.5)], [("a", "f4"), ("b", "f4")])


def userblock(path):
    with h5py.File(path, "w", userblock_size=1024) as f:
        f["piece"] = ramp((50, 60), "i4")
        f.create_dataset("chunked", data=ramp((9, 10), "i4"), chunks=(4, 4))
        f.create_dataset("packed", data=ramp((9, 10), "i4"), chunks=(4, 4), compression=2)


def netcdf(path):
    with netCDF4.Dataset(path, "w") as d:
        d.createDimension("time", None)
        d.createDimension("x", 3)
        d.createDimension("nv", 2)
        d.createVariable("long", "f4", ("time", "x"), zlib=True)[:] = ramp((5, 3), "f4")
        d.createVariable("short", "i2", ("time",))[:2] = [1, 2]
        d.createVariable("nv", "f8", ("x",))[:] = ramp((3,), "f8")
        d.createVariable("time", "f8", ("time", "nv"))[:] = ramp((5, 2), "f8")
        d.createVariable("none", "f4", ())
        d.createVariable("unfilled", "i4", ("x",), fill_value=False)[:] = [1, 2, 3]
        d.createVariable("word", str, ("x",))[:] = np.array(["a", "", "ß"], object)
        d.createVariable("letters", "S1", ("x", "nv"))[:] = np.array([[b"a", b"b"], [b"c", b""], [b"", b""]])
        g = d.createGroup("g")
        g.createDimension("y", 4)
        g.createVariable("y", "f4", ("y",))[:] = ramp((4,), "f4")
        g.createVariable("v", "u1", ("y", "x"), zlib=True, shuffle=True, fletcher32=True)[:] = ramp((4, 3), "u1")
        g.note = "in a group"


def npy(folder):
    data = ramp((3, 4, 5), "f4")
    np.save(folder / "c.npy", data)
    np.save(folder / "fortran.npy", np.asfortranarray(ramp((3, 4, 5), "i2")))
    np.save(folder / "big.npy", np.asfortranarray(ramp((7, 3), ">f8")))
    np.save(folder / "scalar.npy", np.float16(-0.0))
    np.save(folder / "empty.npy", np.zeros((0, 4), "u4"))
    np.save(folder / "complex.npy", (ramp((3, 4), "c8") * 1j).astype("c8"))
    np.save(folder / "complex_big.npy", np.asfortranarray(ramp((5, 2), "c16") * (1 + 2j)).astype(">c16"))
    np.save(folder / "flags.npy", ramp((9,), "i1") % 2 == 1)
    for version in (2, 3):
        with open(folder / f"version{version}.npy", "wb") as out:
            np.lib.format.write_array(out, ramp((2, 6), "u8"), version=(version, 0))


def h5_case(name):
    variables, text, other = {}, {}, []
    with h5py.File(FOLDER / name) as f:
        def visit(path, item):
            if not isinstance(item, h5py.Dataset):
                return
            shown = path if "/" not in path else f"/{path}"
            if path in ODD:
                value = np.zeros(item.shape, ODD[path])
                item.id.read(h5py.h5s.ALL, h5py.h5s.ALL, value)
                variables[shown] = seen(value)
                return
            kind = item.dtype
            if kind.names == ("real", "imag"):
                variables[shown] = seen(item[()].view("c8"))
                return
            if h5py.check_string_dtype(kind):
                text[shown] = [s.decode() for s in item[()].reshape(-1)]
            elif h5py.check_enum_dtype(kind) or h5py.check_vlen_dtype(kind) or h5py.check_ref_dtype(kind) or kind.kind == "V":
                other.append(shown)
            elif kind.subdtype:
                other.append(shown)
            elif item.shape is None:
                variables[shown] = {"dtype": "float32", "shape": [0], "words": ""}
            else:
                value = item[()]
                variables[shown] = seen(value)
        f.visititems(visit)
    return {"file": name, "variables": variables, "text": text, "other": other}


def nc_case(name):
    variables, text = {}, {}
    with netCDF4.Dataset(FOLDER / name) as d:
        for group in [d, d["g"]]:
            at = "" if group is d else "/g/"
            for key, variable in group.variables.items():
                variable.set_auto_maskandscale(False)
                variable.set_auto_chartostring(False)
                dims = [dim if dim in d.dimensions else f"/g/{dim}" for dim in variable.dimensions]
                if variable.dtype is str:
                    text[at + key] = list(variable[:])
                elif variable.dtype.kind == "S":
                    text[at + key] = [b"".join(row).decode() for row in variable[:]]
                else:
                    variables[at + key] = seen(variable[...].reshape(variable.shape), dims)
    return {"file": name, "variables": variables, "text": text, "other": []}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = []
    for name, make in [("quirks.h5", quirks), ("latest.h5", latest), ("complex.h5", complex_numbers), ("userblock.h5", userblock)]:
        make(FOLDER / name)
        cases.append(h5_case(name))
    netcdf(FOLDER / "quirks.nc")
    cases.append(nc_case("quirks.nc"))
    npy(FOLDER)
    for path in sorted(FOLDER.glob("*.npy")):
        cases.append({"file": path.name, "variables": {"data": seen(np.load(path))}, "text": {}, "other": []})
    write("arrays.json", {"h5py": h5py.__version__, "netCDF4": netCDF4.__version__}, cases)


sys.exit(main())
