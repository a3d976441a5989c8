#!/usr/bin/env python3
"""Whole climate jobs of `tilewise` beside CDO and xarray+Dask, on one synthetic file, in one run.

    cargo build --release
    python3 benches/climate.py [--folder target/climate] [--rounds 5] [--json RECORD.json]

A user asks how long the job takes that they know from CDO or xarray, and how much memory it holds;
a loop over a kernel does not tell. Three jobs, each with its target:

    anomaly  tas - tas.groupby("time.month").mean()   written; at most 1.0 of CDO's ymonsub -ymonmean
    mean     tas.mean("time")                         written; at most 0.5 of CDO's timmean and of xarray
    start    data.mean() of a 100 MB .npy             printed; under 0.15 s from start to result

Needs Linux and Python with `numpy`, `netCDF4` and `cftime`, which make the file and check every
answer against float64 sums. Peers are used where they are installed, and named where they are not:
`cdo` (Debian: apt-get install cdo), `xarray` and `dask` (pip install xarray dask bottleneck flox).

The jobs of a workload take turns, A B A B, after one turn that is not counted, so that all meet the
same page cache and the same neighbours; outputs are removed and the disk is synced before each turn.
Wall seconds, CPU seconds and peak resident size are the kernel's own account of each child process
and of all its threads; figures are medians. CDO is given one and all cores and judged by the
quicker; xarray is judged by the seconds after its imports.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
BUDGET_MIB = 512                    # --memory of the anomaly
SLACK_MIB = 150                     # what the process may hold beside it: code, libraries, stacks
ANOMALY = 'anomaly = tas - tas.groupby("time.month").mean()'
XARRAY = """
import time, sys, os
import numpy, netCDF4, dask, xarray as xr
begin = time.perf_counter()
dask.config.set(scheduler="threads", num_workers=os.cpu_count())
with xr.open_dataset(sys.argv[2], chunks={"time": 73}) as data:
    tas = data["tas"]
    if sys.argv[1] == "mean":
        out = tas.mean("time")
    else:
        out = tas.groupby("time.month") - tas.groupby("time.month").mean()
    out.drop_vars([c for c in out.coords if c not in out.dims]).rename("tas").to_netcdf(sys.argv[3])
print("inner", time.perf_counter() - begin)
"""
NUMPY = "import sys, numpy; print(numpy.load(sys.argv[1], mmap_mode='r').mean(dtype='f8'))"


# ---- the data, made once -----------------------------------------------------------------------

def make_field(path, years, grid, tilewise):
    """Writes tas(time, lat, lon), 6-hourly f32 in chunks of one step, uncompressed."""
    part = path.with_suffix(".part.nc")
    sample = [tilewise, "sample", str(part), "--years", str(years), "--grid", grid, "--frequency", "6h",
              "--seed", "1", "--variables", "tas"]
    done = subprocess.run(sample, capture_output=True, text=True)
    if done.returncode:
        print(f"`tilewise sample` cannot ({last_line(done.stderr)}); writing the file with netCDF4")
        make_field_with_netcdf4(part, years, *map(int, grid.split("x")))
    part.replace(path)


def make_field_with_netcdf4(path, years, nlat, nlon):
    import netCDF4
    import numpy as np
    rng = np.random.default_rng(1)
    steps = 1460 * years
    lat, lon = np.linspace(-90, 90, nlat), np.arange(nlon) * (360 / nlon)
    with netCDF4.Dataset(path, "w") as out:
        for name, n in (("time", None), ("lat", nlat), ("lon", nlon)):
            out.createDimension(name, n)
        clock = out.createVariable("time", "f8", ("time",))
        clock.setncatts({"standard_name": "time", "axis": "T", "calendar": "standard",
                         "units": "hours since 2001-01-01 00:00:00"})
        for name, unit, values in (("lat", "degrees_north", lat), ("lon", "degrees_east", lon)):
            axis = out.createVariable(name, "f8", (name,))
            axis.setncatts({"units": unit, "standard_name": {"lat": "latitude", "lon": "longitude"}[name]})
            axis[:] = values
        tas = out.createVariable("tas", "f4", ("time", "lat", "lon"), chunksizes=(1, nlat, nlon))
        tas.setncatts({"units": "K", "standard_name": "air_temperature"})
        clock[:] = 6.0 * np.arange(steps)
        base = 288 - 40 * np.sin(np.deg2rad(lat))[:, None] ** 2 + np.zeros(nlon)
        season = -12 * np.sin(np.deg2rad(lat))[:, None]
        weather = rng.standard_normal((nlat, nlon), dtype="f4")
        for step in range(steps):
            phase = 2 * np.pi * (np.deg2rad(lon) / (2 * np.pi) + step % 4 / 4)
            weather = np.float32(0.97) * weather + np.float32(0.24) * rng.standard_normal((nlat, nlon), dtype="f4")
            tas[step] = base + season * np.cos(2 * np.pi * step / 1460) - 3 * np.cos(phase) + 4 * weather


def make_vector(path):
    """Writes 25 million f32, 100 MB."""
    import numpy as np
    np.save(path, np.random.default_rng(2).standard_normal(25_000_000, dtype="f4") + np.float32(7))


# ---- the right answers -------------------------------------------------------------------------

def steps_of(variable, at_once=64):
    for begin in range(0, variable.shape[0], at_once):
        yield slice(begin, min(begin + at_once, variable.shape[0]))


def open_raw(path):
    import netCDF4
    data = netCDF4.Dataset(path)
    data.set_auto_maskandscale(False)
    return data


def make_answers(field, vector, path):
    """Means in float64: over time, per calendar month, and of the vector."""
    import netCDF4
    import numpy as np
    with open_raw(field) as data:
        tas, clock = data["tas"], data["time"]
        dates = netCDF4.num2date(clock[:], clock.units, getattr(clock, "calendar", "standard"))
        months = np.array([date.month for date in dates])
        sums = np.zeros((12,) + tas.shape[1:])
        for part in steps_of(tas):
            for month, step in zip(months[part], tas[part]):
                sums[month - 1] += step
    counts = np.bincount(months - 1, minlength=12)
    np.savez(path, months=months, mean=sums.sum(0) / counts.sum(),
             monthly=sums / np.maximum(counts, 1)[:, None, None], vector=np.load(vector).mean(dtype="f8"))


def check(job, field, answers, out):
    """The largest difference between an output and the right answer."""
    import numpy as np
    answers = np.load(answers)
    if job == "start":
        number = re.findall(r"[-+]?\d+\.\d+(?:[eE][-+]?\d+)?", pathlib.Path(out).read_text())
        return min((abs(float(n) - float(answers["vector"])) for n in number), default=float("inf"))
    with open_raw(out) as data:
        name = next(n for n in ("anomaly", "tas") if n in data.variables)
        got = data[name]
        if job == "mean":
            return float(np.abs(np.asarray(got[:], "f8").reshape(answers["mean"].shape) - answers["mean"]).max())
        worst = 0.0
        with open_raw(field) as source:
            tas = source["tas"]
            if got.shape != tas.shape:
                return float("inf")
            for part in steps_of(tas):
                want = tas[part].astype("f8") - answers["monthly"][answers["months"][part] - 1]
                worst = max(worst, float(np.abs(got[part] - want).max()))
        return worst


# ---- running -----------------------------------------------------------------------------------

def run(command, extra_env, log):
    """Runs a command to its end; its own account of wall and CPU seconds and peak MiB."""
    with open(log, "w") as sink:
        begin = time.perf_counter()
        child = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **extra_env})
        _, status, use = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    text = pathlib.Path(log).read_text(errors="replace")
    if child.returncode:
        sys.exit(f"climate.py: exit code {child.returncode} of {' '.join(command)}\n{text}")
    inner = re.search(r"^inner ([\d.]+)$", text, re.M)
    turn = {"wall": wall, "cpu": use.ru_utime + use.ru_stime, "peak_mib": use.ru_maxrss / 1024}
    return turn | ({"inner": float(inner[1])} if inner else {})


class Workload:
    """Contenders for one job: name -> (command, environment, output, tolerance)."""

    def __init__(self, name, unit):
        self.name, self.unit, self.contenders = name, unit, {}

    def add(self, name, command, out, tolerance, env=None):
        self.contenders[name] = ([str(part) for part in command], env or {}, out, tolerance)

    def measure(self, rounds, paths):
        turns = {name: [] for name in self.contenders}
        errors = {}
        for turn in range(rounds + 1):
            for name, (command, env, out, tolerance) in self.contenders.items():
                if out:
                    out.unlink(missing_ok=True)
                os.sync()
                taken = run(command, env, paths.log)
                if turn == 0:       # the turn that is not counted is checked
                    ask = [sys.executable, __file__, "--check", self.name, paths.field, paths.answers, out or paths.log]
                    told = subprocess.run([str(a) for a in ask], capture_output=True, text=True)
                    if told.returncode:
                        sys.exit(f"climate.py: the answer of {name} cannot be read\n{told.stderr}")
                    errors[name] = float(told.stdout)
                    if not errors[name] <= tolerance:
                        sys.exit(f"climate.py: {self.name} by {name} is off by {errors[name]} {self.unit}, "
                                 f"{tolerance} allowed")
                else:
                    turns[name].append(taken)
                if out:
                    out.unlink(missing_ok=True)
        return {name: summary(turns[name]) | {"error": errors[name], "turns": turns[name]} for name in turns}


def summary(turns):
    keys = turns[0].keys()
    return {key: statistics.median(turn[key] for turn in turns) for key in keys}


def last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1]


# ---- the three jobs ----------------------------------------------------------------------------

def workloads(args, paths, peers):
    """The jobs with all contenders that are here. An f32 mean rounded once is off by 1.6e-5 K at 300 K."""
    out = lambda name: paths.folder / f"out_{name}.nc"
    tilewise = [args.tilewise, "eval"]
    cores = os.cpu_count()

    def cdo(work, operators):
        for threads in sorted({1, cores}):
            name = f"cdo -P {threads}"
            work.add(name, ["cdo", "-s", "-P", threads, *operators, out("cdo")], out("cdo"), 2.5e-5,
                     {"OMP_WAIT_POLICY": "passive"})

    anomaly = Workload("anomaly", "K")
    anomaly.add("tilewise", [*tilewise, ANOMALY, paths.field, "-o", out("tw"), "--memory", f"{BUDGET_MIB}MiB", "-q"],
                out("tw"), 2.5e-5)
    mean = Workload("mean", "K")
    mean.add("tilewise", [*tilewise, 'tas = tas.mean("time")', paths.field, "-o", out("tw"), "-q"], out("tw"), 2.5e-5)
    if "cdo" in peers:
        cdo(anomaly, ["ymonsub", paths.field, "-ymonmean", paths.field])
        cdo(mean, ["timmean", paths.field])
    if "xarray" in peers:           # its f32 means are summed in f32
        anomaly.add("xarray", [sys.executable, "-c", XARRAY, "anomaly", paths.field, out("xr")], out("xr"), 2e-3)
        mean.add("xarray", [sys.executable, "-c", XARRAY, "mean", paths.field, out("xr")], out("xr"), 2e-3)
    start = Workload("start", "")
    start.add("tilewise", [*tilewise, "data.mean()", paths.vector], None, 1e-6)
    start.add("numpy", [sys.executable, "-c", NUMPY, paths.vector], None, 1e-6)
    chosen = args.only or ["anomaly", "mean", "start"]
    return [work for work in (anomaly, mean, start) if work.name in chosen]


def verdicts(name, result):
    """(what, figure, target) of a workload; a figure is met when it is at most its target. CPU seconds have
    no target: they tell what is left of a ratio when neighbours take the cores."""
    own = result["tilewise"]
    quickest, thriftiest = {}, {}
    for other, figures in result.items():
        peer = other.split()[0]
        quickest[peer] = min(quickest.get(peer, float("inf")), figures.get("inner", figures["wall"]))
        thriftiest[peer] = min(thriftiest.get(peer, float("inf")), figures["cpu"])
    if name == "anomaly":
        yield "peak MiB", own["peak_mib"], BUDGET_MIB + SLACK_MIB
    if name == "start":
        yield "wall seconds", own["wall"], 0.15
    for peer, target in {"anomaly": [("cdo", 1.0)], "mean": [("cdo", 0.5), ("xarray", 0.5)]}.get(name, []):
        if peer in quickest:
            yield f"wall / {peer}", own["wall"] / quickest[peer], target
            yield f"cpu / {peer}", own["cpu"] / thriftiest[peer], None


def report(name, result):
    print(f"\n{name:<14} {'wall s':>9} {'cpu s':>9} {'peak MiB':>9} {'error':>9}")
    for who, figures in result.items():
        note = f"   {figures['inner']:.3f} s after imports" if "inner" in figures else ""
        print(f"  {who:<12} {figures['wall']:9.3f} {figures['cpu']:9.3f} {figures['peak_mib']:9.0f} "
              f"{figures['error']:9.1e}{note}")
    for what, figure, target in verdicts(name, result):
        verdict = "" if target is None else f", target {target:g}: {'met' if figure <= target else 'MISSED'}"
        print(f"  {what} {figure:.3g}{verdict}")


def machine():
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    real_time = os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)    # neighbours wait, as by `chrt -r 1`
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(), "real_time": real_time,
            "memory_gib": round(int(memory[1]) / MIB, 1)}


def find_peers():
    """Installed peers with their versions; the missing ones are named."""
    peers = {}
    if shutil.which("cdo"):
        told = subprocess.run(["cdo", "--version"], capture_output=True, text=True)
        peers["cdo"] = (re.search(r"version (\S+)", told.stdout + told.stderr) or ["", "?"])[1]
    told = subprocess.run([sys.executable, "-c", "import xarray, dask, netCDF4; print(xarray.__version__, 'dask', "
                           "dask.__version__)"], capture_output=True, text=True)
    if told.returncode == 0:
        peers["xarray"] = told.stdout.strip()
    for peer in {"cdo", "xarray"} - peers.keys():
        print(f"{peer} is not installed here; its figures are left out")
    return peers


class Paths:
    def __init__(self, folder, years, grid):
        self.folder = folder
        self.field = folder / f"tas_{years}y_{grid}.nc"
        self.vector = folder / "x.npy"
        self.answers = folder / f"answers_{years}y_{grid}.npz"
        self.log = folder / "log.txt"


def main():
    parser = argparse.ArgumentParser(description="whole jobs beside CDO and xarray+Dask")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("target/climate"),
                        help="where inputs are kept and outputs made: 6 GiB; a RAM disk leaves the disk out")
    parser.add_argument("--tilewise", default="target/release/tilewise", help="the program to measure")
    parser.add_argument("--rounds", type=int, default=5, help="turns that count")
    parser.add_argument("--years", type=int, default=2, help="of 6-hourly fields; 2 make 2 GiB")
    parser.add_argument("--grid", default="361x512", help="latitudes x longitudes")
    parser.add_argument("--only", nargs="*", choices=["anomaly", "mean", "start"])
    parser.add_argument("--json", type=pathlib.Path, help="write the record there")
    parser.add_argument("--note", help="a sentence for the record")
    parser.add_argument("--check", nargs=4, metavar=("JOB", "FIELD", "ANSWERS", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.check:                  # in a process of its own: a child starts with its parent's peak
        print(check(*args.check))
        return
    if not shutil.which(args.tilewise):
        sys.exit(f"climate.py: no program {args.tilewise}; `cargo build --release` makes it")
    for need in ("numpy", "netCDF4", "cftime"):
        if subprocess.run([sys.executable, "-c", f"import {need}"], capture_output=True).returncode:
            sys.exit(f"climate.py: needs {need}; pip install numpy netCDF4 cftime")

    peers = find_peers()
    paths = Paths(args.folder, args.years, args.grid)
    paths.folder.mkdir(parents=True, exist_ok=True)
    if not paths.vector.exists():
        apart(make_vector, paths.vector)
    if not paths.field.exists():
        apart(make_field, paths.field, args.years, args.grid, args.tilewise)
    if not paths.answers.exists():
        apart(make_answers, paths.field, paths.vector, paths.answers)

    record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "peers": peers, "rounds": args.rounds,
              "field_mib": round(paths.field.stat().st_size / MIB), "load_before": os.getloadavg()[0],
              "note": args.note, "workloads": {}}
    print(f"{record['machine']['cpu']}, {record['machine']['cores']} cores; {record['field_mib']} MiB; "
          f"medians of {args.rounds}; load {record['load_before']:.1f}")
    for work in workloads(args, paths, peers):
        result = work.measure(args.rounds, paths)
        report(work.name, result)
        record["workloads"][work.name] = {
            "contenders": {who: rounded(figures) for who, figures in result.items()},
            "verdicts": [{"what": w, "figure": round(f, 4), "target": t} for w, f, t in verdicts(work.name, result)]}
    if args.json:
        text = json.dumps(record, indent=1)
        with tempfile.NamedTemporaryFile("w", dir=args.json.parent, delete=False) as out:
            out.write(re.sub(r"\{\s*(\"wall\"[^{}]*?)\s*\}", lambda m: "{" + " ".join(m[1].split()) + "}", text) + "\n")
        os.chmod(out.name, 0o644)
        os.replace(out.name, args.json)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def apart(function, *args):
    """Calls a function in a forked child, so that its memory is not this process's peak."""
    child = os.fork()
    if child == 0:
        try:
            function(*args)
        except BaseException as error:
            print(f"climate.py: {function.__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(1)


if __name__ == "__main__":
    main()
