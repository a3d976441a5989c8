"""Makes tests/oracle/contractions.json: products of matrices and tensors as NumPy gives them.

    python contractions.py

    { "numpy": version,
      "cases": [ {"call": "matmul" | "tensordot" | "vecdot" | "outer" | "einsum",
                  "subscripts": text (einsum), "axes": [[..], [..]] (tensordot), "axis": number (vecdot),
                  "operands": [ {"dtype": name, "shape": [..], "words": words}, .. ],
                  "result": {"dtype": name, "shape": [..], "words": words},
                  "exact": whether every order of summing gives these bits} ] }

In exact cases floats are small integers, so that no sum is rounded; others are compared within the
bound of sums in any order.
"""

import numpy as np

from common import ALL, canonical, words, write

RNG = np.random.default_rng(20)
CASES = []


def values(shape, dtype, exact=True):
    dtype = np.dtype(dtype)
    if dtype == bool:
        return RNG.random(shape) < 0.3
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return RNG.integers(info.min, info.max, shape, dtype, endpoint=True)
    if exact:
        return RNG.integers(-6, 7, shape).astype(dtype)
    return RNG.standard_normal(shape).astype(dtype)


def described(array):
    array = np.asarray(array)
    return {"dtype": str(array.dtype), "shape": list(array.shape), "words": words(canonical(array))}


def case(call, operands, exact=True, **how):
    with np.errstate(all="ignore"):
        if call == "einsum":
            result = np.einsum(how["subscripts"], *operands)
        elif call == "tensordot":
            result = np.tensordot(*operands, axes=how["axes"])
        else:
            result = getattr(np, call)(*operands, **how)
    entry = {"call": call} | how
    entry |= {"operands": [described(o) for o in operands], "result": described(result), "exact": exact}
    CASES.append(entry)


MATMULS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((5, 3), (3, 4)),
    ((2, 5, 3), (3, 4)),
    ((5, 3), (2, 3, 4)),
    ((2, 1, 2, 3), (3, 3, 2)),
    ((2, 3), (4, 3, 2)),
    ((4,), (2, 4, 3)),
    ((2, 4, 3), (3,)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
    ((0, 2, 3), (3, 2)),
    ((1, 2, 3), (0, 3, 2)),
    ((0,), (0,)),
    ((1, 1), (1, 1)),
    ((3, 1), (1, 4)),
]
for one, other in MATMULS:
    for dtype in ["float32", "int16"]:
        case("matmul", [values(one, dtype), values(other, dtype)])
for dtype in ALL:
    case("matmul", [values((3, 7), dtype), values((7, 5), dtype)])
    case("matmul", [values((2, 4, 3), dtype), values((2, 3, 2), dtype)])
    case("matmul", [values((4, 3), dtype), values((3,), dtype)])
    case("vecdot", [values((2, 5), dtype), values((5,), dtype)])
    case("einsum", [values((3, 4), dtype), values((4, 5), dtype), values((5, 2), dtype)], subscripts="ij,jk,kl->il")
for one, other in [("int8", "uint8"), ("bool", "int32"), ("int32", "float32"), ("float16", "float64"), ("uint64", "int64")]:
    case("matmul", [values((3, 4), one) // 8 if one == "uint64" else values((3, 4), one), values((4, 2), other)],
         exact=one not in ("int32", "uint64"))
for dtype in ["float32", "float64"]:
    case("matmul", [values((17, 70), dtype, False), values((70, 9), dtype, False)], exact=False)
    special = values((4, 5), dtype)
    special.flat[[0, 7, 8, 13, 19]] = [np.inf, np.nan, -0.0, -np.inf, 0.0]
    case("matmul", [special, values((5, 3), dtype)])
    case("matmul", [values((3, 4), dtype), special])
    zeros = np.array([[-0.0, 0.0], [np.inf, np.nan]], dtype)
    case("matmul", [zeros, zeros])

for one, other, axes in [
    ((2, 3, 4), (4, 3, 5), [[1, 2], [1, 0]]),
    ((2, 3, 4), (3, 5), [[1], [0]]),
    ((2, 3), (4, 5), [[], []]),
    ((2, 3, 4), (2, 3, 4), [[0, 1, 2], [0, 1, 2]]),
    ((2, 3, 4), (4, 2, 3), [[-1, 0], [0, -2]]),
    ((2, 0, 3), (3, 0, 4), [[1, 2], [1, 0]]),
]:
    for dtype in ["float64", "uint8"]:
        case("tensordot", [values(one, dtype), values(other, dtype)], axes=axes)

for one, other, axis in [((3,), (3,), -1), ((2, 3), (4, 1, 3), -1), ((3, 2), (3, 2), -2), ((4, 3, 1), (3, 5), -2), ((2, 0), (0,), -1)]:
    case("vecdot", [values(one, "float32"), values(other, "float32")], axis=axis)
case("outer", [values((3,), "int32"), values((2, 2), "int32")])
case("outer", [values((0,), "float32"), values((2,), "float32")])
case("outer", [np.array([np.inf, -0.0]), np.array([0.0, np.nan, -1.0])])

EINSUMS = [
    ("ij->ji", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->j", [(3, 3, 2)]),
    ("iij->ji", [(2, 2, 3)]),
    ("ijk->", [(2, 3, 4)]),
    ("ijk->ki", [(2, 3, 4)]),
    ("...ij->...ji", [(2, 3, 4)]),
    ("...i->...", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("i,i", [(4,), (4,)]),
    ("i,j", [(2,), (3,)]),
    ("i,j->ji", [(2,), (3,)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ij,jk->ki", [(2, 3), (3, 4)]),
    ("ij,kj->ik", [(2, 3), (4, 3)]),
    ("ji,jk->ik", [(3, 2), (3, 4)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]),
    ("bij,bjk->ikb", [(2, 3, 4), (2, 4, 2)]),
    ("bij,bkj->kbi", [(2, 3, 4), (2, 5, 4)]),
    ("ijb,bjk->ib", [(3, 4, 2), (2, 4, 2)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (3, 4, 2)]),
    ("...ij,jk", [(2, 3, 4), (4, 2)]),
    ("i...,i...->...", [(3, 2), (3, 2)]),
    ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
    ("ab,cb,dc,d->a", [(2, 3), (4, 3), (5, 4), (5,)]),
    ("abc,bd,dc->a", [(2, 3, 4), (3, 5), (5, 4)]),
    ("ab,ab,ab->a", [(2, 3), (2, 3), (2, 3)]),
    ("ij,ij->ij", [(1, 3), (2, 3)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    ("iij,jk->ik", [(3, 3, 2), (2, 4)]),
    ("ij,jj->i", [(2, 3), (3, 3)]),
    ("pijq,kqjp->ik", [(2, 3, 4, 2), (3, 2, 4, 2)]),
    ("pi,qj->ijpq", [(2, 3), (2, 2)]),
    ("ik,jl->ij", [(2, 3), (4, 2)]),
    (",ij->ij", [(), (2, 3)]),
    ("", [()]),
    ("ij,jk->ik", [(2, 0), (0, 3)]),
    ("ij->i", [(2, 0)]),
    (" i j , j k -> i k ", [(2, 3), (3, 2)]),
    ("Ab,bA", [(2, 3), (3, 2)]),
    ("aB->", [(2, 3)]),
    ("bA", [(2, 3)]),
]
for subscripts, shapes in EINSUMS:
    case("einsum", [values(shape, "float64") for shape in shapes], subscripts=subscripts)
case("einsum", [values((3, 4), "int8"), values((4, 3), "int8")], subscripts="ij,jk->ik")
case("einsum", [values((3, 4), "bool"), values((4, 3), "bool")], subscripts="ij,jk->i")

write("contractions.json", {"numpy": np.__version__}, CASES)
