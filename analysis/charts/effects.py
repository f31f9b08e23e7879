"""How sure we are: each strategy against the baseline, with its interval, every block, and the noise floor."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers.doubt import CONTRASTS, doubts
from analysis.answers.shown import is_forbidden, undetermined
from analysis.cells import by_key
from analysis.charts import axes
from analysis.estimates import figures_of_trials
from analysis.metrics import METRICS, PRIMARY
from analysis.model import Dataset

NAME, TITLE = "effects", "How sure is that? Efficiency"
READ = (
    "Each row is a ratio to the baseline: the diamond is its estimate, the dark line its 95 % interval, the thin "
    "line the interval that also holds beside all the other comparisons (Holm's step): that one decides the word at "
    "the right. Each faint dot is one block. The grey band is what counts as equal, as the run stated it beforehand. A "
    "thin line that crosses 1 leaves it open who is better. What reaches beyond the axis is cut at its edge. "
    + axes.HOLLOW
)
WIDEST = 100.0  # ratios are drawn from 1/100 to 100; an interval beyond is cut at the edge


def data(dataset: Dataset, metric: str = PRIMARY) -> pd.DataFrame:
    """One row per comparison of a metric that can be made, the best first; `_blocks` holds the ratio of each block."""
    found = dataset.contrasts[(dataset.contrasts["metric"] == metric) & dataset.contrasts["ratio"].notna()]
    found = found[found["cell"] != found["baseline"]]
    if found.empty:
        return pd.DataFrame()
    label, doubt = by_key(dataset.cells), doubts(dataset)
    figures = figures_of_trials(dataset)
    figures = figures[~figures["control"]]
    by_block = figures.set_index(["run", "cell", "metric", "beside", "block"])["value"].sort_index()
    rows = []
    for row in found.to_dict("records"):
        pair = (row["cell"], row["baseline"])
        is_duet = figures.loc[(figures["run"] == row["run"]), "beside"].any()
        ours, theirs = (
            by_block.loc[(row["run"], own, row["metric"], other if is_duet else "")]
            for own, other in (pair, pair[::-1])
        )
        blocks = (ours / theirs).dropna()
        sides = dict.fromkeys((row["cell"], row["baseline"]))
        forbid = dict.fromkeys(x for c in sides for m in (metric, CONTRASTS) for x in doubt.get((row["run"], c, m), ()))
        rows.append(
            {
                "metric": METRICS[row["metric"]].title,
                "label": label[row["run"], row["cell"]],
                "baseline": label[row["run"], row["baseline"]],
                "verdict": row["verdict"],
                "why": undetermined(float(row["low"]), float(row["high"]), " ".join(forbid)),
                "n": int(row["n"]),
                **{
                    name: float(row[name])
                    for name in ("margin", "noise_floor", "ratio", "low", "high", "family_low", "family_high", "p_holm")
                },
                "_blocks": [float(value) for value in blocks],
            }
        )
    is_ascending = not METRICS[metric].higher_is_better
    return pd.DataFrame(rows).sort_values("ratio", ascending=is_ascending, kind="stable", ignore_index=True)


def draw(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """A forest: band, blocks, both intervals, estimate, word."""
    drawn = rows.drop(columns=["_blocks", "metric"]).copy()
    for name in ("low", "high", "family_low", "family_high"):
        drawn[name] = np.clip(drawn[name].astype(float), 1 / WIDEST, WIDEST)
    y = axes.rows(drawn)
    drawn["word"] = (drawn["verdict"] + " " + drawn["why"]).str.strip()
    baseline = rows["baseline"].iloc[0] if rows["baseline"].nunique() == 1 else "baseline"
    least, most = _range(drawn)
    x = axes.log(domain=[least, most], clamp=True)
    axis = alt.Axis(
        title=[f"{rows['metric'].iloc[0]},", f"× {baseline}"], format="~g", values=axes.ticks(least, most),
        labelOverlap=True,
    )  # fmt: skip
    margin = float(rows["margin"].max())
    band = pd.DataFrame({"low": [max(least, 1 / (1 + margin))], "high": [min(most, 1 + margin)]})
    dots = pd.DataFrame(
        [(row["label"], value) for row in rows.to_dict("records") for value in row["_blocks"]],
        columns=["label", "block"],
    )
    tooltip = axes.tips("label:N; ratio:Q[.3~g]; low:Q[.3~g]; high:Q[.3~g]; verdict:N; p_holm:Q[.2~g]; n:Q; why:N")
    base = alt.Chart(drawn).encode(y=y)
    colour = alt.Color(
        "verdict:N",
        title=None,
        legend=alt.Legend(orient="top", symbolType="diamond"),
        scale=alt.Scale(
            domain=["better", "equivalent", "inconclusive", "worse"], range=["#1f9158", "#0f8f9c", "#6f8199", "#d8463b"]
        ),
    )
    return alt.layer(
        alt.Chart(band)
        .mark_rect(color=axes.GREY, opacity=0.18)
        .encode(x=alt.X("low:Q", scale=x, axis=axis), x2="high:Q"),
        alt.Chart(pd.DataFrame({"one": [1.0]})).mark_rule(color=axes.GREY).encode(x=alt.X("one:Q", scale=x)),
        base.mark_rule(strokeWidth=1).encode(x=alt.X("family_low:Q", scale=x), x2="family_high:Q", color=colour),
        base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", scale=x), x2="high:Q", color=colour),
        alt.Chart(dots)
        .mark_point(size=16, opacity=0.7, color=axes.GREY, filled=True)
        .encode(x=alt.X("block:Q", scale=x), y=y),
        base.mark_point(size=70, shape="diamond", opacity=1).encode(
            x=alt.X("ratio:Q", scale=x), stroke=colour, fill=colour, fillOpacity=axes.filled(), tooltip=tooltip
        ),
        base.mark_text(align="left", dx=6).encode(x=alt.value("width"), text="word:N"),
    ).properties(width="container", height=axes.rows_height(drawn))


def _range(drawn: pd.DataFrame) -> tuple[float, float]:
    """Twice as wide as the single intervals ask for: the family's may go beyond, and are cut."""
    least, most = min(0.9, float(drawn["low"].min())), max(1.1, float(drawn["high"].max()))
    return max(1 / WIDEST, least / 1.3), min(WIDEST, most * 1.3)


def caption(frame: pd.DataFrame) -> str:
    """How many are better, worse, equivalent; and where nothing could be decided, how few blocks that is."""
    counts = frame.loc[~frame["why"].map(is_forbidden), "verdict"].value_counts()
    forbidden = int(frame["why"].map(is_forbidden).sum())
    told = [f"{counts[word]} {word}" for word in ("better", "worse", "equivalent", "inconclusive") if word in counts]
    baseline = frame["baseline"].iloc[0] if frame["baseline"].nunique() == 1 else "the baseline of the same load"
    told += [f"{forbidden} on which findings forbid a word"] if forbidden else []
    text = f"Against {baseline}, in {frame['metric'].iloc[0]}: {', '.join(told)}."
    if not np.isnan(floor := float(frame["noise_floor"].max())):
        text += f" Two measurements of one thing differ by up to {show.number(100 * floor, most=2)} % here."
    open_ = frame.loc[frame["verdict"] == "inconclusive", "n"]
    blocks = int(open_.max()) if len(open_) else 0
    if 0 < blocks < 6:
        text += (
            f" With {blocks} block{'s' if blocks > 1 else ''} and "
            f"{f'{len(frame)} comparisons at once' if len(frame) > 1 else 'one comparison'} few "
            "differences can be decided: repeat it with -e repetitions=10, or compare fewer."
        )
    return text
