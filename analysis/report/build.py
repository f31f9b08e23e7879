"""From a dataset to one HTML file: charts made, parts filled, template printed."""

from __future__ import annotations

import base64
import gzip
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
import vl_convert
from markupsafe import Markup

from analysis import format as show
from analysis.answers.headline import headline
from analysis.answers.shown import SAYS_NOTHING
from analysis.answers.trust import counts, trust
from analysis.cells import by_key
from analysis.charts import registry, theme
from analysis.charts.base import Chart
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.report import tables, words
from analysis.report.parts import Page, Section, Table

ABOUT_GENERATORS = ("honesty",)  # charts that belong to the validity of a run
# A picture has one description, its own; and the page one font.
SAID_TWICE = re.compile(r' (?:aria-[a-z]+|role|font-family|pointer-events)="[^"]*"')
Document = dict[str, Any]  # of Vega-Lite
COMPARED = ("efficiency", "p50", "p99", "memory")


def html(dataset: Dataset) -> str:
    """The report as text of one HTML file that needs nothing else. The same dataset gives the same text."""
    page = build(dataset)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_asset("templates/report.html.j2"))
    return template.render(
        page=page,
        css=Markup(_asset("assets/report.css")),
        script=Markup(_asset("assets/report.js")),
        vega=Markup(_bundle()),
        payload=_packed({"specs": page.specs, "light": theme.config(False), "dark": theme.config(True)}),
        svg={section.name: Markup(section.svg) for section in (*page.charts, *page.honesty)},
    )


def build(dataset: Dataset) -> Page:
    """The parts of the page."""
    charts = registry.make_all(dataset)
    glance = next((chart for chart in charts if chart.drawing is None), None)
    said = headline(dataset)
    documents = {chart.name: theme.document(chart.drawing) for chart in charts if chart.drawing is not None}
    sections = {chart.name: _section(chart, documents[chart.name]) for chart in charts if chart.name in documents}
    env, apart = words.places(dataset)
    files = {"glance": glance.frame} if glance else {}
    files |= {name: dataset.tables[name] for name in ("trials", "cells", "estimates", "contrasts", "findings")}
    runs = ", ".join(show.visible(str(run)) for run in dataset.runs["run"])
    return Page(
        title=f"C10K benchmark: {runs}",
        headline=show.visible(said.sentence),
        more=show.visible(said.more),
        trust=trust(dataset),
        counts=counts(dataset),
        glance=tables.glance(glance.frame) if glance else None,
        glance_caption=show.visible(glance.caption) if glance else "",
        glance_read=glance.read if glance else "",
        charts=tuple(section for name, section in sections.items() if name not in ABOUT_GENERATORS),
        honesty=tuple(section for name, section in sections.items() if name in ABOUT_GENERATORS),
        comparisons=_comparisons(dataset),
        findings=words.findings(dataset),
        errors=_errors(dataset),
        limits=words.limits(dataset),
        methods=words.methods(dataset),
        environment=env,
        differences=apart,
        downloads=tuple(tables.download(name, frame) for name, frame in files.items()),
        notes=tuple(show.visible(note) for note in dataset.notes),
        commands=words.commands(dataset),
        specs={chart.name: _spec(chart, documents[chart.name]) for chart in charts if chart.name in documents},
    )


def _spec(chart: Chart, document: Document) -> object:
    """The drawing without a theme: the page puts on the one it is seen in."""
    return {name: value for name, value in document.items() if name != "config"} | {
        "description": show.visible(chart.caption)
    }


def _section(chart: Chart, document: Document) -> Section:
    return Section(
        chart.name,
        chart.title,
        show.visible(chart.caption),
        chart.read,
        _static(chart, document),
        tables.of_frame(chart.frame, f"The numbers of: {chart.title}"),
        tables.download(chart.name, chart.frame),
    )


def _static(chart: Chart, document: Document) -> str:
    """The picture that is there before and without any script; its ids are its own among those of the page."""
    svg = theme.svg(theme.themed(document))
    label = str(Markup.escape(f"{chart.title}. {show.visible(chart.caption)}"))
    svg = theme.ID.sub(rf"\g<1>{chart.name}-\g<2>", SAID_TWICE.sub("", svg))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _comparisons(dataset: Dataset) -> tuple[Table, ...]:
    """Per metric every comparison with the baseline, in words and numbers."""
    label = by_key(dataset.cells)
    made = []
    for name in COMPARED:
        rows = []
        for row in dataset.contrasts[dataset.contrasts["metric"] == name].to_dict("records"):
            key, base = (row["run"], row["cell"]), (row["run"], row["baseline"])
            if key not in label:
                continue
            is_control = row["cell"] == row["baseline"]
            rows.append(
                {
                    "strategy": f"{label[key]} (control)" if is_control else label[key],
                    "baseline": label.get(base, ""),
                    "ratio": _ratio(row["ratio"]),
                    "95 % interval": _interval(row["low"], row["high"]),
                    "beside all others": _interval(row["family_low"], row["family_high"]),
                    "p": _p(row["p"]),
                    "p (Holm)": _p(row["p_holm"]),
                    "equal within": f"{show.number(100 * float(row['margin']), most=2)} %",
                    "blocks": row["n"],
                    "verdict": row["verdict"] if pd.isna(row["why"]) else f"{row['verdict']}: {row['why']}",
                }
            )
        if rows:
            made.append(tables.of_frame(pd.DataFrame(rows), METRICS[name].title, most=200))
    return tuple(made)


def _ratio(value: float) -> str:
    return show.NOTHING if pd.isna(value) else show.number(float(value))


def _interval(low: float, high: float) -> str:
    if pd.isna(low) or pd.isna(high):
        return show.NOTHING
    if low <= 0 or high / low >= SAYS_NOTHING:
        return "undetermined"
    return f"{low:.3g} to {high:.3g}"


def _p(value: float) -> str:
    return show.NOTHING if pd.isna(value) else f"{value:.2g}"


def _errors(dataset: Dataset) -> Table | None:
    """What went wrong with connections and requests, by phase and cause."""
    if dataset.errors.empty:
        return None
    names = ["phase", "cause", "blame"]
    strategy = dataset.errors.merge(dataset.trials[["run", "trial", "strategy"]], on=["run", "trial"], how="left")
    filled = strategy.fillna(dict.fromkeys([*names, "strategy", "first"], ""))
    rows = filled.groupby(["strategy", *names], as_index=False, sort=True).agg(
        times=("count", "sum"), first=("first", "first")
    )
    return tables.of_frame(rows, "Errors by strategy, phase and cause", most=100)


def _packed(document: object) -> str:
    """JSON, compressed and as text: an alphabet that ends no script element."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True, allow_nan=False, default=str)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed, with nothing that could end the script element around them."""
    return (
        vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed")
        .replace("</script", r"<\/script")
        .replace("<!--", r"<\!--")
    )


def _asset(name: str) -> str:
    return files("analysis.report").joinpath(name).read_text(encoding="utf-8")
