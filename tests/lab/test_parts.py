"""A run in parts, by its tags: each does its part alone."""

import subprocess

import pytest

from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]


def tuned() -> bool:
    command = ["ip", "netns", "exec", "c10k-server", "cat", "/proc/sys/net/core/somaxconn"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout != "4096\n"


def part(*tags: str) -> str:
    done = line.play("run_benchmark.yml", "lab", more=["--tags", ",".join(tags)], **line.SMALL)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_each_tag_does_its_part_and_no_other() -> None:
    before = (line.RESULTS / "latest").resolve()
    assert not tuned()
    part("prepare")
    assert tuned() and (line.RESULTS / "latest").resolve() == before
    part("measure")
    assert tuned()
    run = (line.RESULTS / "latest").resolve()
    assert (run != before, line.manifest(run)["status"], (run / "report.html").exists()) == (True, "ok", False)
    assert len(list(run.glob("hosts/*/001"))) == 4
    part("report")
    assert tuned() and (run / "report.html").exists()
    assert line.manifest(run)["status"] == "ok"
    part("restore")
    assert not tuned()


def test_parts_together_are_in_the_order_of_a_run() -> None:
    said = part("restore", "measure", "prepare")
    assert not tuned()
    assert said.index("Tune the kernel") < said.index("Run the trials") < said.index("Put the kernel back and prove it")
