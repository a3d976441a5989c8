#!/usr/bin/env python3
"""Array workloads in memory: `tilewise bench cpu` beside NumPy and its kin, in one run.

    cargo build --release
    python3 benches/arrays.py [--size 256MiB] [--rounds 3] [--json RECORD.json] [--only chain,reduce]

Every peer computes the same numbers (benches/arrays_jobs.py makes them as tilewise does), in a
process of its own per round; peers take turns, the first of a round moves on by one each time, so
that all meet the same neighbours. A process prepares, runs once uncounted (where elements of its
answer are compared with tilewise's), then a few times; figures are medians over all rounds, wall and
CPU seconds of the process with all its threads. tilewise checks its own answers against loops of
their definition and takes turns with the machine's limit (its column `of limit`).

`c` are the hand-fused loops of benches/arrays.c, built with gcc for this machine. Needs Linux and
Python with `numpy`; of the peers (numexpr, bottleneck, numbagg, dask, numba, jax, torch, polars,
blosc2) those that are installed take part, the others are named. A machine that is not idle is
measured under real-time priority: `chrt -f 50 python3 benches/arrays.py`.
"""

import argparse
import importlib.metadata
import json
import math
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# What a row has to reach: (what, of which peers or of the limit, at least).
FUSED = [("c", ["c"], 0.85), ("best not compiled", ["numpy", "numpy out=", "numexpr", "dask", "torch", "polars",
                                                  "blosc2"], 1.5), ("torch.compile", ["torch.compile"], 1.0)]
ALONG = [("numpy, bottleneck, numbagg", ["numpy", "bottleneck", "numbagg"], 2.0)]
TARGETS = {"chain": FUSED, "triad": FUSED, "anomaly": [("limit", None, 0.8)], "monthly anomaly": [("limit", None, 0.8)],
           "heat 2d": [("limit", None, 0.8)], "laplacian 3d": [("limit", None, 0.8)],
           "cumsum": [*ALONG, ("limit", None, 0.5)], "rolling mean": [*ALONG, ("limit", None, 0.5)], "p90": ALONG,
           "sort": ALONG, "sgemm": [("OpenBLAS", ["numpy"], 0.9)], "dgemm": [("OpenBLAS", ["numpy"], 0.9)],
           "tiles": [("dask", ["dask"], 20.0)]}
REDUCTION = [("limit", None, 0.9)]
HELD = 64 << 20                     # bytes beside inputs and outputs
GROSS = 0.02                        # from this difference on an answer is another one, not a rounded one
TURNS, SECONDS = 3, 6.0             # of one process: at most so many, no more after so long


def parse_size(text):
    number = re.fullmatch(r"(\d+)\s*([kmgt]?)i?b?", text.strip().lower())
    if not number:
        sys.exit(f"arrays.py: --size {text!r} is no size; write 256MiB or 2GiB")
    return int(number[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[number[2]]


def spread(count, most=8):
    most = min(most, count)
    return [0 if most == 1 else k * (count - 1) // (most - 1) for k in range(most)]


# ---- a peer's process -----------------------------------------------------------------------------

def cpu_seconds():
    use, below = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime + below.ru_utime + below.ru_stime


def resident(key):
    return int(re.search(rf"^{key}:\s*(\d+)", pathlib.Path("/proc/self/status").read_text(), re.M)[1]) << 10


def kept(name, make):
    """An array of the folder that all processes share, made where it is missing; always a copy."""
    import numpy as np
    file = pathlib.Path(os.environ["ARRAYS_FOLDER"]) / f"{name}.npy"
    if not file.exists():
        np.save(file.with_suffix(".part.npy"), make())
        file.with_suffix(".part.npy").replace(file)
    return np.load(file)


def work(peer, jobs, size):
    """Runs a peer's jobs; one line of JSON for each."""
    import numpy as np
    from arrays_jobs import ARRAYS, DASK_FEWER, JOBS, shapes
    made, extents = {}, shapes(size)
    for job in jobs:
        _, names, peers = JOBS[job]
        made = {name: made[name] for name in names if name in made}      # what the next job does not need goes
        for name in names:
            if name not in made:
                made[name] = kept(name, lambda: ARRAYS[name](extents))
        told = {"job": job}
        try:
            run = peers[peer](*(made[name] for name in names))
            before = resident("VmRSS")
            pathlib.Path("/proc/self/clear_refs").write_text("5")
            out = np.asarray(run()).ravel()
            told["extra_mib"] = round(max(resident("VmHWM") - before, 0) / 2**20, 1)
            times = 1
            if job == "tiles":
                times = DASK_FEWER
                if not np.array_equal(out, made["tiny"][:out.size] + np.float32(1)):
                    raise ValueError("the tiles are wrong")
            else:
                told["elements"] = [None if math.isnan(v) else v for v in (float(out[i]) for i in spread(out.size))]
            del out
            turns, begin = [], time.perf_counter()
            while len(turns) < TURNS and (not turns or time.perf_counter() - begin < SECONDS):
                cpu, wall = cpu_seconds(), time.perf_counter()
                out = run()
                wall = time.perf_counter() - wall
                turns.append([wall * times, (cpu_seconds() - cpu) * times])
                del out
            told["turns"] = turns
            del run
        except Exception as error:                      # a peer that cannot is named, not fatal
            told["error"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error) else ''}"
        print("@" + json.dumps(told), flush=True)


# ---- the controller -------------------------------------------------------------------------------

def run_peer(peer, jobs, args, folder):
    env = {**os.environ, "ARRAYS_THREADS": str(args.threads), "ARRAYS_FOLDER": str(folder), "JAX_PLATFORMS": "cpu",
           "OMP_WAIT_POLICY": "passive", "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1",
           "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMEXPR_MAX", "NUMBA", "POLARS_MAX", "RAYON"):
        env[f"{name}_NUM_THREADS".replace("MAX_NUM", "MAX")] = str(args.threads)
    ask = [sys.executable, __file__, "--work", peer, ",".join(jobs), "--size", str(args.size)]
    try:
        done = subprocess.run(ask, env=env, capture_output=True, text=True, timeout=900)
        text, problem = done.stdout, done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except subprocess.TimeoutExpired as late:
        text, problem = (late.stdout or b"").decode(), ["more than 900 s"]
    told = {line["job"]: line for line in (json.loads(row[1:]) for row in text.splitlines() if row[:1] == "@")}
    for job in jobs:
        told.setdefault(job, {"job": job, "error": f"the process ended: {' '.join(problem) or 'no word'}"})
    return told


def run_tilewise(jobs, args):
    from arrays_jobs import JOBS
    titles = {JOBS[job][0]: job for job in jobs}
    ask = [args.tilewise, "bench", "cpu", "--json", "-q", "--size", str(args.size), "--threads", str(args.threads),
           "--rounds", str(TURNS), "--only", ",".join(titles)]
    done = subprocess.run(ask, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"arrays.py: {' '.join(ask)}\n{done.stderr.strip()}")
    rows = {f"{row['group']}: {row['name']}": row for row in json.loads(done.stdout)["families"]}
    return {titles[title]: {"turns": [[row["seconds"]["wall"], row["seconds"]["cpu"]]], "elements": row["elements"],
                            "extra_mib": round(row["held_bytes"] / 2**20, 1), "share": row["share"],
                            "share_by_cpu": row["share_by_cpu"]}
            for title, row in rows.items() if title in titles}


def distance(ours, theirs):
    """The largest difference of two answers, relative to elements above 1; None stands for NaN."""
    if len(ours) != len(theirs) or any((x is None) != (y is None) for x, y in zip(ours, theirs)):
        return math.inf
    return max((abs(x - y) / max(1.0, abs(y)) for x, y in zip(theirs, ours) if y is not None), default=0.0)


def measure(jobs, peers, args, folder):
    """{job: {peer: [what each round told]}}"""
    from arrays_jobs import GROUPS, JOBS
    results = {job: {} for job in jobs}
    for group in GROUPS:
        group = [job for job in group if job in jobs]
        names = ["tilewise"] + [p for p in peers if any(p in JOBS[job][2] for job in group)]
        gone = set()
        for turn in range(args.rounds if group else 0):
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                mine = [j for j in group if name == "tilewise" or name in JOBS[j][2] and (j, name) not in gone]
                if not mine:
                    continue
                print(f"\r\033[K{turn + 1}/{args.rounds} {name}: {', '.join(mine)}"[:150], end="", file=sys.stderr)
                told = run_tilewise(mine, args) if name == "tilewise" else run_peer(name, mine, args, folder)
                for job, what in told.items():
                    results[job].setdefault(name, []).append(what)
                    if "error" in what:
                        gone.add((job, name))
        for file in folder.glob("*.npy"):
            file.unlink()
    print("\r\033[K", end="", file=sys.stderr)
    return results


def summary(job, told):
    """Medians per peer; peers that failed or gave another answer keep only a word, and those that sum
    with less care than others keep how far they are off."""
    from arrays_jobs import TOLERANCE
    figures, ours = {}, told["tilewise"][0]["elements"]
    for peer, rounds in told.items():
        problem = next((r["error"] for r in rounds if "error" in r), None)
        off = distance(ours, rounds[0]["elements"]) if "elements" in rounds[0] else 0.0
        if problem is None and off > GROSS:
            problem = f"another answer: {rounds[0]['elements']} instead of {ours}"
        if problem:
            figures[peer] = {"problem": problem}
            continue
        turns = [turn for r in rounds for turn in r["turns"]]
        figures[peer] = {"wall": statistics.median(t[0] for t in turns), "cpu": statistics.median(t[1] for t in turns),
                         "extra_mib": max(r["extra_mib"] for r in rounds), "turns": len(turns)}
        if off > TOLERANCE.get(job, 1e-5):
            figures[peer]["off"] = off
        for key in ("share", "share_by_cpu"):
            if rounds[0].get(key) is not None:
                figures[peer][key] = statistics.median(r[key] for r in rounds)
    return figures


def verdicts(job, figures):
    """(what, figure, by CPU seconds, target): a ratio is how many times quicker tilewise is."""
    own = figures["tilewise"]
    for what, peers, target in TARGETS.get(job, REDUCTION if job.split()[0] in ("mean", "std", "nanmean") else []):
        if peers is None:
            yield "share of the limit", own["share"], own["share_by_cpu"], target
            continue
        there = [p for p in peers if "wall" in figures.get(p, {})]
        if there:
            best = {key: min(figures[p][key] for p in there) for key in ("wall", "cpu")}
            yield f"times {what}", best["wall"] / own["wall"], best["cpu"] / own["cpu"], target


def report(job, figures):
    own = figures["tilewise"]
    print(f"\n{job:<18} {'wall ms':>10} {'cpu ms':>10} {'held MiB':>9} {'ratio':>7} {'by cpu':>7}")
    for peer, row in sorted(figures.items(), key=lambda item: item[1].get("wall", math.inf)):
        if "problem" in row:
            print(f"  {peer:<16} {row['problem'][:90]}")
            continue
        share = f"   {row['share']:.2f} of the limit" if "share" in row else ""
        share += f"   off by {row['off']:.0e}" if "off" in row else ""
        print(f"  {peer:<16} {row['wall'] * 1e3:10.2f} {row['cpu'] * 1e3:10.2f} {row['extra_mib']:9.0f} "
              f"{row['wall'] / own['wall']:7.2f} {row['cpu'] / max(own['cpu'], 1e-9):7.2f}{share}")
    for what, figure, by_cpu, target in verdicts(job, figures):
        print(f"  {what} {figure:.2f} (by cpu {by_cpu:.2f}), target {target:g}: {'met' if figure >= target else 'MISSED'}")
    if own["extra_mib"] > HELD / 2**20:
        print(f"  held beside inputs and outputs: {own['extra_mib']} MiB, target {HELD >> 20}: MISSED")


def find_peers():
    """Peers by package: versions of those installed; the missing ones are named."""
    versions = {}
    for package in ("numpy", "numexpr", "bottleneck", "numbagg", "dask", "numba", "jax", "torch", "polars", "blosc2"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"{package} is not installed here; its figures are left out")
    peers = [p for package in versions for p in {"numpy": ["numpy", "numpy out="], "torch": ["torch", "torch.compile"]}
             .get(package, [package])]
    if shutil.which("gcc"):
        told = subprocess.run(["gcc", "--version"], capture_output=True, text=True).stdout
        versions["gcc"] = told.splitlines()[0]
        peers.append("c")
    else:
        print("gcc is not installed here; the hand-fused loops are left out")
    return versions, peers


def machine(threads):
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    return {"cpu": cpu[1] if cpu else os.uname().machine, "cores": os.cpu_count(), "threads": threads,
            "real_time": os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR),
            "memory_gib": round(int(memory[1]) / 2**20, 1)}


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def main():
    parser = argparse.ArgumentParser(description="array workloads beside NumPy and its kin")
    parser.add_argument("--tilewise", default="target/release/tilewise", help="the program to measure")
    parser.add_argument("--size", default="256MiB", help="bytes of one large array")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each peer")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="workloads whose name contains one of these texts, separated by commas")
    parser.add_argument("--peers", help="only these peers, separated by commas")
    parser.add_argument("--json", type=pathlib.Path, help="write the record there; workloads it has stay unless measured")
    parser.add_argument("--note", help="a sentence for the record")
    parser.add_argument("--work", nargs=2, metavar=("PEER", "JOBS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.size = parse_size(args.size)
    if args.work:
        return work(args.work[0], args.work[1].split(","), args.size)
    if not shutil.which(args.tilewise):
        sys.exit(f"arrays.py: no program {args.tilewise}; `cargo build --release` makes it")
    try:
        from arrays_jobs import JOBS
    except ModuleNotFoundError as error:
        sys.exit(f"arrays.py: needs {error.name}; pip install {error.name}")
    versions, peers = find_peers()
    peers = [p for p in peers if not args.peers or p in args.peers.split(",")]
    here = subprocess.run([args.tilewise, "bench", "cpu", "--list"], capture_output=True, text=True).stdout.splitlines()
    wanted = args.only.lower().split(",") if args.only else [""]
    jobs = [job for job in JOBS if any(text in f"{job} {JOBS[job][0]}" for text in wanted)]
    if not jobs:
        sys.exit(f"arrays.py: no workload is named like {args.only}; there are {', '.join(JOBS)}")
    for job in [job for job in jobs if JOBS[job][0] not in here]:
        print(f"tilewise has no {JOBS[job][0]!r}; {job} is left out")
        jobs.remove(job)

    record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(args.threads), "versions": versions,
              "load_before": os.getloadavg()[0], "note": args.note, "workloads": {}}
    if args.json and args.json.exists():
        record["workloads"] = json.loads(args.json.read_text())["workloads"]
    print(f"{record['machine']['cpu']}, {args.threads} threads; arrays of {args.size / 2**20:.0f} MiB; "
          f"{args.rounds} rounds; load {record['load_before']:.1f}")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="arrays-") as folder:
        results = measure(jobs, peers, args, pathlib.Path(folder))
    for job in jobs:
        figures = summary(job, results[job])
        report(job, figures)
        record["workloads"][job] = {
            "mib": args.size >> 20, "rounds": args.rounds, "peers": rounded(figures),
            "verdicts": [rounded({"what": w, "figure": f, "by_cpu": c, "target": t})
                         for w, f, c, t in verdicts(job, figures)]}
    if args.json:
        part = args.json.with_suffix(".part")
        text = re.sub(r"\{\s*(\"(?:wall|what|problem)\"[^{}]*?)\s*\}", lambda m: "{" + " ".join(m[1].split()) + "}",
                      json.dumps(record, indent=1))
        part.write_text(text + "\n")
        part.replace(args.json)


if __name__ == "__main__":
    main()
