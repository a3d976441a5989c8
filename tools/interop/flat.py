"""Reads the NPZ and raw binary files that tilewise writes with NumPy.

    python flat.py [FOLDER]      a folder where the tests wrote already; else they are run

The tests of tests/io_flat.rs write them into a folder; every array is compared with that of the file
of NumPy that it is a copy of, bit for bit, and every archive with its own checksums.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORACLE = ROOT / "tests" / "oracle" / "flat"


def native(array):
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))


def written():
    """The folder of the files, made where none is given."""
    if len(sys.argv) > 1 and pathlib.Path(sys.argv[1]).is_dir():
        return pathlib.Path(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="tilewise-interop-")
    command = ["cargo", "test", "--quiet", "--test", "io_flat", "--", "written"]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"TILEWISE_INTEROP": folder})
    return pathlib.Path(folder)


def main():
    folder = written()
    compared = 0
    for path in sorted(folder.glob("*.npz")):
        assert zipfile.ZipFile(path).testzip() is None, path
        ours, theirs = np.load(path), np.load(ORACLE / path.name)
        assert ours.files == theirs.files, path
        for key in ours.files:
            assert ours[key].dtype == theirs[key].dtype.newbyteorder("<"), (path, key)
            assert ours[key].shape == theirs[key].shape, (path, key)
            assert ours[key].tobytes() == native(theirs[key]).tobytes(), (path, key)
            compared += 1
    other = np.frombuffer((ORACLE / "other.raw").read_bytes()[7:-6], ">i2").reshape((3, 4, 2), order="F")
    assert (folder / "other.raw").read_bytes() == native(other).tobytes()
    assert (folder / "plain.bin").read_bytes() == (ORACLE / "plain.bin").read_bytes()
    print(f"{compared} arrays are those of NumPy")
    assert compared > 30, compared


if __name__ == "__main__":
    main()
