"""The generator's honesty: what each client says of itself, and whether the result hangs on one of them."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from analysis import format as show
from analysis import histograms
from analysis.answers import series
from analysis.ceilings import ceilings, sent_per_s
from analysis.charts import axes
from analysis.ingest.latency import PERCENTILES
from analysis.model import Dataset

NAME = "honesty"
TITLE = "May the generator be trusted?"
READ = (
    "Each point is one client in one repetition: how late the generator sent (across) against the response that it "
    "measured (up), both at p99. On the dashed line the generator's own lateness is all that was measured; well "
    "above it the server is. The shapes are the clients."
)
FIGURES = [
    "lag_p50_ns", "lag_p99_ns", "response_p99_ns", "merged_p99_ns", "without_p99_ns", "change_percent", "cpu_percent",
    "ceiling_percent",
]  # fmt: skip
P99 = PERCENTILES["p99"]


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per client and repetition; none where no client of a good trial tells both how late it was and how late
    the answers were. `without_p99_ns`: of the other clients' requests; `change_percent`: of it
    to the p99 of all. `cpu_percent`: CPU time over wall time and processes; `ceiling_percent`: sent, of its ceiling."""
    key = ["run", "trial"]
    trials = series.good_trials(dataset)[[*key, "label", "strategy", "counted_by", "window_s"]]
    frame = dataset.generators.drop(columns="ceiling_per_s").merge(trials, on=key)
    table = ceilings(dataset)
    known = table.loc[~table["is_refuted"], ["run", "host", "ceiling_per_s"]]
    frame = frame.merge(known, on=["run", "host"], how="left").merge(
        leave_one_out(dataset, trials), on=[*key, "host"], how="left"
    )
    wall = frame["wall_ns"] * frame["processes"].astype("Float64").fillna(1).astype(float)
    frame["cpu_percent"] = 100 * (frame["cpu_user_ns"] + frame["cpu_system_ns"]) / wall
    sent = pd.Series([sent_per_s(row) for row in frame.to_dict("records")], index=frame.index, dtype=float)
    frame["ceiling_percent"] = 100 * sent / frame["ceiling_per_s"]
    frame["change_percent"] = 100 * (frame["without_p99_ns"] / frame["merged_p99_ns"] - 1)
    for name in FIGURES:
        frame[name] = series.digits(frame[name])
    is_known = frame[["lag_p99_ns", "response_p99_ns"]].replace(np.inf, np.nan).notna().all(axis=1)
    return (frame if is_known.any() else frame.iloc[:0])[["label", "strategy", "trial", "host", *FIGURES]].reset_index(
        drop=True
    )


def leave_one_out(dataset: Dataset, trials: pd.DataFrame) -> pd.DataFrame:
    """Per run, trial and host: the p99 over planned requests of all clients, and of all but this one; ns, nan where it
    rests on too few requests or there is no other client."""
    key = ["run", "trial"]
    table = dataset.histograms[dataset.histograms["kind"] == "response"].merge(trials[key], on=key)
    planned = dataset.intervals[dataset.intervals["phase"] == "load"].groupby([*key, "host"])["planned_requests"].sum()
    rows = []
    for (run, n), members in table.groupby(key, sort=False):
        counts = {str(host): series.counts(rest) for host, rest in members.groupby("host")}
        asked = {host: int(planned.get((run, n, host), 0)) for host in counts}
        whole, total = histograms.add(counts.values()), sum(asked.values())
        for host, one in counts.items():
            rest = _p99(whole - one, total - asked[host]) if len(counts) > 1 else math.nan
            rows.append(
                {"run": run, "trial": n, "host": host, "merged_p99_ns": _p99(whole, total), "without_p99_ns": rest}
            )
    return pd.DataFrame(rows, columns=[*key, "host", "merged_p99_ns", "without_p99_ns"]).astype({"trial": "Int64"})


def _p99(counts: histograms.Counts, planned: int) -> float:
    if histograms.tail(planned, P99) < histograms.WITHHELD_BELOW:
        return math.nan
    return histograms.percentile_ns(counts, planned, P99)


def caption(frame: pd.DataFrame) -> str:
    """How late it sent, what share of the response that is, CPU and ceiling, and the client that moves p99 most."""
    parts = []
    lag = frame["lag_p99_ns"].dropna()
    if len(lag):
        worst = frame.iloc[int(frame["lag_p99_ns"].argmax())]
        parts.append(
            f"The generators sent {show.time(lag.median())} late at p99 (median of {len(lag)} client reports; "
            f"at worst {show.time(lag.max())}, {worst['host']} under {worst['label']})."
        )
    share = (100 * frame["lag_p99_ns"] / frame["response_p99_ns"]).replace(np.inf, np.nan).dropna()
    if len(share):
        part = show.number(share.median(), most=2)
        parts.append(f"It is {part} % of the p99 response that the same client measured (median).")
    busy = frame["cpu_percent"].dropna()
    if len(busy):
        parts.append(f"The busiest client used {show.number(busy.max(), most=2)} % of a CPU per process.")
    near = frame["ceiling_percent"].dropna()
    asked = f"At most {show.number(near.max(), most=2)} % of a client's measured ceiling was asked of it."
    parts.append(asked if len(near) else "No ceiling is known.")
    change = frame["change_percent"].replace([np.inf, -np.inf], np.nan).dropna()
    if len(change):
        most = frame.loc[change.index].iloc[int(change.abs().argmax())]
        parts.append(
            f"Leaving one client out moves p99 by at most {show.number(abs(most['change_percent']), most=2)} % "
            f"({most['host']} under {most['label']}), {show.number(change.abs().median(), most=2)} % in the median."
        )
    return " ".join(parts)


def draw(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    drawn = frame.drop(columns=["merged_p99_ns", "without_p99_ns"]).replace([np.inf, -np.inf], np.nan)
    drawn = drawn.dropna(subset=["lag_p99_ns", "response_p99_ns"])
    both = drawn[["lag_p99_ns", "response_p99_ns"]]
    ends = pd.DataFrame({"at": [float(both.min().min()), float(both.max().max())] if len(drawn) else []})
    log = axes.log(zero=False, padding=10)
    x = alt.X("lag_p99_ns:Q", axis=axes.time_axis("the generator's own lag, p99", drawn["lag_p99_ns"]), scale=log)
    y = alt.Y("response_p99_ns:Q", axis=axes.time_axis("response, p99", drawn["response_p99_ns"]), scale=log)
    picked = axes.pick(legend=False)
    points = (
        alt.Chart(drawn)
        .transform_calculate(lag=axes.time_text("lag_p99_ns"), response=axes.time_text("response_p99_ns"))
        .mark_point(size=45)
        .encode(
            x=x,
            y=y,
            color=axes.color(frame["strategy"].tolist(), None),
            shape=alt.Shape("host:N", title=None, legend=alt.Legend(orient="top")),
            opacity=axes.lit(picked, 0.9, 0.1),
            tooltip=axes.tips(
                "label:N cell; host:N client; trial:Q; lag:N lag p99; response:N response p99; "
                "change_percent:Q p99 without it, %; cpu_percent:Q % of a CPU; ceiling_percent:Q % of its ceiling"
            ),
        )
        .add_params(picked)
    )
    same = alt.Chart(ends).mark_line(color=axes.GREY, strokeDash=[6, 4]).encode(x="at:Q", y="at:Q")
    return alt.layer(same, points).properties(width="container", height=300)
