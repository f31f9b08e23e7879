"""Runs the commands of README.md and docs/ as they stand there, with small settings; by hand, as root, with the lab.

    python -m tests.bench.documents [WORD…]    # about half an hour; those that hold a word

What a command needs that a page leaves to its reader (a run, an inventory, a server of his own) is put in its place.
"""

import re
import subprocess
import sys
import time

from tests import documents, line

SMALL = "connections=200 rate=200 warmup=0 duration=1 repetitions=2 connect_rate=5000 calibrate=false"
OF_SEARCHES = "search_budget=10"
MINE = f"{sys.executable} -m server serve --strategy poll --host {{host}} --port {{port}}"
INSTEAD = [
    (r"\bINVENTORY\b", "inventory/lab"), (r"([= ])ID\b", r"\g<1>latest"),
    (r"(old/server|python3 /path/mine\.py) --host \{host\} --port \{port\}", MINE),
    (r"new/server --host \{host\} --port \{port\}", f"{MINE} --backlog 4000"),
    (r"\b(RUN|BASE\d?|NEW\d?)\b(?!=)", "results/latest"),
    (r"/opt/mine/mine \{host\}:\{port\}|/opt/mine --listen \{host\}:\{port\}", MINE),
    (r"\[(?=[A-Z-])|(?<=[A-Za-z…])\]|…", ""),
    (r"--port 9000", "--port 9000 & sleep 2; kill $!"),
]  # fmt: skip
LEFT = {
    r"^script/(test|benchmark|bootstrap)": "CI runs it", r"^git|^vagrant|^sudo|^pip": "changes this machine",
    r"tests\.bench|tests\.vagrant": "a long run of its own", r"loadgen-bin run": "needs a server of its reader",
    r"epoll_oneshot|/opt/mine/": "its reader has written a file",
    r"inventory/(vagrant|cluster)|-i hosts": "needs machines", r"lab_state=absent": "the lab is needed to the end",
    r"compare results/latest results/latest": "needs several runs of its reader",
    r"\$\(|OLD --port|jq ": "needs two servers of its reader", r"-e run=latest": "only of a run that was broken off",
}  # fmt: skip
ALSO = {r"analysis gate|--fail-on": (1, 2, 3), r"check --lesson": (1,), r"connections=50000": (2,)}
"""What a command may end with besides 0: its verdict, or a refusal where a process may not have so many files."""


def as_run(text: str) -> str:
    for pattern, instead in INSTEAD:
        text = re.sub(pattern, instead, text)
    if "run_benchmark.yml" in text and "--check" not in text:
        searches = "capacity" in text or "limit" in text
        words = SMALL.split() + ([OF_SEARCHES] if searches else [])
        words += ["requests=200"] if "churn" in text else []
        words += ["active=200"] if "c100k" in text else []
        text += "".join(f" -e {word}" for word in words)
    return text


def main() -> int:
    failed = 0
    for command in documents.commands():
        if sys.argv[1:] and not any(word in str(command) for word in sys.argv[1:]):
            continue
        text = as_run(command.text)
        if why := next((why for pattern, why in LEFT.items() if re.search(pattern, text)), None):
            print(f"left     {command}: {why}", flush=True)
            continue
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", text], cwd=line.ROOT, env=line.environment(), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=900, check=False,
        )  # fmt: skip
        others = [status for pattern, statuses in ALSO.items() if re.search(pattern, text) for status in statuses]
        is_good = done.returncode in (0, *others)
        word = "ok" if is_good else f"exit {done.returncode}"
        print(f"{word:<8} {command}  ({time.monotonic() - began:.0f} s)", flush=True)
        if not is_good:
            failed = 1
            print(f"    as: {text}\n{(done.stdout + done.stderr)[-1500:]}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
