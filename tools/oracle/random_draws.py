"""Makes tests/oracle/random.json: draws of NumPy's Generator(Philox(key)).

    { "numpy": version, "cases": [ {"key": words, "shape": [..], "dtype": d, "expect": words} ] }

`words` is described in common.py.
"""

import numpy as np

from common import words, write

SHAPES = [(), (0,), (1,), (13,), (5, 7), (2, 3, 4, 5), (3, 1, 11)]
cases = []
for key in (0, 7, 2**53 + 1, 2**64 - 1):
    for shape in SHAPES:
        for dtype in ("float32", "float64"):
            generator = np.random.Generator(np.random.Philox(key=key))
            drawn = np.asarray(generator.random(shape, dtype=dtype))
            cases.append({"key": words(np.array([key], "uint64")), "shape": list(shape), "dtype": dtype,
                          "expect": words(drawn.reshape(-1))})
write("random.json", {"numpy": np.__version__}, cases)
