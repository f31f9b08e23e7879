"""Time and memory of `python -m analysis ingest` and `report` on a large run.

    .venv/bin/python -m tests.bench.analysis                                        # 100 trials of a minute, 8 clients
    .venv/bin/python -m tests.bench.analysis --trials 1000 --seconds 1 --compared
    .venv/bin/python -m tests.bench.analysis --trials 1 --seconds 86400 --clients 3  # a day

Writes such a run (each interval of a client holds 1,250 values), then runs each command in a process of its own and
prints its wall time and its largest resident memory, a line each, and how large dataset and report are. `--compared`:
a run of `python -m analysis demo`, in which every comparison can be made and every figure of a report is drawn.
"""

import argparse
import dataclasses
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from analysis.demo.truth import cells, truth
from analysis.demo.write import write as write_demo
from contracts.declared import COUNTS
from tests.unit.analysis.build import GO, RUN, Document, S, done, encode, ended, event, header, plan, sample, trial

TEMPLATES, REQUESTS = 40, 1250
STRATEGIES = ("epoll", "poll", "workers", "uvloop", "io_uring", "epoll_edge", "sendfd", "trio", "gevent", "selectors")


def templates() -> list[str]:
    """Histograms of log-normal responses, each of its own."""
    draw = random.Random(1)
    return [encode([int(draw.lognormvariate(12, 0.8)) for _ in range(REQUESTS)]) for _ in range(TEMPLATES)]


def write(directory: Path, number: int, seconds: int, clients: int) -> None:
    """events.jsonl of a run of so many trials, each so long; the clients are client1 and so on."""
    texts, draw = templates(), random.Random(2)
    names = [f"client{i}" for i in range(1, clients + 1)]
    rate = REQUESTS * clients
    load: Document = {"rate": rate, "connections": rate, "active": rate, "warmup": 0, "duration": seconds}
    trials: list[Document] = []
    for n in range(number):
        block, cell = divmod(n, len(STRATEGIES))
        trials.append(trial(n + 1, STRATEGIES[cell], block=block + 1, cell=f"c{cell + 1}", **load))
    whole_plan = plan(trials)
    whole_plan["hosts"] |= dict.fromkeys(names, whole_plan["hosts"]["client1"])
    manifest: Document = {key: {} for key in ("parameters", "hosts", "tuning", "versions", "files")}
    manifest |= {"schema": 1, "run": RUN, "status": "ok"}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    count = 0
    with (directory / "events.jsonl").open("w") as file:

        def say(document: dict[str, object]) -> None:
            nonlocal count
            file.write(json.dumps(document) + "\n")
            count += 1

        file.write(json.dumps(header()) + "\n")
        say(event("plan", plan=whole_plan))
        for planned in trials:
            n = planned["n"]
            shares = {name: dict.fromkeys(("connections", "active", "rate"), REQUESTS) for name in names}
            told = {name: planned[name] for name in ("server", "load")}
            say(event("trial", n=n, state="started", **told, shares=shares) | {"n": n})
            say(event("went", n=n, at_ns=dict.fromkeys(names, GO["client1"]) | {"server": GO["server"]}, go_ns=1))
            for k in range(seconds):
                say(sample(n, k, 10 + 300 * k, 10 + 100 * k * draw.uniform(0.9, 1.1), 24_000_000))
                for name in names:
                    counts = dict.fromkeys(COUNTS, 0) | dict.fromkeys(("planned", "sent", "answered"), REQUESTS)
                    say(event("interval", name, n, k=k, phase="load", response=draw.choice(texts), **counts))
            say(sample(n, seconds, 10 + 300 * seconds, 10 + 100 * seconds, 24_000_000))
            for name in names:
                report = done(n, "client1") | {"host": name}
                say(report | {kind: draw.choice(texts) for kind in ("service", "lag", "connect", "loop_lag")})
            say(ended(planned, window={"start_ns": 0, "end_ns": seconds * S}))
        say(event("run", state="ended", exit=0))
        file.write(json.dumps({"trailer": 1, "lines": count, "t": 2}) + "\n")


def write_compared(directory: Path, number: int, seconds: int) -> None:
    """At least so many trials, in whole blocks of every cell and the control."""
    asked = [dataclasses.replace(cell, duration=seconds) for cell in cells()]
    write_demo(directory, made=truth(1, only=asked, blocks=-(-number // (len(asked) + 1))))


def megabytes(path: Path) -> float:
    """Of a file, or of all files of a directory."""
    return sum(one.stat().st_size for one in [path, *path.rglob("*")] if one.is_file()) / 1e6


def measure(*arguments: str) -> tuple[float, float]:
    """Wall time, seconds, and largest resident memory, MiB, of one command."""
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "analysis", *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"analysis {' '.join(arguments)} failed")
    assert isinstance(used, resource.struct_rusage)
    return time.monotonic() - begin, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", nargs="?", type=Path, help="keep the run here")
    for name, default in (("trials", 100), ("seconds", 60), ("clients", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--compared", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        directory = given.directory or Path(own)
        directory.mkdir(exist_ok=True)
        if given.compared:
            write_compared(directory, given.trials, given.seconds)
        else:
            write(directory, given.trials, given.seconds, given.clients)
        size = megabytes(directory / "events.jsonl")
        print(f"{given.trials} trials of {given.seconds} s, events of {size:.0f} MB")
        for what, made in (("ingest", "dataset"), ("report", "report.html")):
            seconds, mebibytes = measure(what, str(directory))
            print(f"{what:<8} {seconds:5.1f} s {mebibytes:6.0f} MiB, {megabytes(directory / made):.1f} MB", flush=True)


if __name__ == "__main__":
    main()
