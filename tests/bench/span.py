"""Do table, report and CSV say what the server itself counted? (issue 12, figure 2)

    ansible-playbook -i inventory/lab run_benchmark.yml -e strategy=epoll -e rate=300000
    .venv/bin/python -m tests.bench.span results/latest

Reads events.jsonl with nothing of ours: the server's own samples say how many bytes its workers wrote, and what CPU
time they used, between the first and the last sample of the window. Throughput and CPU time per request are then
compared with summary.csv (a row for each trial), with the report's table and with the terminal's (a row for each cell,
against the centre of its trials). Prints each difference and the worst.
"""

import argparse
import csv
import io
import json
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.bench import common


@dataclass(frozen=True)
class Told:
    """What the server's samples say of the window of one trial."""

    cell: str
    requests_per_s: float
    cpu_us_per_request: float


def told(run: Path) -> dict[int, Told]:
    """By trial, of the trials whose outcome is `ok`."""
    samples: dict[int, list[dict[str, Any]]] = defaultdict(list)
    went: dict[int, dict[str, int]] = {}
    results: dict[int, dict[str, Any]] = {}
    payload: dict[int, int] = {}
    for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        n = event.get("trial")
        match event.get("event"), event.get("state"):
            case "sample", _:
                samples[n].append(event)
            case "went", _:
                went[n] = event["at_ns"]
            case "trial", "started":
                payload[event["n"]] = event["load"]["payload_bytes"]
            case "trial", "ended":
                results[event["result"]["n"]] = event["result"]
    return {n: of_window(result, went[n]["server"], samples[n], payload[n]) for n, result in results.items()
            if result["outcome"] == "ok" and result["kind"] == "measure"}  # fmt: skip


def of_window(result: dict[str, Any], go_ns: int, samples: list[dict[str, Any]], payload: int) -> Told:
    """Between the samples that are nearest to the window's ends; each is taken within a moment of a whole second."""

    def nearest(at_ns: int) -> dict[str, Any]:
        return min(samples, key=lambda sample: abs(sample["t"] - go_ns - at_ns))

    first, last = nearest(result["window"]["start_ns"]), nearest(result["window"]["end_ns"])
    echoes = (last["bytes_out"] - first["bytes_out"]) / payload
    cpu_ns = sum(last[kind] - first[kind] for kind in ("cpu_user_ns", "cpu_system_ns"))
    return Told(result["cell"], echoes / ((last["t"] - first["t"]) / 1e9), cpu_ns / 1000 / echoes)


def centre(values: list[float]) -> float:
    """As the report takes it: the median from six repetitions on, below them the geometric mean."""
    return statistics.median(values) if len(values) >= 6 else statistics.geometric_mean(values)


def of_report(run: Path) -> dict[str, dict[str, str]]:
    """The rows of the report's at-a-glance table as its CSV has them, by cell."""
    page = (run / "report.html").read_text(encoding="utf-8")
    found = re.search(r'download="glance\.csv" href="data:text/csv;charset=utf-8,([^"]+)"', page)
    if found is None:
        raise SystemExit("the report has no glance.csv")
    return {row["cell"]: row for row in csv.DictReader(io.StringIO(unquote(found[1])))}


def of_terminal(run: Path, label: str) -> float | None:
    """What stands under `requests/s` in the row of the terminal's table that begins with the label; None: nothing."""
    command = [sys.executable, "-m", "analysis", "summary", str(run)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rule = next(i for i, line in enumerate(lines) if set(line) == {"─", " "})
    row = next((line for line in lines[rule + 1 :] if line.startswith(f"{label} ")), "")
    for column in re.finditer("─+", lines[rule]):
        heading = "".join(line[slice(*column.span())].strip() for line in lines[rule - 2 : rule])
        if heading == "requests/s":
            number = re.search(r"[\d,.]+", row[slice(*column.span())])
            return float(number[0].replace(",", "")) if number else None
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    trials = told(run)
    table = {int(row["trial"]): row for row in csv.DictReader((run / "summary.csv").open(encoding="utf-8"))}
    worst, rows = 0.0, []

    def compare(where: str, what: str, shown: str | float | None, truth: float) -> None:
        nonlocal worst
        if shown in ("", None):
            rows.append([where, what, f"{truth:,.4g}", "not shown", ""])
            return
        difference = float(shown) / truth - 1
        worst = max(worst, abs(difference))
        rows.append([where, what, f"{truth:,.4g}", f"{float(shown):,.4g}", f"{difference:+.2%}"])

    cells: dict[str, list[Told]] = defaultdict(list)
    for n, one in trials.items():
        compare(f"summary.csv, trial {n}", "requests/s", table[n]["requests_per_s"], one.requests_per_s)
        compare(f"summary.csv, trial {n}", "CPU µs/request", table[n]["cpu_us_per_request"], one.cpu_us_per_request)
        if table[n]["control"] != "True":
            cells[one.cell].append(one)
    report = of_report(run)
    for cell, members in cells.items():
        rate = centre([one.requests_per_s for one in members])
        cost = centre([one.cpu_us_per_request for one in members])
        compare(f"report, {report[cell]['label']}", "requests/s", report[cell]["throughput_value"], rate)
        compare(f"report, {report[cell]['label']}", "CPU µs/request", report[cell]["cpu_value"], cost)
        compare("terminal", "requests/s", of_terminal(run, report[cell]["label"]), rate)
    common.table(f"{len(trials)} trials", ["where", "what", "server's own", "shown", "difference"], rows)
    print(f"\nWorst difference: {worst:.2%}.")


if __name__ == "__main__":
    main()
