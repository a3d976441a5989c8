"""Makes tests/oracle/double.json: functions in float64 with the fraction of a unit that is left.

    { "mpmath": version,
      "cases": [ {"op": name,
                  "x": words,             first arguments
                  "y": words,             second ones, if the function has two
                  "expect": words,        the true values rounded to nearest
                  "rest": text} ] }       and what they are more, two hexadecimal digits each: a
                                          signed byte of 1/254 unit in the last place of `expect`

The error of a result is its distance from `expect` less `rest`, so that a stated error of 0.9 ULP
can be told from one of 1.1. All arguments and results are finite, and no result is zero: special
values are in elementwise.json. A third of the arguments is of any size, a third where the function
is used most, and a third where it is hard: near zeros and extrema, near multiples of π/2 up to
1e300, near 1, near overflow and among the subnormal numbers.
"""

from fractions import Fraction

import mpmath
import numpy as np

from common import words, write

mpmath.mp.prec = 1400
np.seterr(all="ignore")
rng = np.random.default_rng(20260611)
COUNT = 60
LN2 = mpmath.log(2)


def any_size(n):
    return rng.integers(0, 2**64, n, dtype=np.uint64).view("f8")


def uniform(low, high, n=COUNT):
    return rng.uniform(low, high, n)


def powers(low, high, n=COUNT):
    """Numbers of both signs whose magnitudes are uniform in their logarithm to base 2."""
    return 2.0 ** rng.uniform(low, high, n) * rng.choice([-1, 1], n)


def near_quadrants():
    """f64 beside multiples of π/2, of any size."""
    k = np.concatenate([
        rng.integers(1, 2**19, COUNT // 3).astype("f8"),
        rng.integers(1, 2**52, COUNT // 3) * 2.0 ** rng.integers(-30, 900, COUNT // 3),
    ])
    exact = [mpmath.mpf(float(m)) * mpmath.pi / 2 for m in k]
    found = np.array([float(m) for m in exact])
    # Two of the worst there are: 2⁻⁶⁰ from a multiple.
    worst = [6381956970095103.0 * 2.0**797, 5.31937264832654141671e255]
    return np.concatenate([found, np.nextafter(found[:10], np.inf), worst])


ONE = {
    "exp": (mpmath.exp, lambda: [uniform(-745, 709), uniform(-2, 2), powers(-54, 0, 20)]),
    "exp2": (lambda x: mpmath.power(2, x), lambda: [uniform(-1074, 1024), uniform(-2, 2)]),
    "expm1": (mpmath.expm1, lambda: [uniform(-3, 3), powers(-54, 0), uniform(-40, 709, 20)]),
    "log": (mpmath.log, lambda: [uniform(0.5, 2.5), 1 + powers(-52, -4), uniform(0, 100, 20)]),
    "log2": (lambda x: mpmath.log(x) / LN2, lambda: [uniform(0.5, 2.5), 1 + powers(-52, -4)]),
    "log10": (mpmath.log10, lambda: [uniform(0.5, 2.5), 1 + powers(-52, -4)]),
    "log1p": (mpmath.log1p, lambda: [uniform(-0.9, 3), powers(-54, 0)]),
    "sin": (mpmath.sin, lambda: [uniform(-8, 8), near_quadrants(), uniform(-1e6, 1e6, 20)]),
    "cos": (mpmath.cos, lambda: [uniform(-8, 8), near_quadrants(), uniform(-1e6, 1e6, 20)]),
    "tan": (mpmath.tan, lambda: [uniform(-8, 8), near_quadrants(), uniform(-1e6, 1e6, 20)]),
    "asin": (mpmath.asin, lambda: [uniform(-1, 1), 1 - np.abs(powers(-52, -1)), 0.5 + powers(-50, -6, 20)]),
    "acos": (mpmath.acos, lambda: [uniform(-1, 1), 1 - np.abs(powers(-52, -1)), 0.5 + powers(-50, -6, 20)]),
    "atan": (mpmath.atan, lambda: [uniform(-3, 3), powers(-30, 30), 0.5463 + powers(-30, -3, 20)]),
    "sinh": (mpmath.sinh, lambda: [uniform(-4, 4), uniform(-710, 710), powers(-30, 0, 20)]),
    "cosh": (mpmath.cosh, lambda: [uniform(-4, 4), uniform(-710, 710), powers(-30, 0, 20)]),
    "tanh": (mpmath.tanh, lambda: [uniform(-3, 3), powers(-30, 5)]),
    "asinh": (mpmath.asinh, lambda: [uniform(-3, 3), powers(-30, 70)]),
    "acosh": (mpmath.acosh, lambda: [1 + np.abs(powers(-52, 3)), np.abs(powers(0, 70))]),
    "atanh": (mpmath.atanh, lambda: [uniform(-1, 1), 1 - np.abs(powers(-52, -1)), powers(-32, -1, 20)]),
    "cbrt": (lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), lambda: [uniform(-9, 9), powers(-1074, -1000)]),
    "erf": (mpmath.erf, lambda: [uniform(-6, 6), uniform(-1.5, 1.5), powers(-60, 0, 20)]),
}


def steep_powers():
    x = np.concatenate([np.abs(powers(-20, 20)), 1 + powers(-40, -2)])
    return x, rng.uniform(-1074, 1024, len(x)) / np.log2(x)


def quotients():
    x = powers(-3, 3)
    return x, x * powers(-3, 3)


def near_equal():
    x = uniform(-30, 30)
    return x, x + uniform(-40, 40)


def cancelling():
    x = uniform(-0.7, 0.7)
    return x, np.log(np.maximum(1.0 - np.exp(x), 1e-3))


TWO = {
    "pow": (mpmath.power, [steep_powers, lambda: (uniform(0, 30), uniform(-6, 6)),
                           lambda: (uniform(-9, 0), rng.integers(-30, 30, COUNT).astype("f8"))]),
    "atan2": (mpmath.atan2, [quotients, lambda: (powers(-900, 900), powers(-900, 900, COUNT))]),
    "hypot": (lambda x, y: mpmath.sqrt(x * x + y * y),
              [quotients, lambda: (powers(-1060, -1020), powers(-1060, -1020)),
               lambda: (powers(1000, 1023), powers(1000, 1023))]),
    "logaddexp": (lambda x, y: max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y))),
                  [near_equal, cancelling, lambda: (uniform(-2, 2), uniform(-2, 2))]),
}


def nearest_and_rest(true):
    """The real rounded to float64, and what it is more in 1/254 unit; None where that is no number."""
    if not mpmath.isfinite(true) or not mpmath.mpf(2) ** -1080 < abs(true) < mpmath.mpf(2) ** 1025:
        return None
    sign, man, exp, bits = (int(part) for part in true._mpf_)
    place = max(exp + bits - 53, -1074)
    exact = Fraction(-man if sign else man) * Fraction(2) ** (exp - place)
    whole = round(exact)  # halves to even
    if abs(whole) * Fraction(2) ** place > Fraction(float(np.finfo("f8").max)) or whole == 0:
        return None
    return float(Fraction(whole) * Fraction(2) ** place), round((exact - whole) * 254)


def case(op, true, args):
    keep, expect, rest, seen = [], [], [], set()
    for point in zip(*(a.tolist() for a in args)):
        if not np.isfinite(point).all() or point in seen:
            continue
        value = true(*[mpmath.mpf(v) for v in point])
        found = None if isinstance(value, mpmath.mpc) else nearest_and_rest(value)
        if found:
            seen.add(point)
            keep.append(point)
            expect.append(found[0])
            rest.append(f"{found[1] & 0xff:02x}")
    columns = np.array(keep, "f8").T
    named = dict(zip("xy", (words(c) for c in columns)))
    return {"op": op, **named, "expect": words(np.array(expect, "f8")), "rest": " ".join(rest)}


cases = []
for op, (true, parts) in ONE.items():
    sizes = any_size(COUNT) if op not in ("log", "log2", "log10", "acosh") else np.abs(any_size(COUNT))
    cases.append(case(op, true, [np.concatenate([sizes, powers(-40, 10, 20)] + parts())]))
for op, (true, parts) in TWO.items():
    pairs = [(any_size(COUNT), any_size(COUNT)), (powers(-9, 9), powers(-9, 9))] + [p() for p in parts]
    cases.append(case(op, true, [np.concatenate(c) for c in zip(*pairs)]))
write("double.json", {"mpmath": mpmath.__version__}, cases)
