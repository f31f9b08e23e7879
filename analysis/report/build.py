"""From a dataset to one HTML file: figures made, parts filled, template printed."""

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
from analysis.cells import cell_table
from analysis.figures import registry, theme
from analysis.figures.base import Figure
from analysis.figures.headline import headline
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.report import tables, words
from analysis.report.parts import Page, Section, Table

ABOUT_GENERATORS = ("honesty",)  # figures that belong to the validity of a run
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
        svg={section.name: Markup(section.svg) for section in (*page.figures, *page.honesty)},
    )


def build(dataset: Dataset) -> Page:
    """The parts of the page."""
    figures = registry.make_all(dataset)
    drawn = [figure for figure in figures if figure.chart is not None]
    glance = next((figure for figure in figures if figure.name == "glance"), None)
    found = words.findings(dataset)
    told, said = words.counts(dataset, found), headline(dataset)
    documents = {figure.name: theme.document(figure.chart) for figure in figures if figure.chart is not None}
    sections = {figure.name: _section(figure, documents[figure.name]) for figure in drawn}
    env, apart = words.places(dataset)
    runs = ", ".join(show.visible(str(run)) for run in dataset.runs["run"])
    return Page(
        title=f"C10K benchmark: {runs}",
        headline=show.visible(said.sentence),
        more=show.visible(said.more),
        trust=words.trust(dataset, told),
        counts=told,
        glance=tables.glance(glance.frame) if glance else None,
        glance_finding=show.visible(glance.finding) if glance else "",
        glance_read=glance.read if glance else "",
        figures=tuple(section for name, section in sections.items() if name not in ABOUT_GENERATORS),
        honesty=tuple(section for name, section in sections.items() if name in ABOUT_GENERATORS),
        comparisons=_comparisons(dataset),
        findings=found,
        errors=_errors(dataset),
        limits=words.limits(dataset),
        methods=words.methods(dataset),
        environment=env,
        differences=apart,
        downloads=tuple(
            tables.download(name, frame)
            for name, frame in (
                *([("glance", glance.frame)] if glance else []),
                ("trials", dataset.trials),
                ("estimates", dataset.estimates),
                ("contrasts", dataset.contrasts),
                ("findings", dataset.findings),
            )
        ),
        notes=tuple(show.visible(note) for note in dataset.notes),
        commands=words.commands(dataset),
        specs={figure.name: _spec(figure, documents[figure.name]) for figure in drawn},
    )


def _spec(figure: Figure, document: Document) -> object:
    """The chart without a theme: the page puts on the one it is seen in."""
    return {name: value for name, value in document.items() if name != "config"} | {
        "description": show.visible(figure.finding)
    }


def _section(figure: Figure, document: Document) -> Section:
    return Section(
        figure.name,
        figure.title,
        show.visible(figure.finding),
        figure.read,
        _static(figure, document),
        tables.of_frame(figure.frame, f"The numbers of: {figure.title}"),
        tables.download(figure.name, figure.frame),
    )


def _static(figure: Figure, document: Document) -> str:
    """The picture that is there before and without any script; its ids are its own among those of the page."""
    svg = theme.svg(theme.themed(document))
    label = str(Markup.escape(f"{figure.title}. {show.visible(figure.finding)}"))
    svg = theme.ID.sub(rf"\g<1>{figure.name}-\g<2>", SAID_TWICE.sub("", svg))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _comparisons(dataset: Dataset) -> tuple[Table, ...]:
    """Per metric every comparison with the baseline, in words and numbers."""
    cells = cell_table(dataset)
    label = {(row["run"], row["cell"]): row["label"] for row in cells.to_dict("records")}
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
    if low <= 0 or high / low >= tables.SAYS_NOTHING:
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
