"""Prints the polynomials of kernels/src/math/double/coefficients.rs.

    python tools/fit/double.py            needs mpmath; gmpy2 makes it faster

Remez's exchange in 240 bits: a polynomial of n coefficients whose weighted error has n + 1 equal
extrema. The first coefficients are rounded to f64 one after the other, the rest fitted anew to
what is left each time, so that rounding costs little. Each line tells the error before and after
rounding as a power of two.
"""

import mpmath as mp
from mpmath import mpf

mp.mp.prec = 240


def remez(f, weight, low, high, powers):
    """The best weighted error found and its coefficients, over the given powers of x."""
    n = len(powers)
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * mp.cos(mp.pi * (2 * i + 1) / (2 * (n + 1))) for i in range(n + 1)]
    size = 24 * (n + 1)
    grid = [middle - half * mp.cos(mp.pi * (i + mpf("0.5")) / size) for i in range(size)]
    values, weights = [f(x) for x in grid], [weight(x) for x in grid]
    best = None
    for _ in range(12):
        a, b = mp.matrix(n + 1, n + 1), mp.matrix(n + 1, 1)
        for i, x in enumerate(points):
            for j, p in enumerate(powers):
                a[i, j] = weight(x) * x**p
            a[i, n] = (-1) ** i
            b[i] = weight(x) * f(x)
        solved = mp.lu_solve(a, b)
        c = [solved[j] for j in range(n)]
        error = [w * (sum(k * x**p for k, p in zip(c, powers)) - v) for x, v, w in zip(grid, values, weights)]
        worst = max(abs(e) for e in error)
        if best is None or worst < best[0]:
            best = (worst, c)
        if worst <= abs(solved[n]) * mpf("1.02"):
            break
        extrema, i = [], 0
        while i < size:  # the largest of each run of one sign
            j = largest = i
            while j < size and (error[j] > 0) == (error[i] > 0):
                largest = j if abs(error[j]) > abs(error[largest]) else largest
                j += 1
            extrema.append(largest)
            i = j
        while len(extrema) > n + 1:
            extrema.pop(0 if abs(error[extrema[0]]) < abs(error[extrema[-1]]) else -1)
        if len(extrema) < n + 1:
            break
        points = [grid[k] for k in extrema]
    return best


def fit(name, n, f, weight, low, high, one_by_one=5, fixed=()):
    low, high = mpf(low), mpf(high)
    c = [mpf(v) for v in fixed]
    ideal = None
    while len(c) < n:
        k = len(c)
        error, found = remez(lambda x: f(x) - sum(v * x**i for i, v in enumerate(c)), weight, low, high, range(k, n))
        ideal = ideal or error
        c += [mpf(float(v)) for v in (found if k >= one_by_one else found[:1])]
    steps = [low + (high - low) * i / 2000 for i in range(2001)]
    worst = max(abs(weight(x) * (f(x) - sum(v * x**i for i, v in enumerate(c)))) for x in steps)
    print(f"{name}: 2^{float(mp.log(ideal, 2)):.1f}, rounded 2^{float(mp.log(worst, 2)):.1f}")
    print("   ", ",\n    ".join(repr(float(v)) for v in c), flush=True)


def careful(f):
    """`f`, which cancels near zero, in more bits, and beside zero instead of at it."""
    def at(x):
        with mp.workprec(600):
            return f(x if x != 0 else mpf(2) ** -90)
    return at


def odd(f):
    """(f(√z) / √z - 1) / z"""
    return careful(lambda z: (f(mp.sqrt(z)) / mp.sqrt(z) - 1) / z)


def itself(z):
    return z


ln2 = mp.ln(2)
r = ln2 / 2 * mpf("1.001")
s2 = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.001")
octant = (mp.pi / 4 * mpf("1.001")) ** 2
fit("EXP", 11, careful(lambda x: (mp.exp(x) - 1 - x) / x**2), lambda x: max(abs(x), mpf(2) ** -8),
    -r, r * mpf("1.0001"), one_by_one=6, fixed=(0.5,))
fit("EXP2", 10, careful(lambda x: ((mp.power(2, x) - 1) / x - ln2) / x), lambda x: max(x * x, mpf(2) ** -12),
    -0.501, mpf("0.5011"), one_by_one=0)
series = careful(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z)
fit("LOG", 7, series, lambda z: z / 2, 0, s2)
fit("LOG_TAIL", 7, careful(lambda z: (3 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 3 - z) / z**2), lambda z: z * z / 3, 0, s2)
fit("SIN", 6, odd(mp.sin), itself, 0, octant)
fit("COS", 6, careful(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2), lambda z: z * z, 0, octant)
fit("TAN", 15, odd(mp.tan), itself, 0, octant)
fit("ASIN", 13, odd(mp.asin), itself, 0, 0.25)
fit("ATAN", 13, odd(mp.atan), itself, 0, mpf("0.5464") ** 2)
fit("SINH", 7, odd(mp.sinh), itself, 0, 1)
fit("ERF", 12, careful(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1), lambda z: mpf(1), 0, mpf("0.93") ** 2)
fit("ERFC", 19, lambda u: mp.log(mp.erfc(u + 1)), lambda u: mp.erfc(u + 1) * 5 + mpf(2) ** -70,
    mpf("-0.1"), mpf("4.95"), one_by_one=0)
fit("INVERSE_CBRT", 5, lambda m: m ** (-mpf(1) / 3), lambda m: m ** (mpf(1) / 3), 1, 2, one_by_one=0)
