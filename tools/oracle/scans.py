"""Makes tests/oracle/scans.json: scans and windows along every axis, against NumPy and xarray.

    { "numpy": version, "xarray": version,
      "arrays": { name: {"dtype": d, "shape": [..], "values": words} },
      "cases": [ {"array": name, "axis": a,
                  "results": { op: {"dtype": d, "values": words} } },
                 {"array": name, "axis": a, "window": w, "min_periods": m, "center": bool,
                  "results": { op: {"dtype": d, "values": words} } } ] }

`words` is described in common.py; results have the shape of their array.

Scans (cases without a window): cumsum cumprod cummax cummin, and nancumsum nancumprod nancummax
nancummin. Sums of floats are the exact value of each prefix rounded once; products are NumPy's in
float64, rounded once; where a prefix is not finite both are NumPy's in float64. nancummax is
fmax.accumulate. Integers are NumPy's.

Windows: mean sum min max count, var std (ddof 0) and var.ddof1, as xarray's rolling(...) gives them
without bottleneck, whose running sums drift and keep NaN once they met an infinity. Floats are
widened to float64 and the result rounded once; sums, means and variances of finite elements are exact
but for that rounding. Integers become float64, as with bottleneck.
"""

import math
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import xarray as xr

from common import ALL, FLOATS, canonical, words, write

warnings.simplefilter("ignore")
np.seterr(all="ignore")
mpmath.mp.prec = 300
rng = np.random.default_rng(77)


def make_arrays():
    shape = (2, 11, 3)
    arrays = {}
    for dtype in ALL:
        if dtype == "bool":
            arrays["bool"] = rng.random(shape) < 0.4
        elif dtype in FLOATS:
            plain = (rng.normal(size=shape) * 10).astype(dtype)
            arrays[dtype] = plain
            special = plain.copy()
            special[rng.random(shape) < 0.15] = np.nan
            special[:, :, 1] = np.nan
            special[0, 3, 2], special[1, 3, 0], special[1, 7, 0], special[1, 5, 2] = np.inf, -np.inf, np.inf, np.inf
            special[1, :3, 0] = [-0.0, -0.0, 0.0]
            arrays[f"{dtype}.special"] = special
        else:
            info = np.iinfo(dtype)
            values = rng.integers(-9 if info.min else 0, 10, shape).astype(dtype)
            values[0, 2:5, :] = info.max
            values[1, 4:6, 2] = info.min
            arrays[dtype] = values
    for dtype in ["float32", "float64"]:
        large = 1e30 if dtype == "float32" else 1e100
        jumps = (rng.normal(size=shape)).astype(dtype)
        jumps[:, 4, :] = large
        jumps[1, 5, :] = -large
        arrays[f"{dtype}.jumps"] = jumps
        offset = 273.15 + rng.normal(size=shape) * 1e-3 if dtype == "float32" else 1e8 + rng.normal(size=shape)
        arrays[f"{dtype}.offset"] = offset.astype(dtype)
        arrays[f"{dtype}.line"] = rng.normal(size=37).astype(dtype)
        arrays[f"{dtype}.one"] = np.full((2, 1, 3), -0.0, dtype)
        arrays[f"{dtype}.empty"] = np.zeros((3, 0, 4), dtype)
        arrays[f"{dtype}.none"] = np.zeros((0, 5), dtype)
    arrays["float32.wide"] = rng.normal(size=(5, 70)).astype("float32")
    arrays["int64.empty"] = np.zeros((0,), "int64")
    return arrays


def exact_sums(x, skip):
    """The exact sums of the prefixes of a line, rounded once; NumPy's where they are not finite."""
    wide = x.astype("f8")
    plain = np.nancumsum(wide) if skip else np.cumsum(wide)
    values = np.where(np.isnan(wide), 0.0, wide) if skip else wide
    out = np.empty(len(x), x.dtype)
    for i in range(len(x)):
        finite = np.isfinite(values[: i + 1]).all()
        # fsum loses the sign of a zero, which NumPy has.
        total = math.fsum(values[: i + 1]) if finite else plain[i]
        out[i] = total if total != 0 else plain[i]
    return out


def scans(x, axis):
    results = {}
    for op in ["cumsum", "cumprod", "cummax", "cummin", "nancumsum", "nancumprod", "nancummax", "nancummin"]:
        skip = op.startswith("nan")
        if skip and x.dtype.kind != "f":
            continue
        kind = op.removeprefix("nan")
        if kind == "cumsum" and x.dtype.kind == "f":
            out = np.apply_along_axis(exact_sums, axis, x, skip) if x.size else x
        elif kind == "cumprod" and x.dtype.kind == "f":
            out = getattr(np, op)(x.astype("f8"), axis=axis).astype(x.dtype)
        elif kind in ("cumsum", "cumprod"):
            out = getattr(np, op)(x, axis=axis)
        else:
            name = {"cummax": "maximum", "cummin": "minimum"}[kind]
            name = name.replace("imum", "") if skip else name
            out = getattr(np, "f" + name if skip else name).accumulate(x, axis=axis)
        results[op] = {"dtype": str(out.dtype), "values": words(canonical(out))}
    return results


def exact_window(op, values, ddof):
    numbers = [Fraction(float(v)) for v in values]
    total = sum(numbers, Fraction(0))
    if op == "sum":
        return float(total)
    mean = total / len(numbers)
    if op == "mean":
        return float(mean)
    if len(numbers) <= ddof:
        return math.nan
    var = sum(((v - mean) ** 2 for v in numbers), Fraction(0)) / (len(numbers) - ddof)
    var = mpmath.mpf(var.numerator) / mpmath.mpf(var.denominator)
    return float(mpmath.sqrt(var) if op == "std" else var)


def windows(x, axis, window, min_periods, center):
    dims = [f"d{a}" for a in range(x.ndim)]
    dim = dims[axis]
    array = xr.DataArray(x.astype("f8"), dims=dims)
    results = {}
    with xr.set_options(use_bottleneck=False, use_numbagg=False):
        rolling = array.rolling({dim: window}, min_periods=min_periods, center=center)
        # The windows themselves: NaN beyond the ends.
        parts = np.moveaxis(rolling.construct("w").transpose(*dims, "w").values, axis, -2)
        for op in ["mean", "sum", "min", "max", "count", "var", "std", "var.ddof1"]:
            name, _, variant = op.partition(".")
            ddof = 1 if variant else 0
            extra = {"ddof": ddof} if name in ("var", "std") else {}
            want = getattr(rolling, name)(**extra).values
            if name in ("mean", "sum", "var", "std"):
                lines = np.moveaxis(want, axis, -1).copy()
                for index in np.ndindex(*lines.shape):
                    part = parts[index][~np.isnan(parts[index])]
                    if np.isnan(lines[index]) and (len(part) < (min_periods or window) or not np.isfinite(part).all()):
                        continue
                    if len(part) and np.isfinite(part).all():
                        exact = exact_window(name, part, ddof)
                        scale = np.abs(part).max()
                        scale = scale * scale if name == "var" else scale
                        same = math.isnan(exact) and math.isnan(lines[index])
                        assert same or math.isinf(scale) or abs(exact - lines[index]) <= 1e-7 * scale, (op, part)
                        lines[index] = exact
                want = np.moveaxis(lines, -1, axis)
            dtype = x.dtype if x.dtype.kind == "f" and op != "count" else np.dtype("f8")
            out = want.astype(dtype)
            results[op] = {"dtype": str(dtype), "values": words(canonical(out))}
    return results


def main():
    arrays = make_arrays()
    cases = []
    for name, x in arrays.items():
        for axis in range(x.ndim):
            cases.append({"array": name, "axis": axis, "results": scans(x, axis)})
    for name, x in arrays.items():
        if not x.size:
            continue
        wanted = [(4, None, False), (3, 1, True), (4, 2, True), (1, None, False), (30, 1, False)]
        if name.partition(".")[0] not in ("float32", "float64") or ".one" in name or ".wide" in name:
            wanted = wanted[:2]
        for axis in range(x.ndim):
            # Windows and axes differ in what they cross; the long axis has them all.
            if x.shape[axis] <= 5 and not name.endswith((".special", ".one")):
                continue
            for window, least, center in wanted if x.shape[axis] > 5 else wanted[1:2]:
                if window > x.shape[axis] and center:
                    continue
                cases.append({"array": name, "axis": axis, "window": window, "min_periods": least or window,
                              "center": center, "results": windows(x, axis, window, least, center)})
    head = {"numpy": np.__version__, "xarray": xr.__version__, "arrays": {
        n: {"dtype": str(x.dtype), "shape": list(x.shape), "values": words(x)} for n, x in arrays.items()}}
    write("scans.json", head, cases)


main()
