"""One chart, two themes: the Vega-Lite document for light or dark, and its picture without a browser or a network."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

from analysis import format as show

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
# Text and grid on a page of that theme; what is drawn has one colour for both (identity.py).
INK = {
    False: {"text": "#1b1f24", "soft": "#57606a", "grid": "#e3e6ea"},
    True: {"text": "#e6e8eb", "soft": "#a5adb8", "grid": "#2d333b"},
}
GROUND = {False: "#ffffff", True: "#15181d"}
SLIDE_CHARACTERS, SLIDE_TEXT_PX = 104, 14  # of a line below the title; of every letter but the title
SLIDE_ABREAST = 3  # panels
ID = re.compile(r'(\bid="|url\(#|href="#)([^")]+)')
FINE = re.compile(r"\d+\.\d{4,}")
BESIDE_PX = 100  # an axis of a panel
DRAWN_WIDTH = 760  # of a picture that has no page to fit itself to, pixels


def config(dark: bool, text_px: int = 12) -> dict[str, Any]:
    """The look of every chart."""
    ink = INK[dark]
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": "transparent"},
        "axis": {
            "labelColor": ink["soft"],
            "titleColor": ink["text"],
            "gridColor": ink["grid"],
            "tickColor": ink["grid"],
            "domainColor": ink["soft"],
            "labelFontSize": text_px,
            "titleFontSize": text_px,
            "titleFontWeight": 500,
        },
        "legend": {
            "labelColor": ink["text"],
            "titleColor": ink["text"],
            "labelFontSize": text_px,
            "titleFontSize": text_px,
        },
        "header": {
            "labelColor": ink["text"],
            "titleColor": ink["text"],
            "labelFontSize": text_px + 1,
            "labelFontWeight": 600,
            "labelAnchor": "start",
            "labelLimit": 0,
        },
        "title": {"color": ink["text"]},
        "text": {"color": ink["text"], "fontSize": text_px},
    }


def document(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """The Vega-Lite document of a chart, without a theme. What would be no text in a picture is written out: a control
    character in a name of a foreign file ends the whole process of the drawing library."""
    # That a document is of Vega-Lite's schema is proved by the tests: it takes as long as to make it.
    found: dict[str, Any] = _visible(chart.to_dict(validate=False))
    return found


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return show.visible(value)
    if isinstance(value, dict):
        return {name: _visible(one) for name, one in value.items()}
    return [_visible(one) for one in value] if isinstance(value, list) else value


def themed(document: dict[str, Any], dark: bool = False) -> dict[str, Any]:
    """The document in a theme: no chart says anything of its look by itself."""
    return document | {"config": config(dark)}


def spec(chart: alt.TopLevelMixin, dark: bool = False) -> dict[str, Any]:
    """The Vega-Lite document of a chart in a theme."""
    return themed(document(chart), dark)


def drawn(document: dict[str, Any], width: int = DRAWN_WIDTH) -> dict[str, Any]:
    """The document for a picture: a width of its own instead of its container's."""
    if "vconcat" in document:
        return document | {"vconcat": [panel | {"width": width - BESIDE_PX} for panel in document["vconcat"]]}
    return document | {"width": width} if document.get("width") == "container" else document


def slide(document: dict[str, Any], title: str, told: Sequence[str], dark: bool = False) -> dict[str, Any]:
    """The document as a picture that stands alone: on the ground of its theme, in larger letters, titled, with these
    sentences below the title."""
    lines = [line for text in told for line in textwrap.wrap(show.visible(text).strip(), SLIDE_CHARACTERS)]
    soft = {"subtitleColor": INK[dark]["soft"], "subtitleFontSize": SLIDE_TEXT_PX, "subtitlePadding": 6}
    text = {"text": show.visible(title), "subtitle": lines, "anchor": "start", "fontSize": 20, "offset": 14}
    look = {"background": GROUND[dark], "padding": 20, "title": text | soft, "config": config(dark, SLIDE_TEXT_PX)}
    return _abreast(document) | look


def _abreast(document: dict[str, Any]) -> dict[str, Any]:
    """Panels side by side, for a slide is wide."""
    if "spec" not in document:
        return document
    columns = min(SLIDE_ABREAST, len(document["facet"]["sort"]))
    return document | {
        "columns": columns,
        "spec": document["spec"] | {"width": DRAWN_WIDTH // columns - BESIDE_PX // 2},
    }


def svg(document: dict[str, Any], width: int = DRAWN_WIDTH) -> str:
    """The picture as SVG text; its ids are numbered anew, for the library counts on from picture to picture, and its
    coordinates are to a hundredth of a pixel."""
    text = FINE.sub(lambda found: f"{float(found[0]):.2f}", vl_convert.vegalite_to_svg(drawn(document, width)))
    numbers = {name: f"i{number}" for number, name in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', text)))}
    return ID.sub(lambda found: found[1] + numbers.get(found[2], found[2]), text)


def png(document: dict[str, Any], width: int = DRAWN_WIDTH) -> bytes:
    """The picture as PNG, two pixels for each of the page's."""
    return vl_convert.vegalite_to_png(drawn(document, width), scale=2)


def pdf(document: dict[str, Any], width: int = DRAWN_WIDTH) -> bytes:
    """The picture as a page of PDF."""
    return vl_convert.vegalite_to_pdf(drawn(document, width))
