"""Time and memory of `python -m analysis ingest` and `report` on a large run: 100 trials, 8 clients, 60 intervals.

    .venv/bin/python -m tests.bench.analysis [DIRECTORY]

Writes such a run (10,000 requests/s, so each interval of a client holds 1,250 values), then runs each command in a
process of its own and prints its wall time and its largest resident memory, a line each.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contracts.declared import COUNTS
from tests.unit.analysis.build import GO, RUN, Document, S, done, encode, ended, event, header, plan, sample, trial

TRIALS, CLIENTS, INTERVALS, TEMPLATES, REQUESTS = 100, 8, 60, 40, 1250
STRATEGIES = ("epoll", "poll", "workers", "uvloop", "io_uring", "epoll_edge", "sendfd", "trio", "gevent", "selectors")


def templates() -> list[str]:
    """Histograms of log-normal responses, each of its own."""
    draw = random.Random(1)
    return [encode([int(draw.lognormvariate(12, 0.8)) for _ in range(REQUESTS)]) for _ in range(TEMPLATES)]


def write(directory: Path) -> None:
    """events.jsonl of the run; the clients are client1 to client8."""
    texts, draw = templates(), random.Random(2)
    names = [f"client{i}" for i in range(1, CLIENTS + 1)]
    load: Document = {"rate": 10_000, "connections": 10_000, "active": 10_000, "warmup": 0, "duration": INTERVALS}
    trials: list[Document] = []
    for n in range(TRIALS):
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
            shares = {name: {"connections": 1250, "active": 1250, "rate": 1250} for name in names}
            told = {name: planned[name] for name in ("server", "load")}
            say(event("trial", n=n, state="started", **told, shares=shares) | {"n": n})
            say(event("went", n=n, at_ns=dict.fromkeys(names, GO["client1"]) | {"server": GO["server"]}, go_ns=1))
            for k in range(INTERVALS):
                say(sample(n, k, 10 + 300 * k, 10 + 100 * k * draw.uniform(0.9, 1.1), 24_000_000))
                for name in names:
                    counts = dict.fromkeys(COUNTS, 0) | dict.fromkeys(("planned", "sent", "answered"), REQUESTS)
                    say(event("interval", name, n, k=k, phase="load", response=draw.choice(texts), **counts))
            say(sample(n, INTERVALS, 10 + 300 * INTERVALS, 10 + 100 * INTERVALS, 24_000_000))
            for name in names:
                report = done(n, "client1") | {"host": name}
                say(report | {kind: draw.choice(texts) for kind in ("service", "lag", "connect", "loop_lag")})
            say(ended(planned, window={"start_ns": 0, "end_ns": INTERVALS * S}))
        say(event("run", state="ended", exit=0))
        file.write(json.dumps({"trailer": 1, "lines": count, "t": 2}) + "\n")


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
    given = parser.parse_args().directory
    with tempfile.TemporaryDirectory() as own:
        directory = given or Path(own)
        directory.mkdir(exist_ok=True)
        write(directory)
        size = (directory / "events.jsonl").stat().st_size / 1e6
        print(f"{RUN}: {TRIALS} trials, {CLIENTS} clients, {INTERVALS} intervals, {size:.0f} MB")
        for arguments in (("ingest", str(directory)), ("report", str(directory))):
            seconds, mebibytes = measure(*arguments)
            print(f"{arguments[0]:<8} {seconds:5.1f} s {mebibytes:6.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
