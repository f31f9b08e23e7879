"""From a dataset to one HTML file: charts made, parts filled, template printed."""

from __future__ import annotations

import base64
import gzip
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert
from markupsafe import Markup

from analysis import format as show
from analysis.answers import limit
from analysis.answers.claims import claims, otherwise
from analysis.answers.doubt import warnings
from analysis.answers.headline import headline
from analysis.answers.shown import SAYS_NOTHING
from analysis.answers.trust import counts, located, trust
from analysis.cells import by_key
from analysis.charts import registry, theme
from analysis.charts.registry import Chart
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.report import again, tables, words
from analysis.whole import write_whole

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" if (ROOT / "run_benchmark.yml").exists() else None  # of the checkout, where it is one

ABOUT_GENERATORS = ("honesty",)  # charts that belong to the validity of a run
# A picture has one description, its own; and the page one font. What is not told otherwise is opaque.
SAID_TWICE = re.compile(r' (?:(?:aria-[a-z]+|role|font-family|pointer-events)="[^"]*"|opacity="1")')
MOST_DOUBTS = 3
COMPARED = ("efficiency", "p50", "p99", "memory")


@dataclass(frozen=True)
class Section:
    """A chart with everything about it."""

    chart: Chart
    svg: str
    spec: dict[str, Any]  # Vega-Lite, without a theme: the page puts on the one it is seen in
    table: tables.Table
    download: tables.Download


def html(dataset: Dataset) -> str:
    """The report as text of one HTML file that needs nothing else. The same dataset gives the same text."""
    page = build(dataset)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_visible
    )
    template = environment.from_string(_asset("templates/report.html.j2"))
    specs = {section.chart.name: section.spec for section in (*page["charts"], *page["honesty"])}
    return template.render(
        page,
        css=_asset("assets/report.css"),
        script=_asset("assets/report.js"),
        vega=_bundle(),
        payload=_packed({"specs": specs, "light": theme.config(False), "dark": theme.config(True)}),
        json=json.dumps,
    )


def _visible(value: object) -> object:
    """What the template prints of a text: no control character of a file's."""
    return show.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def build(dataset: Dataset) -> dict[str, Any]:
    """The parts of the page, by the names that the template has for them."""
    charts = registry.make_all(dataset)
    glance = next((chart for chart in charts if chart.drawing is None), None)
    sections = [_section(chart, theme.document(chart.drawing)) for chart in charts if chart.drawing is not None]
    env, apart = words.places(dataset)
    frames = {"glance": glance.frame} if glance else {}
    frames |= {name: dataset.tables[name] for name in ("trials", "cells", "estimates", "contrasts", "findings")}
    return {
        "title": f"C10K benchmark: {', '.join(dataset.runs['run'])}",
        "headline": headline(dataset),
        "trust": trust(dataset),
        "counts": counts(dataset),
        "doubts": warnings(dataset, MOST_DOUBTS),
        "claims": claims(dataset),
        "otherwise": otherwise,
        "keep": limit.keep(dataset),
        "glance": glance,
        "glance_table": tables.glance(glance.frame) if glance else None,
        "charts": [one for one in sections if one.chart.name not in ABOUT_GENERATORS],
        "honesty": [one for one in sections if one.chart.name in ABOUT_GENERATORS],
        "comparisons": _comparisons(dataset),
        "findings": located(dataset),
        "errors": _errors(dataset),
        "limits": words.limits(dataset),
        "methods": words.methods(dataset),
        "environment": env,
        "differences": apart,
        "downloads": [tables.download(name, frame) for name, frame in frames.items()],
        "notes": dataset.notes,
        "commands": again.commands(dataset),
    }


def _section(chart: Chart, document: dict[str, Any]) -> Section:
    spec = {name: value for name, value in document.items() if name != "config"}
    return Section(
        chart,
        _static(chart, document),
        spec | {"description": show.visible(chart.caption)},
        tables.of_frame(chart.frame, f"The numbers of: {chart.title}"),
        tables.download(chart.name, chart.frame),
    )


def _static(chart: Chart, document: dict[str, Any]) -> str:
    """The picture that is there before and without any script; its ids are its own among those of the page."""
    svg = theme.svg(theme.themed(document))
    label = str(Markup.escape(f"{chart.title}. {show.visible(chart.caption)}"))
    svg = theme.ID.sub(rf"\g<1>{chart.name}-\g<2>", SAID_TWICE.sub("", svg))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _comparisons(dataset: Dataset) -> list[tables.Table]:
    """Per metric every comparison with the baseline, in words and numbers."""
    label = by_key(dataset.cells)
    made = []
    for name in COMPARED:
        rows = [
            {
                "strategy": label[row["run"], row["cell"]] + (" (control)" if row["cell"] == row["baseline"] else ""),
                "baseline": label.get((row["run"], row["baseline"]), ""),
                "ratio": show.number(float(row["ratio"])),
                "95 % interval": _interval(row["low"], row["high"]),
                "beside all others": _interval(row["family_low"], row["family_high"]),
                "p": _p(row["p"]),
                "p (Holm)": _p(row["p_holm"]),
                "equal within": f"{show.number(100 * float(row['margin']), most=2)} %",
                "blocks": row["n"],
                "verdict": row["verdict"] if pd.isna(row["why"]) else f"{row['verdict']}: {row['why']}",
            }
            for row in dataset.contrasts[dataset.contrasts["metric"] == name].to_dict("records")
            if (row["run"], row["cell"]) in label
        ]
        if rows:
            made.append(tables.of_frame(pd.DataFrame(rows), METRICS[name].title, most=200))
    return made


def _interval(low: float, high: float) -> str:
    if pd.isna(low) or pd.isna(high):
        return show.NOTHING
    if low <= 0 or high / low >= SAYS_NOTHING:
        return "undetermined"
    return f"{low:.3g} to {high:.3g}"


def _p(value: float) -> str:
    return show.NOTHING if pd.isna(value) else f"{value:.2g}"


def _errors(dataset: Dataset) -> tables.Table | None:
    """What went wrong with connections and requests, by phase and cause."""
    if dataset.errors.empty:
        return None
    names = ["strategy", "phase", "cause", "blame"]
    errors = dataset.errors.merge(dataset.trials[["run", "trial", "strategy"]], on=["run", "trial"], how="left")
    grouped = errors.fillna(dict.fromkeys([*names, "first"], "")).groupby(names, as_index=False, sort=True)
    rows = grouped.agg(times=("count", "sum"), first=("first", "first"))
    return tables.of_frame(rows, "Errors by strategy, phase and cause", most=100)


def _packed(document: object) -> str:
    """JSON, compressed and as text: an alphabet that ends no script element."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True, allow_nan=False, default=str)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed, with nothing that could end the script element around them. Every report has the
    same, so the checkout's cache keeps it: to make it takes as long as all charts of a run."""
    kept = CACHE and CACHE / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        if kept:
            return kept.read_text(encoding="utf-8")
    made = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed")
    text = made.replace("</script", r"<\/script").replace("<!--", r"<\!--")
    with suppress(OSError):  # a checkout of somebody else, or a full disk: it costs the next report a second
        if kept:
            kept.parent.mkdir(exist_ok=True)
            write_whole(kept, text)
    return text


def _asset(name: str) -> str:
    return files("analysis.report").joinpath(name).read_text(encoding="utf-8")
