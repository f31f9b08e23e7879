"""What a held connection costs the server: memory."""

from __future__ import annotations

import altair as alt
import pandas as pd

from analysis.answers import series
from analysis.answers.shown import bracketed, is_forbidden
from analysis.charts import axes, cost
from analysis.findings import some
from analysis.model import Dataset

NAME, TITLE = "memory", "What a connection costs the server"
READ = (
    "Growth of the server's resident memory for each connection that it holds, on a logarithmic axis, least first; "
    "the line spans the 95 % interval, of two repetitions their range. No row where the growth is too small to tell "
    "from the interpreter's own unrest. What the kernel keeps for a socket is not in it. " + axes.HOLLOW
)
COLOUR, MOST_NAMED = "#d06a00", 3
NOTHING = "may be nothing"  # its interval holds 0


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per good cell whose memory is known, least first; `why` nothing may rest on its figure."""
    frame = cost.of_cells(dataset, "memory")
    frame = frame[["label", "strategy", "memory_bytes", "memory_low_bytes", "memory_high_bytes", "why"]]
    is_known = frame["memory_bytes"] > 0
    frame = frame[is_known].sort_values("memory_bytes", kind="stable", ignore_index=True)
    frame["why"] = frame["why"].where(frame["why"].ne("") | ~(frame["memory_low_bytes"] <= 0), NOTHING)
    known = set(frame["label"])
    frame.attrs["none"] = [one for one in dict.fromkeys(series.good_trials(dataset)["label"]) if one not in known]
    return frame


def draw(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """A dot and its interval a row."""
    ends = frame[["memory_bytes", "memory_low_bytes", "memory_high_bytes"]].astype(float)
    least, most = float(ends[ends > 0].min().min()) / 1.2, float(ends.max().max()) * 1.2
    shown = frame.assign(
        memory_low_bytes=ends["memory_low_bytes"].clip(lower=least), end=ends.max(axis=1)
    )  # an interval that holds 0 goes to the edge of the axis
    if frame["why"].any():
        most *= (most / least) ** 0.8
    x = alt.X(
        "memory_bytes:Q",
        title="memory per connection, bytes",
        scale=axes.log(domain=[least, most]),
        axis=alt.Axis(format=",~f", values=axes.ticks(least, most), labelOverlap=True),
    )
    dots = alt.Chart(shown).encode(y=axes.rows(frame))
    return alt.layer(
        dots.mark_rule(strokeWidth=1.5, color=axes.GREY).encode(x="memory_low_bytes:Q", x2="memory_high_bytes:Q"),
        dots.mark_point(size=60, shape="diamond", stroke=COLOUR, fill=COLOUR, opacity=1).encode(
            x=x, fillOpacity=axes.filled(), tooltip=axes.tips("label:N; memory_bytes:Q[,.0f]; why:N")
        ),
        axes.hollow(dots, "end"),
    ).properties(width="container", height=axes.rows_height(frame))


def caption(frame: pd.DataFrame) -> str:
    """The least and the most of those of which it may be said, and which have no figure."""
    none = frame.attrs.get("none", ())
    rest = f" No figure for {some(none, ', ', MOST_NAMED)}." if none else ""
    known = frame[~frame["why"].map(is_forbidden) & frame["why"].ne(NOTHING)]
    if known.empty:
        return f"What a connection takes is not known: {', '.join(dict.fromkeys(frame['why']))}.{rest}"
    least, most = known.iloc[0], known.iloc[-1]
    low, high = (_bytes(row) for row in (least, most))
    more = f", {high} with {most['label']}" if len(known) > 1 else ""
    return f"A connection takes {low} of the server's memory with {least['label']}{more}.{rest}"


def _bytes(row: pd.Series) -> str:
    value, low, high = (float(row[f"memory{end}_bytes"]) for end in ("", "_low", "_high"))
    return bracketed(value, low, high, " B")
