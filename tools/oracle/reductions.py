"""Makes tests/oracle/reductions.json: reductions over every set of axes, against NumPy.

    { "numpy": version,
      "arrays": { name: {"dtype": d, "shape": [..], "values": words} },
      "cases": [ {"array": name,
                  "axes": [..],          the axes that are reduced; [] reduces nothing
                  "shape": [..],         of the results, keepdims false
                  "results": { op: {"dtype": d, "values": words} or {"error": class} } } ] }

`words` is described in common.py. Ops: sum prod min max mean var std any all count_nonzero argmin
argmax, and nansum nanprod nanmin nanmax nanmean nanvar nanstd nanargmin nanargmax, which skip NaN;
`count` is the number of elements that are not NaN (xarray's). `var.ddof1` is var with ddof=1, and
so on. argmin and argmax stand only where one axis or all axes are reduced (all: index into C order).
An `error` is NumPy's class where no result exists: minimum of nothing, nanargmin of only NaN.

sum, prod, mean, var and std of floats are the exact value rounded once to the dtype, so an engine
that accumulates float32 in float64 is off by one rounding at most; NumPy must be near. Where an
input is not finite they are NumPy's in float64. Integer sums are int64 or uint64 and wrap. The sign
of a zero result is open. `offset` arrays vary little about a large mean: E[x*x]-E[x]**2 fails there.
"""

import itertools
import warnings
from fractions import Fraction

import mpmath
import numpy as np

from common import canonical, words, write

warnings.simplefilter("ignore")
np.seterr(all="ignore")
mpmath.mp.prec = 400
rng = np.random.default_rng(1202)

PLAIN = ["sum", "prod", "min", "max", "mean", "var", "std", "any", "all", "count_nonzero"]
SKIPPING = ["nansum", "nanprod", "nanmin", "nanmax", "nanmean", "nanvar", "nanstd"]
ARG = ["argmin", "argmax", "nanargmin", "nanargmax"]
EXACT_FLOAT = {"sum", "prod", "mean", "var", "std"}


def make_arrays():
    shape = (3, 5, 4)
    arrays = {}
    for dtype in ["int32", "int64"]:
        info = np.iinfo(dtype)
        arrays[f"{dtype}.small"] = rng.integers(-9, 10, shape).astype(dtype)
        wide = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
        wide[0, 0, :] = info.max
        wide[1, :, 2] = info.min
        arrays[f"{dtype}.wide"] = wide
    arrays["uint8.wide"] = rng.integers(0, 256, shape).astype("uint8")
    arrays["bool.mixed"] = rng.random(shape) < 0.5
    arrays["bool.mixed"][1, 2, :] = False
    arrays["bool.mixed"][2, :, 1] = True
    for dtype in ["float32", "float64"]:
        plain = (rng.normal(size=shape) * 10).astype(dtype)
        arrays[f"{dtype}.plain"] = plain
        holes = plain.copy()
        holes[rng.random(shape) < 0.2] = np.nan
        holes[:, 2, 1] = np.nan
        holes[1, 3, :] = np.nan
        arrays[f"{dtype}.nan"] = holes
        infinite = plain.copy()
        infinite[0, 1, 2], infinite[2, 4, 0], infinite[2, 4, 1] = np.inf, -np.inf, np.inf
        infinite[1, 0, 0], infinite[1, 0, 1], infinite[0, 3, 3] = np.nan, np.inf, np.nan
        infinite[1, 2, :] = [-0.0, 0.0, -0.0, -0.0]
        arrays[f"{dtype}.inf"] = infinite
        offset = (273.15 + rng.normal(size=shape) * 1e-3) if dtype == "float32" else (1e8 + rng.normal(size=shape))
        arrays[f"{dtype}.offset"] = offset.astype(dtype)
    arrays["float32.large"] = (rng.uniform(0.5, 1, shape) * np.finfo("f4").max).astype("float32")
    for dtype in ["int32", "uint8", "float32", "float64", "bool"]:
        arrays[f"{dtype}.empty"] = np.zeros((3, 0, 4), dtype)
        arrays[f"{dtype}.none"] = np.zeros((0,), dtype)
        arrays[f"{dtype}.scalar"] = np.array(3, dtype)
        arrays[f"{dtype}.one"] = np.ones((1, 1), dtype)
    for dtype in ["float32", "float64"]:
        arrays[f"{dtype}.all_nan"] = np.full((2, 3), np.nan, dtype)
        arrays[f"{dtype}.nan_scalar"] = np.array(np.nan, dtype)
    arrays["float32.line"] = np.linspace(-1, 1, 17).astype("float32")
    return arrays


def exact(op, values, ddof):
    """The op on finite floats without any rounding but the last, as an mpmath real."""
    numbers = [Fraction(float(v)) for v in values]
    n = len(numbers)
    if op == "sum":
        out = sum(numbers, Fraction(0))
    elif op == "prod":
        out = Fraction(1)
        for x in numbers:
            out *= x
    else:
        mean = sum(numbers, Fraction(0)) / n
        if op == "mean":
            out = mean
        else:
            out = sum(((x - mean) ** 2 for x in numbers), Fraction(0)) / (n - ddof)
    out = mpmath.mpf(out.numerator) / mpmath.mpf(out.denominator)
    return mpmath.sqrt(out) if op == "std" else out


def exact_reduction(op, x, axes, ddof):
    """`op` over `axes`, slice by slice, rounded once; NumPy in float64 where that is undefined."""
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = np.transpose(x, kept + list(axes)).reshape([x.shape[a] for a in kept] + [-1] if axes or x.ndim == 0
                                                      else list(x.shape) + [1])
    base = op.removeprefix("nan")
    numpy_op = getattr(np, op)
    out = np.empty(rows.shape[:-1], x.dtype)
    for index in np.ndindex(*rows.shape[:-1]):
        row = rows[index].astype("f8")
        extra = {"ddof": ddof} if base in ("var", "std") else {}
        answer = numpy_op(row, **extra)
        if op.startswith("nan"):
            row = row[~np.isnan(row)]
        plain = np.isfinite(row).all() and len(row) > (ddof if base in ("var", "std") else 0)
        if not plain:
            out[index] = answer
            continue
        true = exact(base, row, ddof)
        close = abs(true - mpmath.mpf(float(answer))) <= 1e-9 * max(abs(true), mpmath.mpf(float(np.abs(row).max())))
        assert close, f"{op} of {row}: NumPy {answer}, exact {mpmath.nstr(true, 20)}"
        out[index] = float(true)
    return out


def result(op, x, axes):
    """One op's entry in `results`."""
    name, _, variant = op.partition(".")
    ddof = 1 if variant == "ddof1" else 0
    axis = tuple(axes)
    if name in ARG:
        axis = None if len(axes) == x.ndim else axes[0]
    try:
        if name == "count":
            out = np.sum(~np.isnan(x) if x.dtype.kind == "f" else np.ones(x.shape, bool), axis=axis, dtype="int64")
        elif x.dtype.kind == "f" and name.removeprefix("nan") in EXACT_FLOAT:
            out = exact_reduction(name, x, axes, ddof)
        else:
            extra = {"ddof": ddof} if name.removeprefix("nan") in ("var", "std") else {}
            out = getattr(np, name)(x, axis=axis, **extra)
    except ValueError as error:
        return {"error": type(error).__name__}, None
    out = np.asarray(out)
    return {"dtype": str(out.dtype), "values": words(canonical(out))}, out.shape


def ops_for(name, x, axes):
    if name == "float32.large":
        return ["sum", "mean", "min", "max"]
    ops = PLAIN + ["count"]
    if name.endswith(".offset"):
        return ["sum", "mean", "var", "std", "var.ddof1", "std.ddof1", "nanmean", "nanvar", "nanstd"]
    if x.dtype.kind == "b":
        ops = [op for op in ops if op not in ("var", "std")]
    else:
        ops = ops + ["var.ddof1", "std.ddof1"]
    if x.dtype.kind == "f":
        ops = ops + SKIPPING + ["nanvar.ddof1", "nanstd.ddof1"]
    if len(axes) == 1 or len(axes) == x.ndim:
        ops = ops + [op for op in ARG if x.dtype.kind == "f" or not op.startswith("nan")]
    return ops


def main():
    arrays = make_arrays()
    cases = []
    for name, x in arrays.items():
        for count in range(x.ndim + 1):
            for axes in itertools.combinations(range(x.ndim), count):
                if not axes and x.ndim and not name.endswith((".small", ".nan", ".mixed")):
                    continue
                shape = [n for a, n in enumerate(x.shape) if a not in axes]
                results = {}
                for op in ops_for(name, x, axes):
                    results[op], got = result(op, x, axes)
                    assert got is None or list(got) == shape, f"{name} {op} {axes}: {got} is not {shape}"
                cases.append({"array": name, "axes": list(axes), "shape": shape, "results": results})
    head = {"numpy": np.__version__, "arrays": {
        n: {"dtype": str(x.dtype), "shape": list(x.shape), "values": words(x)} for n, x in arrays.items()}}
    write("reductions.json", head, cases)


main()
