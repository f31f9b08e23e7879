"""What some workloads have to say beside the table: the steps of a ramp, and the generators' ceiling."""

from collections.abc import Callable

import pandas as pd

from analysis import format as show
from analysis.events import Event, Log, is_count

MOST_STEPS = 12


def of_ramps(log: Log, trials: pd.DataFrame, label: Callable[[pd.Series], str]) -> list[str]:
    """One line a cell: how long each step took to arm (median of its trials), or what was held where that is less."""
    lines = []
    ramps = trials[(trials["workload"] == "ramp") & ~trials["control"].astype(bool)]
    for cell in ramps["cell"].unique():
        members = ramps[ramps["cell"] == cell]
        steps: dict[int, list[Event]] = {}
        for event in log.of("step"):
            if event["trial"] in set(members["n"]) and all(is_count(event.get(name)) for name in ("n", "connections")):
                steps.setdefault(int(event["n"]), []).append(event)
        texts = [_step(steps[n]) for n in sorted(steps)]
        if len(texts) > MOST_STEPS:
            texts = [*texts[: MOST_STEPS - 1], f"… ({len(texts) - MOST_STEPS} more)", texts[-1]]
        if texts:
            lines.append(f"{label(members.iloc[0])}: connections were armed in steps, {' · '.join(texts)}")
    return lines


def _step(events: list[Event]) -> str:
    """Such as `2,000 in 0.41 s`, or `3,000 (2,312 held)` where not all of them were."""
    asked = int(events[0]["connections"])
    held = [event["clients"] for event in events if is_count(event.get("clients"))]
    if held and min(held) < asked:
        return f"{asked:,} ({min(held):,} held)"
    took = pd.Series([event["arm_s"] for event in events if isinstance(event.get("arm_s"), (int, float))], dtype=float)
    return f"{asked:,} in {show.time(took.median() * 1e9)}"


def of_calibration(log: Log) -> list[str]:
    """How fast each generator can send at all, to a server that swallows."""
    found: dict[str, str] = {}
    for event in log.of("trial"):
        result = event.get("result")
        ceilings = result.get("ceiling") if isinstance(result, dict) else None
        for host, ceiling in ceilings.items() if isinstance(ceilings, dict) else ():
            rates = [ceiling.get(f"sends_per_{unit}") for unit in ("s", "cpu_s")] if isinstance(ceiling, dict) else []
            texts = [show.number(rate) if isinstance(rate, (int, float)) else show.NOTHING for rate in rates]
            if texts:
                found[str(host)] = f"{host} {texts[0]} records/s ({texts[1]} per CPU second)"
    return [f"the generators' ceiling, against a server that swallows: {', '.join(found.values())}"] if found else []
