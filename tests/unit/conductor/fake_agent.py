"""A scripted agent for the tests of the conductor: keeps the line protocol, opens no socket, misbehaves as told.

Its working directory is <base>/<host>/app; behaviour.json there holds {"is": <a name of this file>}.
"""

import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from contracts.declared import COUNTS, INTEGRITY

OF_THE_TREE = (  # the package `server` of its directory is this file
    "processes", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "threads", "fds", "minor_faults", "major_faults",
    "voluntary_switches", "involuntary_switches", "foreign_ns",
)  # fmt: skip
SKEWED_CLOCK_NS = 86_400_000_000_000  # the fake's clock is a day ahead


def now() -> int:
    return time.monotonic_ns() + SKEWED_CLOCK_NS


def emit(event: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def histogram(count: int) -> str:
    made = HdrHistogram(100, 60_000_000_000, 3)
    for i in range(count):
        made.record_value(1_000_000 + i * 1000)
    return str(made.encode().decode())


class Orders:
    """Reads orders for at most so long; None at the end of the input."""

    def __init__(self) -> None:
        self._rest = b""

    def next(self, seconds: float) -> dict[str, Any] | None:
        until = time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([0], [], [], left)[0]:
                return {"order": "none"}
            data = os.read(0, 65536)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order


class Fake:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.given: dict[str, Any] = spec.get("load", {})
        told = Path("behaviour.json")
        self.behaviours: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {}
        self.behaviour: str = self.behaviours.get("is", "normal")
        if self.behaviour.endswith(" after"):  # only from the second trial on
            self.behaviour = self.behaviour.removesuffix(" after") if spec["trial"] > 1 else "normal"
        self.go_at: int | None = None
        self.intervals = 0
        self.silent = False
        self.limit_said = False
        self.sampled = time.monotonic()

    @property
    def is_server(self) -> bool:
        return "server" in self.spec

    def mine(self, what: str) -> Path:
        """A file of this trial's: another may run at the same time."""
        return Path(f"{what}-{self.spec['trial']}")

    def of_clients(self, what: str) -> list[Path]:
        return list(Path().glob(f"../../client*/app/{self.mine(what)}"))

    def run(self) -> None:
        self.mine("pid").write_text(str(os.getpid()))
        with Path("specs.jsonl").open("a") as log:
            log.write(json.dumps(self.spec) + "\n")
        self.before_hello()
        role = "server" if self.is_server else "client"
        emit("hello", version=1, host=self.spec["host"], pid=os.getpid(), role=role, t=now(), descriptors=20000)
        orders = Orders()
        last_order = time.monotonic()
        while True:
            order = orders.next(0.02)
            if order is None or time.monotonic() - last_order > 10:
                return
            if order["order"] != "none":
                last_order = time.monotonic()
                with self.mine("orders").open("a") as log:
                    log.write(order["order"] + "\n")
                if self.silent:
                    continue
                if order["order"] == "stop" and self.behaviour != "deaf to stop":
                    if self.is_server:
                        times = {"cpu_user_ns": 1, "cpu_system_ns": 1, "max_rss_bytes": 1}
                        events = ("minor_faults", "major_faults", "voluntary_switches", "involuntary_switches")
                        rusage = {**times, **dict.fromkeys(events, 1)}
                        emit("stopped", t=now(), workers=[], exit=0, signal=None, rusage=rusage)
                    return
                handler = getattr(self, f"on_{order['order']}", None)
                if handler:
                    handler(order)
            if self.is_server and not self.limit_said and self.of_clients("limited"):
                self.limit_said = True
                emit("limit", resource="FD_SETSIZE", held=1015)
            if self.go_at and not self.silent:
                self.load()
            if self.is_server and time.monotonic() > self.sampled + 0.1:
                self.sample()

    def before_hello(self) -> None:
        if self.behaviour == "dies at start":
            sys.exit("cannot import name 'x'")
        if self.behaviour == "greeting":
            print("Welcome to this host!\n\n{not json")
        if self.behaviour == "flood" and os.fork() == 0:
            while self.mine("pid").read_text() == str(os.getppid()):
                os.write(2, (b"x" * 100 + b"\n") * 500)
            os._exit(0)
        if self.behaviour == "bad spec":
            emit("error", phase="spec", cause="version", message="The spec is not for me.", remedy="Deploy again.")
            sys.exit(1)

    def on_clock(self, order: dict[str, Any]) -> None:
        emit("clock", n=order["n"], t=now())

    def on_arm(self, order: dict[str, Any]) -> None:
        if self.behaviour == "silent":
            self.silent = True
        elif self.behaviour == "budget":
            message = "40000 connections need 40000 source ports and this host has 28232."
            emit("error", phase="budget", cause="ports", message=message, remedy="Spread the load over more clients.")
        elif self.is_server:
            server = self.spec["server"]
            address = f"{self.spec['address']}:{server['server_port']}"
            emit("listening", addresses=[address], backlog=server["backlog"])
            if self.behaviour == "limit":
                emit("limit", resource="FD_SETSIZE", held=1015)
        else:
            self.arm(order.get("connections"))

    def arm(self, so_many: int | None) -> None:
        assert (so_many is None) == (self.given["workload"] != "ramp")
        share = 1 if self.given["workload"] == "churn" else self.given["connections"]
        share = share if so_many is None else so_many
        if self.behaviour == "slow arm":
            time.sleep(3)
        missing = max(0, {"some refused": 2, "limited": share - 300}.get(self.behaviour, 0))
        failed = {"connect/refused": missing} if missing else {}
        self.held = share - missing
        verified = 0 if self.given["workload"] == "calibrate" else self.held
        syn_retries = dict.fromkeys("123", 0)
        self.mine("held").write_text(str(self.held))
        if missing and self.behaviour == "limited":
            self.mine("limited").touch()
        emit("armed", connected=share, verified=verified, failed=failed, retries=0, syn_retries=syn_retries)

    def sample(self) -> None:
        """What a server does meanwhile: nothing where it `stands still`."""
        self.sampled = time.monotonic()
        done = 0 if self.behaviours.get("stands still") else round(self.sampled * 1e9)
        served = None if self.spec["server"]["strategy"] is None else done
        emit(
            "sample", t=now(), **(dict.fromkeys(OF_THE_TREE, 1) | {"cpu_user_ns": done}), edges_only=False, agent_ns=1,
            steal_ns=0, throttled_ns=None, established=None, accept_queue=self.behaviours.get("queued", 0),
            accept_queues=[], accepted_by=None, kernel={}, bytes_in=served, bytes_out=served,
            **dict.fromkeys(("open", "accepted"), None if served is None else 1),
        )  # fmt: skip

    def on_prove(self, _order: dict[str, Any]) -> None:
        if self.is_server:
            held = sum(int(path.read_text()) for path in self.of_clients("held"))
            count = self.behaviours.get("count", held)
            time.sleep(self.behaviours.get("counts for", 0))
            own = None if self.spec["server"]["strategy"] is None else count
            emit("counts", t=now(), established=count, open=own, unread=self.behaviours.get("unread", 0))
        else:
            failed = self.behaviours.get("in vain", 0)
            emit("proved", verified=self.held - failed, failed=failed)

    def on_go(self, order: dict[str, Any]) -> None:
        self.go_at = order["at"]
        for text in self.behaviours.get("forges", ()):
            print(text, flush=True)
        if self.is_server and self.behaviour == "crash":
            message = "The strategy died of signal 9."
            emit("error", phase="internal", cause="crashed", message=message, remedy="See server.log.")
            self.go_at = None

    def counts(self, planned: int) -> dict[str, int]:
        right = dict.fromkeys(("planned", "sent", "arrived", "answered"), planned)
        counts = dict.fromkeys(COUNTS, 0) | right
        if self.given["rate"] > self.behaviours.get("knee", self.given["rate"]):
            counts |= {"answered": planned // 2, "timed_out": planned - planned // 2}
        if self.behaviour == "gets no answers" or self.intervals >= self.behaviours.get("answers for", 1_000):
            counts |= {"answered": 0, "arrived": 0, "timed_out": planned}
        if self.behaviour == "mismatch":
            counts |= {"answered": planned - 1, "mismatched": 1}
        if self.behaviour == "does not add up":
            counts |= {"answered": planned - 1}
        if self.behaviour == "cannot keep up":
            late = planned - planned // 2
            counts |= {"sent": planned // 2, "unsent_late": late, "answered": planned // 2, "dropped": late}
        return counts

    def load(self) -> None:
        assert self.go_at
        if self.is_server:
            return
        if self.given["workload"] == "calibrate":
            if now() > self.go_at + 1_000_000_000:
                self.done(0)
            return
        whole = self.given["warmup"] + self.given["duration"]
        if now() < self.go_at + (self.intervals + 1) * 1_000_000_000:
            return
        rate = self.given["rate"]
        phase = "warmup" if self.intervals < self.given["warmup"] else "load"
        emit("interval", k=self.intervals, phase=phase, **self.counts(rate), response=histogram(rate))
        self.intervals += 1
        if self.behaviour == "dies in mid-load":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.behaviour == "silent in mid-load":
            self.silent = True
        elif self.behaviour == "garbage in mid-load":
            emit("interval", k="three")
        elif self.intervals == whole and self.behaviour != "gets no answers":
            self.done(rate)

    def done(self, rate: int) -> None:
        assert self.go_at
        totals = {
            "warmup": self.counts(rate * self.given["warmup"]) if self.given["warmup"] else dict.fromkeys(COUNTS, 0),
            "load": self.counts(rate * self.given["duration"]) if rate else dict.fromkeys(COUNTS, 0),
        }
        late = 50_000_000 if self.behaviour == "starts late" else 0
        connections = {"armed": self.held, "open": self.held, "lost": 0}
        own: dict[str, Any] = dict.fromkeys(("cpu_user_ns", "cpu_system_ns", "max_rss_bytes", "max_loop_gap_ns"), 1)
        own |= dict.fromkeys(("gc_pause_ns", "gc_cycles", "steal_ns", "sent_per_s", "answered_per_s"), 0)
        own |= {"processes": 1, "wall_ns": 1, "send_gaps_ns": [], "kernel": {}}
        wrong = {"mismatch": {"crossed": 1}, "late": {"late": 4}}.get(self.behaviour, {})
        integrity = dict.fromkeys(INTEGRITY, 0) | wrong
        ceiling = {"sends": 500_000, "wall_ns": 1_000_000_000, "cpu_ns": 800_000_000}
        emit(
            "done", first_send_ns=self.go_at + late, last_send_ns=now(), connections=connections,
            surplus=7 if self.behaviour == "surplus" else 0, totals=totals, service=histogram(10), lag=histogram(10),
            connect=histogram(10), loop_lag=histogram(10), integrity=integrity, errors=[], hostile=None,
            ceiling=ceiling if self.given["workload"] == "calibrate" else None, self=own,
        )  # fmt: skip
        self.go_at = None


if __name__ == "__main__":
    Fake(json.loads(sys.argv[sys.argv.index("--spec") + 1])).run()
