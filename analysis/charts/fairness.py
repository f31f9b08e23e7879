"""How evenly the processes of a server share the connections: each one's share against the fair one, and Jain's
index."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.charts import axes
from analysis.model import Dataset
from analysis.statistics.fairness import jain

NAME = "fairness"
TITLE = "Connections per worker"
READ = (
    "Each point is one worker process in one repetition: the connections that it accepted as a multiple of its fair "
    "share. All at 1×: the kernel spread them evenly; the further right, the more of the load one process carries."
)
WORKERS_SHOWN = 32
EVEN = 0.1
COLUMNS = ["label", "strategy", "trial", "worker", "workers", "accepted_connections", "times_fair_share", "jain_index"]


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per worker and repetition, the unfairest cell first; of many workers the least and the most loaded."""
    table = dataset.workers.merge(
        series.good_trials(dataset)[["run", "trial", "label", "strategy"]], on=["run", "trial"]
    )
    parts = []
    for _, members in table.groupby(["run", "trial"], sort=False):
        accepted = members["accepted"].fillna(0).to_numpy(dtype=float)
        if len(accepted) < 2 or accepted.sum() == 0:
            continue
        made = members.assign(
            workers=len(accepted),
            accepted_connections=members["accepted"].fillna(0),
            times_fair_share=accepted / accepted.mean(),
            jain_index=round(jain(accepted), 4),
        )
        places = np.unique(np.linspace(0, len(made) - 1, min(len(made), WORKERS_SHOWN)).round().astype(int))
        parts.append(made.sort_values("accepted_connections", kind="stable").iloc[places].sort_values("worker"))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.concat(parts, ignore_index=True)
    frame["times_fair_share"] = series.digits(frame["times_fair_share"])
    rank = frame.groupby("label")["jain_index"].transform("median")
    order = frame.assign(rank=rank).sort_values(["rank", "label", "trial", "worker"], kind="stable")
    return order[COLUMNS].reset_index(drop=True)


def is_quiet(frame: pd.DataFrame) -> bool:
    """No worker is further than a tenth from its fair share."""
    return bool((frame["times_fair_share"] - 1).abs().max() <= EVEN)


def caption(frame: pd.DataFrame) -> str:
    """Fairest and least fair, by the median over repetitions of Jain's index."""
    index = frame.drop_duplicates(["label", "trial"]).groupby("label", sort=False)["jain_index"].median()
    most = frame.iloc[int(frame["times_fair_share"].argmax())]
    text = f"Jain's index of fairness is {index.max():.3f} for {index.idxmax()}"
    if len(index) > 1:
        text += f" and {index.min():.3f} for {index.idxmin()}"
    return (
        f"{text} (1: all workers accept the same). The busiest worker, of {most['label']}, took "
        f"{show.number(most['times_fair_share'])} times its fair share."
    )


def draw(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    picked = axes.pick(legend=False)
    points = (
        alt.Chart(frame)
        .mark_point(size=45, strokeWidth=1.5, filled=False)
        .encode(
            x=alt.X("times_fair_share:Q", title="accepted, × the fair share", scale=alt.Scale(domainMin=0)),
            y=axes.rows(frame),
            color=axes.color(frame["strategy"].tolist(), None),
            opacity=axes.lit(picked, 0.9),
            tooltip=axes.tips(
                "label:N cell; trial:Q; worker:Q; workers:Q; accepted_connections:Q[,] accepted; "
                "times_fair_share:Q × fair share; jain_index:Q Jain's index"
            ),
        )
        .add_params(picked)
    )
    fair = alt.Chart(pd.DataFrame({"fair": [1.0]})).mark_rule(color=axes.GREY, strokeDash=[6, 4]).encode(x="fair:Q")
    return alt.layer(fair, points).properties(width="container", height=axes.rows_height(frame))
