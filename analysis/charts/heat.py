"""The heat map: how the responses of a trial lay in each second, so that pauses, modes and periods become visible."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.cells import told_apart
from analysis.charts import axes
from analysis.model import Dataset

NAME = "heat"
TITLE = "Response times, second by second"
READ = (
    "Across: time since the start; up: response time; bright: many of that moment's answers lay there, on one scale "
    "for all panels. A second bright band is a second mode; a bright column that reaches up is a pause. A triangle "
    "on top: not every request of that moment was answered. Left of the dashed line: the warm-up. One "
    "repetition each, the median at p99."
)
PANELS = 6
TIME_BINS = 30
PER_DECADE = 6
KEYS = ["label", "strategy", "trial", "warmup_s", "t_s"]
COLUMNS = ["kind", "label", "strategy", "trial", "t_s", "width_s", "low_ns", "high_ns", "share_percent", "warmup_s"]


def data(dataset: Dataset) -> pd.DataFrame:
    """Rows of kind `answers`: which share of the answers in [t_s, t_s + width_s) took low_ns to high_ns; and of
    kind `missing`: which share of the requests planned then was not answered (bounds nan)."""
    trials = series.good_trials(dataset)
    known = trials.merge(dataset.heat[["run", "trial"]].drop_duplicates(), on=["run", "trial"])
    chosen = series.median_trials(known, "response_p99_ns")
    ranked = chosen.sort_values("response_p99_ns", kind="stable", na_position="last")
    order = series.spread(ranked["label"].tolist(), PANELS)
    chosen = chosen.loc[chosen["label"].isin(order), ["run", "trial", "label", "strategy", "warmup"]]
    chosen = chosen.assign(warmup_s=chosen["warmup"].fillna(0).astype(float))
    bins = dataset.heat.merge(chosen, on=["run", "trial"])
    planned = dataset.seconds.merge(chosen, on=["run", "trial"])
    width = max(1, math.ceil((float(bins["k"].max()) + 1) / TIME_BINS)) if len(bins) else 1
    frame = pd.concat([_answers(bins, width), _missing(planned, width)], ignore_index=True)
    frame["rank"] = [order.index(label) for label in frame["label"]]
    return frame.sort_values(["rank", "kind", "t_s", "low_ns"], kind="stable")[COLUMNS].reset_index(drop=True)


def _answers(bins: pd.DataFrame, width: int) -> pd.DataFrame:
    """Seconds and bins together into fewer; a bin goes where its (geometric) middle lies."""
    step = np.floor(np.log10(np.sqrt(bins["low_ns"] * bins["high_ns"])) * PER_DECADE)
    made = bins.assign(t_s=bins["k"] // width * width, step=step)
    made = made.groupby([*KEYS, "step"], as_index=False, sort=False)[["count"]].sum()
    total = made.groupby(KEYS)["count"].transform("sum")
    return made.assign(
        kind="answers",
        width_s=width,
        low_ns=series.digits(10 ** (made["step"] / PER_DECADE), 3),
        high_ns=series.digits(10 ** ((made["step"] + 1) / PER_DECADE), 3),
        share_percent=series.digits(100 * made["count"].astype(float) / total.astype(float), 3),
    )


def _missing(seconds: pd.DataFrame, width: int) -> pd.DataFrame:
    made = seconds.assign(t_s=seconds["k"] // width * width)
    made = made.groupby(KEYS, as_index=False, sort=False)[["planned_requests", "answered_requests"]].sum()
    share = 100 * (1 - made["answered_requests"].astype(float) / made["planned_requests"].astype(float))
    made = made.assign(
        kind="missing", width_s=width, low_ns=math.nan, high_ns=math.nan, share_percent=series.digits(share, 3)
    )
    return made[made["share_percent"] > 0]


def caption(frame: pd.DataFrame) -> str:
    """The slowest moment after the warm-up, where answers are missing, and which panels are shown."""
    labels = list(dict.fromkeys(frame["label"]))
    frame = frame[frame["t_s"] >= frame["warmup_s"]]
    answers, missing = frame[frame["kind"] == "answers"], frame[frame["kind"] == "missing"]
    parts = []
    if len(answers):
        worst = answers.iloc[int(answers["high_ns"].argmax())]
        parts.append(
            f"The slowest answers, {show.time(worst['low_ns'])} to {show.time(worst['high_ns'])}, "
            f"came to {worst['label']} in the {_moment(worst['t_s'], worst['width_s'])}."
        )
    for label, share in missing.groupby("label", sort=False)["share_percent"].max().items():
        parts.append(f"{label} leaves up to {show.number(share)} % of a moment's requests unanswered.")
    return " ".join([*parts, f"Shown, fastest at p99 first: {'; '.join(labels)}."])


def _moment(t_s: float, width_s: float) -> str:
    return f"second from {t_s:g} s" if width_s == 1 else f"{width_s:g} s from {t_s:g} s"


def draw(frame: pd.DataFrame) -> alt.FacetChart:
    """Panels under each other: a facet cannot follow the width of the page, so that they are as wide as a telephone."""
    names = {
        "label": "label",
        "t_s": "t",
        "low_ns": "low",
        "high_ns": "high",
        "share_percent": "share",
        "warmup_s": "warm",
    }
    short = frame[list(names)].rename(columns=names)
    answers = short["low"].notna()
    top = float(short["high"].max())
    # Every row has its column's width: said once, in the expression.
    width = float(frame["width_s"].max())
    base = alt.Chart().transform_calculate(
        end=f"datum.t + {width}", low_text=axes.time_text("low"), high_text=axes.time_text("high")
    )
    x = alt.X("t:Q", title="seconds since the start", scale=alt.Scale(nice=False))
    scale = axes.log(domain=[float(short["low"].min()), top * 1.6])
    cells = (
        base.transform_filter("isValid(datum.low)")
        .mark_rect()
        .encode(
            x=x,
            x2="end:Q",
            y=alt.Y("low:Q", axis=axes.time_axis(None), scale=scale),
            y2="high:Q",
            color=alt.Color(
                "share:Q",
                title="% of its answers",
                scale=alt.Scale(type="log", scheme=alt.SchemeParams("viridis", extent=[0.12, 1])),
                legend=alt.Legend(orient="top", gradientLength=140, titleLimit=190, tickCount=4),
            ),
            tooltip=axes.tips("t:Q from s; low_text:N from; high_text:N to; share:Q % of the answers"),
        )
    )
    missing = (
        base.transform_filter("!isValid(datum.low)")
        .mark_point(shape="triangle-down", filled=True, color=axes.GREY)
        .encode(x=x, y=alt.datum(top * 1.3), tooltip=axes.tips("t:Q from s; share:Q % not answered"))
    )
    warm = base.mark_rule(color=axes.GREY, strokeWidth=2, strokeDash=[4, 3]).encode(x="max(warm):Q")
    layers = [cells] if answers.all() else [cells, missing]
    layers += [warm] if short["warm"].any() else []
    labels = list(dict.fromkeys(frame["label"]))
    told, common = told_apart(labels)
    return (
        alt.layer(*layers)
        .properties(width=260, height=110)
        .facet(
            data=short,
            facet=alt.Facet(
                "label:N",
                title=common or None,
                sort=labels,
                header=alt.Header(labelExpr=axes.renamed(told), titleAnchor="start"),
            ),
            columns=1,
        )
    )
