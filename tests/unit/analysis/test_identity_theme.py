"""A strategy looks the same everywhere, and a picture comes in two themes."""

import altair as alt
import pandas as pd
import pytest

from analysis.answers.identity import COLOURS, SHAPES, catalog, identity
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


@pytest.mark.parametrize(("is_dark", "page"), [(False, "#ffffff"), (True, "#15181d")], ids=["light", "dark"])
def test_every_colour_stands_out_and_text_can_be_read(is_dark: bool, page: str) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast(theme.INK[is_dark]["text"], page) >= 7
    assert contrast(theme.INK[is_dark]["soft"], page) >= 4.5
    assert [colour for colour in COLOURS if contrast(colour, page) < 3] == []  # WCAG 1.4.11


def test_no_two_of_the_catalogue_look_alike() -> None:
    looks = {name: (identity(name).colour, identity(name).shape) for name in catalog()}
    assert len(set(looks.values())) == len(looks) > 20


def test_an_unknown_name_always_looks_the_same_and_like_itself() -> None:
    identity.cache_clear()
    one = identity("my server <b>")
    identity.cache_clear()
    assert identity("my server <b>") == one
    assert (one.colour in COLOURS, one.shape in SHAPES) == (True, True)
    assert not one.is_reference


def test_what_is_not_python_is_a_reference() -> None:
    references = {name for name in catalog() if identity(name).is_reference}
    assert references == {"c_epoll", "c_reuseport", "null_server", "go_goroutine"}


def test_scales_keep_the_order_and_name_each_once() -> None:
    found = color_scale(["poll", "epoll", "poll"], ["epoll"]).to_dict()
    assert found["domain"] == ["epoll", "poll"]
    assert found["range"] == [identity("epoll").colour, identity("poll").colour]
    assert shape_scale(["poll", "poll"]).to_dict()["range"] == [identity("poll").shape]


def chart() -> alt.TopLevelMixin:
    frame = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    made: alt.TopLevelMixin = alt.Chart(frame).mark_point().encode(x="x", y="y").properties(width="container")
    return made


def test_a_theme_changes_ink_and_nothing_that_is_drawn() -> None:
    light, dark = theme.spec(chart()), theme.spec(chart(), dark=True)
    assert light["config"]["axis"]["labelColor"] != dark["config"]["axis"]["labelColor"]
    assert {k: v for k, v in light.items() if k != "config"} == {k: v for k, v in dark.items() if k != "config"}


def test_pictures_are_what_they_say_and_fixed_in_width() -> None:
    document = theme.spec(chart())
    assert theme.drawn(document, 500)["width"] == 500
    assert theme.svg(document, 500).startswith("<svg")
    assert theme.png(document, 100).startswith(b"\x89PNG")
    assert theme.pdf(document, 100).startswith(b"%PDF")
    assert document["width"] == "container"
