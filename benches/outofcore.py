#!/usr/bin/env python3
"""Whole jobs on data several times larger than the memory given, beside Dask and Cubed, in one run.

    cargo build --release
    python3 benches/outofcore.py [--folder target/outofcore] [--gib 8] [--only TEXT] [--rounds N]
                                 [--peers] [--most GIB] [--json RECORD.json]

    stats      mean and standard deviation over time of a field in one-step chunks
    rechunk    the same field from chunks of steps to chunks of columns
    anomaly    day-of-year climatology and the anomaly from it
    quantile   the 90th percentile along time of data in one-step chunks
    quadratic  means over time of the products of two components of wind
    vorticity  derivatives along both horizontal axes, as large as the data
    eddies     zonal means and eddy fluxes on levels, as the transformed Eulerian mean takes them

Each job says its `--memory`, what it must read and write at least, and so the share of the disk's own
speed that it reached: sequential reads and writes past the page cache, measured in the same minutes.
The page cache is emptied before each turn where that is allowed (as root). Peak resident size is the
kernel's account of the process, and ten times a second the sum over those that it started. Answers are compared with NumPy's on sample columns.

With --peers each job runs by Dask, on threads and on a local cluster of one process a core with the job's
memory shared out among them, and by Cubed where it has the operations, which keeps a bound as we do. Large
outputs are Zarr there, since they write NetCDF from one thread. A peer that holds more than `--most`, or takes
longer than a quarter of an hour, is killed.

Needs Linux and Python with `numpy` and `netCDF4`; with --peers also `xarray`, `dask[distributed]`, `flox`,
`zarr`, `h5py` and `cubed`.
"""

import argparse
import json
import mmap
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

MIB = 1 << 20
LONGEST = 900  # seconds of a job
TOLERANCE = 1e-3  # of an answer; all values are within a few hundred, in f32
ROOT = pathlib.Path(__file__).resolve().parent.parent

DASK = """
import sys, os, numpy, dask, xarray as xr
if __name__ == "__main__":
    job, source, out, memory, kind = sys.argv[1:6]
    if kind == "cluster":
        from dask.distributed import Client
        cores = os.cpu_count()
        client = Client(n_workers=cores, threads_per_worker=1, memory_limit=int(memory) // cores,
                        dashboard_address=None, local_directory=os.path.dirname(out))
    else:
        dask.config.set(scheduler="threads", num_workers=os.cpu_count())
    with xr.open_dataset(source, chunks={"time": 24 if job != "anomaly" else 365}) as data:
        if "tas" in data:
            x = data["tas"]
            x.encoding = {}
        if job == "stats":
            result = xr.Dataset({"m": x.mean("time"), "s": x.std("time")})
        elif job == "rechunk":
            result = x.chunk({"time": -1, "lat": 32, "lon": 32}).to_dataset(name="tas")
        elif job == "anomaly":
            result = (x.groupby("time.dayofyear") - x.groupby("time.dayofyear").mean()).to_dataset(name="a")
        elif job == "quantile":
            x = x.chunk({"time": -1, "lat": 32, "lon": 32})
            result = x.quantile(0.9, "time").to_dataset(name="q")
        else:
            parts = [part.split("=", 1) for part in sys.argv[6].split(";")]
            result = xr.Dataset({name.strip(): eval(text, dict(data)) for name, text in parts})
        result = result.drop_vars(["dayofyear", "quantile"], errors="ignore")
        if out.endswith(".zarr"):
            if job == "anomaly":
                result = result.chunk({"time": 365})  # groups leave chunks that Zarr does not take
            result.to_zarr(out, mode="w", consolidated=False)
        else:
            result.to_netcdf(out)
"""

CUBED = """
import sys, os, h5py, cubed, cubed.array_api as xp
from cubed.runtime.executors.local import ThreadsExecutor
job, source, out, memory = sys.argv[1:5]
spec = cubed.Spec(work_dir=os.path.dirname(out), allowed_mem=int(memory) // os.cpu_count(), reserved_mem=150 << 20)
with h5py.File(source) as data:
    x = cubed.from_array(data["tas"], chunks=(24,) + data["tas"].shape[1:], asarray=False, spec=spec)
    if job == "stats":
        results = {"m": xp.mean(x, axis=0), "s": xp.std(x, axis=0)}
    else:
        results = {"tas": cubed.rechunk(x, (x.shape[0], 32, 32))}
    stores = [os.path.join(out, name) for name in results]
    cubed.store(list(results.values()), stores, executor=ThreadsExecutor(max_workers=os.cpu_count()))
"""


def disk_speed(folder, direction, size=1 << 30):
    """Bytes per second of sequential direct I/O in pieces of 8 MiB."""
    path, piece = folder / "speed", 8 * MIB
    buffer = mmap.mmap(-1, piece)
    buffer.write(os.urandom(1 << 20) * 8)
    flags = os.O_DIRECT | (os.O_WRONLY | os.O_CREAT if direction == "write" else os.O_RDONLY)
    handle = os.open(path, flags, 0o600)
    began = time.perf_counter()
    for at in range(0, size, piece):
        (os.pwrite if direction == "write" else lambda h, b, a: os.preadv(h, [b], a))(handle, buffer, at)
    seconds = time.perf_counter() - began
    os.close(handle)
    if direction == "read":
        path.unlink()
    return size / seconds


def forget_pages():
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        pass


def family(pid):
    """A process and those below it."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def most_held(pid):
    """The most MiB that were ever resident in a process, but for what it was before it ran its program."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    lines = [line for line in text.splitlines() if line.startswith("VmHWM:")]  # none when it has just ended
    return max((int(line.split()[1]) for line in lines), default=0) / 1024


def resident(pid):
    """Resident MiB of a process and those below it, without what they share."""
    total = 0
    for one in family(pid):
        text = pathlib.Path(f"/proc/{one}/status").read_text()
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("RssAnon:"))
    return total / 1024


def watch(child, most, seen):
    """Notes the most that a process and those below it held, and kills them when it is too much, or when
    they take too long: workers that wait for memory may wait for ever."""
    began = time.perf_counter()
    while child.returncode is None:
        try:
            seen["mib"] = max(seen["mib"], resident(child.pid), most_held(child.pid))
            if seen["mib"] > most:
                seen["killed"] = f"when it held {seen['mib']:.0f} MiB"
            elif time.perf_counter() - began > LONGEST:
                seen["killed"] = f"after {LONGEST} s"
            if seen["killed"]:
                os.killpg(child.pid, signal.SIGKILL)
                return
        except (OSError, IndexError):
            pass  # one of them has just ended
        time.sleep(0.1)


def run(command, most):
    """Wall and CPU seconds and peak MiB of a command."""
    began = time.perf_counter()
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             start_new_session=True)
    seen = {"mib": 0, "killed": ""}
    watcher = threading.Thread(target=watch, args=(child, most, seen))
    watcher.start()
    text = child.stdout.read().decode(errors="replace")
    _, status, use = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    watcher.join()
    turn = {"wall": wall, "cpu": use.ru_utime + use.ru_stime, "peak_mib": seen["mib"]}
    if seen["killed"]:
        turn["failed"] = f"killed {seen['killed']}"
    elif child.returncode:
        turn["failed"] = f"exit code {child.returncode}: {text.strip().splitlines()[-1:] or ''}"
    start = text.find("{")
    if "--report=json" in command and not child.returncode:
        turn["report"] = json.loads(text[start:text.rfind("}") + 1])["report"]
    return turn


def remove(made):
    if made.is_dir():
        shutil.rmtree(made)
    else:
        made.unlink(missing_ok=True)


def sample(tilewise, path, steps, grid, frequency, per_year):
    if not path.exists():
        part = path.with_suffix(".part.nc")
        subprocess.run([tilewise, "sample", part, "--years", str(-(-steps // per_year)), "--grid", grid,
                        "--frequency", frequency, "--seed", "1", "--chunks",
                        "time=1,lat=" + grid.replace("x", ",lon=")], check=True)
        part.rename(path)
    return path


WINDS = {"time": 1, "lat": 512, "lon": 512}
LEVELS = {"time": 1, "lev": 20, "lat": 180, "lon": 360}
QUADRATIC = 'uu = (u * u).mean("time"); vv = (v * v).mean("time"); uv = (u * v).mean("time")'
VORTICITY = 'zeta = v.differentiate("lon") - u.differentiate("lat")'
EDDIES = ('ub = u.mean("lon"); vb = v.mean("lon"); tb = t.mean("lon");'
          'uv = ((u - u.mean("lon")) * (v - v.mean("lon"))).mean("lon");'
          'vt = ((v - v.mean("lon")) * (t - t.mean("lon"))).mean("lon")')


def fields(path, names, step, count):
    """A file of random fields in one-step chunks, whose sizes and names those are."""
    import netCDF4
    import numpy as np
    if not path.exists():
        part, numbers = path.with_suffix(".part.nc"), np.random.default_rng(1)
        with netCDF4.Dataset(part, "w") as data:
            for name, size in step.items():
                data.createDimension(name, count if name == "time" else size)
                axis = data.createVariable(name, "f8", (name,))
                axis[:] = np.arange(len(data.dimensions[name])) * 0.5
            data["time"].units, data["time"].calendar = "days since 2000-01-01", "noleap"
            made = [data.createVariable(name, "f4", tuple(step), chunksizes=tuple(step.values())) for name in names]
            for t in range(count):
                for field in made:
                    field[t] = numbers.standard_normal(tuple(step.values())[1:], "f4")
        part.rename(path)
    return path


def at_step(path, name, t):
    """A variable at a time step, as f64."""
    if path.suffix == ".zarr":
        import zarr
        return zarr.open(str(path / name), mode="r")[t].astype("f8")
    import netCDF4
    with netCDF4.Dataset(path) as data:
        return data[name][t].filled().astype("f8")


def check_winds(job, source, out):
    """The largest difference from NumPy: of all points at sample columns or steps."""
    import netCDF4
    import numpy as np
    if job == "quadratic":
        u, v = columns(source, "u"), columns(source, "v")
        wanted = {"uu": u * u, "vv": v * v, "uv": u * v}
        return float(np.max([np.abs(columns(out, name) - each.mean(1)).max() for name, each in wanted.items()]))
    with netCDF4.Dataset(source) as data:
        count = len(data.dimensions["time"])
    worst = []
    for t in (0, count // 2, count - 1):
        field = {name: at_step(source, name, t) for name in ("uv" if job == "vorticity" else "uvt")}
        if job == "vorticity":
            wanted = {"zeta": np.gradient(field["v"], 0.5, axis=1) - np.gradient(field["u"], 0.5, axis=0)}
        else:
            off = {name: x - x.mean(-1, keepdims=True) for name, x in field.items()}
            wanted = {name + "b": x.mean(-1) for name, x in field.items()}
            wanted |= {"uv": (off["u"] * off["v"]).mean(-1), "vt": (off["v"] * off["t"]).mean(-1)}
        worst += [np.abs(at_step(out, name, t) - x).max() for name, x in wanted.items()]
    return float(np.max(worst))


def length(path):
    """Steps of a file."""
    import netCDF4
    with netCDF4.Dataset(path) as data:
        return len(data.dimensions["time"])


def columns(path, name):
    """Three columns along the first axis of a variable, or its values there."""
    import netCDF4
    import numpy as np
    if path.suffix == ".zarr":
        import zarr
        v = zarr.open(str(path / name), mode="r")
        places = [(0, 0), (v.shape[-2] // 2, v.shape[-1] // 3), (v.shape[-2] - 1, v.shape[-1] - 1)]
        return np.stack([np.asarray(v[..., y, x], "f8") for y, x in places])
    with netCDF4.Dataset(path) as data:
        data.set_auto_maskandscale(False)
        v = data[name]
        places = [(0, 0), (v.shape[-2] // 2, v.shape[-1] // 3), (v.shape[-2] - 1, v.shape[-1] - 1)]
        return np.stack([np.asarray(v[..., y, x], "f8") for y, x in places])


def check(job, source, out, truth):
    """The largest difference from NumPy on sample columns."""
    import netCDF4
    import numpy as np
    if job in ("quadratic", "vorticity", "eddies"):
        return check_winds(job, source, out)
    x = truth.setdefault(source, None)
    if x is None:
        x = truth[source] = columns(source, "tas")
    if job == "stats":
        pairs = [(columns(out, "m"), x.mean(1)), (columns(out, "s"), x.std(1))]
    elif job == "rechunk":
        pairs = [(columns(out, "tas"), x)]
    elif job == "anomaly":
        with netCDF4.Dataset(source) as data:
            clock = data["time"]
            dates = netCDF4.num2date(clock[:], clock.units, clock.calendar)
        days = np.array([d.timetuple().tm_yday for d in dates])
        want = x.copy()
        for day in np.unique(days):
            want[:, days == day] -= x[:, days == day].mean(1, keepdims=True)
        pairs = [(columns(out, "a"), want)]
    else:
        pairs = [(columns(out, "q"), np.quantile(x, 0.9, axis=1))]
    return float(np.max([np.abs(got - want).max() for got, want in pairs]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default=str(ROOT / "target/outofcore"), type=pathlib.Path)
    parser.add_argument("--gib", type=float, default=8)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peers", action="store_true")
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 31)
    parser.add_argument("--most", type=float, default=half, help="GiB at which a peer is killed")
    parser.add_argument("--json", type=pathlib.Path, help="a record; jobs that are run take their places in it")
    args = parser.parse_args()
    folder = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    tilewise = ROOT / "target/release/tilewise"
    steps = int(args.gib * (1 << 30) / (512 * 512 * 4))
    part = args.gib / 8
    known = ("stats", "rechunk", "anomaly", "quantile", "quadratic", "vorticity", "eddies")
    wanted = [j for j in known if args.only in j]
    big = daily = winds = levels = None
    if {"quadratic", "vorticity"} & set(wanted):
        winds = fields(folder / f"winds{steps // 4}.nc", "uv", WINDS, max(2, steps // 4))
    if "eddies" in wanted:
        levels = fields(folder / f"levels{steps // 16}.nc", "uvt", LEVELS, max(2, steps // 16))
    if {"stats", "rechunk", "quantile"} & set(wanted):
        big = sample(tilewise, folder / f"big{steps}.nc", steps, "512x512", "6h", 1461)
    if "anomaly" in wanted:
        years = max(1, int(40 * part))
        daily = sample(tilewise, folder / f"daily{years}.nc", years * 365, "180x360", "daily", 365)

    def mib(fraction):
        return f"{max(64, int(fraction * part))}MiB"

    jobs = {
        "stats": (big, mib(2048), ["eval", 'm = tas.mean("time"); s = tas.std("time")'], 1, 0),
        "rechunk": (big, mib(2048), ["convert"], 1, 1),
        "anomaly": (daily, mib(512), ["eval", 'a = tas - tas.groupby("time.dayofyear").mean()'], 2, 1),
        "quantile": (big, mib(1024), ["eval", 'q = tas.quantile(0.9, "time")'], 1, 0),
        "quadratic": (winds, mib(1024), ["eval", QUADRATIC], 1, 0),
        "vorticity": (winds, mib(1024), ["eval", VORTICITY], 1, 0.5),
        "eddies": (levels, mib(1024), ["eval", EDDIES], 1, 0),
    }
    dask = folder / "dask_job.py"  # a cluster starts the script again in each process
    dask.write_text(DASK)
    truth, record = {}, {}
    for job in wanted:
        source, memory, words, reads, writes = jobs[job]
        out = folder / f"{job}.nc"
        size = source.stat().st_size
        tail = ["--memory", memory, "--spill-dir", folder]
        if words[0] == "convert":
            command = [tilewise, "convert", source, out, "--chunks", f"time={length(source)},lat=32,lon=32", *tail, "-q"]
        else:
            command = [tilewise, *words, source, "-o", out, *tail, "--report=json", "-q"]
        contenders = {"tilewise": (command, out)}
        if args.peers:
            limit = int(memory.removesuffix("MiB")) * MIB
            theirs = out.with_suffix(".zarr") if writes else out
            for kind in ("threads", "cluster"):
                contenders[f"dask {kind}"] = ([sys.executable, dask, job, source, theirs, limit, kind, words[-1]],
                                           theirs)
            if job in ("stats", "rechunk"):
                theirs = out.with_suffix(".zarr")
                contenders["cubed"] = ([sys.executable, "-c", CUBED, job, source, theirs, limit], theirs)
        turns = {name: [] for name in contenders}
        speeds = []
        for _ in range(args.rounds):
            for name, (command, made) in contenders.items():
                forget_pages()
                speeds.append((disk_speed(folder, "write"), disk_speed(folder, "read")))
                turn = run(command, args.most * 1024)
                if "failed" not in turn:
                    turn["off"] = check(job, source, made, truth)
                    if not turn["off"] <= TOLERANCE:
                        turn["failed"] = f"off by {turn['off']:.2g}"
                remove(made)
                turns[name].append(turn)
        write, read = (statistics.median(s[i] for s in speeds) for i in (0, 1))
        least = size * (reads / read + writes / write)
        print(f"{job}: {size / (1 << 30):.1f} GiB, --memory {memory}; disk {read / 1e6:.0f} MB/s read, "
              f"{write / 1e6:.0f} MB/s write: at least {least:.1f} s")
        for name, all_turns in turns.items():
            median = lambda key: statistics.median(t[key] for t in all_turns)
            failed = [t["failed"] for t in all_turns if "failed" in t]
            line = f"  {name:12} {median('wall'):7.1f} s  {median('cpu'):7.1f} CPU s  {median('peak_mib'):6.0f} MiB  " \
                   f"{least / median('wall'):5.2f} of the disk's speed"
            report = all_turns[-1].get("report")
            if report:
                moved = report["memory"]
                line += f"  proved {moved['host_proved'] / MIB:.0f} MiB, held {moved['host_peak'] / MIB:.0f}, " \
                        f"spilled {moved['spilled'] / MIB:.0f}, read back {moved['loaded'] / MIB:.0f}"
            print(line + (f"  FAILED {failed[0]}" if failed else f"  off by {all_turns[-1]['off']:.2g}"), flush=True)
        record[job] = {"bytes": size, "memory": memory, "read": read, "write": write, "turns": turns}
    if args.json:
        before = json.loads(args.json.read_text()) if args.json.exists() else {}
        args.json.write_text(json.dumps(before | record, indent=1) + "\n")


if __name__ == "__main__":
    main()
