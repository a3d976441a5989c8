"""The workloads of tools/peers_gpu.py: what is computed, of which arrays, and how each library says it.

Numbers and shapes are those that `tilewise bench gpu` makes, under the titles of its rows. A workload
is written once, against the few words that all libraries have in common; the classes below say what
each of them means by those. What a library has no word for raises `NotImplementedError`.
"""

import math
import os

import numpy as np

WINDOW, MONTHS, BINS, CHUNK, CHUNKS = 30, 12, 64, 4096, 10_000


# ---- data: the numbers and shapes of src/measure ---------------------------------------------------

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


def made(size, shape, dtype, low, span, seed, holes=False):
    """An array of the numbers `low + span * uniform`, with NaN in one of 128 places if `holes`."""
    extents = shapes(size)[shape]
    x = np.float32(low) + np.float32(span) * uniform(math.prod(extents), seed)
    if holes:
        x[uniform(x.size, seed + 1) < 1 / 128] = np.nan
    return x.reshape(extents).astype(dtype)


def shapes(size):
    """Extents of the arrays of `size` bytes, as in src/measure/family.rs."""
    count = max(size // 4, 64)
    lat, lon = (361, 512) if count >= 361 * 512 * 60 else (19, 32)
    time_, days = max(count // (lat * lon), 32), min(2920, max(32, count // (32 * 512)))
    rows, side = max(count // (days * 512), 1), math.isqrt(count)
    tiles = min(max(count // CHUNK, 1), CHUNKS)
    return {"flat": (count,), "wide": (max(size // 8, 64),), "climate": (time_, lat, lon),
            "climate last": (lat, lon, time_), "columns": (days, rows, 512), "columns last": (rows, 512, days),
            "square": (side,) * 2, "cube": (round((2 * count) ** (1 / 3)),) * 3, "matrix": (min(4096, side),) * 2,
            "tiles": (tiles, CHUNK), "few": (1000,)} | {
                f"rows of {n}": (count // min(n, 1 << count.bit_length() - 1), min(n, 1 << count.bit_length() - 1))
                for n in (256, 4096, 1 << 20)} | {"columns of 256": (256, count // 256)}


def months(count):
    """The month of each day, as in src/measure/families/anomalies.rs."""
    return np.arange(count) % 365 * MONTHS // 365


# ---- workloads: row of `tilewise bench gpu` -> arrays and what is computed of them -------------------

def job(arrays, run, views=None, near=1e-5, eager_only=False, begin="put"):
    """`run(m, *arrays)` where `m` is a peer's library; pointwise ones tell the `views` that they
    read, so that `cupy.fuse` can make one kernel of them. `near` is how far elements may be from
    ours before the table says so. Arrays `begin` as what the library's `put` makes of them, as the
    many that its `put_rows` makes, or as they are, in host memory."""
    return {"arrays": arrays, "run": run, "views": views, "near": near, "eager_only": eager_only, "begin": begin}


def of(shape, low, span, seed=1, dtype="f4", holes=False):
    return shape, dtype, low, span, seed, holes


def point(arrays, run, views=lambda *arrays: arrays, near=1e-5):
    return job(arrays, run, views, near)


def neighbours(u):
    """The middle of an array and its six or four neighbours, as views."""
    inner, before, after = slice(1, -1), slice(None, -2), slice(2, None)
    yield u[(inner,) * u.ndim]
    for axis in range(u.ndim):
        for moved in (before, after):
            yield u[tuple(moved if a == axis else inner for a in range(u.ndim))]


def cross(rank, middle, beside):
    """Weights of an element and its neighbours."""
    weights = np.zeros((3,) * rank, "f4")
    weights[(1,) * rank] = middle
    for axis in range(rank):
        for place in (0, 2):
            weights[tuple(place if a == axis else 1 for a in range(rank))] = beside
    return weights


def quantile(q, axis):
    return lambda m, x: m.quantile(x, q, axis)


def workloads():
    a, b, c = of("flat", 0.5, 1.5, 1), of("flat", 0.5, 1.5, 2), of("flat", 2, 1, 3)
    field, square, cube = of("climate", 250, 60), of("square", 1, 1), of("cube", 1, 1)
    jobs = {
        "elementwise: chain": point([a, b], lambda m, a, b: m.sqrt(a * a + b * b) * 2 + m.sin(a)),
        "elementwise: triad": point([a, b, c], lambda m, a, b, c: a * b + c - 1),
        "elementwise: select": point([a, b], lambda m, a, b: m.where(a < b, a, b * 2)),
    }
    for kind in ("sum", "mean", "std", "nanmean", "min", "max"):
        x = of("climate", 250, 60, holes=kind == "nanmean")
        for name, axis in (("all", (0, 1, 2)), ("first", 0), ("last", 2)):
            jobs[f"reduce: {kind} {name}"] = job(
                [x], lambda m, x, kind=kind, axis=axis: getattr(m, kind)(x, axis), near=1e-4)
    jobs |= {
        "anomaly: of all time": job([field], lambda m, x: x - m.mean(x, 0), near=1e-4),
        "anomaly: of the month": job([field], lambda m, x: x - m.monthly(x)[m.labels(x)], near=1e-4),
        "group: mean of the month": job([field], lambda m, x: m.monthly(x), near=1e-4),
    }
    for name, shape, axis in (("first", "climate", 0), ("last", "climate last", 2)):
        last = "" if axis == 0 else " last"
        jobs[f"along: cumsum {name}"] = job([of(shape, 0, 1)], lambda m, x, axis=axis: m.cumsum(x, axis))
        jobs[f"along: rolling mean{last}"] = job(
            [of(shape, 250, 50)], lambda m, x, axis=axis: m.rolling(x, axis, "mean"), near=1e-4)
    jobs["along: rolling max"] = job([of("climate", 250, 50)], lambda m, x: m.rolling(x, 0, "max"))
    heat = lambda m, u, *around: u + 0.1 * (sum(around[1:], around[0]) - 4 * u)
    laplacian = lambda m, u, *around: sum(around[1:], around[0]) - 6 * u
    jobs |= {
        "stencil: heat 2d": point([square], heat, neighbours),
        "stencil: heat 2d weights": job([square], lambda m, u: m.correlate(u, cross(2, 0.6, 0.1))),
        "stencil: laplacian 3d": point([cube], laplacian, neighbours, near=1e-4),
        "stencil: laplacian 3d weights": job([cube], lambda m, u: m.correlate(u, cross(3, -6, 1)), near=1e-4),
        "move: transpose 2d": job([square], lambda m, x: m.dense(x.T)),
        "move: transpose 3d": job([of("climate", 1, 1)], lambda m, x: m.dense(m.permute(x, (2, 1, 0)))),
        "move: flip": job([square], lambda m, x: m.dense(m.flip(x, 1))),
        "move: cast up": point([of("wide", 1, 1)], lambda m, x: m.cast(x, "float64")),
        "move: cast down": point([of("wide", 1, 1, dtype="f8")], lambda m, x: m.cast(x, "float32")),
        "move: unpack": point([of("flat", -9000, 18000, dtype="i2")],
                              lambda m, x: m.cast(x, "float32") * 0.01 + 273.15),
    }
    ranges = {"exp": (-10, 20), "log": (0.5, 100), "sin": (-30, 60), "tan": (-1.5, 3), "tanh": (-4, 8),
              "erf": (-3, 6), "cbrt": (0.5, 100)}
    for name, (low, span) in ranges.items():
        for dtype, shape, short in (("f4", "flat", "f32"), ("f8", "wide", "f64")):
            jobs[f"math: {name} {short}"] = point(
                [of(shape, low, span, dtype=dtype)], lambda m, x, name=name: getattr(m, name)(x), near=1e-4)
    for last, shape, axis in (("", "columns", 0), (" last", "columns last", 2)):
        column = of(shape, 250, 60)
        jobs[f"order: sort{last}"] = job([column], lambda m, x, axis=axis: m.sort(x, axis), near=0.0)
        jobs[f"order: p90{last}"] = job([column], quantile(0.9, axis))
    jobs |= {
        "order: median": job([of("columns", 250, 60)], quantile(0.5, 0)),
        "order: histogram": job([of("flat", 0, 1)], lambda m, x: m.histogram(x, BINS), near=0.0),
    }
    for name, dtype, near in (("sgemm", "f4", 1e-3), ("dgemm", "f8", 1e-11), ("hgemm", "f2", 2e-2)):
        operands = [of("matrix", -1, 2, seed, dtype) for seed in (1, 2)]
        jobs[f"contract: {name}"] = job(operands, lambda m, a, b: m.matmul(a, b), near=near)
    for title, shape, axis in (("rows of 256", "rows of 256", 1), ("rows of 4096", "rows of 4096", 1),
                               ("rows of 2^20", "rows of 1048576", 1), ("columns of 256", "columns of 256", 0)):
        jobs[f"fft: {title}"] = job(
            [of(shape, -1, 2)], lambda m, x, axis=axis: m.irfft(m.rfft(x, axis), x.shape[axis], axis))
    jobs |= {
        "small: tiles": job([of("tiles", 1, 1)], lambda m, rows: [row + 1 for row in rows], eager_only=True,
                            begin="put_rows"),
        "small: calls": point([of("few", 1, 1)], lambda m, x: x + 1),
        "stream: mean": job([field], lambda m, x: m.fetch(m.mean(m.put(x), 0)), near=1e-4, eager_only=True,
                            begin=None),
        "stream: triad": job([a, b, c], lambda m, a, b, c: m.fetch(m.put(a) * m.put(b) + m.put(c) - 1),
                             eager_only=True, begin=None),
    }
    return jobs


# ---- libraries: what workloads ask of them, in their own words --------------------------------------

class Library:
    """What all have in common: an array from the host, as `put` makes it, or one for each row."""

    def put_rows(self, x):
        return [self.put(row) for row in x]


class Arrays(Library):
    """What CuPy and JAX have in common with NumPy."""

    def __init__(self, module, special):
        self.xp, self.erf = module, special.erf
        for name in ("sqrt", "sin", "exp", "log", "tan", "tanh", "cbrt", "where", "cumsum", "sort", "quantile", "flip",
                     "matmul", "sum", "mean", "std", "nanmean", "min", "max"):
            setattr(self, name, getattr(module, name))
        self.permute = module.transpose
        self.rfft = lambda x, axis: module.fft.rfft(x, axis=axis)
        self.irfft = lambda x, n, axis: module.fft.irfft(x, n, axis)

    def cast(self, x, dtype):
        return x.astype(dtype)

    def histogram(self, x, bins):
        return self.xp.histogram(x, bins, (0, 1))[0]

    def counts(self, x, axis):
        """How many places a window that ends at each place has."""
        shape = [1] * x.ndim
        shape[axis] = -1
        return self.xp.minimum(self.xp.arange(1, x.shape[axis] + 1), WINDOW).astype("float32").reshape(shape)


class Cupy(Arrays):
    def __init__(self, cpu):
        import cupy
        import cupyx.scipy.ndimage
        import cupyx.scipy.special
        super().__init__(cupy, cupyx.scipy.special)
        if cpu or cupy.cuda.runtime.getDeviceCount() == 0:
            raise RuntimeError("no GPU for it")
        self.images, self.put, self.fetch = cupyx.scipy.ndimage, cupy.asarray, cupy.asnumpy
        self.device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()

    def wait(self, out):
        self.xp.cuda.get_current_stream().synchronize()

    def dense(self, x):
        return self.xp.ascontiguousarray(x)

    def compiled(self, workload):
        """One kernel of a pointwise workload; None of another, which `fuse` cannot make."""
        if workload["views"] is None:
            return None
        fused, views = self.xp.fuse(lambda *parts: workload["run"](self, *parts)), workload["views"]
        return lambda *arrays: fused(*views(*arrays))

    def labels(self, x):
        return self.xp.asarray(months(len(x)))

    def monthly(self, x):
        labels = months(len(x))
        return self.xp.stack([x[self.xp.asarray((labels == month).nonzero()[0])].mean(0) for month in range(MONTHS)])

    def rolling(self, x, axis, kind):
        behind = (WINDOW - 1) - WINDOW // 2          # the window ends at its place
        if kind == "max":
            return self.images.maximum_filter1d(x, WINDOW, axis, mode="nearest", origin=behind)
        total = self.images.uniform_filter1d(x, WINDOW, axis, mode="constant", origin=behind) * WINDOW
        return total / self.counts(x, axis)

    def correlate(self, x, weights):
        return self.images.correlate(x, self.put(weights))[(slice(1, -1),) * x.ndim]


class Jax(Arrays):
    def __init__(self, cpu):
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        if cpu:
            os.environ["JAX_PLATFORMS"] = "cpu"
        import jax
        import jax.numpy
        import jax.scipy.special
        super().__init__(jax.numpy, jax.scipy.special)
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_default_matmul_precision", "highest")
        if not cpu and jax.default_backend() == "cpu":
            raise RuntimeError("no GPU for it")
        self.jax, self.put = jax, jax.device_put
        self.device = jax.devices()[0].device_kind

    def fetch(self, x):
            return np.asarray(x)

    def wait(self, out):
        self.jax.block_until_ready(out)

    def dense(self, x):
        return x                # it has no views

    def compiled(self, workload):
        return self.jax.jit(spelled_out(self, workload))

    def labels(self, x):
        return self.xp.asarray(months(len(x)))

    def monthly(self, x):
        labels = self.labels(x)
        counts = self.xp.bincount(labels, length=MONTHS).astype("float32")
        return self.jax.ops.segment_sum(x, labels, MONTHS) / counts[:, None, None]

    def rolling(self, x, axis, kind):
        window, around = [1] * x.ndim, [(0, 0)] * x.ndim
        window[axis], around[axis] = WINDOW, (WINDOW - 1, 0)
        start, combine = (-math.inf, self.jax.lax.max) if kind == "max" else (0.0, self.jax.lax.add)
        out = self.jax.lax.reduce_window(x, x.dtype.type(start), combine, window, [1] * x.ndim, around)
        return out if kind == "max" else out / self.counts(x, axis)

    def correlate(self, x, weights):
        out = self.jax.lax.conv_general_dilated(x[None, None], self.put(weights)[None, None], [1] * x.ndim, "VALID")
        return out[0, 0]


class Torch(Library):
    def __init__(self, cpu):
        import torch
        if not cpu and not torch.cuda.is_available():
            raise RuntimeError("no GPU for it")
        self.t, self.cpu, self.place = torch, cpu, "cpu" if cpu else "cuda"
        self.device = "cpu" if cpu else torch.cuda.get_device_name()
        torch.set_float32_matmul_precision("highest")
        for name in ("sqrt", "sin", "exp", "log", "tan", "tanh", "erf", "where", "cumsum", "matmul", "permute",
                     "sum", "mean", "nanmean", "amin", "amax"):
            setattr(self, name, getattr(torch, name))
        self.min, self.max = torch.amin, torch.amax
        self.rfft = lambda x, axis: torch.fft.rfft(x, dim=axis)
        self.irfft = lambda x, n, axis: torch.fft.irfft(x, n, axis)

    def put(self, x):
        return self.t.from_numpy(x).to(self.place)

    def fetch(self, x):
        return x.cpu().numpy()

    def wait(self, out):
        if not self.cpu:
            self.t.cuda.synchronize()

    def compiled(self, workload):
        return self.t.compile(spelled_out(self, workload), dynamic=False)

    def std(self, x, axis):
        return self.t.std(x, axis, correction=0)

    def cbrt(self, x):
        raise NotImplementedError("it has none")

    def cast(self, x, dtype):
        return x.to(getattr(self.t, dtype))

    def dense(self, x):
        return x.contiguous()

    def flip(self, x, axis):
        return self.t.flip(x, (axis,))

    def sort(self, x, axis):
        return self.t.sort(x, axis)[0]

    def quantile(self, x, q, axis):
        """By sorting: its own takes no more than 16 million elements."""
        ordered, place = self.sort(x, axis), q * (x.shape[axis] - 1)
        low, high = (ordered.select(axis, at) for at in (math.floor(place), math.ceil(place)))
        return low + (high - low) * (place % 1)

    def histogram(self, x, bins):
        return self.t.histc(x, bins, 0, 1)

    def labels(self, x):
        return self.t.from_numpy(months(len(x))).to(self.place)

    def monthly(self, x):
        labels = self.labels(x)
        total = self.t.zeros((MONTHS, *x.shape[1:]), dtype=x.dtype, device=x.device).index_add(0, labels, x)
        counts = self.t.zeros(MONTHS, device=x.device).index_add(0, labels, self.t.ones(len(x), device=x.device))
        return total / counts[:, None, None]

    def rolling(self, x, axis, kind):
        pools = self.t.nn.functional
        rows = x.reshape(1, 1, x.shape[0], -1) if axis == 0 else x.reshape(1, 1, -1, x.shape[2])
        window, around = ((WINDOW, 1), (0, 0, WINDOW - 1, 0)) if axis == 0 else ((1, WINDOW), (WINDOW - 1, 0))
        if kind == "max":
            return pools.max_pool2d(pools.pad(rows, around, value=-math.inf), window, 1).reshape(x.shape)
        total = pools.avg_pool2d(pools.pad(rows, around), window, 1).reshape(x.shape) * WINDOW
        shape = [1] * x.ndim
        shape[axis] = -1
        return total / self.t.arange(1, x.shape[axis] + 1, device=x.device).clamp(max=WINDOW).reshape(shape)

    def correlate(self, x, weights):
        convolve = {2: self.t.nn.functional.conv2d, 3: self.t.nn.functional.conv3d}[x.ndim]
        return convolve(x[None, None], self.put(weights)[None, None])[0, 0]


def spelled_out(library, workload):
    """A workload as a function of its arrays."""
    views = workload["views"] or (lambda *arrays: arrays)
    return lambda *arrays: workload["run"](library, *views(*arrays))


LIBRARIES = {"cupy": Cupy, "jax": Jax, "torch": Torch}
