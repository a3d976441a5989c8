"""Makes tests/oracle/flat/: small NPZ, raw binary, CSV and TSV files, and flat.json: what NumPy and
pandas read from them.

    python flat.py

    { "numpy": version, "pandas": version,
      "cases": [ {"file": name, "raw": what RawFile::parse is given behind the name, for raw binary,
                  "variables": {name: {"dtype": NumPy's name, "shape": [..], "words": words (of a complex
                                       array those of its parts in turn)}},
                  "text": {name: [strings]}} ] }
"""

import io
import zipfile

import numpy as np
import pandas as pd

from common import ALL, OUT, canonical, words, write

FOLDER = OUT / "flat"


def ramp(shape, dtype):
    n = int(np.prod(shape, dtype=int))
    out = (np.arange(n) * 7 % 120).astype(dtype)
    if np.dtype(dtype).kind == "f" and n > 4:
        out[:4] = [np.nan, np.inf, -np.inf, -0.0]
    return out.reshape(shape)


def seen(array):
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder("="))
    parts = np.ascontiguousarray(array).reshape(-1).view(f"f{array.itemsize // 2}") if array.dtype.kind == "c" else array
    return {"dtype": str(array.dtype), "shape": list(array.shape), "words": words(parts)}


def npz():
    arrays = {f"of_{d}": ramp((3, 5), d) for d in ALL}
    arrays |= {"complex": ramp((4,), "c8") * (1 + 2j), "big": ramp((2, 3), ">f8"), "scalar": np.float32(2.5),
               "empty": np.zeros((0, 4), "i2"), "fortran": np.asfortranarray(ramp((3, 4, 5), "i4")),
               "thin": ramp((1, 7, 1), "u2"), "größe": ramp((2,), "f4")}
    large = {"large": np.random.default_rng(1).integers(0, 9, (20, 250)).astype("f4"),
             "turned": np.asfortranarray(np.random.default_rng(2).integers(0, 9, (10, 300)).astype("i2"))}
    np.savez(FOLDER / "plain.npz", **arrays)
    np.savez_compressed(FOLDER / "deflated.npz", **arrays, **large)
    np.savez(FOLDER / "none.npz")
    with zipfile.ZipFile(FOLDER / "mixed.npz", "w") as archive:
        for name, method in [("a", zipfile.ZIP_STORED), ("folder/b", zipfile.ZIP_DEFLATED), ("c", zipfile.ZIP_BZIP2)]:
            buffer = io.BytesIO()
            np.save(buffer, ramp((2, 2), "f8"))
            archive.writestr(name + ".npy", buffer.getvalue(), method)
        archive.writestr("readme.txt", "no array")
    for name in ["plain.npz", "deflated.npz", "none.npz", "mixed.npz"]:
        read = np.load(FOLDER / name)
        keys = [k for k in read.files if k not in ("c", "readme.txt")]
        yield {"file": name, "variables": {k: seen(read[k]) for k in keys}, "text": {}}


def raw():
    plain = ramp((3, 4), "f4")
    plain.tofile(FOLDER / "plain.bin")
    yield {"file": "plain.bin", "raw": ":float32:3x4", "variables": {"data": seen(plain)}, "text": {}}
    other = ramp((3, 4, 2), ">i2")
    (FOLDER / "other.raw").write_bytes(b"header!" + other.tobytes("F") + b"behind")
    yield {"file": "other.raw", "raw": ":int16:3x4x2:offset=7:order=F:endian=big", "variables": {"data": seen(other)}, "text": {}}
    one = np.array(7.25 - 1.5j).astype(">c16")
    (FOLDER / "one.bin").write_bytes(one.tobytes())
    yield {"file": "one.bin", "raw": ":complex128:scalar:endian=big", "variables": {"data": seen(one)}, "text": {}}


TABLES = {
    "plain.csv": "i,f,t\n1,1.5,a\n-2,,b\n3,nan,\n9223372036854775807,-1e300,x y\n",
    "crlf.csv": "a,b\r\n1,2\r\n3,4\r\n",
    "bom.csv": "\ufeffa,b\n1,ü\n",
    "quoted.csv": 'name,"a ""b"", c",n\n"x, y",1," 2"\n"line\nbreak","3",4\n"",5,6\n',
    "missing.csv": "a,b,c,d\n1,NA,,null\n,2,,N/A\n3,NaN,,#N/A\n",
    "specials.csv": "x,y\ninf,-0.0\n-inf,1e-400\n1e308,0.1\n2.2250738585072014e-308,123456789.123456789\n",
    "twice.csv": "a,a,b,a\n1,2,3,4\n5,6,7,8\n",
    "blank.csv": "a,b\n\n1,2\n\n\n3,4\n",
    "no_end.csv": "a,b\n1,2\n3,4",
    "only_names.csv": "a,b\n",
    "tabs.tsv": "a\tb, c\n1\tx,y\n2\tz\n",
    "spaces.csv": "a,b\n 1, 2.5\n3 ,4\n",
    "mixed.csv": "a,b\n1,1\n2.5,x\n3,2\n",
}


def tables():
    long = "n,half,word\n" + "".join(f"{i},{i / 2},w{i % 7}\n" for i in range(2500))
    for name, text in (TABLES | {"long.csv": long}).items():
        (FOLDER / name).write_bytes(text.encode())
        sep = "\t" if name.endswith(".tsv") else ","
        frame = pd.read_csv(FOLDER / name, sep=sep)
        kept = pd.read_csv(FOLDER / name, sep=sep, dtype=str, keep_default_na=False)
        numeric = [c for c in frame.columns if frame[c].dtype.kind in "if"] if len(frame) else []
        text = {} if not len(frame) else {c: list(kept[c]) for c in frame.columns if c not in numeric}
        variables = {c: seen(canonical(frame[c].to_numpy())) for c in numeric}
        yield {"file": name, "variables": variables, "text": text}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = [*npz(), *raw(), *tables()]
    write("flat.json", {"numpy": np.__version__, "pandas": pd.__version__}, cases)


if __name__ == "__main__":
    main()
