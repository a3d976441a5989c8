#!/usr/bin/env python3
"""Reads the files of `benches/storage.rs` with h5py, netCDF4, xarray and zarr-python, in turns with tilewise.

    python3 benches/storage.py [--dir DIR] [--size MIB] [--rounds N] [--workers N]

Needs h5py, netCDF4, xarray, zarr and a release build of the bench (`cargo bench --bench storage --no-run`).
Each round runs the bench once and then every peer, so that all meet the same neighbours; medians of
wall and CPU seconds are printed with the ratio of the peer's to ours. The page cache is warm.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import xarray
import zarr

ROOT = Path(__file__).resolve().parent.parent


def bench_binary():
    """The newest built bench."""
    built = sorted((ROOT / "target/release/deps").glob("storage-*"), key=lambda p: p.stat().st_mtime)
    built = [p for p in built if os.access(p, os.X_OK) and p.suffix == ""]
    if not built:
        raise SystemExit("build the bench first: cargo bench --bench storage --no-run")
    return built[-1]


def timed(work):
    """Wall and CPU seconds of a call."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    work()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def h5py_read(path):
    with h5py.File(path) as f:
        t = f["t"]
        out = np.empty(t.shape[1:], t.dtype)
        for step in range(t.shape[0]):
            t.read_direct(out, np.s_[step])


def netcdf4_read(path):
    with netCDF4.Dataset(path) as f:
        t = f["t"]
        t.set_auto_mask(False)
        for step in range(t.shape[0]):
            t[step]


def xarray_read(path):
    with xarray.open_dataset(path, decode_cf=False) as f:
        f["t"].load()


def h5py_point(path):
    with h5py.File(path) as f:
        f["t"][:, 300, 700]


def h5py_write(path, data):
    with h5py.File(path, "w") as f:
        t = f.create_dataset("t", data.shape, data.dtype, chunks=(1, 360, 1440), compression="gzip",
                             compression_opts=1, shuffle=True)
        for step in range(data.shape[0]):
            t[step] = data[step]


def zarr_read(path):
    t = zarr.open_group(path, mode="r")["t"]
    for step in range(t.shape[0]):
        t[step]


def zarr_write(path, data):
    t = zarr.create_array(path, shape=data.shape, dtype=data.dtype, chunks=(1, 360, 1440), overwrite=True,
                          compressors=zarr.codecs.ZstdCodec(level=3))
    for step in range(data.shape[0]):
        t[step] = data[step]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    folder = args.dir or tempfile.mkdtemp(prefix="storage-")
    command = [bench_binary(), "--dir", folder, "--size", str(args.size), "--rounds", "1",
               "--workers", str(args.workers), "--json"]
    ours, theirs, workers = {}, {}, args.workers
    data = None
    for _ in range(args.rounds):
        out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for name, sample in out["rows"].items():
            ours.setdefault(name, []).append((sample["wall"], sample["cpu"]))
        deflated, plain = f"{folder}/deflated.nc", f"{folder}/plain.nc"
        if data is None:
            with h5py.File(plain) as f:
                data = f["t"][:]
        jobs = {
            ("read deflate(4)+shuffle", "h5py"): lambda: h5py_read(deflated),
            ("read deflate(4)+shuffle", "netCDF4"): lambda: netcdf4_read(deflated),
            ("read deflate(4)+shuffle", "xarray load"): lambda: xarray_read(deflated),
            ("read plain", "h5py"): lambda: h5py_read(plain),
            ("read one point of each deflated chunk", "h5py"): lambda: h5py_point(deflated),
            ("read Zarr zstd(3)", "zarr-python"): lambda: zarr_read(f"{folder}/zstd.zarr"),
            ("write Zarr zstd(3)", "zarr-python"): lambda: zarr_write(f"{folder}/peer.zarr", data),
            ("write deflate(1)+shuffle", "h5py"): lambda: h5py_write(f"{folder}/peer.nc", data),
        }
        for name, job in jobs.items():
            theirs.setdefault(name, []).append(timed(job))
    median = lambda samples, at: statistics.median(s[at] for s in samples)
    print(f"{args.size} MiB of float32, {workers} workers; seconds, wall / CPU")
    for name, samples in ours.items():
        print(f"tilewise     {name:42} {median(samples, 0):8.3f} / {median(samples, 1):.3f}")
    for (name, who), samples in theirs.items():
        wall, cpu = median(samples, 0), median(samples, 1)
        best = [n for n in (f"{name}, all workers", name) if n in ours][0]
        mine = ours[best]
        print(f"{who:12} {name:42} {wall:8.3f} / {cpu:.3f}   "
              f"{wall / median(mine, 0):5.2f} x ours by wall, {cpu / max(median(mine, 1), 1e-9):5.2f} x by CPU")


if __name__ == "__main__":
    main()
