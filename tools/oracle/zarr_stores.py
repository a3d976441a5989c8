"""Small Zarr stores of both versions of the format by zarr-python and xarray, with what they hold.

Writes tests/oracle/zarr.json: for each store its objects, as hexadecimal bytes by key, and for each
array its shape, dtype, dimensions, chunks and elements (little endian, row-major), its texts, or the
word that the error names where it is not read.

    python tools/oracle/zarr_stores.py
"""

import io
import json
import pathlib
import tempfile
import warnings
import zipfile

import numcodecs
import numpy as np
import xarray as xr
import zarr
from zarr.codecs import (BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec,
                         TransposeCodec, ZstdCodec)

from common import OUT

warnings.simplefilter("ignore")

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64", "complex64", "complex128"]
SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.5, -2.25]


def sample(dtype, shape, seed=0):
    """Elements with the special values of their dtype among them."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape))
    if dtype.kind == "b":
        flat = rng.random(count) < 0.5
    elif dtype.kind in "iu":
        limits = np.iinfo(dtype)
        flat = rng.integers(limits.min, limits.max, count, dtype=dtype.newbyteorder("="), endpoint=True)
        flat[: min(2, count)] = [limits.min, limits.max][: min(2, count)]
    else:
        flat = rng.normal(size=count).round(2)
        flat[: min(len(SPECIAL), count)] = SPECIAL[: min(len(SPECIAL), count)]
        if dtype.kind == "c":
            flat = flat + 1j * flat[::-1]
    return flat.astype(dtype).reshape(shape)


def expected(array, **more):
    """What an array holds."""
    array = np.asarray(array)
    if array.dtype.kind in "OUST":
        texts = [t.decode() if isinstance(t, bytes) else str(t) for t in array.reshape(-1)]
        return {"shape": list(array.shape), "texts": texts, **more}
    if array.dtype.kind in "Mm":
        array = array.view("i8")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {"shape": list(array.shape), "dtype": array.dtype.newbyteorder("=").name,
            "bytes": little.tobytes().hex(), **more}


class Store:
    """One store and what it holds."""

    def __init__(self, version, consolidated):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "store"
        self.version, self.consolidated, self.held = version, consolidated, {}
        self.root = zarr.create_group(self.path, zarr_format=version)

    def add(self, name, data, chunks, part=None, error=None, dims=None, **settings):
        """An array; of `part` only that region is written."""
        data = np.asarray(data)
        settings.setdefault("dtype", data.dtype)
        if self.version == 3:
            settings["dimension_names"] = dims
        array = self.root.create_array(name, shape=data.shape, chunks=chunks, **settings)
        if self.version == 2 and dims:
            array.attrs["_ARRAY_DIMENSIONS"] = list(dims)
        if part is None:
            array[...] = data
        else:
            array[part] = data[part]
        read = array[...]
        more = {"chunks": list(chunks)}
        if dims:
            more["dims"] = list(dims)
        self.held[name] = {"error": error} if error else expected(read, **more)

    def finish(self):
        if self.consolidated:
            zarr.consolidate_metadata(self.path, zarr_format=self.version)
        files = sorted(p for p in self.path.rglob("*") if p.is_file())
        objects = {p.relative_to(self.path).as_posix(): p.read_bytes().hex() for p in files}
        return {"version": self.version, "objects": objects, "arrays": self.held}


def third(consolidated):
    store = Store(3, consolidated)
    compressors = [None, GzipCodec(level=1), ZstdCodec(level=3, checksum=True), BloscCodec(cname="lz4")]
    for i, dtype in enumerate(DTYPES):
        store.add(f"dtype_{dtype}", sample(dtype, (5, 7), i), (2, 3), compressors=compressors[i % 4], dims=("y", "x"))
    field = sample("float32", (5, 7), 3)
    shuffles = [("lz4", "noshuffle"), ("lz4", "bitshuffle"), ("zstd", "shuffle")]
    for cname, shuffle in shuffles + [(name, "shuffle") for name in ["blosclz", "lz4hc", "zlib"]]:
        codec = BloscCodec(cname=cname, shuffle=shuffle, typesize=4)
        store.add(f"blosc_{cname}_{shuffle}", field, (4, 4), compressors=codec)
    store.add("crc", field, (4, 4), compressors=[ZstdCodec(level=1), Crc32cCodec()])
    store.add("crc_only", field, (4, 4), compressors=[Crc32cCodec()])
    store.add("big", sample("int32", (5, 7), 4), (4, 4), serializer=BytesCodec(endian="big"), compressors=None)
    store.add("turned", sample("int16", (3, 4, 5), 5), (2, 3, 2), filters=[TransposeCodec(order=(2, 0, 1))], compressors=ZstdCodec(level=1))
    store.add("turned_plain", sample("complex64", (4, 5), 5), (3, 2), filters=[TransposeCodec(order=(1, 0))], compressors=None)
    store.add("missing", sample("int64", (6, 6), 6), (2, 2), part=(slice(2, 4), slice(0, 3)), fill_value=-7)
    store.add("missing_nan", sample("float32", (6, 6), 6), (4, 4), part=(slice(0, 4), slice(0, 4)), fill_value=np.nan)
    store.add("missing_inf", sample("float64", (6,), 6), (4,), part=slice(0, 4), fill_value=-np.inf)
    store.add("missing_complex", sample("complex64", (6,), 6), (4,), part=slice(0, 4), fill_value=complex(1, np.nan))
    store.add("scalar", np.float64(2.5), ())
    store.add("empty", sample("float32", (0, 3)), (1, 3))
    store.add("one", sample("uint16", (1, 4, 1), 7), (1, 3, 1))
    store.add("wide_chunk", sample("int16", (3,), 8), (100,))
    store.add("dots", field, (2, 3), chunk_key_encoding={"name": "default", "separator": "."})
    store.add("v2_keys", field, (2, 3), chunk_key_encoding={"name": "v2", "separator": "/"})
    for name, inner in [("none", None), ("zstd", ZstdCodec(level=1)), ("blosc", BloscCodec(cname="zstd", typesize=4))]:
        store.add(f"shard_{name}", field, (2, 2), shards=(4, 4), compressors=inner)
    store.add("shard_missing", sample("int32", (9, 9), 9), (2, 2), part=(slice(0, 3), slice(2, 9)), shards=(4, 6), fill_value=3)
    first = ShardingCodec(chunk_shape=(2, 2), codecs=[BytesCodec(), GzipCodec(level=1)], index_location="start")
    store.add("shard_first", field, (4, 4), serializer=first, compressors=None)
    plain = ShardingCodec(chunk_shape=(2, 2), codecs=[TransposeCodec(order=(1, 0)), BytesCodec(endian="big")], index_codecs=[BytesCodec()])
    store.add("shard_turned", field, (4, 4), serializer=plain, compressors=None)
    for name in ["shard_first", "shard_turned"]:
        store.held[name]["chunks"] = [2, 2]
    texts = np.array([["", "Åse"], ["a long text of many words", "🦀"], ["b", "c"]])
    store.add("texts", texts.astype(np.dtypes.StringDType()), (2, 1), dtype="string", dims=("t", "two"))
    store.add("texts_shard", texts.astype(np.dtypes.StringDType()), (1, 1), shards=(2, 2), dtype="string")
    store.add("texts_fixed", texts, (2, 2))
    store.add("texts_bytes", np.array([b"ab", b"", b"xyz"]), (2,))
    store.add("times", np.array(["2000-01-01", "NaT", "1969-12-31"], "M8[s]"), (2,))
    store.add("deep/er/field", field, (5, 7), dims=("y", "x"))
    store.add("deep/other", sample("int8", (9,), 2), (9,), dims=("x",))
    store.root["deep"].attrs["title"] = "below"
    store.root.attrs.update({"title": "root", "numbers": [1, 2], "half": 0.5, "nested": {"a": [1]}})
    return store.finish()


def second(consolidated, separator):
    store = Store(2, consolidated)
    keys = {"chunk_key_encoding": {"name": "v2", "separator": separator}}
    compressors = [None, numcodecs.Zlib(1), numcodecs.GZip(1), numcodecs.Zstd(1), numcodecs.Blosc("lz4", 5, 1)]
    for i, dtype in enumerate(DTYPES):
        for order in "<>":
            named = np.dtype(dtype).newbyteorder(order)
            if order == ">" and named.itemsize == 1:
                continue
            name = f"dtype_{dtype}_{'little' if order == '<' else 'big'}"
            store.add(name, sample(named, (5, 7), i), (2, 3), compressors=compressors[i % 5], dims=("y", "x"), **keys)
    field = sample("float32", (5, 7), 3)
    for order in "CF":
        store.add(f"order_{order}", sample("int16", (3, 4, 5), 5), (2, 3, 2), order=order, compressors=numcodecs.Zlib(1), **keys)
    store.add("order_big_F", sample(">f8", (4, 5), 5), (3, 2), order="F", compressors=None, **keys)
    for shuffle in [-1, 0, 1, 2]:
        store.add(f"blosc_{shuffle}", field, (4, 4), compressors=numcodecs.Blosc("zstd", 3, shuffle), **keys)
    store.add("missing", sample("int64", (6, 6), 6), (2, 2), part=(slice(2, 4), slice(0, 3)), fill_value=-7, **keys)
    store.add("missing_nan", sample("float32", (6, 6), 6), (4, 4), part=(slice(0, 4), slice(0, 4)), fill_value=np.nan, **keys)
    store.add("scalar", np.int32(-4), (), **keys)
    store.add("empty", sample("float32", (0, 3)), (1, 3), **keys)
    store.add("texts", np.array(["", "Åse", "🦀"]).astype(np.dtypes.StringDType()), (2,), dtype="string", dims=("t",), **keys)
    store.add("texts_fixed", np.array(["", "Åse", "🦀"]), (2,), **keys)
    store.add("texts_big", np.array(["", "Åse", "🦀"]).astype(">U4"), (2,), **keys)
    store.add("texts_bytes", np.array([b"ab", b"", b"xyz"]), (2,), **keys)
    store.add("times", np.array(["2000-01-01", "NaT"], "M8[ns]"), (2,), **keys)
    packed = np.array([1.25, 2.5, -3.0, 0.25])
    store.add("bz2", field, (4, 4), compressors=numcodecs.BZ2(1), **keys)
    store.add("shuffle", field, (4, 4), filters=[numcodecs.Shuffle(4)], compressors=numcodecs.Zlib(1), **keys)
    store.add("scaled", packed, (3,), filters=[numcodecs.FixedScaleOffset(offset=0, scale=4, dtype="<f8", astype="<i4")], compressors=numcodecs.Zstd(1), **keys)
    store.add("lz4", field, (4, 4), compressors=numcodecs.LZ4(), error="lz4", **keys)
    store.add("delta", sample("int32", (8,), 1), (4,), filters=[numcodecs.Delta("<i4")], compressors=None, error="delta", **keys)
    store.add("group/field", field, (5, 7), dims=("y", "x"), **keys)
    store.root.attrs.update({"title": "root", "nothing": float("nan")})
    return store.finish()


def of_xarray(version):
    """A data set as xarray writes it: missing values, packing, a text coordinate."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "store"
        data = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, np.nan]])
        dataset = xr.Dataset(
            {"t": (("y", "x"), data, {"units": "K"}), "packed": (("y", "x"), data), "mask": ("x", [True, False, True])},
            {"x": [10, 20, 30], "y": ["a", "bc"]}, {"title": "by xarray"})
        encoding = {"t": {"dtype": "f4", "_FillValue": 1e20},
                    "packed": {"dtype": "i2", "scale_factor": 0.5, "add_offset": 1.0, "_FillValue": -9}}
        dataset.to_zarr(path, zarr_format=version, encoding=encoding)
        files = sorted(p for p in path.rglob("*") if p.is_file())
        objects = {p.relative_to(path).as_posix(): p.read_bytes().hex() for p in files}
    missing = np.isnan(data)
    t = np.where(missing, 1e20, data).astype("f4")
    packed = np.where(missing, -9, (data - 1) / 0.5).astype("i2")
    arrays = {"t": expected(t, dims=["y", "x"], fill=float(np.float32(1e20))),
              "packed": expected(packed, dims=["y", "x"], fill=-9.0),
              "x": expected(np.array([10, 20, 30]), dims=["x"]),
              "mask": expected(np.array([True, False, True]), dims=["x"]),
              "y": {"shape": [2], "texts": ["a", "bc"], "dims": ["y"]}}
    return {"version": version, "objects": objects, "arrays": arrays}


def single(version):
    """A store that is one array."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "store"
        array = zarr.create_array(path, shape=(5,), chunks=(2,), dtype="f4", zarr_format=version)
        array[...] = sample("float32", (5,))
        files = sorted(p for p in path.rglob("*") if p.is_file())
        objects = {p.relative_to(path).as_posix(): p.read_bytes().hex() for p in files}
    held = {"data": expected(sample("float32", (5,)), chunks=[2], dims=["dim_0"])}
    return {"version": version, "objects": objects, "arrays": held}


def archived(store, method, top):
    """The objects of a store in a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for key, content in store["objects"].items():
            archive.writestr(top + key, bytes.fromhex(content))
    return out.getvalue().hex()


if __name__ == "__main__":
    stores = {"v3": third(False), "v3_consolidated": of_xarray(3), "v2_dots": second(False, "."),
              "v2_xarray": of_xarray(2), "v3_array": single(3), "v2_array": single(2)}
    small = stores["v3_consolidated"]
    zips = {"stored": archived(small, zipfile.ZIP_STORED, ""),
            "deflated": archived(small, zipfile.ZIP_DEFLATED, "top/")}
    slashes = second(True, "/")
    keep = {"order_F", "missing", "texts", "group/field", "scalar"}
    slashes["arrays"] = {k: v for k, v in slashes["arrays"].items() if k in keep}
    kept = lambda key: not key.count("/") or key.startswith("group/") or key.split("/")[0] in keep
    every = json.loads(bytes.fromhex(slashes["objects"][".zmetadata"]))
    every["metadata"] = {k: v for k, v in every["metadata"].items() if kept(k)}
    slashes["objects"] = {k: v for k, v in slashes["objects"].items() if any(k.startswith(f"{name}/") for name in keep)}
    slashes["objects"][".zmetadata"] = json.dumps(every).encode().hex()
    stores["v2_slashes"] = slashes
    text = json.dumps({"stores": stores, "zips": zips, "zip_of": "v3_consolidated"}, indent=0)
    (OUT / "zarr.json").write_text(text + "\n")
    print(len(text), "bytes")
