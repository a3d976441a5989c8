"""Makes tests/oracle/order.json: sorting, selecting, searching and counting, against NumPy.

    { "numpy": version,
      "arrays": { name: {"dtype": d, "shape": [..], "values": words} },
      "cases": [ {"op": op, "array": name, ..arguments.., "results": {key: {"dtype": d, "shape": [..], "values": words, or "ints" in decimals}}} ] }

`words` is described in common.py. Arguments by op:

    sort, argsort     axis; argsort is stable
    quantile          axes (null: all), method, skipna, q: a list; results are stacked along a new first axis, each as
                      NumPy gives it for that one number, so that floats keep their dtype
    median            axes, skipna
    topk              axis, k (negative: the smallest); "values" and "indices", of equal elements the first ones
    searchsorted      values (an array's name), side; the array rises
    digitize          edges, right
    histogram         range and bins, or edges; "counts", "edges", "density"; with weights (a name) "sums" instead
    bincount          minlength; with weights (a name) "sums"
    unique            "values", "index", "inverse", "counts"

Integers are widened to 64 bits before NumPy interpolates them, whose differences otherwise wrap. The order of -0 and 0
among sorted values is open: here -0 comes first. Densities are of edges widened to float64.
"""

import itertools
import warnings

import numpy as np

from common import ALL, FLOATS, INTS, canonical, words, write

warnings.simplefilter("ignore")
np.seterr(all="ignore")
rng = np.random.default_rng(3112)

METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen",
           "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"]
PICKS = ["inverted_cdf", "closest_observation", "lower", "higher", "nearest"]
QS = [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0]


def make_arrays():
    shape = (5, 7, 3)
    arrays = {"bool.mixed": rng.random(shape) < 0.4}
    for dtype in INTS:
        info = np.iinfo(dtype)
        low, high = max(info.min, -(2**61)), min(info.max, 2**61)
        wide = rng.integers(low, high, shape, dtype="i8" if dtype != "uint64" else "u8", endpoint=True).astype(dtype)
        wide[1, 2], wide[3, 0, 1] = high, low
        arrays[f"{dtype}.wide"] = wide
        arrays[f"{dtype}.ties"] = rng.integers(0, 5, shape).astype(dtype)
    for dtype in FLOATS:
        plain = (rng.normal(size=shape) * 10).astype(dtype)
        arrays[f"{dtype}.plain"] = plain
        odd = np.round(plain / 4).astype(dtype)
        odd[rng.random(shape) < 0.15] = np.nan
        odd[0, 1, 2], odd[2, 4, 0], odd[2, 4, 1], odd[3, :, 2] = np.inf, -np.inf, np.inf, np.nan
        odd[1, 2, :], odd[4, :, 1] = [-0.0, 0.0, -0.0], [0.0, -0.0, np.inf, 1, -0.0, -np.inf, 0.0]
        arrays[f"{dtype}.odd"] = odd
        arrays[f"{dtype}.one"] = plain[:4, :1].copy()
        arrays[f"{dtype}.empty"] = np.zeros((3, 0, 4), dtype)
    arrays["float32.long"] = rng.normal(size=(53, 19)).astype("f4")
    arrays["int16.long"] = rng.integers(-300, 300, (600, 2)).astype("i2")
    arrays["float64.long"] = np.round(rng.normal(size=(2, 300)), 2)
    return arrays


def result(x):
    x = np.asarray(x)
    if x.dtype == np.int64:
        return {"dtype": "int64", "shape": list(x.shape), "ints": " ".join(map(str, x.reshape(-1)))}
    return {"dtype": str(x.dtype), "shape": list(x.shape), "values": words(canonical(x))}


def sorted_array(x, axis):
    """Sorted, -0 before 0."""
    out = np.sort(x, axis=axis, kind="stable")
    if x.dtype.kind == "f" and x.size:
        lanes = np.moveaxis(out, axis, -1).reshape(-1, x.shape[axis])
        # Signs are put back lane by lane.
        source = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
        for lane, old in zip(lanes, source):
            zero = np.flatnonzero(lane == 0)
            count = int((np.signbit(old) & (old == 0)).sum())
            lane[zero[:count]], lane[zero[count:]] = -0.0, 0.0
        moved = np.moveaxis(x, axis, -1).shape
        out = np.moveaxis(lanes.reshape(moved), -1, axis)
    return out


def quantile(x, q, axes, method, skipna):
    wide = x
    if x.dtype.kind == "b":
        wide = x.astype("u1")
    if x.dtype.kind in "bi" and method not in PICKS:
        wide = x.astype("i8")
    if x.dtype.kind == "u" and method not in PICKS:
        wide = x.astype("u8")
    function = np.nanquantile if skipna else np.quantile
    parts = [np.asarray(function(wide, float(one), axis=axes, method=method)) for one in q]
    out = np.stack(parts)
    return out.astype(x.dtype) if method in PICKS else out


def all_axes(x):
    single = [(a,) for a in range(x.ndim)]
    return single + ([(0, 2), (1, 2), None] if x.ndim == 3 else [None])


def order_cases(arrays):
    for name, x in arrays.items():
        for axis in range(x.ndim):
            yield {"op": "sort", "array": name, "axis": axis, "results": {"values": result(sorted_array(x, axis))}}
            yield {"op": "argsort", "array": name, "axis": axis,
                   "results": {"values": result(np.argsort(x, axis=axis, kind="stable"))}}


def quantile_cases(arrays):
    for name, x in arrays.items():
        if name.endswith(".empty"):
            continue
        full = name in ("float32.odd", "float64.plain", "float16.plain", "int32.wide", "uint8.ties", "float32.long")
        for axes in all_axes(x):
            if not full and axes not in [(1,), None]:
                continue
            for skipna in [False, True] if name.endswith(".odd") else [False]:
                shown = None if axes is None else list(axes)
                for method in METHODS if full else ["linear", "lower", "median_unbiased"]:
                    out = quantile(x, QS, axes, method, skipna)
                    yield {"op": "quantile", "array": name, "axes": shown, "method": method, "skipna": skipna, "q": QS,
                           "results": {"values": result(out)}}
                function = np.nanmedian if skipna else np.median
                yield {"op": "median", "array": name, "axes": shown, "skipna": skipna,
                       "results": {"values": result(np.asarray(function(x, axis=axes)))}}


def ranks(lane):
    """Numbers in the order of the elements: NaN largest, zeros equal."""
    if lane.dtype.kind == "f":
        return [(1, 0.0) if np.isnan(v) else (0, float(v) + 0.0) for v in lane]
    return [(0, int(v)) for v in lane]


def topk_cases(arrays):
    for name, x in arrays.items():
        if x.size == 0 or name.endswith(".one"):
            continue
        for axis, k in itertools.product(range(x.ndim), [3, -3] if name.endswith(".long") else [2, -3, 1000]):
            lanes = np.moveaxis(x, axis, -1)
            n = min(abs(k), x.shape[axis])
            index = np.empty(lanes.shape[:-1] + (n,), "i8")
            for at in np.ndindex(*lanes.shape[:-1]):
                rank = ranks(lanes[at])
                order = sorted(range(len(rank)), key=rank.__getitem__)
                if k > 0:
                    order = []
                    for value in sorted(set(rank), reverse=True):
                        order += [i for i, r in enumerate(rank) if r == value]
                index[at] = order[:n]
            index = np.moveaxis(index, -1, axis)
            values = np.take_along_axis(x, index, axis)
            if x.dtype.kind == "f":
                values = values + np.zeros((), x.dtype)
            yield {"op": "topk", "array": name, "axis": axis, "k": k,
                   "results": {"values": result(values), "indices": result(index)}}


def search_cases(arrays):
    for name in ["int8.wide", "uint64.wide", "float16.odd", "float32.odd", "float64.plain", "float64.long", "bool.mixed"]:
        x = arrays[name]
        table = np.sort(x.reshape(-1))
        arrays[f"{name}.sorted"] = table
        arrays[f"{name}.none"] = table[:0]
        for values, side in itertools.product([name, "float32.odd" if x.dtype.kind == "f" else name], ["left", "right"]):
            for sorted_name in [f"{name}.sorted", f"{name}.none"]:
                out = np.searchsorted(arrays[sorted_name], arrays[values], side=side)
                yield {"op": "searchsorted", "array": sorted_name, "values": values, "side": side,
                       "results": {"values": result(out)}}
    rising, falling = [-3.0, 0.0, 0.0, 0.1, 2.0, 1e9], [7.5, 2.0, 0.0, 0.0, -1.0]
    for name, edges, right in itertools.product(
            ["float32.odd", "float64.odd", "float16.odd", "int32.ties", "uint8.wide", "bool.mixed"],
            [rising, falling, [1.0], [2.0, 2.0], []], [False, True]):
        out = np.digitize(arrays[name], edges, right=right)
        yield {"op": "digitize", "array": name, "edges": edges, "right": right, "results": {"values": result(out)}}


def histogram_cases(arrays):
    for dtype in FLOATS + ["int16", "uint64"]:
        shape = (4, 30)
        arrays[f"{dtype}.steps"] = (rng.integers(0, 21, shape) / (10 if dtype in FLOATS else 1)).astype(dtype)
        arrays[f"{dtype}.same"] = np.full((6,), 3, dtype)
    arrays["float64.weights"] = rng.normal(size=(4, 30))
    arrays["float32.weights"] = rng.normal(size=(4, 30)).astype("f4")
    arrays["float64.weights.odd"] = rng.normal(size=(5, 7, 3))
    names = [n for n in arrays if n.endswith((".steps", ".same"))] + ["float32.odd", "float64.odd", "bool.mixed"]
    ways = [{"bins": 10, "range": [0.0, 2.0]}, {"bins": 7, "range": [-1.0, 1.1]}, {"bins": 4, "range": [3.0, 3.0]},
            {"bins": 13, "range": None}, {"edges": [-1.0, 0.1, 0.2, 0.2, 1.1, 2.0]}, {"edges": [0.5, 1.0]}]
    for name, way in itertools.product(names, ways):
        x = arrays[name]
        if x.dtype.kind == "b":
            x = x.astype("u1")
        range_ = None if way.get("range") is None else tuple(way["range"])
        if range_ is None and "bins" in way and not np.isfinite(x).all():
            continue
        if "bins" in way and x.dtype == np.float16:
            continue  # edges of half floats: NumPy's guess can miss by more than the one bin it puts right
        bins = way.get("bins", way.get("edges"))
        weights = {(4, 30): "float64.weights", (5, 7, 3): "float64.weights.odd"}.get(x.shape)
        counts, edges = np.histogram(x, bins=bins, range=range_)
        results = {"counts": result(counts.astype("i8")), "edges": result(edges.astype("f8"))}
        density = np.histogram(x, bins=edges.astype("f8"), density=True)[0]
        if counts.sum():
            results["density"] = result(density)
        yield {"op": "histogram", "array": name, **way, "results": results}
        if weights:
            sums = np.histogram(x, bins=bins, range=range_, weights=arrays[weights])[0]
            yield {"op": "histogram", "array": name, **way, "weights": weights, "results": {"sums": result(sums)}}


def count_cases(arrays):
    arrays["float64.weights.counts"] = rng.normal(size=105)
    for dtype in INTS:
        arrays[f"{dtype}.counts"] = arrays[f"{dtype}.ties"].reshape(-1)
        for minlength in [0, 3, 12]:
            out = np.bincount(arrays[f"{dtype}.counts"].astype("i8"), minlength=minlength)
            sums = np.bincount(arrays[f"{dtype}.counts"].astype("i8"), arrays["float64.weights.counts"], minlength)
            yield {"op": "bincount", "array": f"{dtype}.counts", "minlength": minlength,
                   "results": {"counts": result(out.astype("i8"))}}
            yield {"op": "bincount", "array": f"{dtype}.counts", "minlength": minlength,
                   "weights": "float64.weights.counts", "results": {"sums": result(sums)}}


def unique_cases(arrays):
    for name, x in arrays.items():
        if "." in name and name.split(".")[1] in ("odd", "ties", "mixed", "empty", "long", "one"):
            values, index, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
            values = values + np.zeros((), x.dtype) if x.dtype.kind == "f" else values
            yield {"op": "unique", "array": name, "results": {
                "values": result(values), "index": result(index), "inverse": result(inverse.reshape(x.shape)),
                "counts": result(counts)}}


def main():
    arrays = make_arrays()
    assert all(any(n.startswith(d + ".") for n in arrays) for d in ALL)
    plain = dict(arrays)
    cases = [*order_cases(plain), *quantile_cases(plain), *topk_cases(plain), *search_cases(arrays),
             *histogram_cases(arrays), *count_cases(arrays), *unique_cases(plain)]
    head = {"numpy": np.__version__, "arrays": {
        n: {"dtype": str(x.dtype), "shape": list(x.shape), "values": words(x)} for n, x in arrays.items()}}
    write("order.json", head, cases)


main()
