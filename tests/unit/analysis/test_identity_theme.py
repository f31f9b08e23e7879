"""A strategy looks the same everywhere, and a picture comes in two themes."""

import altair as alt
import pandas as pd
import pytest

from analysis.answers.identity import COLOURS, DASHES, SHAPES, catalog, identity
from analysis.charts import theme
from analysis.charts.axes import color_scale, shape_scale


def contrast(one: str, other: str) -> float:
    """Of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#15181d"], ids=["light", "dark"])
def test_every_colour_stands_out_on_both_pages(page: str) -> None:
    assert [colour for colour in COLOURS if contrast(colour, page) < 3] == []  # WCAG 1.4.11


def test_contrast_of_black_and_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_no_two_of_the_catalogue_look_alike() -> None:
    looks = {name: (identity(name).colour, identity(name).shape) for name in catalog()}
    assert len(set(looks.values())) == len(looks) > 20


def test_an_unknown_name_always_looks_the_same_and_like_itself() -> None:
    identity.cache_clear()
    one = identity("my server <b>")
    identity.cache_clear()
    assert identity("my server <b>") == one
    assert (one.colour in COLOURS, one.shape in SHAPES, one.kind) == (True, True, "other")
    assert not one.is_reference


@pytest.mark.parametrize(
    ("name", "kind"), [("epoll", "readiness"), ("io_uring", "completion"), ("thread_per_connection", "blocking")]
)
def test_the_dash_tells_how_connections_are_waited_for(name: str, kind: str) -> None:
    assert (identity(name).kind, list(identity(name).dash)) == (kind, DASHES[kind])


def test_what_is_not_python_is_a_reference() -> None:
    assert {name for name in catalog() if identity(name).is_reference} == {
        "c_epoll",
        "c_reuseport",
        "null_server",
        "go_goroutine",
    }


def test_scales_keep_the_order_and_name_each_once() -> None:
    found = color_scale(["poll", "epoll", "poll"], ["epoll"]).to_dict()
    assert found["domain"] == ["epoll", "poll"]
    assert found["range"] == [identity("epoll").colour, identity("poll").colour]
    assert shape_scale(["poll", "poll"]).to_dict()["range"] == [identity("poll").shape]


def chart() -> alt.TopLevelMixin:
    frame = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    drawn = alt.Chart(frame).mark_point().encode(x="x", y="y")
    made: alt.TopLevelMixin = drawn.properties(width="container").configure_axis(ticks=False)
    return made


def test_a_theme_changes_ink_and_nothing_that_is_drawn() -> None:
    light, dark = theme.spec(chart()), theme.spec(chart(), dark=True)
    assert light["config"]["axis"]["labelColor"] != dark["config"]["axis"]["labelColor"]
    assert light["config"]["axis"]["ticks"] is False  # the chart's own words stay
    assert {k: v for k, v in light.items() if k != "config"} == {k: v for k, v in dark.items() if k != "config"}


@pytest.mark.parametrize(("is_dark", "page"), [(False, "#ffffff"), (True, "#15181d")], ids=["light", "dark"])
def test_text_can_be_read(is_dark: bool, page: str) -> None:
    assert contrast(theme.INK[is_dark]["text"], page) >= 7
    assert contrast(theme.INK[is_dark]["soft"], page) >= 4.5


def test_pictures_are_what_they_say_and_fixed_in_width() -> None:
    document = theme.spec(chart())
    assert theme.drawn(document, 500)["width"] == 500
    assert theme.svg(document, 500).startswith("<svg")
    assert theme.png(document, 100).startswith(b"\x89PNG")
    assert theme.pdf(document, 100).startswith(b"%PDF")
    assert document["width"] == "container"


def test_the_parts_of_a_picture_are_fixed_too() -> None:
    both = {"vconcat": [{"width": "container"}, {"spec": {"width": "container"}}]}
    assert theme.drawn(both, 300) == {"vconcat": [{"width": 300}, {"spec": {"width": 300}}]}
    assert both["vconcat"][0] == {"width": "container"}
