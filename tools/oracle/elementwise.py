"""Makes tests/oracle/elementwise.json: elementwise functions against NumPy and mpmath.

    { "numpy": version,
      "sets":  { name: {"dtype": d, "values": words} },     inputs, shared by the cases
      "cases": [ {"op": name,            Array API name (acos, pow, bitwise_left_shift, where, ...)
                  "args": [set, ...],    inputs, elementwise, all of equal length
                  "dtype": d,            result dtype
                  "exact": bool,         true: equal bits; false: correctly rounded, ULP apply
                  "standard": bool,      false: NumPy takes these dtypes, the standard does not
                  "zero_sign": bool,     false: NumPy leaves the sign of a zero result open
                  "expect": words} ] }

`words` is described in common.py. `exact` results are NumPy's own at that dtype. The others
(exp, sin, pow, ...) are the true value rounded once to the dtype, from mpmath, with NumPy's
answer where an input or the result is not finite or is zero. `cast` converts args[0] to `dtype`;
conversions that C leaves undefined (NaN or out of range to an integer) are not in it.
Integer division by zero gives 0, shifts by the width or more give 0 (right shifts of negative
numbers -1), overflow wraps: that is what NumPy does.
"""

from fractions import Fraction

import mpmath
import numpy as np
from scipy import special

from common import ALL, FLOATS, INTS, NUMERIC, SIGNED, canonical, words, write

mpmath.mp.prec = 1400
np.seterr(all="ignore")
rng = np.random.default_rng(20241201)
sets = {}
cases = []


def add_set(name, array):
    sets[name] = np.asarray(array)
    return name


def unique(array):
    """The array without repeated bit patterns, order kept."""
    _, first = np.unique(array.view(f"u{array.dtype.itemsize}"), return_index=True)
    return array[np.sort(first)]


def float_values(dtype):
    """Special values, the edges of each function's domain, and ordinary numbers."""
    info = np.finfo(dtype)
    one = np.array(1, dtype)
    special_values = [
        np.nan, np.inf, -np.inf, 0.0, -0.0, info.smallest_subnormal, -info.smallest_subnormal,
        info.smallest_normal, -info.smallest_normal, np.nextafter(info.smallest_normal, one * 0),
        info.max, -info.max, info.eps, -info.eps, 1, -1, np.nextafter(one, one * 0),
        np.nextafter(one, one * 2), -np.nextafter(one, one * 0), 2, -2, 3, -3, 10, 100, -100, 8, -27,
        1000, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.5, 0.1, -0.1, 0.3, 1e-3, -1e-4, 0.75, 1.25,
        np.pi, -np.pi, np.pi / 2, np.pi / 4, -3 * np.pi / 4, np.e, 90, 180, -360, 11.08, -17.3,
        88.7, 88.8, -87.3, -103.9, -104.1, 128, -126, -149.5, 709.7, 709.8, -708.3, -745.1, 1024,
        -1074, 3e9, -3e9, 1e22, 4503599627370497.5, 8388609, 16777217, 2049, 0.49999997,
    ]
    ordinary = np.concatenate([
        rng.normal(size=12) * 3, rng.uniform(-1, 1, 10), np.exp(rng.uniform(-12, 12, 10)),
    ])
    values = np.array(np.concatenate([np.array(special_values, "f8"), ordinary])).astype(dtype)
    finite_asked = np.isfinite(np.concatenate([np.array(special_values, "f8"), ordinary]))
    values = values[np.isfinite(values) | ~finite_asked]
    signed_nan = np.array([np.nan], dtype)
    signed_nan.view(f"u{signed_nan.dtype.itemsize}")[0] |= 1 << (8 * signed_nan.dtype.itemsize - 1)
    return unique(np.concatenate([values, signed_nan]))


def float_pairs(dtype):
    """All pairs of the values at which binary functions turn, and ordinary pairs."""
    info = np.finfo(dtype)
    turning = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1, -1, 0.5, -2, 3, info.max,
                        -info.smallest_subnormal], dtype)
    a, b = [x.reshape(-1) for x in np.meshgrid(turning, turning, indexing="ij")]
    more_a = np.array([-8, -8, -8, 7, -7, 7, -7, 6.5, 1e4, 2, 2, 10, 5.5, 0.1, 1, 1, 3, 5, 1e-3, 1e-7,
                       info.max, info.max, info.smallest_normal, info.smallest_normal, 20000], "f8")
    more_b = np.array([3, 2, 1 / 3, 3, 3, -3, -3, 0.5, 3, 10, -3, -2, -5.5, 0.3, 1e-5, -1e-5, 4, 12, 1e3,
                       1e-7, info.max, -info.max, info.smallest_normal, 0.5, 30000], "f8")
    x = np.concatenate([more_a, rng.normal(size=20) * 5, np.exp(rng.uniform(-5, 5, 12))])
    y = np.concatenate([more_b, rng.normal(size=20) * 2, rng.normal(size=12) * 3])
    return (np.concatenate([a, x.astype(dtype)]), np.concatenate([b, y.astype(dtype)]))


def int_values(dtype):
    info = np.iinfo(dtype)
    values = [0, 1, 2, 3, 5, 7, 10, 11, 64, 99, 100, info.max, info.max - 1, info.max // 2,
              info.max // 2 + 1, info.max // 3]
    if info.min < 0:
        values += [-1, -2, -3, -7, -10, -100, info.min, info.min + 1, info.min // 2]
    return np.array(values).astype(dtype) if info.max < 2**63 else np.array(values, dtype)


def int_pairs(dtype):
    info = np.iinfo(dtype)
    turning = [0, 1, 2, 3, 7, 100, info.max, info.max - 1, info.max // 2 + 1]
    if info.min < 0:
        turning += [-1, -2, -7, info.min, info.min + 1]
    turning = np.array(turning, dtype)
    return [x.reshape(-1) for x in np.meshgrid(turning, turning, indexing="ij")]


def nearest(value, dtype):
    """The mpmath real rounded once, to nearest even, to the dtype."""
    info = np.finfo(dtype)
    if abs(value) > 4 * mpmath.mpf(float(info.max)):
        return np.array(np.inf if value > 0 else -np.inf, dtype)
    if abs(value) < mpmath.mpf(float(info.smallest_subnormal)) / 4:
        return np.array(0.0 if value >= 0 else -0.0, dtype)
    sign, man, exp, _ = value._mpf_
    exact = Fraction(-man if sign else man) * (Fraction(2) ** exp)
    edge = Fraction(float(info.max)) * (1 + Fraction(float(info.eps)) / 4)
    if abs(exact) >= edge:
        return np.array(np.inf if value > 0 else -np.inf, dtype)
    with np.errstate(all="ignore"):
        guess = np.array(float(exact) if abs(exact) < Fraction(float(np.finfo("f8").max)) else
                         float(np.sign(float(value))) * float(info.max), dtype)
    if not np.isfinite(guess):
        guess = np.array(np.copysign(float(info.max), float(guess)), dtype)
    around = [guess, np.nextafter(guess, np.array(np.inf, dtype)), np.nextafter(guess, np.array(-np.inf, dtype))]
    around = [c for c in around if np.isfinite(c)]
    unsigned = f"u{np.dtype(dtype).itemsize}"
    best = min(around, key=lambda c: (abs(Fraction(float(c)) - exact), int(c.view(unsigned)) & 1))
    return np.array(np.copysign(float(best), float(np.sign(float(value)))) if best == 0 else best, dtype)


def ulps(a, b):
    """How many float64 lie between two float64."""
    order = lambda v: int(v) if v >= 0 else -(int(v) & 0x7FFFFFFFFFFFFFFF)
    return abs(order(np.float64(a).view("i8")) - order(np.float64(b).view("i8")))


def rounded(op, numpy_function, true_function, dtype, *args):
    """The true values at the dtype; NumPy's where it is special; NumPy must be close to all."""
    wide = canonical(numpy_function(*[a.astype("f8") for a in args]))
    out = np.empty(args[0].shape, dtype)
    for i, answer in enumerate(wide):
        inputs = [float(a[i]) for a in args]
        signed_zero = op == "atan2" and 0.0 in inputs      # mpmath has no -0
        if signed_zero or not np.isfinite(inputs).all() or not np.isfinite(answer) or answer == 0:
            out[i] = answer
            continue
        true = true_function(*[mpmath.mpf(x) for x in inputs])
        gap = ulps(nearest(true, "float64"), answer)
        assert gap <= 4, f"{op}{tuple(inputs)}: NumPy {answer}, mpmath {mpmath.nstr(true, 20)}, {gap} ULP"
        out[i] = nearest(true, dtype)
    return out


def case(op, args, dtype, expect, exact=True, standard=True, zero_sign=True):
    expect = np.asarray(expect)
    assert expect.dtype == dtype, f"{op} {args}: {expect.dtype} is not {dtype}"
    assert all(sets[a].shape == expect.shape for a in args), f"{op} {args}"
    cases.append({"op": op, "args": list(args), "dtype": str(dtype), "exact": exact, "standard": standard,
                  "zero_sign": zero_sign, "expect": words(canonical(expect))})


def make_sets():
    for dtype in FLOATS:
        add_set(f"{dtype}.x", float_values(dtype))
        for name, values in zip("ab", float_pairs(dtype)):
            add_set(f"{dtype}.{name}", values)
    for dtype in INTS:
        add_set(f"{dtype}.x", int_values(dtype))
        for name, values in zip("ab", int_pairs(dtype)):
            add_set(f"{dtype}.{name}", values)
        base, width = sets[f"{dtype}.x"], 8 * np.dtype(dtype).itemsize
        counts = [0, 1, 2, width - 1, width, width + 1, 100] + ([-1, -width] if dtype in SIGNED else [])
        x, n = np.meshgrid(base[-12:], np.array(counts, dtype), indexing="ij")
        add_set(f"{dtype}.shifted", x.reshape(-1))
        add_set(f"{dtype}.counts", n.reshape(-1))
        x, n = np.meshgrid(base, np.array([0, 1, 2, 3, 5, 17, 64, 101], dtype), indexing="ij")
        add_set(f"{dtype}.base", x.reshape(-1))
        add_set(f"{dtype}.power", n.reshape(-1))
    add_set("bool.x", np.array([False, True]))
    add_set("bool.a", np.array([False, False, True, True]))
    add_set("bool.b", np.array([False, True, False, True]))
    for dtype in ALL:
        a = sets[f"{dtype}.a"]
        add_set(f"condition.{len(a)}", np.arange(len(a)) % 3 != 1)
    for dtype in NUMERIC:                       # x, low, high; low > high and NaN bounds too
        x = sets[f"{dtype}.a"]
        add_set(f"{dtype}.low", np.roll(sets[f"{dtype}.b"], 5))
        add_set(f"{dtype}.high", np.roll(x, 17))


# name: (NumPy's function, true function), one input
ROUNDED_1 = {
    "exp": (np.exp, mpmath.exp), "exp2": (np.exp2, lambda x: mpmath.power(2, x)),
    "expm1": (np.expm1, mpmath.expm1), "log": (np.log, mpmath.log), "log1p": (np.log1p, mpmath.log1p),
    "log2": (np.log2, lambda x: mpmath.log(x) / mpmath.log(2)), "log10": (np.log10, mpmath.log10),
    "sin": (np.sin, mpmath.sin), "cos": (np.cos, mpmath.cos), "tan": (np.tan, mpmath.tan),
    "asin": (np.arcsin, mpmath.asin), "acos": (np.arccos, mpmath.acos), "atan": (np.arctan, mpmath.atan),
    "sinh": (np.sinh, mpmath.sinh), "cosh": (np.cosh, mpmath.cosh), "tanh": (np.tanh, mpmath.tanh),
    "asinh": (np.arcsinh, mpmath.asinh), "acosh": (np.arccosh, mpmath.acosh),
    "atanh": (np.arctanh, mpmath.atanh),
    "cbrt": (np.cbrt, lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x))),
    "erf": (special.erf, mpmath.erf),
    "deg2rad": (np.deg2rad, lambda x: x * mpmath.pi / 180),
    "rad2deg": (np.rad2deg, lambda x: x * 180 / mpmath.pi),
}
BEYOND_THE_STANDARD = {"exp2", "cbrt", "erf", "deg2rad", "rad2deg"}
ROUNDED_2 = {
    "pow": (np.power, mpmath.power), "atan2": (np.arctan2, mpmath.atan2),
    "hypot": (np.hypot, lambda x, y: mpmath.sqrt(x * x + y * y)),
    "logaddexp": (np.logaddexp, lambda x, y: max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y)))),
}
EXACT_FLOAT_1 = {"sqrt": np.sqrt, "reciprocal": np.reciprocal, "signbit": np.signbit}
EXACT_NUMERIC_1 = {
    "abs": np.abs, "negative": np.negative, "positive": np.positive, "sign": np.sign, "square": np.square,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.round,
    "isfinite": np.isfinite, "isinf": np.isinf, "isnan": np.isnan,
}
EXACT_NUMERIC_2 = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "floor_divide": np.floor_divide,
    "remainder": np.remainder, "maximum": np.maximum, "minimum": np.minimum,
    "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal,
}
LOGICAL_2 = {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}
BITWISE_2 = {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor}


def one_input():
    for dtype in NUMERIC:
        name = f"{dtype}.x"
        x = sets[name]
        for op, function in EXACT_NUMERIC_1.items():
            out = function(x)
            if op in ("floor", "ceil", "trunc", "round"):
                out = out.astype(dtype)
            case(op, [name], out.dtype, out)
    for dtype in FLOATS:
        name = f"{dtype}.x"
        x = sets[name]
        for op, function in EXACT_FLOAT_1.items():
            out = function(x)
            case(op, [name], out.dtype, out)
        for op, (function, true) in ROUNDED_1.items():
            out = rounded(op, function, true, dtype, x)
            case(op, [name], dtype, out, exact=False, standard=op not in BEYOND_THE_STANDARD)
    for dtype in ["bool"] + INTS:
        case("bitwise_invert", [f"{dtype}.x"], dtype, np.bitwise_not(sets[f"{dtype}.x"]))
    for dtype in ALL:
        case("logical_not", [f"{dtype}.x"], "bool", np.logical_not(sets[f"{dtype}.x"]), standard=dtype == "bool")


def two_inputs():
    for dtype in NUMERIC:
        names = [f"{dtype}.a", f"{dtype}.b"]
        a, b = (sets[n] for n in names)
        for op, function in EXACT_NUMERIC_2.items():
            out = function(a, b)
            case(op, names, out.dtype, out, zero_sign=op not in ("maximum", "minimum"))
        out = np.divide(a, b)
        case("divide", names, out.dtype, out, standard=dtype in FLOATS)
    for dtype in FLOATS:
        names = [f"{dtype}.a", f"{dtype}.b"]
        a, b = (sets[n] for n in names)
        for op, (function, true) in ROUNDED_2.items():
            case(op, names, dtype, rounded(op, function, true, dtype, a, b), exact=False)
        case("copysign", names, dtype, np.copysign(a, b))
        case("nextafter", names, dtype, np.nextafter(a, b))
    for dtype in ALL:
        names = [f"{dtype}.a", f"{dtype}.b"]
        a, b = (sets[n] for n in names)
        for op, function in LOGICAL_2.items():
            case(op, names, "bool", function(a, b), standard=dtype == "bool")
        if dtype in FLOATS:
            continue
        for op, function in BITWISE_2.items():
            case(op, names, dtype, function(a, b))
    case("equal", ["bool.a", "bool.b"], "bool", np.equal(sets["bool.a"], sets["bool.b"]))
    case("not_equal", ["bool.a", "bool.b"], "bool", np.not_equal(sets["bool.a"], sets["bool.b"]))
    for dtype in INTS:
        names = [f"{dtype}.shifted", f"{dtype}.counts"]
        a, b = (sets[n] for n in names)
        case("bitwise_left_shift", names, dtype, np.left_shift(a, b))
        case("bitwise_right_shift", names, dtype, np.right_shift(a, b))
        names = [f"{dtype}.base", f"{dtype}.power"]
        case("pow", names, dtype, np.power(*(sets[n] for n in names)))


def three_inputs():
    for dtype in NUMERIC:
        names = [f"{dtype}.a", f"{dtype}.low", f"{dtype}.high"]
        case("clip", names, dtype, np.clip(*(sets[n] for n in names)), zero_sign=False)
    for dtype in ALL:
        a, b = f"{dtype}.a", f"{dtype}.b"
        condition = f"condition.{len(sets[a])}"
        case("where", [condition, a, b], dtype, np.where(sets[condition], sets[a], sets[b]))


def random_words():
    names = ["uint64.a", "uint64.b"]
    index, key = (sets[n] for n in names)
    word = lambda i, k: np.random.Philox(counter=int(i) // 4, key=int(k)).random_raw(4)[int(i) % 4]
    case("philox", names, "uint64", np.array([word(i, k) for i, k in zip(index, key)], "uint64"))


def casts():
    for source in ALL:
        x = sets[f"{source}.x"]
        for target in ALL:
            if source == target:
                continue
            name = f"{source}.x"
            if source in FLOATS and target in INTS:
                info = np.iinfo(target)
                whole = np.trunc(x.astype("f8"))
                fits = np.isfinite(whole) & (whole >= info.min) & (whole < float(info.max) + (info.max < 2**53))
                name = add_set(f"{source}.fits.{target}", x[fits])
            case("cast", [name], target, sets[name].astype(target))


make_sets()
one_input()
two_inputs()
three_inputs()
random_words()
casts()
used = {a for c in cases for a in c["args"]}
head = {
    "numpy": np.__version__,
    "sets": {n: {"dtype": str(v.dtype), "values": words(v)} for n, v in sets.items() if n in used},
}
write("elementwise.json", head, cases)
