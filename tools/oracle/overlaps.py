"""Makes tests/oracle/overlaps.json: stencils, padding and overlapping blocks.

    python overlaps.py

    { "numpy": version, "scipy": version, "dask": version,
      "cases": [ {"call": "correlate", "array": ARRAY, "weights": ARRAY,
                  "mode": SciPy's name or "valid", "cval": number, "result": ARRAY}
               | {"call": "pad", "array": ARRAY, "widths": [[before, after], ..], "mode": NumPy's name,
                  "result": ARRAY}
               | {"call": "map_overlap", "array": ARRAY, "chunks": [[..], ..], "depth": [..],
                  "boundary": [Dask's name or number, ..], "result": ARRAY} ] }
      where ARRAY is {"dtype": name, "shape": [..], "words": words}

Floats are small integers or special values, so that sums are exact. The function of `map_overlap`
is `3·b + b.size + b[first] + 2·b[last]` of the extended block b: it tells extents and corners.
"""

import dask
import dask.array as da
import numpy as np
import scipy
from scipy import ndimage, signal

from common import ALL, canonical, words, write

RNG = np.random.default_rng(21)
CASES = []


def values(shape, dtype):
    dtype = np.dtype(dtype)
    if dtype == bool:
        return RNG.random(shape) < 0.4
    low = 0 if dtype.kind == "u" else -7
    return RNG.integers(low, 8, shape).astype(dtype)


def described(array):
    array = np.asarray(array)
    return {"dtype": str(array.dtype), "shape": list(array.shape), "words": words(canonical(array))}


def correlate(array, weights, mode, cval=0):
    with np.errstate(all="ignore"):
        if mode == "valid":
            result = signal.correlate(array, weights, mode="valid", method="direct")
        else:
            result = ndimage.correlate(array, weights, mode=mode, cval=cval)
    CASES.append({"call": "correlate", "array": described(array), "weights": described(weights), "mode": mode,
                  "cval": cval, "result": described(result)})


MODES = ["reflect", "mirror", "nearest", "wrap", "constant"]
SHAPES = [
    ((7,), (3,)),
    ((5,), (4,)),
    ((2,), (7,)),
    ((1,), (3,)),
    ((6, 5), (3, 3)),
    ((4, 9), (2, 5)),
    ((5, 1), (3, 3)),
    ((1, 6), (5, 1)),
    ((3, 4, 5), (3, 3, 3)),
    ((2, 3, 2), (1, 2, 4)),
]
for shape, extents in SHAPES:
    for mode in MODES:
        correlate(values(shape, "float64"), values(extents, "float64"), mode, 3)
for dtype in ["int8", "int16", "int32", "int64", "float32", "float64"]:
    for mode in MODES if dtype == "float32" else ["mirror", "constant"]:
        array = RNG.integers(-3, 4, (3, 67)).astype(dtype)
        correlate(array, RNG.integers(-2, 3, (3, 3)).astype(dtype), mode, 1)
for dtype in ["uint8", "uint16", "uint32", "uint64"]:
    correlate(RNG.integers(0, 4, (3, 67)).astype(dtype), RNG.integers(0, 3, (3, 3)).astype(dtype), "nearest", 0)
for shape, extents in [((7,), (3,)), ((5, 6), (3, 2)), ((3, 3), (3, 3)), ((4, 5, 6), (2, 1, 3))]:
    correlate(values(shape, "float64"), values(extents, "float64"), "valid")
special = values((6, 9), "float32")
special.flat[[3, 12, 30, 44]] = [np.nan, np.inf, -np.inf, -0.0]
cross = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
for mode in MODES:
    correlate(special, cross, mode, 2)

for shape, widths in [((4,), [(2, 3)]), ((3,), [(7, 8)]), ((1,), [(2, 2)]), ((3, 4), [(1, 0), (2, 5)]), ((2, 3), [(0, 0), (0, 4)]), ((), [])]:
    for mode in ["constant", "edge", "reflect", "symmetric", "wrap"]:
        array = values(shape, "int32")
        CASES.append({"call": "pad", "array": described(array), "widths": widths, "mode": mode,
                      "result": described(np.pad(array, widths, mode=mode) if widths else array)})
for dtype in ALL:
    array = values((3, 4), dtype)
    CASES.append({"call": "pad", "array": described(array), "widths": [(1, 2), (2, 1)], "mode": "symmetric",
                  "result": described(np.pad(array, [(1, 2), (2, 1)], mode="symmetric"))})


def seen(block):
    return block * 3 + block.size + block.flat[0] + 2 * block.flat[-1]


for shape, chunks, depth, boundary in [
    ((9,), [[4, 3, 2]], [2], ["none"]),
    ((9,), [[4, 3, 2]], [2], ["reflect"]),
    ((9,), [[4, 3, 2]], [1], ["periodic"]),
    ((9,), [[9]], [3], ["nearest"]),
    ((9,), [[4, 3, 2]], [2], [7]),
    ((6, 8), [[3, 3], [2, 4, 2]], [1, 2], ["reflect", "periodic"]),
    ((6, 8), [[3, 3], [2, 4, 2]], [2, 1], [5, "nearest"]),
    ((6, 8), [[2, 4], [8]], [1, 3], ["none", 4]),
    ((6, 8), [[2, 4], [3, 5]], [1, 1], [4, 9]),
    ((6, 8), [[2, 4], [3, 5]], [0, 2], ["none", "none"]),
    ((4, 5, 3), [[2, 2], [5], [1, 2]], [1, 2, 1], ["periodic", "reflect", 1]),
]:
    array = RNG.integers(-50, 50, shape).astype("int64")
    blocks = da.from_array(array, chunks=tuple(map(tuple, chunks)))
    result = da.map_overlap(seen, blocks, depth=dict(enumerate(depth)), boundary=dict(enumerate(boundary)),
                            trim=True, dtype="int64", meta=np.empty((0,) * len(shape), "int64"), allow_rechunk=False)
    CASES.append({"call": "map_overlap", "array": described(array), "chunks": chunks, "depth": depth,
                  "boundary": boundary, "result": described(result.compute(scheduler="sync"))})

write("overlaps.json", {"numpy": np.__version__, "scipy": scipy.__version__, "dask": dask.__version__}, CASES)
