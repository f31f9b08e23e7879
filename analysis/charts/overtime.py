"""Second by second what a trial of each strategy did: replies, response, CPU, errors, accept queue, on one axis."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.charts import axes
from analysis.model import Dataset

NAME, TITLE = "overtime", "Second by second"
READ = (
    "Across: seconds since the start, the warm-up shaded; a point stands in the middle of its second. One line a cell, "
    "of its repetition that is the median at p99; of many cells some, from the fastest to the slowest. Replies: by the "
    "second in which they arrived, in older runs by that in which their request was due. p99: of the requests due in a "
    "second, missing where it rests on too few or lies among those never answered. CPU: of the server's processes, "
    "from one sample to the next. Errors: requests of that second without a right reply in time. Queue: the longest "
    "accept queue of a sample."
)
PANELS = {  # kind: title of its axis
    "replies_per_s": "replies/s", "p99_ms": "p99, ms", "cpu_percent": "CPU, %", "errors_per_s": "errors/s",
    "queue": "queue",
}  # fmt: skip
QUIET = {  # drawn only where there are any
    "errors_per_s": "every request had its reply in time", "queue": "no sample found a connection waiting",
}  # fmt: skip
WORST = ("p99_ms", "queue")  # kinds of which several seconds together keep the largest; of the others the mean
MOST_POINTS = 360  # of a line, which is already more than its panel has room for
KEY = ["run", "trial"]
COLUMNS = ["kind", "label", "strategy", "trial", "t_s", "value", "warmup_s"]
SHOWN = 6


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per kind of PANELS, strategy and second `t_s` since the start: its value there."""
    trials = series.median_trials(series.good_trials(dataset), "response_p99_ns")
    ranked = trials.sort_values("response_p99_ns", kind="stable", na_position="last")
    order = series.spread(ranked["label"].tolist(), SHOWN)
    rest = len(ranked) - len(order)
    trials = ranked.loc[ranked["label"].isin(order), [*KEY, "label", "strategy", "warmup"]]
    trials = trials.assign(warmup_s=trials["warmup"].fillna(0).astype(float), rank=range(len(trials)))
    frame = pd.concat([_seconds(dataset, trials), _samples(dataset, trials)], ignore_index=True)
    frame = frame.dropna(subset=["value"]).assign(value=lambda told: series.digits(told["value"]))
    frame, width_s = _thinned(frame)
    kept = frame.groupby("kind")["value"].transform("max") > 0
    quiet = [words for kind, words in QUIET.items() if (frame.loc[~kept, "kind"] == kind).any()]
    frame = frame[kept | ~frame["kind"].isin(QUIET)].copy()
    frame["place"] = frame["kind"].map({kind: place for place, kind in enumerate(PANELS)})
    frame = frame.sort_values(["place", "rank", "t_s"], kind="stable")[COLUMNS].reset_index(drop=True)
    frame.attrs |= {"quiet": quiet, "rest": rest, "width_s": width_s}
    return frame


def _thinned(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The frame with as many seconds together in a point as a long trial needs, and how many that are."""
    width_s = max(1, math.ceil(frame["t_s"].max() / MOST_POINTS)) if len(frame) else 1
    if width_s == 1:
        return frame, width_s
    bins = (frame["t_s"] // width_s + 0.5) * width_s
    names = [name for name in frame.columns if name not in ("t_s", "value")]
    groups = frame.assign(t_s=bins).groupby([*names, "t_s"], sort=False, dropna=False)["value"]
    made = groups.agg(mean="mean", most="max").reset_index()
    made["value"] = series.digits(made["most"].where(made["kind"].isin(WORST), made["mean"]))
    return made.drop(columns=["mean", "most"]), width_s


def _seconds(dataset: Dataset, trials: pd.DataFrame) -> pd.DataFrame:
    """What the clients tell of each second, the warm-up and the load; one second may have some of both."""
    table = dataset.seconds.merge(trials, on=KEY)
    counts = ["answered_requests", "planned_requests", *(["arrived_requests"] if "arrived_requests" in table else [])]
    own = table.groupby([*KEY, "label", "strategy", "warmup_s", "rank", "k"], as_index=False, sort=False).agg(
        **{name: (name, lambda told: told.astype(float).sum(min_count=len(told))) for name in counts},
        p99_ms=("response_p99_ns", "max"),
    )
    own["replies_per_s"] = own["answered_requests"]
    if "arrived_requests" in own:
        # Of one trial either all seconds tell it, or none.
        known = own.groupby(KEY)["arrived_requests"].transform(lambda told: told.notna().all())
        own["replies_per_s"] = own["arrived_requests"].where(known, own["answered_requests"])
    own["errors_per_s"] = own["planned_requests"] - own["answered_requests"]
    own["p99_ms"] = (own["p99_ms"] / 1e6).where(own["p99_ms"] < float("inf"))
    return _long(own.assign(t_s=own["k"].astype(float) + 0.5), ("replies_per_s", "p99_ms", "errors_per_s"))


def _samples(dataset: Dataset, trials: pd.DataFrame) -> pd.DataFrame:
    """What the server's agent saw while requests were due: CPU between two samples, half way between them, and the
    longest queue of each."""
    table = dataset.server_samples.merge(trials, on=KEY)
    ends = dataset.seconds.groupby(KEY)["k"].max().add(1).astype(float).rename("end_s").reset_index()
    table = table.merge(ends, on=KEY, how="left").fillna({"end_s": float("inf")})
    table = table[table["t_s"] >= -1].sort_values([*KEY, "t_s"], kind="stable")
    busy = (table["cpu_user_ns"].astype(float) + table["cpu_system_ns"].astype(float)).groupby(table["rank"]).diff()
    table["cpu_percent"] = 100 * busy / (1e9 * table.groupby("rank")["t_s"].diff())
    table.loc[table["cpu_percent"] < 0, "cpu_percent"] = float("nan")  # a process went, and its counter with it
    queues = dataset.listen_queue.groupby([*KEY, "t_s"])["length"].max().rename("queue").reset_index()
    table = table.merge(queues, on=[*KEY, "t_s"], how="left")
    # The CPU time of the sample at the start is that of arming.
    table["cpu_percent"] = table["cpu_percent"].where(table["t_s"] > 0.5)
    half = table.assign(t_s=table["t_s"] - table.groupby("rank")["t_s"].diff() / 2)
    parts = [
        _long(own[(own["t_s"] >= 0) & (own["t_s"] <= own["end_s"])].round({"t_s": 2}), (kind,))
        for own, kind in ((half, "cpu_percent"), (table, "queue"))
    ]
    return pd.concat(parts, ignore_index=True)


def _long(table: pd.DataFrame, kinds: tuple[str, ...]) -> pd.DataFrame:
    names = [*KEY, "label", "strategy", "warmup_s", "rank", "t_s"]
    return table[[*names, *kinds]].astype(dict.fromkeys(kinds, float)).melt(names, list(kinds), "kind", "value")


def caption(frame: pd.DataFrame) -> str:
    """Between what the replies of a second lay after the warm-up, for each, and what was without trouble."""
    width_s = int(frame.attrs.get("width_s", 1))
    begins = frame["t_s"] - (width_s - 1) / 2
    rate = frame[(frame["kind"] == "replies_per_s") & (begins >= frame["warmup_s"])]
    parts = [
        f"{label}: {show.number(own.min())} to {show.number(own.max())}"
        for label, own in rate.groupby("label", sort=False)["value"]
    ]
    quiet = [f"{words[0].upper()}{words[1:]}." for words in frame.attrs.get("quiet", ())]
    of = f", the mean of {width_s}" if width_s > 1 else ""
    text = f"Replies in a second{of}, least to most after the warm-up: {'; '.join(parts)}." if parts else ""
    wide = [f"A point is {width_s} seconds: their worst p99 and queue, else their mean."] if width_s > 1 else []
    rest = int(frame.attrs.get("rest", 0))
    few = [f"{frame['label'].nunique()} of {frame['label'].nunique() + rest} cells are shown."] if rest else []
    return " ".join([text, *quiet, *wide, *few]).strip()


def draw(frame: pd.DataFrame) -> alt.VConcatChart:
    """A panel for each kind, under each other."""
    shown = [kind for kind in PANELS if kind in set(frame["kind"])]
    end = math.ceil(frame["t_s"].max())
    scale = alt.Scale(domain=[0, max(1, end)], nice=False)
    picked = axes.pick(legend=frame["label"].nunique() == frame["strategy"].nunique())
    frame, encoded = axes.lines_apart(frame)
    shade = pd.DataFrame({"from": 0.0, "to": frame["warmup_s"].drop_duplicates(), "text": "warm-up"})
    shade = shade[shade["to"] > 0]
    panels = []
    for kind in shown:
        own = frame[frame["kind"] == kind]
        last = kind == shown[-1]
        legend = kind == shown[0]
        axis = alt.Axis(title="seconds since the start" if last else None, labels=last, tickMinStep=1, format="d")
        x = alt.X("t_s:Q", scale=scale, axis=axis)
        lines = (
            alt.Chart(own[["label", "name", "strategy", "t_s", "value"]])
            .mark_line(strokeWidth=1.5, point=alt.OverlayMarkDef(size=14))
            .encode(
                x=x,
                y=alt.Y(
                    "value:Q", title=PANELS[kind], scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4, format=",~f")
                ),
                **encoded(legend),
                detail="label:N",
                opacity=axes.lit(picked),
                tooltip=axes.tips(f"label:N; t_s:Q second; value:Q[,.4~r] {PANELS[kind]}"),
            )
        )
        lines = lines.add_params(picked) if legend else lines
        warm = alt.Chart(shade).encode(x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q")
        word = warm.mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=axes.GREY)
        told = [word.encode(y=alt.value(90), text="text:N")] if legend else []
        layers = [warm.mark_rect(color=axes.GREY, opacity=0.15), lines, *told]
        panels.append(alt.layer(*(layers if len(shade) else [lines])).properties(width=260, height=90))
    made: alt.VConcatChart = alt.vconcat(*panels, spacing=14).resolve_scale(color="shared", strokeDash="shared")
    return made
