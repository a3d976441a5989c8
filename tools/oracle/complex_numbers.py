"""Makes tests/oracle/complex.json: complex numbers by NumPy, in a wider type where one is needed.

    { "numpy": version,
      "pairs":   [ [a, b, result], ... ]     promotion of ordered pairs with a complex dtype
      "scalars": [ [a, result], ... ]        a with a Python complex: weak
      "sets":    { name: ARRAY }
      "cases":   [ { "what": name, "args": [name of a set, ...], "expect": ARRAY, "also": {...} }, ... ] }

ARRAY is { "dtype", "shape", "values" }: words as in common.py, of a complex array those of its parts in
turn. `what` is an elementwise op of the table, a reduction, a scan, a product of arrays, or a function
of numpy.fft. Elementwise results of complex64 are those of complex128, results of complex128 those of
80-bit floats, both rounded; special values are NumPy's own. Arguments of transforms are float32 values,
their results float64: a test of float32 rounds them.
"""

import numpy as np

from common import ALL, canonical, words, write

rng = np.random.default_rng(20)
COMPLEX = ["complex64", "complex128"]


def array(x):
    x = np.asarray(x)
    parts = np.ascontiguousarray(x).reshape(-1)
    if x.dtype.kind == "c":
        parts = parts.view(f"f{x.dtype.itemsize // 2}")
    return {"dtype": str(x.dtype), "shape": list(x.shape), "values": words(canonical(parts))}


cases = []
sets = {}


def named(x):
    """The name of the set that is `x`."""
    stored = array(x)
    for name, known in sets.items():
        if known == stored:
            return name
    sets[f"s{len(sets)}"] = stored
    return f"s{len(sets) - 1}"


def case(what, args, expect, **also):
    one = {"what": what, "args": [named(a) for a in args], "expect": array(expect)}
    if also:
        one["also"] = also
    cases.append(one)


def join(re, im, dtype):
    z = np.empty(np.broadcast(re, im).shape, dtype)
    z.real, z.imag = re, im
    return z


def wide(z):
    return z.astype(np.clongdouble if z.dtype == "complex128" else np.complex128)


def draw(n, dtype, reach):
    size = np.exp(rng.uniform(-reach, reach, n))
    turn = rng.uniform(-np.pi, np.pi, n)
    return (size * np.exp(1j * turn)).astype(dtype)


np.seterr(all="ignore")
part = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan])
grid_re, grid_im = (g.ravel() for g in np.meshgrid(part, part, indexing="ij"))

ARITHMETIC = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide}
EXACT = {
    "negative": np.negative, "positive": np.positive, "conj": np.conj, "real": np.real, "imag": np.imag,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "logical_not": np.logical_not,
}
FUNCTIONS = {
    "abs": np.abs, "angle": np.angle, "square": np.square, "reciprocal": np.reciprocal, "sqrt": np.sqrt,
    "exp": np.exp, "log": np.log, "log2": np.log2, "log10": np.log10, "sin": np.sin, "cos": np.cos,
    "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "sign": np.sign, "exp2": np.exp2,
}

for dtype in COMPLEX:
    special = join(grid_re, grid_im, dtype)
    some = join(*(g.ravel() for g in np.meshgrid(part[[0, 3, 4, 6]], part[[0, 2, 5]])), dtype)
    left, right = np.repeat(some, len(some)), np.tile(some, len(some))
    a, b = draw(60, dtype, 3), draw(60, dtype, 3)
    for name, function in EXACT.items():
        case(name, [special], function(special), exact=True)
        case(name, [a], function(a), exact=True)
    for name, function in ARITHMETIC.items():
        case(name, [left, right], function(left, right), special=True)
        case(name, [a, b], function(wide(a), wide(b)).astype(dtype))
        case(name, [a, b.real.copy()], function(wide(a), wide(b).real).astype(dtype))
    for name in ["equal", "not_equal"]:
        case(name, [left, right], getattr(np, name)(left, right), exact=True)
    for name, function in FUNCTIONS.items():
        near = draw(20, dtype, 0.01)
        z = np.concatenate([a, near])
        if name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp2"):
            z = np.concatenate([a[np.abs(a) < 12], near, draw(10, dtype, 0.1) * np.dtype(dtype).type(1e-3)])
        # np.exp2 takes no complex numbers, np.sign of clongdouble is that of NumPy 2.
        expect = np.exp(wide(z) * np.log(wide(z).real.dtype.type(2))) if name == "exp2" else function(wide(z))
        result = dtype if expect.dtype.kind == "c" else np.dtype(dtype).type(0).real.dtype
        case(name, [z], expect.astype(result))
        if name not in ("exp2", "sign", "reciprocal", "square"):
            case(name, [special], function(special), special=True)
    small = a[np.abs(a) < 6]
    for power in (0, 1, 2, 3, 7, -1, -2):
        expect = wide(small) ** power if power >= 0 else 1 / wide(small) ** -power
        case("pow", [small], expect.astype(dtype), exponent=power)
    base, power = draw(40, dtype, 1), draw(40, dtype, 1)
    case("pow", [base, power], np.exp(wide(power) * np.log(wide(base))).astype(dtype))
    where = rng.random(60) < 0.5
    case("where", [where, a, b], np.where(where, a, b), exact=True)
    case("complex", [a.real.copy(), b.real.copy()], join(a.real, b.real, dtype), exact=True)

    x = draw(4 * 5 * 6, dtype, 1).reshape(4, 5, 6)
    holes = x.copy()
    holes[1, 2, 3] = np.nan
    holes[0, 4, 1] = complex(1.0, np.nan)
    w, h = wide(x), wide(holes)
    for axes in ([0], [1], [2], [0, 1, 2]):
        axis = tuple(axes)
        for name, function, missing in [
            ("sum", np.sum, np.nansum), ("mean", np.mean, np.nanmean), ("var", np.var, np.nanvar),
            ("std", np.std, np.nanstd),
        ]:
            expect = function(w, axis=axis)
            result = np.dtype(dtype) if expect.dtype.kind == "c" else np.dtype(dtype).type(0).real.dtype
            case(name, [x], expect.astype(result), axes=axes)
            case(name, [holes], missing(h, axis=axis).astype(result), axes=axes, skipna=True)
        case("any", [x], np.any(x, axis=axis), axes=axes, exact=True)
        case("all", [x], np.all(x, axis=axis), axes=axes, exact=True)
        case("count", [holes], np.sum(~np.isnan(holes), axis=axis), axes=axes, skipna=True, exact=True)
    for axis in (0, 1, 2):
        case("cumulative_sum", [x], np.cumsum(w, axis=axis).astype(dtype), axes=[axis])
        case("cumulative_sum", [holes], np.nancumsum(h, axis=axis).astype(dtype), axes=[axis], skipna=True)
        case("diff", [x], np.diff(w, axis=axis).astype(dtype), axes=[axis])
        case("gradient", [x], np.gradient(w, axis=axis).astype(dtype), axes=[axis])
    m, n = draw(7 * 9, dtype, 1).reshape(7, 9), draw(9 * 8, dtype, 1).reshape(9, 8)
    case("matmul", [m, n], (wide(m) @ wide(n)).astype(dtype))
    case("matmul", [m, n.real.copy()], (wide(m) @ wide(n).real).astype(dtype))
    case("matmul", [m.imag.copy(), n], (wide(m).imag @ wide(n)).astype(dtype))

FORWARD = {"fft": np.fft.fft, "ifft": np.fft.ifft}
for n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 15, 16, 17, 30, 31, 36, 49, 64, 97, 100, 128, 210]:
    z = draw(n, "complex64", 1).astype("complex128")
    x = rng.standard_normal(n).astype("float32").astype("float64")
    for name, function in FORWARD.items():
        case(name, [z], function(z), axis=0)
    case("rfft", [x], np.fft.rfft(x), axis=0)
    half = np.fft.rfft(x).astype("complex64").astype("complex128")
    half[0] += 1j  # not looked at
    case("irfft", [half], np.fft.irfft(half, n), axis=0, n=n)
z = draw(3 * 6 * 5, "complex64", 1).astype("complex128").reshape(3, 6, 5)
x = rng.standard_normal((3, 6, 5)).astype("float32").astype("float64")
for axis in (0, 1, 2):
    for n in (1, 4, 7):
        for name in ("fft", "ifft", "irfft", "hfft"):
            if name in ("irfft", "hfft") and n == 1:
                continue
            case(name, [z], getattr(np.fft, name)(z, n, axis), axis=axis, n=n)
        for name in ("fft", "rfft", "ihfft"):
            case(name, [x], getattr(np.fft, name)(x, n, axis), axis=axis, n=n)
    for norm in ("backward", "ortho", "forward")[axis == 0 :]:
        for name in ("fft", "ifft", "irfft", "hfft"):
            case(name, [z], getattr(np.fft, name)(z, None, axis, norm), axis=axis, norm=norm)
        for name in ("rfft", "ihfft"):
            case(name, [x], getattr(np.fft, name)(x, None, axis, norm), axis=axis, norm=norm)
for axes in ([0, 1], [1, 2], [2, 0], [0, 1, 2]):
    for norm in ("backward", "ortho"):
        for name in ("fftn", "ifftn", "irfftn"):
            case(name, [z], getattr(np.fft, name)(z, None, axes, norm), axes=axes, norm=norm)
        case("rfftn", [x], np.fft.rfftn(x, None, axes, norm), axes=axes, norm=norm)
    sizes = [4, 6, 5][: len(axes)]
    case("fftn", [z], np.fft.fftn(z, sizes, axes), axes=axes, sizes=sizes)
    case("rfftn", [x], np.fft.rfftn(x, sizes, axes), axes=axes, sizes=sizes)
    case("irfftn", [z], np.fft.irfftn(z, sizes, axes), axes=axes, sizes=sizes)
    case("fftshift", [x], np.fft.fftshift(x, axes), axes=axes, exact=True)
    case("ifftshift", [x], np.fft.ifftshift(x, axes), axes=axes, exact=True)
for n in (1, 2, 5, 8):
    case("fftfreq", [], np.fft.fftfreq(n, 0.25), n=n, exact=True)
    case("rfftfreq", [], np.fft.rfftfreq(n, 0.25), n=n, exact=True)

pairs = [
    [a, b, str(np.result_type(np.dtype(a), np.dtype(b)))]
    for a in ALL + COMPLEX for b in ALL + COMPLEX if a in COMPLEX or b in COMPLEX
]
scalars = [[a, str(np.result_type(np.zeros(1, a), 1j))] for a in ALL + COMPLEX]
write("complex.json", {"numpy": np.__version__, "pairs": pairs, "scalars": scalars, "sets": sets}, cases)
