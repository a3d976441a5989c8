"""The workloads of benches/arrays.py: what is computed, of which arrays, and by which peers.

A peer is a function that takes the arrays of a workload and gives one function to run; it may
prepare (copy, compile, open) as long as it likes, because only the running is timed. Peers that
cannot do a workload are not in its table, and those whose package is missing are named and left out.
"""

import ctypes
import math
import os
import pathlib
import subprocess

import numpy as np

THREADS = int(os.environ.get("ARRAYS_THREADS", os.cpu_count()))
GRID = (361, 512)
DAYS = 2920
WINDOW = 30


# ---- data: the numbers that `tilewise bench cpu` makes ----------------------------------------------

def uniform(count, seed):
    """Equally distributed in [0, 1) by index and seed, as in src/measure/field.rs."""
    x = np.arange(count, dtype="u4")
    x += np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x21F0AAAD)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x735A2D97)
    x ^= x >> np.uint32(15)
    return (x >> np.uint32(8)).astype("f4") / np.float32(16777216)


def between(shape, low, span, seed, dtype="f4"):
    return (np.float32(low) + np.float32(span) * uniform(math.prod(shape), seed)).reshape(shape).astype(dtype)


def gaps(shape, low, span, seed):
    x = between(shape, low, span, seed)
    x.ravel()[uniform(x.size, seed + 1) < 1 / 128] = np.nan
    return x


def shapes(size):
    """Extents of the arrays of `size` bytes, as in src/measure/family.rs."""
    count = size // 4
    lat, lon = GRID if count >= GRID[0] * GRID[1] * 60 else (19, 32)
    days = min(DAYS, max(32, count // 16384))
    return {"flat": (count,), "climate": (max(count // (lat * lon), 32), lat, lon),
            "columns": (days, max(count // (days * 512), 1), 512), "square": (math.isqrt(count),) * 2,
            "cube": (round((2 * count) ** (1 / 3)),) * 3, "matrix": (min(4096, math.isqrt(count)),) * 2}


ARRAYS = {
    "a": lambda s: between(s["flat"], 0.5, 1.5, 1),
    "b": lambda s: between(s["flat"], 0.5, 1.5, 2),
    "c": lambda s: between(s["flat"], 2.0, 1.0, 3),
    "x": lambda s: between(s["climate"], 250, 60, 1),
    "gaps": lambda s: gaps(s["climate"], 250, 60, 1),
    "unit": lambda s: between(s["climate"], 0, 1, 1),
    "days": lambda s: between(s["climate"], 250, 50, 1),
    "columns": lambda s: between(s["columns"], 250, 60, 1),
    "square": lambda s: between(s["square"], 1, 1, 1),
    "cube": lambda s: between(s["cube"], 1, 1, 1),
    "p": lambda s: between(s["matrix"], -1, 2, 1),
    "q": lambda s: between(s["matrix"], -1, 2, 2),
    "p64": lambda s: between(s["matrix"], -1, 2, 1, "f8"),
    "q64": lambda s: between(s["matrix"], -1, 2, 2, "f8"),
    "tiny": lambda s: between((min(16_000_000, s["flat"][0]),), 1, 1, 1),
}


# ---- what peers need --------------------------------------------------------------------------------

def fresh(shape, dtype="f4"):
    out = np.empty(shape, dtype)
    out.fill(0)
    return out


def library():
    """benches/arrays.c, built once per version and machine."""
    source = pathlib.Path(__file__).with_name("arrays.c")
    built = pathlib.Path(os.environ.get("ARRAYS_FOLDER", "/tmp")) / "arrays.so"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        flags = ["-O3", "-march=native", "-ffast-math", "-fno-finite-math-only", "-fopenmp", "-shared", "-fPIC"]
        wide = ["-mprefer-vector-width=512"] if os.uname().machine == "x86_64" else []
        part = built.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", *flags, *wide, str(source), "-o", str(part), "-lm",
                        *(["-lmvec"] if wide else [])], check=True)
        part.replace(built)
    return ctypes.CDLL(str(built))


def call(function, *args):
    convert = {np.ndarray: lambda v: ctypes.c_void_p(v.ctypes.data), int: ctypes.c_size_t}
    function(*(convert[type(arg)](arg) for arg in args))


def native(name, out_shape, extents, *more):
    """A peer that calls a loop of arrays.c as name(inputs, extents, out, more)."""
    def prepare(*arrays):
        function, out = getattr(library(), name), fresh(out_shape(arrays[0]))
        more_args = [m(arrays[0]) if callable(m) else m for m in more]

        def run():
            call(function, *arrays, *extents(arrays[0]), out, *more_args)
            return out
        return run
    return prepare


def native_chain(name):
    def prepare(*arrays):
        function, out = getattr(library(), name), fresh(arrays[0].shape)

        def run():
            call(function, arrays[0].size, out, *arrays)
            return out
        return run
    return prepare


def plain(function):
    """A peer that is a function of the arrays."""
    return lambda *arrays: lambda: function(*arrays)


def with_dask(function, chunk_bytes=16 << 20):
    def prepare(*arrays):
        import dask
        import dask.array as da
        dask.config.set(scheduler="threads", num_workers=THREADS)
        chunks = [(max(1, chunk_bytes // (x.nbytes // x.shape[0])),) + x.shape[1:] for x in arrays]
        lazy = [da.from_array(x, chunks=c, name=False) for x, c in zip(arrays, chunks)]
        return lambda: function(da, *lazy).compute()
    return prepare


def with_jax(function):
    def prepare(*arrays):
        import jax
        if arrays[0].dtype == np.float64:
            jax.config.update("jax_enable_x64", True)
        jitted, own = jax.jit(lambda *a: function(jax.numpy, *a)), [jax.numpy.asarray(x) for x in arrays]
        return lambda: jitted(*own).block_until_ready()
    return prepare


def with_torch(function, compiled=False):
    def prepare(*arrays):
        import torch
        torch.set_num_threads(THREADS)
        own = [torch.from_numpy(x) for x in arrays]
        run = lambda *a: function(torch, *a)
        run = torch.compile(run) if compiled else run
        return lambda: run(*own)
    return prepare


def both_torches(function):
    return {"torch": with_torch(function), "torch.compile": with_torch(function, compiled=True)}


def with_numexpr(text):
    def prepare(*arrays):
        import numexpr
        numexpr.set_num_threads(THREADS)
        names = dict(zip("abc", arrays)) | {"one": np.float32(1), "two": np.float32(2)}
        out = fresh(arrays[0].shape)
        return lambda: numexpr.evaluate(text, local_dict=names, out=out)
    return prepare


def with_blosc2(text):
    def prepare(*arrays):
        import blosc2
        blosc2.set_nthreads(THREADS)
        names = dict(zip("ABC", arrays))
        return lambda: blosc2.lazyexpr(text, names)[:]
    return prepare


def with_polars(expression):
    def prepare(*arrays):
        import polars as pl
        frame = pl.DataFrame(dict(zip("abc", arrays)))
        chosen = expression(pl).cast(pl.Float32)
        return lambda: frame.lazy().select(chosen).collect().to_series().to_numpy()
    return prepare


def with_numba(body, out_shape=lambda x: x.shape):
    def prepare(*arrays):
        import numba
        numba.set_num_threads(THREADS)
        jitted = numba.njit(parallel=True, fastmath={"contract", "reassoc"})(body(numba))
        out = fresh(out_shape(arrays[0]))

        def run():
            jitted(*arrays, out)
            return out
        return run
    return prepare


def with_package(package, function):
    def prepare(*arrays):
        module = __import__(package)
        return lambda: function(module, *arrays)
    return prepare


bottleneck = lambda function: with_package("bottleneck", function)
numbagg = lambda function: with_package("numbagg", function)


# ---- elementwise ---------------------------------------------------------------------------------------

def chain_out(a, b):
    out, other = fresh(a.shape), fresh(a.shape)

    def run():
        np.multiply(a, a, out=out)
        np.multiply(b, b, out=other)
        np.add(out, other, out=out)
        np.sqrt(out, out=out)
        np.multiply(out, np.float32(2), out=out)
        np.sin(a, out=other)
        return np.add(out, other, out=out)
    return run


def triad_out(a, b, c):
    out = fresh(a.shape)

    def run():
        np.multiply(a, b, out=out)
        np.add(out, c, out=out)
        return np.subtract(out, np.float32(1), out=out)
    return run


def numba_chain(nb):
    def loop(a, b, out):
        for i in nb.prange(a.size):
            out[i] = math.sqrt(a[i] * a[i] + b[i] * b[i]) * np.float32(2) + math.sin(a[i])
    return loop


def numba_triad(nb):
    def loop(a, b, c, out):
        for i in nb.prange(a.size):
            out[i] = a[i] * b[i] + c[i] - np.float32(1)
    return loop


CHAIN = lambda m, a, b: m.sqrt(a * a + b * b) * 2 + m.sin(a)
TRIAD = lambda m, a, b, c: a * b + c - 1

ELEMENTWISE = {
    "chain": ("elementwise: chain", "ab", {
        "c": native_chain("chain"), "numpy": plain(lambda a, b: CHAIN(np, a, b)), "numpy out=": chain_out,
        "numexpr": with_numexpr("sqrt(a*a + b*b)*two + sin(a)"), "dask": with_dask(CHAIN, 4 << 20),
        "numba": with_numba(numba_chain), "jax": with_jax(CHAIN), **both_torches(CHAIN),
        "polars": with_polars(lambda pl: (pl.col("a") ** 2 + pl.col("b") ** 2).sqrt() * 2 + pl.col("a").sin()),
        "blosc2": with_blosc2("sqrt(A*A + B*B)*2 + sin(A)")}),
    "triad": ("elementwise: triad", "abc", {
        "c": native_chain("triad"), "numpy": plain(lambda a, b, c: TRIAD(np, a, b, c)), "numpy out=": triad_out,
        "numexpr": with_numexpr("a*b + c - one"), "dask": with_dask(TRIAD, 4 << 20), "numba": with_numba(numba_triad),
        "jax": with_jax(TRIAD), **both_torches(TRIAD),
        "polars": with_polars(lambda pl: pl.col("a") * pl.col("b") + pl.col("c") - 1),
        "blosc2": with_blosc2("A*B + C - 1")}),
}


# ---- reductions ----------------------------------------------------------------------------------------

def reductions():
    kinds = {"mean": (0, "x"), "std": (1, "x"), "nanmean": (2, "gaps")}
    rest = lambda x: math.prod(x.shape[1:])
    for axes, axis in (("all", None), ("first", 0), ("last", 2)):
        for kind, (how, array) in kinds.items():
            native_peer = {
                "all": native("reduce_all", lambda x: (), lambda x: (x.size,), how),
                "first": native("reduce_first", lambda x: x.shape[1:], lambda x: (x.shape[0], rest(x)), how),
                "last": native("reduce_last", lambda x: x.shape[:2], lambda x: (x.size // x.shape[2], x.shape[2]), how),
            }[axes]
            dims = axis if axis is not None else (0, 1, 2)
            of = lambda kind, axis: lambda m, x: getattr(m, kind)(x, axis=axis)
            torches = {
                "mean": lambda t, x, d=dims: t.mean(x, d), "std": lambda t, x, d=dims: t.std(x, d, correction=0),
                "nanmean": lambda t, x, d=dims: t.nanmean(x, d)}[kind]
            peers = {"c": native_peer, "numpy": plain(lambda x, f=of(kind, axis): f(np, x)),
                     "dask": with_dask(of(kind, axis)), "jax": with_jax(of(kind, axis)), **both_torches(torches)}
            if kind != "mean":      # their functions skip NaN
                name, more = "nan" + kind.removeprefix("nan"), {"ddof": 0} if kind == "std" else {}
                peers["bottleneck"] = bottleneck(of(name, axis))
                peers["numbagg"] = numbagg(lambda m, x, n=name, d=dims, k=more: getattr(m, n)(x, axis=d, **k))
            yield f"{kind} {axes}", (f"reduce: {kind} {axes}", [array], peers)


# ---- anomalies, scans, windows, selection --------------------------------------------------------------

def months(count):
    return (np.arange(count) % 365 * 12 // 365).astype("i4")


def monthly_numpy(x):
    labels = months(len(x))
    means = np.stack([x[labels == month].mean(0) for month in range(labels.max() + 1)])
    return x - means[labels]


def monthly_numbagg(m, x):
    labels = months(len(x))
    return x - np.moveaxis(m.group_nanmean(x, labels, axis=0), -1, 0)[labels]


def zeros(x):
    return np.zeros(len(x), "i4")


def numba_heat(nb):
    def loop(u, out):
        for y in nb.prange(1, u.shape[0] - 1):
            for x in range(1, u.shape[1] - 1):
                around = u[y - 1, x] + u[y + 1, x] + u[y, x - 1] + u[y, x + 1]
                out[y - 1, x - 1] = u[y, x] + np.float32(0.1) * (around - np.float32(4) * u[y, x])
    return loop


def numba_laplacian(nb):
    def loop(u, out):
        for z in nb.prange(1, u.shape[0] - 1):
            for y in range(1, u.shape[1] - 1):
                for x in range(1, u.shape[2] - 1):
                    out[z - 1, y - 1, x - 1] = (u[z - 1, y, x] + u[z + 1, y, x] + u[z, y - 1, x] + u[z, y + 1, x]
                                                + u[z, y, x - 1] + u[z, y, x + 1] - np.float32(6) * u[z, y, x])
    return loop


HEAT = lambda m, u: u[1:-1, 1:-1] + 0.1 * (
    u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
LAPLACIAN = lambda m, u: (
    u[:-2, 1:-1, 1:-1] + u[2:, 1:-1, 1:-1] + u[1:-1, :-2, 1:-1] + u[1:-1, 2:, 1:-1] + u[1:-1, 1:-1, :-2]
    + u[1:-1, 1:-1, 2:] - 6 * u[1:-1, 1:-1, 1:-1])
ANOMALY = lambda m, x: x - x.mean(0)
inner = lambda u: tuple(n - 2 for n in u.shape)
rows = lambda x: (x.shape[0], math.prod(x.shape[1:]))

ALONG = {
    "anomaly": ("anomaly: of all time", ["x"], {
        "c": native("anomaly", lambda x: x.shape, rows, zeros, 1), "numpy": plain(lambda x: ANOMALY(np, x)),
        "dask": with_dask(ANOMALY), "jax": with_jax(ANOMALY), **both_torches(lambda t, x: x - t.mean(x, 0))}),
    "monthly anomaly": ("anomaly: of the month", ["x"], {
        "c": native("anomaly", lambda x: x.shape, rows, lambda x: months(len(x)), 12),
        "numpy": plain(monthly_numpy), "numbagg": numbagg(monthly_numbagg)}),
    "heat 2d": ("stencil: heat 2d", ["square"], {
        "c": native("heat", inner, lambda u: (len(u),)), "numpy": plain(lambda u: HEAT(np, u)),
        "dask": with_dask(HEAT), "numba": with_numba(numba_heat, inner), "jax": with_jax(HEAT), **both_torches(HEAT)}),
    "laplacian 3d": ("stencil: laplacian 3d", ["cube"], {
        "c": native("laplacian", inner, lambda u: (len(u),)), "numpy": plain(lambda u: LAPLACIAN(np, u)),
        "dask": with_dask(LAPLACIAN), "numba": with_numba(numba_laplacian, inner), "jax": with_jax(LAPLACIAN),
        **both_torches(LAPLACIAN)}),
    "cumsum": ("along: cumsum first", ["unit"], {
        "c": native("cumsum", lambda x: x.shape, rows), "numpy": plain(lambda x: np.cumsum(x, 0)),
        "jax": with_jax(lambda m, x: m.cumsum(x, 0)),
        "torch": with_torch(lambda t, x: t.cumsum(x, 0))}),
    "rolling mean": ("along: rolling mean", ["days"], {
        "c": native("rolling", lambda x: x.shape, rows, WINDOW),
        "bottleneck": bottleneck(lambda m, x: m.move_mean(x, WINDOW, min_count=1, axis=0)),
        "numbagg": numbagg(lambda m, x: m.move_mean(x, window=WINDOW, min_count=1, axis=0))}),
    "p90": ("order: p90", ["columns"], {
        "numpy": plain(lambda x: np.quantile(x, 0.9, axis=0)),
        "numbagg": numbagg(lambda m, x: m.nanquantile(x, 0.9, axis=0))}),
    "sort": ("order: sort", ["columns"], {
        "numpy": plain(lambda x: np.sort(x, axis=0)), "torch": with_torch(lambda t, x: t.sort(x, 0)[0])}),
}


# ---- contractions, tiles -------------------------------------------------------------------------------

def dask_tiles(x):
    import dask
    import dask.array as da
    dask.config.set(scheduler="threads", num_workers=THREADS)
    x = x[:len(x) // 16 // DASK_FEWER * 16]
    lazy = da.from_array(x, chunks=16, name=False).map_blocks(lambda block: block + np.float32(1), dtype="f4")
    return lambda: lazy.compute()


# Dask gets a part of the tiles, and its seconds are multiplied: it would take minutes.
DASK_FEWER = 50

OTHER = {
    "sgemm": ("contract: sgemm", ["p", "q"], {
        "numpy": plain(np.matmul), "torch": with_torch(lambda t, a, b: a @ b)}),
    "dgemm": ("contract: dgemm", ["p64", "q64"], {
        "numpy": plain(np.matmul), "torch": with_torch(lambda t, a, b: a @ b)}),
    "tiles": ("scheduler: tiles", ["tiny"], {"dask": dask_tiles}),
}

# name -> (row of `tilewise bench cpu`, arrays, peers)
JOBS = ELEMENTWISE | dict(reductions()) | ALONG | OTHER
# What runs in one process of a peer, sharing arrays.
GROUPS = [list(ELEMENTWISE), [j for j in JOBS if j.split()[0] in ("mean", "std", "nanmean")],
          ["anomaly", "monthly anomaly"], ["heat 2d", "laplacian 3d"], ["cumsum", "rolling mean"], ["p90", "sort"],
          ["sgemm", "dgemm"], ["tiles"]]
# From which difference from tilewise's elements on a record tells it; 1e-5 where nothing is said.
TOLERANCE = {"anomaly": 1e-4, "monthly anomaly": 1e-4, "sgemm": 1e-3, "dgemm": 1e-11, "p90": 1e-6, "sort": 0.0}
