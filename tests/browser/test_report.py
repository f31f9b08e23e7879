"""The report as a person sees it: offline, in both themes, on paper, on a telephone, without a mouse or scripts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from analysis.charts import registry
from analysis.dataset import load
from analysis.report.build import html
from tests.unit.analysis.build import done, event, trial, whole, write

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
A4_PX = (794, 1123)  # 210 × 297 mm at 96 dots an inch


@contextmanager
def opened(browser: Browser, path: Path, **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """The page, drawn, and what it asked for or complained of."""
    made = browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | context)
    page, said = made.new_page(), list[str]()
    page.on("request", lambda request: said.append(f"request {request.url[:60]}"))
    page.on("console", lambda message: said.append(f"console {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(f"error {error}"))
    page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
    page.goto(path.as_uri())
    if context.get("java_script_enabled", True):
        page.wait_for_selector("html[data-drawn]", timeout=30_000)
    yield page, said
    made.close()


def names(path: Path) -> list[str]:
    return re.findall(r'id="chart-(\w+)"', path.read_text(encoding="utf-8"))


def test_nothing_leaves_the_file_and_every_figure_is_drawn(browser: Browser, demo: Path) -> None:
    with opened(browser, demo) as (page, said):
        assert said == [f"request {demo.as_uri()[:60]}"]
        drawn = {name: page.locator(f"#chart-{name} svg.marks .mark-symbol, #chart-{name} svg.marks .mark-rect, "
                                    f"#chart-{name} svg.marks .mark-line").count() for name in names(demo)}  # fmt: skip
    assert sorted(drawn) == sorted(module.NAME for module in registry.CHARTS if module.NAME != "glance")
    assert min(drawn.values()) > 0


def test_a_strategy_picked_in_one_legend_is_picked_in_all(browser: Browser, demo: Path) -> None:
    faint = "[opacity='0.15']"
    with opened(browser, demo) as (page, said):
        before = page.locator("#chart-idle").locator(faint).count()
        page.locator("#chart-knee .strategy_legend_labels text").first.click()
        page.wait_for_timeout(500)
        assert page.locator("#chart-knee").locator(faint).count() > 0
        assert page.locator("#chart-idle").locator(faint).count() > before
        assert not [line for line in said if not line.startswith("request")]


def test_the_theme_follows_the_system_and_the_button(browser: Browser, demo: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, demo, color_scheme="dark", bypass_csp=True) as (page, _):
        assert page.evaluate(colour) == "rgb(21, 24, 29)"
        assert page.get_attribute("html", "data-drawn") == "dark"
        page.click("#theme")
        page.wait_for_selector("html[data-drawn=light]")
        assert page.evaluate(colour) == "rgb(255, 255, 255)"


def test_without_scripts_the_pictures_are_there(browser: Browser, demo: Path) -> None:
    with opened(browser, demo, java_script_enabled=False) as (page, _):
        for name in names(demo):
            quiet = page.locator(f"#{name} details.quiet > summary")
            if quiet.count():
                quiet.click()
            box = page.locator(f"#chart-{name} > svg").bounding_box()
            assert box is not None and box["width"] > 200 and box["height"] > 30, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation_of_accessibility(browser: Browser, demo: Path, scheme: str) -> None:
    with opened(browser, demo, color_scheme=scheme, bypass_csp=True) as (page, _):
        found = Axe().run(page).response["violations"]
    serious = [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_on_a_narrow_screen_only_tables_scroll(browser: Browser, demo: Path) -> None:
    with opened(browser, demo, viewport={"width": 360, "height": 800}, bypass_csp=True) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        wide = page.evaluate(
            "[...document.querySelectorAll('.chart')].filter(c => c.scrollWidth > c.clientWidth + 1).map(c => c.id)"
        )
    assert wide == []


SEEN = """
cell => {
  cell.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
  const box = cell.getBoundingClientRect(), middle = box.top + box.height / 2;
  const seen = [0.1, 0.5, 0.9].map(part => document.elementFromPoint(box.left + part * box.width, middle));
  return seen.every(found => found && cell.contains(found));
}
"""


def test_a_telephone_shows_every_figure_of_the_main_table(browser: Browser, tmp_path: Path) -> None:
    names = ["epoll", "select", "/usr/bin/python3_of_a_long_name server.py --backend asyncio --workers auto"]
    trials = [trial(n, name, cell=f"c{n}") for n, name in enumerate(names, start=1)]
    write(tmp_path / "run", trials, [line for one in trials for line in whole(one)])
    path = tmp_path / "report.html"
    path.write_text(html(load([str(tmp_path / "run")])), encoding="utf-8")
    with opened(browser, path, viewport={"width": 390, "height": 844}, bypass_csp=True) as (page, _):
        cells = page.query_selector_all(".glance tbody td")
        hidden = [cell.inner_text() for cell in cells if not cell.evaluate(SEEN)]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert len(cells) >= 3 * 7 and hidden == []


def test_what_is_quiet_is_a_line_and_opens(browser: Browser, tmp_path: Path) -> None:
    one = trial(1)
    queues = [line | {"accept_queues": [[0, 128]]} if line["event"] == "sample" else line for line in whole(one)]
    write(tmp_path / "run", [one], queues)
    path = tmp_path / "report.html"
    path.write_text(html(load([str(tmp_path / "run")])), encoding="utf-8")
    with opened(browser, path, bypass_csp=True) as (page, said):
        quiet = page.locator("#accept details.quiet")
        assert "No sample found a connection waiting" in quiet.locator("> summary").inner_text()
        assert not page.locator("#chart-accept").is_visible()
        quiet.locator("> summary").click()
        box = page.locator("#chart-accept svg").bounding_box()
        assert box is not None and 200 < box["width"] <= 1200
        assert [line for line in said if not line.startswith("request")] == []
        guides = page.locator("figcaption details:not([open])").count()
    assert guides > 1


def test_on_paper_no_figure_is_cut(browser: Browser, demo: Path) -> None:
    with opened(browser, demo, viewport={"width": A4_PX[0] - 106, "height": A4_PX[1]}, bypass_csp=True) as (page, _):
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        sizes = page.evaluate(
            "[...document.querySelectorAll('.chart svg:not(.bar)')].map(s => [s.closest('.chart').id,"
            " s.getBoundingClientRect().width, s.getBoundingClientRect().height])"
        )
        assert page.pdf(format="A4", prefer_css_page_size=True).count(b"/Type /Page\n") > 3
        closed = page.locator("details:not([open])").count()
    assert len(sizes) >= len(names(demo)) and closed == 0
    assert [name for name, width, height in sizes if width > A4_PX[0] - 105 or height > A4_PX[1] - 106] == []


def test_on_paper_a_dark_chart_is_readable(browser: Browser, demo: Path) -> None:
    with opened(browser, demo, color_scheme="dark", bypass_csp=True) as (page, _):
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        filters = page.evaluate(
            "[...document.querySelectorAll('.chart svg.marks')].map(s => getComputedStyle(s).filter)"
        )
    assert len(filters) == len(names(demo))
    assert set(filters) == {"invert(1) hue-rotate(180deg)"}


def test_sorting_works_from_the_keyboard(browser: Browser, demo: Path) -> None:
    first = "document.querySelector('.glance tbody tr .name').textContent"
    with opened(browser, demo, bypass_csp=True) as (page, _):
        button = page.locator(".glance thead button", has_text="median response")
        button.focus()
        page.keyboard.press("Enter")
        cheapest = page.evaluate(first)
        assert page.locator(".glance th[aria-sort=ascending]").count() == 1
        page.keyboard.press("Enter")
        assert page.evaluate(first) != cheapest


def test_every_download_is_the_whole_table(browser: Browser, demo: Path) -> None:
    with opened(browser, demo) as (page, _):
        for link in page.locator("a[download]").all():
            held = link.evaluate("link => decodeURIComponent(link.href.slice(link.href.indexOf(',') + 1))")
            heading, *rows = csv.reader(held.splitlines())
            assert {len(row) for row in rows} == {len(heading)}
            assert f"({len(rows):,} rows)" in (link.locator("..").text_content() or ""), link.get_attribute("download")
        with page.expect_download() as download:
            link.evaluate("link => link.click()")
        assert download.value.path().read_text(encoding="utf-8") == held


def test_hostile_names_are_only_text(browser: Browser, tmp_path: Path) -> None:
    planned = trial(1, HOSTILE)
    finding = dict.fromkeys(("id", "message", "remedy"), HOSTILE) | {"severity": "warn", "evidence": {HOSTILE: 1}}
    events = whole(planned, outcome="invalid", reason=HOSTILE, findings=[finding])
    other = trial(2, "=cmd()", cell="c2")
    events += [*whole(other), event("error", HOSTILE, 2, phase=HOSTILE, cause=HOSTILE, message=HOSTILE, remedy="")]
    write(tmp_path / "run", [planned, other], [*events, done(2, "client1")])
    path = tmp_path / "report.html"
    path.write_text(html(load([str(tmp_path / "run")])), encoding="utf-8")
    with opened(browser, path, bypass_csp=True) as (page, said):
        assert said == [f"request {path.as_uri()[:60]}"]
        assert HOSTILE in page.inner_text("main")
        assert page.locator("img").count() == 0 and page.locator("script").count() == 3
        links = page.evaluate("[...document.links].map(a => a.protocol)")
    assert set(links) <= {"file:", "data:"}
