#!/usr/bin/env python3
"""Writes tests/oracle/filters.h5: one array through each filter that HDF5 itself lacks.

    python3 tools/oracle/filters.py

Element (i, j) of every dataset is i * 1000 + (j * j) % 977 as its dtype; chunks are ragged. Made with
h5py (lzf) and hdf5plugin (zstd, blosc with all its compressors and ways of grouping).
"""
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

OUT = Path(__file__).resolve().parent.parent.parent / "tests/oracle/filters.h5"


def main():
    i, j = np.arange(11)[:, None], np.arange(101)[None]
    values = i * 1000 + (j * j) % 977
    with h5py.File(OUT, "w", track_order=True) as f:
        def add(name, dtype="f4", **how):
            f.create_dataset(name, data=values.astype(dtype), chunks=(5, 40), **how)

        add("lzf", compression="lzf")
        add("lzf_shuffle", "i2", compression="lzf", shuffle=True)
        add("lzf_checked", "f8", compression="lzf", shuffle=True, fletcher32=True)
        add("zstd", **hdf5plugin.Zstd(clevel=3))
        add("zstd_shuffle", "f8", shuffle=True, **hdf5plugin.Zstd(clevel=1))
        for inner in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]:
            for shuffle in [hdf5plugin.Blosc.NOSHUFFLE, hdf5plugin.Blosc.SHUFFLE, hdf5plugin.Blosc.BITSHUFFLE]:
                add(f"blosc_{inner}_{shuffle}", "i4", **hdf5plugin.Blosc(cname=inner, clevel=5, shuffle=shuffle))


if __name__ == "__main__":
    main()
