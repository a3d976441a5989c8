"""Makes tests/oracle/promotion.json: which dtype comes out, by NumPy 2.

    { "numpy": version,
      "pairs":   [ [a, b, result, standard], ... ]   all ordered pairs; `standard` tells whether the
                                                     Array API defines it (same kind, no signed
                                                     integer with uint64), with the same result
      "scalars": [ [a, kind, result], ... ]          a with a Python bool, int, float: weak
      "results": { function: { a: result } }         float functions (sqrt), divide, abs, floor_divide,
                                                     sum, prod, mean, var, min, argmax
      "cases": [] }

Float functions of integers are outside of the standard: NumPy takes the smallest float that holds
the integer dtype. bfloat16 is unknown to NumPy and not here. A function without an entry for a
dtype refuses that dtype.
"""

import numpy as np

from common import ALL, FLOATS, INTS, SIGNED, write


def kind(dtype):
    return "bool" if dtype == "bool" else "float" if dtype in FLOATS else "int"


def in_standard(a, b):
    if kind(a) != kind(b):
        return False
    return not (kind(a) == "int" and {a, b} & set(SIGNED) and "uint64" in (a, b))


def results():
    functions = {
        "sqrt": np.sqrt, "abs": np.abs, "square": np.square, "isnan": np.isnan, "sum": np.sum,
        "prod": np.prod, "mean": np.mean, "var": np.var, "min": np.min, "argmax": np.argmax, "any": np.any,
        "cumulative_sum": np.cumulative_sum,
        "divide": lambda x: np.divide(x, x), "floor_divide": lambda x: np.floor_divide(x, x),
        "pow": lambda x: np.power(x, x), "less": lambda x: np.less(x, x), "hypot": lambda x: np.hypot(x, x),
    }
    table = {}
    for name, function in functions.items():
        table[name] = {}
        for dtype in ALL:
            try:
                table[name][dtype] = str(function(np.ones(2, dtype)).dtype)
            except TypeError:
                pass
    return table


pairs = [[a, b, str(np.result_type(np.dtype(a), np.dtype(b))), in_standard(a, b)] for a in ALL for b in ALL]
for a, b, out, _ in pairs:
    assert out == str((np.zeros(1, a) + np.zeros(1, b)).dtype) or (a == b == "bool")
scalars = [[a, type(s).__name__, str(np.result_type(np.zeros(1, a), s))] for a in ALL for s in (True, 1, 1.0)]
assert len(pairs) == (1 + len(INTS) + len(FLOATS)) ** 2
write("promotion.json", {"numpy": np.__version__, "pairs": pairs, "scalars": scalars, "results": results()}, [])
