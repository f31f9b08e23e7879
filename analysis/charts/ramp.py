"""The ramp: how the connections came to stand before the load began, and where a strategy stopped.

Two views of the same question. A run of workload `ramp` proves its connections step by step: asked against what kernel,
server and clients all confirm. Any other run tells the server's open connections once a second.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.charts import axes
from analysis.checks.shared import overflows
from analysis.ingest.plan import traits
from analysis.model import Dataset
from contracts.declared import PASSED

NAME = "ramp"
TITLE = "Did it really hold the connections?"
READ = (
    "Connections that stand, while the clients connect. A line that stops short ends at the strategy's own limit, "
    "named beside it. Over time: one sample a second, from the first look at the server; a tick at the bottom: "
    "connections were dropped because the accept queue was full. By step: connections asked for against those that "
    "kernel, server and clients all confirmed; the dashed line is all of them."
)
HEIGHT = 280
KEEP_S = 1.5  # of the load: that the connections stay is seen, and the rest is not the ramp
COLUMNS = [
    "kind", "label", "strategy", "trial", "t_s", "asked_connections", "connections", "arm_s", "overflows", "shown",
    "note",
]  # fmt: skip


def data(dataset: Dataset) -> pd.DataFrame:
    """Rows of kind `sample` (connections open at t_s since the first sample; `overflows`: dropped since
    the one before), `step` (asked and confirmed), `stopped` (a cell at its limit, which `note` names)."""
    trials = series.good_trials(dataset, PASSED)
    trials = trials[trials["workload"].map(lambda name: traits(name).holds).astype(bool)]
    steps = _steps(dataset, trials[trials["workload"] == "ramp"])
    parts = [steps] if len(steps) else [_samples(dataset, trials[trials["outcome"] == "ok"])]
    stopped = trials[trials["outcome"] == "dnf"]
    stopped = stopped.groupby(["label", "strategy"], as_index=False, sort=False).agg(
        asked_connections=("connections", "max"), connections=("held_connections", "median"), note=("limit", "max")
    )
    stopped["note"] = stopped["note"].fillna("").astype(str).map(series.short)
    parts.append(stopped.assign(kind="stopped", shown=True))
    frame = pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)
    return frame if frame["kind"].isin(["sample", "step"]).any() else frame.iloc[:0]


def _steps(dataset: Dataset, trials: pd.DataFrame) -> pd.DataFrame:
    proofs = dataset.proofs[dataset.proofs["moment"].fillna("").str.startswith("step")]
    table = proofs.merge(trials[["run", "trial", "label", "strategy"]], on=["run", "trial"])
    return table.assign(
        kind="step",
        asked_connections=table["asked"].astype(float),
        shown=True,
        connections=table[["kernel", "server", "clients"]].astype("Float64").min(axis=1).astype(float),
    )


def _samples(dataset: Dataset, trials: pd.DataFrame) -> pd.DataFrame:
    key = ["run", "trial"]
    table = dataset.server_samples.merge(trials[[*key, "label", "strategy", "connections"]], on=key)
    table = table.assign(
        asked_connections=table["connections"], connections=table["open"].fillna(table["established"]).astype(float)
    )
    dropped = overflows(dataset)[[*key, "t_s", "value"]]
    table = table.merge(dropped, on=[*key, "t_s"], how="left").sort_values([*key, "t_s"], kind="stable")
    table = pd.concat([table[table["t_s"] <= KEEP_S], _proved(dataset, table)], ignore_index=True)
    table = table.sort_values([*key, "t_s"], kind="stable")
    table["value"] = table.groupby(key)["value"].ffill().fillna(0)
    table["t_s"] -= table.groupby(key)["t_s"].transform("min")
    # Before the server answers its first sample it has no connections.
    table["connections"] = table["connections"].where(table["connections"].notna() | (table["t_s"] > 0), 0.0)
    ranked = reached(table.assign(kind="sample")).groupby("label")["reached_s"].median().sort_values(kind="stable")
    shown = series.spread(ranked.index.tolist(), colours=series.colours(trials))
    table["shown"] = table["label"].isin(shown)
    # Of an own server only the proof counts the connections, and what was dropped until then is told there.
    table = table.dropna(subset=["connections"])
    grown = table.groupby(key)["value"].diff().fillna(table["value"])
    return table.assign(kind="sample", t_s=table["t_s"].round(2), overflows=grown)


def _proved(dataset: Dataset, samples: pd.DataFrame) -> pd.DataFrame:
    """What the proof before the load counted, as a sample at `go`: samples come once a second, and may miss that all
    stood."""
    proofs = dataset.proofs[dataset.proofs["moment"] == "barrier"].drop_duplicates(["run", "trial"], keep="last")
    counted = proofs[["kernel", "server", "clients"]].astype("Float64").min(axis=1).astype(float)
    proofs = proofs[["run", "trial"]].assign(connections=counted).dropna(subset="connections")
    first = samples.groupby(["run", "trial"], as_index=False).first()
    begun = first[first["t_s"] <= 0].drop(columns=["connections", "value"])
    return begun.merge(proofs, on=["run", "trial"]).assign(t_s=0.0)


def reached(frame: pd.DataFrame) -> pd.DataFrame:
    """Per label and trial the time of the first sample with all that was asked for; nan where none has."""
    lines = frame[frame["kind"] == "sample"]
    full = lines[lines["connections"] >= lines["asked_connections"].astype(float)]
    first = full.groupby(["label", "trial"])["t_s"].min().rename("reached_s")
    return (
        lines[["label", "trial", "asked_connections"]]
        .drop_duplicates()
        .merge(first.reset_index(), on=["label", "trial"], how="left")
    )


def is_quiet(frame: pd.DataFrame) -> bool:
    """All that was asked for stood, nobody stopped, nothing was dropped, and there are no steps to look at."""
    is_plain = set(frame["kind"]) == {"sample"} and not frame["overflows"].fillna(0).astype(float).any()
    return is_plain and bool(reached(frame)["reached_s"].notna().all())


def caption(frame: pd.DataFrame) -> str:
    """When all connections stood, or how far the steps went; who stopped where; whether the accept queue overflowed."""
    parts = []
    steps = frame[frame["kind"] == "step"]
    best = steps.groupby("label", sort=False)[["asked_connections", "connections"]].max().astype(float)
    for label, asked, held in best.itertuples():
        parts += [f"{label} held all {show.count(asked)} connections, step by step."] if held >= asked else []
    times = reached(frame)
    labels = times.dropna(subset=["reached_s"]).groupby("label", sort=False)
    stood = labels.agg(asked=("asked_connections", "max"), reached_s=("reached_s", "median"))
    for asked, cells in stood.groupby(stood["asked"].astype(float)):
        named = f"{len(cells)} cells" if len(cells) > 1 else cells.index[0]
        when = f"{_range(cells['reached_s'])} after the first ({named})"
        parts.append(f"All {show.count(asked)} connections stood at the sample {when}.")
    short = sorted(set(times["label"]) - set(stood.index))
    if short:
        parts.append(f"No sample found all of them with {', '.join(short)}.")
    dropped = frame["overflows"].fillna(0).astype(float)
    if len(times):
        hit = sorted(set(frame.loc[dropped > 0, "label"]))
        none = "None of their accept queues overflowed."
        parts.append(f"The accept queue overflowed with {', '.join(hit)}." if hit else none)
    is_stopped, has_held = frame["kind"] == "stopped", frame["connections"].notna()
    stopped = frame[is_stopped & has_held].to_dict("records")
    if refused := frame.loc[is_stopped & ~has_held, "label"].tolist():
        parts.append(f"Not begun, since a host could not hold so many: {', '.join(refused)}.")
    if stopped:
        limits = (f"{row['label']} at {show.count(row['connections'])} ({row['note']})" for row in stopped)
        parts.append(f"Stopped at a limit of their own: {'; '.join(limits)}.")
    return " ".join(parts)


def _range(times: pd.Series) -> str:
    low, high = float(times.min()), float(times.max())
    return f"{low:.1f} s" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f} s"


def draw(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    by_step = bool((frame["kind"] == "step").any())
    names = {"asked_connections" if by_step else "t_s": "x", "connections": "y"}
    lines = frame[frame["kind"].isin(["sample", "step"])].rename(columns=names)
    lines = lines[["label", "strategy", "trial", "x", "y", "overflows", "shown"]].astype({"x": float})
    stopped = frame[frame["kind"] == "stopped"].rename(columns={"connections": "y"})
    # Where the steps of a stopped strategy end, or at the edge: it has no time of its own.
    last = lines.groupby("label")["x"].max() if by_step else pd.Series(dtype=float)
    stopped = stopped[["label", "strategy", "y", "note"]].assign(
        x=stopped["label"].map(last).fillna(lines["x"].max()).astype(float)
    )
    title = "connections asked for" if by_step else "seconds since the first look at the server"
    x = alt.X("x:Q", title=title, scale=alt.Scale(nice=False))
    y = alt.Y("y:Q", title="connections that stand", axis=alt.Axis(format=",.0f"))
    is_shown = lines["shown"].astype(bool)
    shown = lines[is_shown]
    strategies = [*lines["strategy"], *stopped["strategy"]]
    color = axes.color(strategies, shown["strategy"].tolist())
    tooltip = axes.tips(f"label:N cell; trial:Q; x:Q {title}; y:Q[,.0f] connections")
    picked = axes.pick()
    line = (
        alt.Chart(shown.drop(columns=["shown", "overflows"]))
        .mark_line(strokeWidth=1.5, point=alt.OverlayMarkDef(size=25))
        .encode(
            x=x,
            y=y,
            color=color,
            detail="trial:N",
            shape=axes.shape(strategies),
            tooltip=tooltip,
            opacity=axes.lit(picked, 0.9, 0.1),
        )
        .add_params(picked)
    )
    rest = (
        alt.Chart(lines.loc[~is_shown, ["label", "trial", "x", "y"]])
        .mark_line(color=axes.GREY, strokeWidth=1, opacity=0.35)
        .encode(x=x, y=y, detail=["label:N", "trial:N"], tooltip=tooltip)
    )
    layers = [rest, line]
    if len(stopped):
        layers += _stopped(stopped, x, y, lines, by_step)
    dropped = lines[lines["overflows"].fillna(0).astype(float) > 0]
    if len(dropped):
        layers.append(
            alt.Chart(dropped)
            .mark_tick(orient="vertical", thickness=2, size=10)
            .encode(
                x=x, y=alt.value(HEIGHT), color=color, tooltip=axes.tips("label:N cell; trial:Q; overflows:Q dropped")
            )
        )
    dashed: dict[str, Any] = {"color": axes.GREY, "strokeDash": [6, 4]}
    if by_step:
        asked = pd.DataFrame({"x": [0.0, float(lines["x"].max())]})
        layers.append(alt.Chart(asked).mark_line(**dashed).encode(x=x, y="x:Q"))
    else:
        asked = frame.loc[frame["kind"] == "sample", ["asked_connections"]].dropna().astype(float).drop_duplicates()
        layers.append(alt.Chart(asked).mark_rule(**dashed).encode(y="asked_connections:Q"))
    return alt.layer(*layers).properties(width="container", height=HEIGHT)


def _stopped(stopped: pd.DataFrame, x: alt.X, y: alt.Y, lines: pd.DataFrame, by_step: bool) -> list[alt.Chart]:
    """The limits: a rule where the strategy stopped, its name above it, apart where several stop close together."""
    top, most_x = float(lines["y"].max()), float(lines["x"].max())
    near = stopped.sort_values("y", kind="stable")
    near = near.assign(
        place=series.stacked(near["y"].astype(float).tolist(), top * 14 / HEIGHT),
        text=[f"{row['label']}: {show.count(row['y'])}, {row['note']}" for row in near.to_dict("records")],
    )
    base = alt.Chart(near).encode(x=x, tooltip=axes.tips("label:N cell; y:Q[,.0f] held; note:N limit"))
    is_left = by_step and float(stopped["x"].max()) < most_x / 2
    side: dict[str, Any] = {"align": "left", "dx": 8} if is_left else {"align": "right", "dx": -8}
    return [
        base.mark_point(shape="cross", angle=45, size=70, filled=True, color=axes.GREY).encode(y=y),
        base.mark_text(**side, baseline="bottom", color=axes.GREY).encode(y="place:Q", text="text:N"),
    ]
