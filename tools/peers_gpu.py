#!/usr/bin/env python3
"""The engine on a GPU beside CuPy, JAX and PyTorch on the same card: who is how many times as quick.

    cargo build --release --features static-hdf5 --bin tilewise
    python3 tools/peers_gpu.py [--tilewise PATH] [--size 256MiB] [--rounds 5] [--only reduce] [--record FILE]

`tilewise bench gpu` judges the engine by the card's own limits; this tells whether others get nearer
to them. Each peer computes the rows of that bench by name: the same numbers and shapes
(tools/peers_gpu_jobs.py makes them as tilewise does), and elements of the answer are compared. Arrays
lie on the card, except in the rows of `stream`, which begin and end in host memory.

A peer is a process of its own that stays, so that nothing is opened or compiled twice: eager and
compiled (`cupy.fuse`, `jax.jit`, `torch.compile`) count as two. Peers prepare at the same time and run
once for their answer; then each warms up, and they take turns, the first one moving on by one each
round. A turn runs the workload until 20 ms are over and then waits for the card once. Figures are
medians of seconds of one run; a ratio is our rate over the best peer's, above 1 where we are quicker.
Products of float32 matrices are exact ones everywhere: no TF32.

Needs Python 3.9 and NumPy; peers that are not installed or see no GPU are named. With `--cpu` PyTorch
and JAX run on the CPU: to test this script, not to learn anything. Of several cards, `--device` names
ours and CUDA_VISIBLE_DEVICES the peers'.
"""

import argparse
import importlib
import json
import math
import os
import pathlib
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = {"cupy": "cupy", "cupy.fuse": "cupy", "jax": "jax", "jax.jit": "jax", "torch": "torch",
         "torch.compile": "torch"}
COMPILED = ("cupy.fuse", "jax.jit", "torch.compile")
LONG = 20e-3            # seconds of a turn, where it can be made as long
MOST = 10_000           # runs of a turn
PATIENCE = 300          # seconds until a peer is given up
GROSS = 0.02            # from this difference on an answer is another one, not a rounded one


# ---- a peer's process --------------------------------------------------------------------------------

def spread(count, most=8):
    """Indices of the elements that are compared, as `spread` of src/measure/family.rs."""
    most = min(most, count)
    return [0 if most == 1 else k * (count - 1) // (most - 1) for k in range(most)]


class Peer:
    """Runs one workload after another for the controller."""

    def __init__(self, name, folder, size, cpu):
        from peers_gpu_jobs import LIBRARIES, workloads
        self.name, self.folder, self.size = name, folder, size
        self.library = LIBRARIES[PEERS[name]](cpu)
        self.jobs, self.arrays, self.repeats = workloads(), {}, 1
        self.run = None

    def hello(self):
        return {"device": self.library.device, "version": importlib.import_module(PEERS[self.name]).__version__}

    def prepare(self, title):
        """Loads, compiles and runs once; gives elements of the answer."""
        import numpy as np
        from peers_gpu_jobs import spelled_out
        workload, library = self.jobs[title], self.library
        self.run = None
        self.arrays = {spec: x for spec, x in self.arrays.items() if spec in workload["arrays"]}
        begin = getattr(library, workload["begin"]) if workload["begin"] else None
        for spec in workload["arrays"]:
            if begin is None or spec not in self.arrays:
                x = np.load(file_of(self.folder, spec))
                self.arrays[spec] = begin(x) if begin else x
        arrays = [self.arrays[spec] for spec in workload["arrays"]]
        if workload["begin"] != "put":
            self.arrays = {}
        if self.name in COMPILED and workload["eager_only"]:
            return {"skipped": "nothing to compile"}
        run = library.compiled(workload) if self.name in COMPILED else spelled_out(library, workload)
        if run is None:
            return {"skipped": "nothing to fuse"}
        out = run(*arrays)
        library.wait(out)
        if workload["begin"]:
            out = np.stack([library.fetch(row) for row in out]) if isinstance(out, list) else library.fetch(out)
        flat = out.reshape(-1)
        elements = [float(flat[at]) for at in spread(flat.size)]
        del out, flat
        self.run = lambda: run(*arrays)
        return {"elements": [None if math.isnan(v) else v for v in elements]}

    def warm_up(self):
        """Runs twice and finds how many runs make a turn long."""
        self.repeats = 1
        self.turn()
        self.repeats = int(min(max(LONG / max(self.turn()["seconds"], 1e-7), 1), MOST))
        return {}

    def turn(self):
        """Seconds of one run, of as many as make a turn long."""
        begin = time.perf_counter()
        for _ in range(self.repeats):
            out = self.run()
        self.library.wait(out)
        return {"seconds": (time.perf_counter() - begin) / self.repeats}


def serve(name, folder, size, cpu):
    """Answers one line of JSON to each that comes; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = None
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            peer = peer or Peer(name, folder, size, cpu)
            told = getattr(peer, ask["call"])(*ask["with"])
        except NotImplementedError as error:
            told = {"skipped": str(error)}
        except Exception as error:                      # a peer that cannot is named, not fatal
            first = str(error).strip().splitlines()
            told = {"error": f"{type(error).__name__}: {first[0][:200] if first else ''}"}
        answers.write(json.dumps(told) + "\n")


# ---- the controller ----------------------------------------------------------------------------------

class Process:
    """A peer's process; once it is silent or gone, every answer is an error."""

    def __init__(self, name, args, folder):
        ask = [sys.executable, __file__, "--serve", name, str(folder), "--size", str(args.size)]
        self.log = open(folder / f"{name}.log", "w+")
        self.process = subprocess.Popen(ask + ["--cpu"] * args.cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        self.gone = None

    def tell(self, call, *values):
        try:
            self.process.stdin.write(json.dumps({"call": call, "with": values}) + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass                                        # the answer will say so

    def hear(self):
        if self.gone:
            return {"error": self.gone}
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        self.close()
        self.log.seek(0)
        last = self.log.read().strip().splitlines()[-1:]
        self.gone = f"no answer within {PATIENCE} s" if not ready else f"the process ended: {' '.join(last)[:200]}"
        return {"error": self.gone}

    def ask(self, call, *values):
        self.tell(call, *values)
        return self.hear()

    def close(self):
        self.process.kill()
        self.process.wait()


def ask_all(peers, call, *values):
    """The answers of all, who work at the same time."""
    for peer in peers.values():
        peer.tell(call, *values)
    return {name: peer.hear() for name, peer in peers.items()}


def file_of(folder, spec):
    return pathlib.Path(folder) / ("-".join(str(part) for part in spec).replace(" ", "_") + ".npy")


def run_tilewise(titles, args):
    """Rows of `tilewise bench gpu` by title, and the adapter."""
    ask = [args.tilewise, "bench", "gpu", "--json", "-q", "--size", str(args.size), "--rounds", str(args.rounds),
           "--device", args.device, "--only", ",".join(titles)]
    ask += ["--matrix-units"] * args.matrix_units
    done = subprocess.run(ask, capture_output=True, text=True)
    if not done.stdout.strip():
        sys.exit(f"peers_gpu.py: {' '.join(ask)}\n{done.stderr.strip()}")
    adapter = json.loads(done.stdout)["adapters"][0]
    if why := adapter["refused"] or adapter["error"]:
        sys.exit(f"peers_gpu.py: {why}")
    return {f"{row['group']}: {row['name']}": row for row in adapter["families"]}, adapter["adapter"]


def distance(ours, theirs):
    """The largest difference of two answers, relative to elements above 1; None stands for NaN."""
    if len(ours) != len(theirs) or any((x is None) != (y is None) for x, y in zip(ours, theirs)):
        return math.inf
    return max((abs(x - y) / max(1.0, abs(x)) for x, y in zip(ours, theirs) if x is not None), default=0.0)


def measure(title, workload, own, peers, rounds):
    """{peer: {"seconds"} or {"problem"}} of one workload; peers prepare together and take turns."""
    figures, turns = {}, {}
    for name, answer in ask_all(peers, "prepare", title).items():
        if "elements" in answer:
            off = distance(own["elements"], answer["elements"]) if own.get("elements") else 0.0
            if off > GROSS:
                figures[name] = {"problem": f"another answer: {answer['elements']} instead of {own['elements']}"}
                continue
            figures[name], turns[name] = ({"off": off} if off > workload["near"] else {}), []
        elif "error" in answer:
            figures[name] = {"problem": answer["error"]}
    for name in turns:
        peers[name].ask("warm_up")
    for turn in range(rounds if turns else 0):
        names = list(turns)
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            answer = peers[name].ask("turn")
            if "seconds" not in answer:
                figures[name] = {"problem": answer["error"]}
                del turns[name]
                continue
            turns[name].append(answer["seconds"])
    for name, seconds in turns.items():
        figures[name]["seconds"] = statistics.median(seconds)
    return figures


def summary(own, figures):
    """Our row and the peers'; the ratio of our rate to the best peer's."""
    ours = own.get("seconds", {}).get("wall")
    timed = {name: f["seconds"] for name, f in figures.items() if "seconds" in f}
    best = min(timed, key=timed.get, default=None)
    row = {"tilewise": {"seconds": ours, "share": own.get("share"), "device": own.get("device"),
                        "problem": own.get("error") or own.get("cpu_reason")}, "peers": figures}
    if best and ours:
        row |= {"best": best, "ratio": float(f"{timed[best] / ours:.4g}")}
    return row


def show(title, row, names):
    cell = lambda seconds: f"{seconds * 1e3:10.3f}" if seconds else f"{'-':>10}"
    ours = row["tilewise"]
    others = "".join(f"{cell(row['peers'].get(name, {}).get('seconds')):>14}" for name in names)
    ratio = f"{row['ratio']:8.2f}" if "ratio" in row else f"{'-':>8}"
    share = f"{ours['share']:6.2f}" if ours["share"] else f"{'':>6}"
    mark = "" if ours["device"] == "gpu" else f"  ours on the {ours['device'] or 'nothing'}: {ours['problem']}"
    print(f"{title:<32}{cell(ours['seconds'])}{share}{others}{ratio}  {row.get('best', '')}{mark}", flush=True)


def start(args, folder):
    """The peers that are there, and what each said of itself; the others are named."""
    names = [*PEERS] if args.peers is None else args.peers.split(",")
    for name in [name for name in names if name not in PEERS]:
        sys.exit(f"peers_gpu.py: no peer is named {name}; there are {', '.join(PEERS)}")
    peers = {name: Process(name, args, folder) for name in names}
    known = ask_all(peers, "hello")
    for name in [name for name in names if "error" in known[name]]:
        peers.pop(name).close()
        print(f"{name} takes no part: {known.pop(name)['error']}")
    return peers, known


def parse_size(text):
    number = re.fullmatch(r"(\d+)\s*([kmgt]?)i?b?", text.strip().lower())
    if not number:
        sys.exit(f"peers_gpu.py: --size {text!r} is no size; write 256MiB or 2GiB")
    return int(number[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[number[2]]


def main():
    parser = argparse.ArgumentParser(description="the engine on a GPU beside CuPy, JAX and PyTorch")
    parser.add_argument("--tilewise", default="target/release/tilewise", help="the program to measure")
    parser.add_argument("--device", default="gpu", help="its adapter, gpu or gpu:N")
    parser.add_argument("--size", default="256MiB", help="bytes of one large array")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--only", help="workloads whose name contains one of these texts, separated by commas")
    parser.add_argument("--peers", help=f"only these, separated by commas, of {', '.join(PEERS)}")
    parser.add_argument("--matrix-units", action="store_true",
                        help="multiply float16 on matrix units, as the peers do on their own")
    parser.add_argument("--cpu", action="store_true", help="PyTorch and JAX on the CPU, to test this script")
    parser.add_argument("--record", type=pathlib.Path, help="write everything there as JSON")
    parser.add_argument("--note", help="a sentence for the record")
    parser.add_argument("--serve", nargs=2, metavar=("PEER", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.size = parse_size(args.size)
    if args.serve:
        return serve(*args.serve, args.size, args.cpu)
    if not shutil.which(args.tilewise):
        sys.exit(f"peers_gpu.py: no program {args.tilewise}; `cargo build --release` makes it")
    try:
        import numpy as np
        from peers_gpu_jobs import made, workloads
    except ModuleNotFoundError as error:
        sys.exit(f"peers_gpu.py: needs {error.name}; pip install {error.name}")
    listed = subprocess.run([args.tilewise, "bench", "gpu", "--list"], capture_output=True, text=True).stdout.splitlines()
    wanted = [text.strip() for text in args.only.lower().split(",")] if args.only else [""]
    jobs = {title: job for title, job in workloads().items() if any(text in title for text in wanted)}
    if not jobs:
        sys.exit(f"peers_gpu.py: no workload is named like {args.only}; there are {', '.join(workloads())}")
    for title in [title for title in jobs if title not in listed]:
        print(f"tilewise has no row {title!r}; it is left out")
        del jobs[title]

    record = {"date": time.strftime("%Y-%m-%d"), "note": args.note, "size": args.size, "rounds": args.rounds,
              "cpu": args.cpu, "matrix_units": args.matrix_units, "workloads": {}}
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="peers-gpu-") as folder:
        folder = pathlib.Path(folder)
        peers, record["peers"] = start(args, folder)
        for name, told in record["peers"].items():
            print(f"{name}: {told['version']} on {told['device']}")
        groups = list(dict.fromkeys(title.split(":")[0] for title in jobs))
        for group in groups:
            mine = {title: job for title, job in jobs.items() if title.split(":")[0] == group}
            rows, record["adapter"] = run_tilewise([*mine], args)
            if group == groups[0]:
                print(f"tilewise: {record['adapter']['name']}, {record['adapter']['driver']}; arrays of "
                      f"{args.size / 2**20:.0f} MiB; medians of {args.rounds}; milliseconds\n")
                print(f"{'workload':<32}{'tilewise':>10}{'share':>6}" + "".join(f"{name:>14}" for name in peers)
                      + f"{'ratio':>8}  best peer")
            for title, workload in mine.items():
                for spec in workload["arrays"]:
                    if not file_of(folder, spec).exists():
                        np.save(file_of(folder, spec), made(args.size, *spec))
                row = summary(rows[title], measure(title, workload, rows[title], peers, args.rounds))
                record["workloads"][title] = row
                show(title, row, peers)
                for file in folder.glob("*.npy"):
                    if file.name not in {file_of(folder, spec).name for w in mine.values() for spec in w["arrays"]}:
                        file.unlink()
        for process in peers.values():
            process.close()
    problems = [f"{title}, {name}: {f['problem']}" for title, row in record["workloads"].items()
                for name, f in row["peers"].items() if "problem" in f]
    problems += [f"{title}, {name}: off by {f['off']:.0e}" for title, row in record["workloads"].items()
                 for name, f in row["peers"].items() if "off" in f]
    for problem in problems:
        print(problem)
    ratios = [row["ratio"] for row in record["workloads"].values() if "ratio" in row and row["tilewise"]["device"] == "gpu"]
    if ratios:
        record["geometric_mean"] = float(f"{statistics.geometric_mean(ratios):.4g}")
        print(f"\n{len(ratios)} rows that the GPU ran and a peer has: geometric mean of the ratios "
              f"{record['geometric_mean']}; {sum(ratio < 1 for ratio in ratios)} below 1")
    if args.record:
        part = args.record.with_suffix(".part")
        part.write_text(json.dumps(record, indent=1) + "\n")
        part.replace(args.record)


if __name__ == "__main__":
    main()
