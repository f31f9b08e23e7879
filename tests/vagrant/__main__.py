"""Boots real virtual machines under QEMU's software emulation, and makes a whole run on them, from a fresh clone.

    apt-get install --no-install-recommends vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients \\
        libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils dnsmasq-base iptables debootstrap extlinux fdisk
    setsid nohup .venv/bin/python -m tests.vagrant >vagrant.log 2>&1 &

By hand, as root on Debian 12, about five minutes after the first time; no hardware virtualisation is needed. The box is
built once and kept (.cache/vagrant). All else is in a temporary directory, and libvirt in namespaces of its own
(apart.sh), which end with it: also after a failure the machine is as it was. Exit 0: the run was ok on every count.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.vagrant.steps import ROOT, Failed, step

HERE = Path(__file__).parent
BOX = ROOT / ".cache/vagrant/bookworm.box"
TOOLS = ("vagrant", "libvirtd", "virtlogd", "qemu-system-x86_64", "qemu-img", "dnsmasq", "iptables", "debootstrap",
         "extlinux", "sfdisk", "unshare", "setpriv")  # fmt: skip
MODULES = """. script/environment
for module in loadgen server/reference/go_echo; do (cd $module && "$root/.venv/bin/go" mod download); done"""
"""What the run's own build would fetch, were there a network where it runs."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.vagrant", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, help="a machine for each of so many clients; else one plays all hosts")
    parser.add_argument(
        "--rate", type=int, default=500, help="requests/s (default: 500, which emulated machines sustain)"
    )
    parser.add_argument("--here", action="store_true", help="in this checkout as it is, and not in a fresh clone of it")
    options = parser.parse_args()
    if lacking := problem(options.here):
        raise SystemExit(f"tests.vagrant: {lacking}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    if not BOX.exists():
        step("box.sh", [HERE / "box.sh", BOX], ROOT)
    with tempfile.TemporaryDirectory(prefix="c10k-vagrant-") as directory:
        place = Path(directory)
        checkout = ROOT if options.here else fresh_clone(place)
        step("go mod download", ["sh", "-c", MODULES, "script/environment"], checkout)
        os.environ |= {
            "VAGRANT_HOME": str(place / "home"), "VAGRANT_DOTFILE_PATH": str(place / "dot"),
            "VAGRANT_DEFAULT_PROVIDER": "libvirt", "VAGRANT_NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "COLUMNS": "120",
            "C10K_BOX": "c10k/bookworm", "C10K_EMULATE": "1",
            "PATH": f"{checkout}/.venv/bin:{os.environ['PATH']}:/usr/sbin",
        }  # fmt: skip
        if options.clients:
            os.environ["C10K_CLIENTS"] = str(options.clients)
        step(
            "all within",
            [
                HERE / "apart.sh",
                place / "libvirt",
                sys.executable,
                "-m",
                "tests.vagrant.within",
                checkout,
                BOX,
                options.rate,
            ],
            ROOT,
        )


def problem(here: bool) -> str | None:
    """What this machine or this checkout lacks."""
    if os.geteuid() != 0:
        return "libvirt and the box need root."
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [name for name in TOOLS if shutil.which(name, path=path) is None]:
        return f"{', '.join(missing)} not found; `python -m tests.vagrant --help` says what to install."
    if os.environ.get("C10K_CLIENTS"):
        return "C10K_CLIENTS is set; --clients takes its place."
    if here and any((ROOT / "inventory/vagrant/.ssh").glob("*")):
        return "this checkout has machines of its own; leave --here away, or `vagrant destroy` them."
    return None


def fresh_clone(place: Path) -> Path:
    """In a path that has what paths may have."""
    checkout = place / "ein Prüfstand"
    step("git clone", ["git", "clone", "-q", ROOT, checkout], place)
    step("script/bootstrap", ["script/bootstrap"], checkout)
    return checkout


def leave(number: int, _frame: FrameType | None) -> None:
    raise Failed(f"tests.vagrant: ended by {signal.Signals(number).name}.")


if __name__ == "__main__":
    main()
