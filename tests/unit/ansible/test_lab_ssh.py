"""The lab's sshd processes, as their removal finds them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from plugins.module_utils import c10k_host
from plugins.module_utils.c10k_lab_ssh import running
from tests import line

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a /run of its own")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_lab_with_a_run_of_its_own_is_none_of_ours(tmp_path: Path, elsewhere: bool) -> None:
    """`lab_state=absent` would end the sshds of a lab in an isolation below its own."""
    shutil.copy("/bin/sh", tmp_path / "sshd")
    command = [str(tmp_path / "sshd"), "-c", "read word", "-f", f"{tmp_path}/client1/sshd_config"]
    isolation = ["unshare", "-m", "-n", "sh", "-c", f'{"mount -t tmpfs tmpfs /run && " * elsewhere}exec "$@"', "-"]
    with subprocess.Popen([*isolation, *command], stdin=subprocess.PIPE) as process:
        assert process.stdin
        try:
            line.eventually("it runs", lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sshd\n", 20)
            net = Path(f"/proc/{process.pid}/ns/net").stat().st_ino
            assert (net in running(tmp_path)) is not elsewhere
        finally:
            process.stdin.close()
    assert c10k_host.start_ticks(process.pid) is None
