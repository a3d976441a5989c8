"""What the oracle scripts share: how arrays become text, and where the files go.

Every element is written as the hexadecimal bit pattern of its own width, so that NaN, infinities,
-0 and the last bit survive: float32 1.0 is `3f800000`, int8 -1 is `ff`, bool True is `01`. An
array is one string of such words between single spaces, in C order; an empty array is "". Dtypes
have NumPy's names. NaNs are canonical in what is expected: a test takes any NaN for a NaN.
"""

import json
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "oracle"

SIGNED = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
INTS = SIGNED + UNSIGNED
FLOATS = ["float16", "float32", "float64"]
NUMERIC = INTS + FLOATS
ALL = ["bool"] + NUMERIC


def words(array):
    """The array as one string of bit patterns."""
    array = np.ascontiguousarray(array)
    size = array.dtype.itemsize
    bits = array.reshape(-1).view(f"u{size}")
    return " ".join(f"{int(b):0{2 * size}x}" for b in bits)


def canonical(array):
    """The array with every NaN replaced by the one that `np.nan` is."""
    array = np.asarray(array)
    if array.dtype.kind == "f":
        array = array.copy()
        array[np.isnan(array)] = np.nan
    return array


def write(name, head, cases):
    """Writes `tests/oracle/NAME`: the entries of `head`, then `cases`, one case a line."""
    OUT.mkdir(parents=True, exist_ok=True)
    lines = ["{"]
    for key, value in head.items():
        if isinstance(value, dict) and value:
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{inner}\n}},")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)},")
    lines.append('"cases": [')
    lines.append(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
    lines.append("]}")
    text = "\n".join(lines) + "\n"
    json.loads(text)
    (OUT / name).write_text(text)
    print(f"{OUT / name}: {len(cases)} cases, {len(text)} bytes")
