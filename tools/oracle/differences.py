"""Makes tests/oracle/differences.json: NumPy's diff and gradient along every axis.

    { "numpy": version,
      "arrays": { name: {"dtype": d, "shape": [..], "values": words} },
      "cases": [ {"array": name, "axis": a, "n": n, "dtype": d, "shape": [..], "values": words,
                  "before": name or null, "after": name or null}              np.diff
                 {"array": name, "axis": a, "edge_order": e, "dtype": d, "shape": [..], "values": words,
                  "step": x, or "places": words in float64} ] }               np.gradient

`words` is described in common.py. Gradients of float32 and float16 are computed in float64 and rounded
once, which NumPy does in part; compare them within a few units in the last place of the largest term.
"""

import warnings

import numpy as np

from common import ALL, canonical, words, write

warnings.simplefilter("ignore")
np.seterr(all="ignore")
rng = np.random.default_rng(5)


def make_arrays():
    shape = (3, 8, 2)
    arrays = {}
    for dtype in ALL:
        if dtype == "bool":
            arrays["bool"] = rng.random(shape) < 0.5
        elif dtype.startswith("float"):
            x = (rng.normal(size=shape) * 5).astype(dtype)
            x[0, 3, 1], x[1, 0, 0], x[2, 7, 1] = np.nan, np.inf, -np.inf
            arrays[dtype] = x
        else:
            info = np.iinfo(dtype)
            x = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
            x[0, 1, 0], x[0, 2, 0] = info.max, info.min
            arrays[dtype] = x
    arrays["edge"] = rng.normal(size=(3, 2, 2)).astype("float32")
    arrays["thin"] = rng.normal(size=(3, 1, 1))
    arrays["empty"] = np.zeros((2, 0, 3), "float32")
    return arrays


def main():
    arrays = make_arrays()
    cases = []

    def add(out, **case):
        cases.append(case | {"dtype": str(out.dtype), "shape": list(out.shape), "values": words(canonical(out))})

    for name in ALL:
        x = arrays[name]
        for axis in range(3):
            for n in [1, 2] if name != "float32" else [0, 1, 2, 3, 9]:
                add(np.diff(x, n=n, axis=axis), array=name, axis=axis, n=n, before=None, after=None)
        if name in ("bool", "uint64"):
            continue
        for axis in range(3):
            wide = x.astype("float64") if name != "float16" else x
            wide = np.asarray(wide)
            for edge_order in (1, 2):
                if x.shape[axis] <= edge_order:
                    continue
                out = np.gradient(wide, 0.5, axis=axis, edge_order=edge_order)
                dtype = x.dtype if x.dtype.kind == "f" else "float64"
                add(out.astype(dtype), array=name, axis=axis, edge_order=edge_order, step=0.5)
                for places in (np.cumsum(0.25 + rng.random(x.shape[axis])), np.arange(x.shape[axis]) * -2.0):
                    out = np.gradient(x.astype("float64"), places, axis=axis, edge_order=edge_order)
                    add(out.astype(dtype), array=name, axis=axis, edge_order=edge_order, places=words(places))
    x = arrays["float32"]
    add(np.diff(x, axis=1, prepend=arrays["edge"]), array="float32", axis=1, n=1, before="edge", after=None)
    add(np.diff(x, axis=1, prepend=arrays["edge"], append=np.broadcast_to(arrays["thin"], (3, 1, 2)), n=2),
        array="float32", axis=1, n=2, before="edge", after="thin")
    for axis in range(3):
        add(np.diff(arrays["empty"], axis=axis), array="empty", axis=axis, n=1, before=None, after=None)
    head = {"numpy": np.__version__, "arrays": {
        n: {"dtype": str(x.dtype), "shape": list(x.shape), "values": words(x)} for n, x in arrays.items()}}
    write("differences.json", head, cases)


main()
