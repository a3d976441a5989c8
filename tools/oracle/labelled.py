"""Makes tests/oracle/labelled.json: expressions on small named arrays, by xarray.

    python labelled.py

    { "xarray": version,
      "cases": [ {"expr": in the language of `tilewise eval`, "dims": [..], "shape": [..], "dtype": d,
                  "values": words,               in the dtype of the result, see common.py
                  "coords": {name: words} } ] }  float64, of dimensions with labels; time in days

The inputs follow from a formula that a test repeats:

    x (time: 26, lat: 4, lon: 5) float32    ((7 t + 3 i + 5 j) mod 11) - 4, NaN where (t + 2 i + 3 j) mod 7 is 0
    k (time: 26, lat: 4) int16              (13 t + 29 i) mod 40 - 20
    y (lat: 4, lon: 5) float64              0.25 (i - j)
    time  14 + 30.5 n days since 2000-01-01 in the standard calendar
    lat   60, 20, -20, -60                  lon  0, 72, 144, 216, 288
"""

import numpy as np
import xarray as xr

from common import canonical, words, write

T, I, J = np.meshgrid(np.arange(26), np.arange(4), np.arange(5), indexing="ij")


def inputs():
    x = ((7 * T + 3 * I + 5 * J) % 11 - 4).astype("f4")
    x[(T + 2 * I + 3 * J) % 7 == 0] = np.nan
    k = ((13 * T + 29 * I) % 40 - 20)[:, :, 0].astype("i2")
    y = 0.25 * (I - J)[0].astype("f8")
    days = 14 + 30.5 * np.arange(26)
    coords = {
        "time": ("time", days, {"units": "days since 2000-01-01", "calendar": "standard"}),
        "lat": ("lat", [60.0, 20.0, -20.0, -60.0]),
        "lon": ("lon", [0.0, 72.0, 144.0, 216.0, 288.0]),
    }
    variables = {"x": (("time", "lat", "lon"), x), "k": (("time", "lat"), k), "y": (("lat", "lon"), y)}
    return xr.decode_cf(xr.Dataset(variables, coords))


# expression, and xarray's spelling where it differs
EXPRESSIONS = [
    ("x + k",), ("k * 2",), ("k * 2.5",), ("k / 4",), ("x ** 2",), ("-x",), ("y - x",), ("x > 2",), ("k // 7",), ("k % 7",),
    ('x.transpose("lon", "time", "lat")',), ('x.transpose("lon", ...)',), ("x.T",), ("y + k",),
    ("x.isel(time=3, lon=slice(None, None, -2))",), ("x.isel(lat=[2, 0, 0])",), ("x[5:9, -1]",), ("x[..., 0]",),
    ('x.sel(lat=20, lon=144)',), ('x.sel(lat=slice(60, -20), lon=slice(70, 220))',),
    ('x.sel(lat=[-60, 20])',), ('x.sel(lat=5, lon=100, method="nearest")',), ('x.sel(time="2000")',),
    ('x.sel(time=slice("2000-11", "2001-02"))',), ('x.sel(time=slice("2001", None)).mean("time")',),
    ('x.mean()',), ('x.mean("time")',), ('x.sum(["lat", "lon"])',), ('x.sum("time", skipna=False)',),
    ('x.std("time", ddof=1)',), ('x.var(["time", "lon"])',), ('x.min("lat")',), ('x.max(["time", "lat"])',),
    ('x.count("time")',), ('k.sum("time")',), ('k.mean("lat")',), ('k.max()',), ('x.prod("lon")',),
    ('(x > 2).any("time")',), ('(x > -10).all("time")',), ('k.argmax("time")',), ('k.argmin("lat")',),
    ('x.mean("lat", weights=cos(radians(lat)))', 'x.weighted(np.cos(np.radians(x.lat))).mean("lat")'),
    ('x.weighted(cos(radians(lat))).mean(["lat", "lon"])', 'x.weighted(np.cos(np.radians(x.lat))).mean(["lat", "lon"])'),
    ('x.weighted(y * y).sum("lon")',),
    ('x.groupby("time.month").mean()',), ('x.groupby("time.season").max()',), ('x.groupby("time.year").count()',),
    ('x.groupby("time.month").std()',), ('k.groupby("time.year").sum()',), ('x.groupby("time.year").first()',),
    ('x.groupby("time.quarter").last(skipna=False)',), ('k.groupby("time.season").min()',),
    ('x - x.groupby("time.season").mean()', 'x.groupby("time.season") - x.groupby("time.season").mean()'),
    ('x.groupby("time.month") - x.groupby("time.month").mean()',),
    ('x / x.mean("time")',), ('x.where(x > 0)',), ('x.where(k > 0, -1)',), ('k.where(k > 0)',), ('where(x > 0, x, y)', 'xr.where(x > 0, x, y)'),
    ('x.fillna(0)',), ('x.fillna(y)',), ('x.isnull()',), ('x.notnull().sum("lon")',), ('x.clip(-1, 2)',), ('x.clip(max=2)',),
    ('x.shift(time=2)',), ('x.shift(lon=-1, fill_value=9)',), ('k.shift(time=1)',), ('x.roll(lon=2)',), ('x.roll(time=-3)',),
    ('x.diff("time")',), ('k.diff("lat")',), ('x.diff("lon", n=2)',), ('k.astype("float64") / 3',), ('x.round()',), ('y.round(1)',),
    ('x.diff("time", label="lower")',), ('k.diff("time", n=3)',),
    ('x.cumsum("time")',), ('x.cumsum()',), ('x.cumsum("lon", skipna=False)',), ('k.cumsum("lat")',), ('x.cumprod("lon")',),
    ('(k > 0).cumsum(["time", "lat"])',), ('k.cumprod("lat")',),
    ('x.rolling(time=5).mean()',), ('x.rolling(time=5, center=True, min_periods=2).mean()',),
    ('x.rolling(time=6, min_periods=1, center=True).sum()',), ('x.rolling(lon=3, min_periods=2).min()',),
    ('x.rolling(lat=2, min_periods=1).max()',), ('x.rolling(time=8, min_periods=3).std()',),
    ('x.rolling(time=8, min_periods=3).var(ddof=1)',), ('x.rolling(time=4, min_periods=2).count()',),
    ('k.rolling(lat=3, min_periods=1).sum()',), ('k.astype("float64").rolling(time=4, center=True).max()',), ('k.rolling(time=30, min_periods=1).mean()',),
    ('(x > 0).rolling(time=4).sum()',), ('(x - x.rolling(time=7, center=True, min_periods=3).mean()).std("time")',),
    ('x.differentiate("lat")',), ('y.differentiate("lat", edge_order=2)',), ('y.isel(lon=[0, 1, 3, 4]).differentiate("lon")',),
    ('y.isel(lon=[0, 1, 3, 4]).differentiate("lon", 2)',),
    ('x.fillna(0).differentiate("time", datetime_unit="D")',), ('k.differentiate("time", datetime_unit="h")',),
    ('concat([x.isel(time=slice(0, 3)), x.isel(time=slice(10, 12))], "time")',),
    ('x.isel(time=[0]).squeeze()',), ('x.time.month', 'x.time.dt.month'), ('x.time.dt.dayofyear',),
    ('abs(x).max("time") - x.min("time")',), ('maximum(x, y)', 'np.maximum(x, y)'), ('hypot(x, y)', 'np.hypot(x, y)'),
    ('(k > 0) & (k < 10)',), ('~(k > 0)',), ('full_like(k, 3)', 'xr.full_like(k, 3)'), ('x.lat * 2',),
    ('x.groupby("time.month").mean().sel(month=7)',),
    # Quantiles keep the dtype of floats here.
    ('x.quantile(0.9, "time")', 'x.quantile(0.9, "time").astype("f4")'), ('y.quantile([0.1, 0.5, 0.9], dim="lon", method="hazen")',),
    ('x.quantile([0.25, 0.75], ["time", "lon"], method="median_unbiased")',
     'x.quantile([0.25, 0.75], ["time", "lon"], method="median_unbiased").astype("f4")'),
    ('x.quantile(0.5, "lat", skipna=False)', 'x.quantile(0.5, "lat", skipna=False).astype("f4")'), ('y.quantile(1)',),
    ('k.quantile(0.3, "time", method="nearest")', 'k.quantile(0.3, "time", method="nearest").astype("i2")'),
    ('k.quantile([0.3], "time")',), ('x.quantile(0.2, "lon", keepdims=True)', 'x.quantile(0.2, "lon").astype("f4").expand_dims("lon", axis=2)'),
    ('percentile(y, 90, "lat")', 'y.quantile(0.9, "lat")'), ('x.median("time")',), ('y.median()',), ('k.median("lat")', 'k.astype("f8").median("lat")'),
    ('x.median(["lat", "lon"], skipna=False)',), ('x - x.median("time")',),
    ('sort(y, "lon")', 'y.copy(data=np.sort(y.values, axis=1)).drop_vars("lon")'),
    ('x.argsort("time")', 'x.copy(data=np.argsort(x.values, axis=0, kind="stable")).drop_vars("time")'),
    ('k.topk(-3, "time")', 'k.isel(time=slice(0, 3)).copy(data=np.sort(k.values, axis=0)[:3]).drop_vars("time")'),
    ('x.sortby("lat")',), ('y.sortby("lon", ascending=False)',),
    ('histogram(k, bins=5, range=[-20, 20])',
     'xr.DataArray(np.histogram(k, bins=5, range=(-20, 20))[0], {"bin": [-16.0, -8, 0, 8, 16]}, "bin")'),
    ('histogram(y, [-1, 0, 0.5], weights=y * y)',
     'xr.DataArray(np.histogram(y, [-1, 0, 0.5], weights=y * y)[0], {"bin": [-0.5, 0.25]}, "bin")'),
]

def days(values):
    """Labels as float64; times as days since 2000-01-01."""
    values = np.asarray(values)
    if values.dtype.kind == "M":
        return (values - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")
    return values.astype("f8")


def main():
    dataset = inputs()
    names = {n: dataset[n] for n in dataset.variables}
    names |= {"xr": xr, "np": np, "concat": xr.concat, "slice": slice}
    cases = []
    for expression, *spelling in EXPRESSIONS:
        out = eval(spelling[0] if spelling else expression, names)
        labels = {d: out[d].values for d in out.dims if d in out.coords and out[d].dtype.kind != "U" and out[d].dtype.kind != "O"}
        cases.append({
            "expr": expression, "dims": list(out.dims), "shape": list(out.shape), "dtype": str(out.dtype),
            "values": words(canonical(out.values)), "coords": {d: words(days(v)) for d, v in labels.items()},
        })
    write("labelled.json", {"xarray": xr.__version__}, cases)


if __name__ == "__main__":
    main()
