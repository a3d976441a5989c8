"""Makes tests/oracle/evals.json: whole expressions on the real files, by xarray in float64.

    python evals.py [FOLDER]         the folder with the files; ../shared/data from the root by default

    { "xarray": version,
      "cases": [ {"file": bare name, "expr": in the language of `tilewise eval`,
                  "dims": [..], "shape": [..],
                  "dtype": what xarray gives without widening the inputs,
                  "count": elements that are not NaN, "min", "max", "mean": words,    float64
                  "samples": [ [index, ..], .. ], "values": words } ] }

`words` is described in common.py. Float inputs are widened to float64 first, so the values are good to
about 1e-15 relative and an engine's float32 result is off by its own rounding only: compare float32
results with a tolerance scaled by the largest |input|, not by a difference of near values. Reductions
skip NaN, as xarray's do. Where xarray spells an expression otherwise, EXPRESSIONS gives both.
"""

import math
import pathlib
import sys
import warnings

import numpy as np
import xarray as xr

from common import ROOT, write
from files import f64, sample_indices

warnings.simplefilter("ignore")

TAS = "tas_Amon_ACCESS-ESM1-5_1pctCO2_r1i1p1f1_gn_010101-018012.nc"
TOS = "tos_Omon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc"
CITIES = "daily_surface_cancities_1990-1993.nc"
NOLEAP = "CanESM2_1950-2100.nc"
DAYS_360 = "tasmax_day_HadGEM2-CC_rcp85_r1i1p1_na10kgrid_qm-moving-50bins-detrend_2095.nc"
EUR = "tas_EUR-11_MPI-M-MPI-ESM-LR_rcp85_r1i1p1_KNMI-RACMO22E_v1_mon_209101.nc"
COADS = "coads_climatology.nc4"
WRF = "wrf_ci_test_file.nc"
LIDAR = "mrcosts-real-data-example.nc"

# file, expression, and xarray's spelling where it differs
EXPRESSIONS = [
    (TAS, 'tas - 273.15'),
    (TAS, 'tas.mean("time")'),
    (TAS, 'tas.mean()'),
    (TAS, 'tas.var(["lat", "lon"])'),
    (TAS, 'tas.std("time", ddof=1)'),
    (TAS, 'tas.max("time") - tas.min("time")'),
    (TAS, 'tas.groupby("time.month").mean()'),
    (TAS, 'tas - tas.groupby("time.month").mean()',
     'tas.groupby("time.month") - tas.groupby("time.month").mean()'),
    (TAS, '(tas - tas.groupby("time.month").mean()) / tas.groupby("time.month").std()',
     '(tas.groupby("time.month") - tas.groupby("time.month").mean()).groupby("time.month")'
     ' / tas.groupby("time.month").std()'),
    (TAS, 'tas.groupby("time.season").mean()'),
    (TAS, 'tas.groupby("time.year").max()'),
    (TAS, 'tas.sel(lat=slice(20, 60)).mean(["lat", "lon"], weights=cos(radians(lat)))',
     'tas.sel(lat=slice(20, 60)).weighted(cos(radians(lat))).mean(["lat", "lon"])'),
    (TAS, 'tas.sel(lat=0, lon=180, method="nearest")'),
    (TAS, 'dot(tas, cos(radians(lat)), dim="lat")'),
    (TAS, 'dot(tas.isel(time=slice(0, 24)), tas.isel(time=slice(0, 24)), dim="time")'),
    (TAS, 'tas.dot(tas.mean("time"))'),
    (TAS, 'tas.isel(time=slice(0, 120, 7), lat=-1)'),
    (TAS, 'tas.isel(time=0).transpose("lon", "lat")'),
    (TAS, 'where(tas > 300, tas, 0.0).sum("time")'),
    (TAS, '(tas > 273.15).sum("time")'),
    (TAS, 'tas.argmax("time")'),
    (TOS, 'tos.mean("time")'),
    (TOS, 'tos.mean()'),
    (TOS, 'tos.count("time")'),
    (TOS, 'tos.mean(["j", "i"])'),
    (TOS, 'tos.sum("time", skipna=False)'),
    (TOS, 'tos.sum("time")'),
    (TOS, 'tos - tos.groupby("time.month").mean()',
     'tos.groupby("time.month") - tos.groupby("time.month").mean()'),
    (CITIES, 'hypot(uas, vas)'),
    (CITIES, 'pr.sum("time") * 86400'),
    (CITIES, 'tas.groupby("time.month").std()'),
    (CITIES, 'tasmax - tasmin'),
    (NOLEAP, 'tasmax.groupby("time.year").mean()'),
    (NOLEAP, 'pr.groupby("time.month").sum()'),
    (NOLEAP, 'tasmax - tasmax.groupby("time.dayofyear").mean()',
     'tasmax.groupby("time.dayofyear") - tasmax.groupby("time.dayofyear").mean()'),
    (DAYS_360, 'tasmax.groupby("time.month").mean()'),
    (DAYS_360, 'tasmax.max("time")'),
    (EUR, 'tas.mean(["rlat", "rlon"])'),
    (COADS, 'SST - AIRT'),
    (COADS, 'hypot(UWND, VWND).mean("TIME")'),
    (COADS, 'SST.mean("COADSX")'),
    (WRF, '(T + 300) * ((P + PB) / 100000) ** 0.2857'),
    (WRF, '(PH + PHB).mean(["south_north", "west_east"])'),
    (WRF, 'sqrt(U10 * U10 + V10 * V10)'),
    (LIDAR, 'Tperturb - Tperturb.mean("time")'),
    (LIDAR, 'Tperturb.std("time")'),
]


def names(dataset, widen):
    """What an expression may use: the file's variables, and functions that keep xarray's types."""
    wide = {n: v.astype("f8") if widen and v.dtype.kind == "f" else v for n, v in dataset.variables.items()}
    arrays = {n: dataset[n].copy(data=wide[n].data) if n not in dataset.indexes else dataset[n] for n in wide}
    functions = {"cos": np.cos, "radians": np.radians, "hypot": np.hypot, "sqrt": np.sqrt, "where": xr.where, "dot": xr.dot}
    return arrays | functions


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data"
    cases = []
    for file, expression, *spelling in EXPRESSIONS:
        times = False if file == COADS else xr.coders.CFDatetimeCoder(use_cftime=True)
        with xr.open_dataset(folder / file, decode_times=times, engine="netcdf4") as dataset:
            dataset.load()
            code = spelling[0] if spelling else expression
            out = eval(code, {"slice": slice}, names(dataset, widen=True))
            narrow = eval(code, {"slice": slice}, names(dataset, widen=False))
        x = out.values
        valid = x[~np.isnan(x)].astype("f8") if x.dtype.kind == "f" else x.reshape(-1).astype("f8")
        samples = sample_indices(x.shape, 11)
        cases.append({
            "file": file, "expr": expression, "dims": list(out.dims), "shape": list(x.shape),
            "dtype": str(narrow.dtype), "count": int(valid.size), "min": f64(valid.min()), "max": f64(valid.max()),
            "mean": f64(math.fsum(valid) / valid.size), "samples": [list(i) for i in samples],
            "values": f64(*[x[i] for i in samples]),
        })
    write("evals.json", {"xarray": xr.__version__}, cases)


if __name__ == "__main__":
    main()
