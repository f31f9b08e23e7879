"""One chart, two themes: the Vega-Lite document for light or dark, and its picture without a browser or a network."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
# Text and grid on a page of that theme; what is drawn has one colour for both (identity.py).
INK = {
    False: {"text": "#1b1f24", "soft": "#57606a", "grid": "#e3e6ea"},
    True: {"text": "#e6e8eb", "soft": "#a5adb8", "grid": "#2d333b"},
}
DRAWN_WIDTH = 760  # of a picture that has no page to fit itself to, pixels


def config(dark: bool) -> dict[str, Any]:
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
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 500,
        },
        "legend": {"labelColor": ink["text"], "titleColor": ink["text"], "labelFontSize": 12, "titleFontSize": 12},
        "header": {
            "labelColor": ink["text"],
            "titleColor": ink["text"],
            "labelFontSize": 13,
            "labelFontWeight": 600,
            "labelAnchor": "start",
            "labelLimit": 240,
        },
        "title": {"color": ink["text"]},
        "text": {"color": ink["text"], "fontSize": 12},
    }


def spec(chart: alt.TopLevelMixin, dark: bool = False) -> dict[str, Any]:
    """The Vega-Lite document of a chart in a theme."""
    document: dict[str, Any] = chart.to_dict()
    own = document.get("config", {})
    themed = config(dark)
    document["config"] = themed | {
        name: {**themed.get(name, {}), **value} if isinstance(value, dict) else themed.get(name, value)
        for name, value in own.items()
        if name != "view" or value != {"continuousWidth": 300, "continuousHeight": 300}
    }
    return document


def drawn(document: dict[str, Any], width: int = DRAWN_WIDTH) -> dict[str, Any]:
    """The document for a picture: a width of its own instead of its container's."""
    fixed: dict[str, Any] = {
        name: drawn(value, width) if isinstance(value, dict) and name == "spec" else value
        for name, value in document.items()
    }
    for name in ("vconcat", "hconcat", "concat"):
        if isinstance(fixed.get(name), list):
            fixed[name] = [drawn(part, width) for part in fixed[name]]
    if fixed.get("width") == "container":
        fixed["width"] = width
    return fixed


def svg(document: dict[str, Any], width: int = DRAWN_WIDTH) -> str:
    """The picture as SVG text."""
    return vl_convert.vegalite_to_svg(drawn(document, width))


def png(document: dict[str, Any], width: int = DRAWN_WIDTH) -> bytes:
    """The picture as PNG, two pixels for each of the page's."""
    return vl_convert.vegalite_to_png(drawn(document, width), scale=2)


def pdf(document: dict[str, Any], width: int = DRAWN_WIDTH) -> bytes:
    """The picture as a page of PDF."""
    return vl_convert.vegalite_to_pdf(drawn(document, width))
