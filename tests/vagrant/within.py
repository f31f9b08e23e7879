"""What happens beside libvirt: `vagrant up && ansible-playbook …`, and the checks. Run by __main__.py, in apart.sh."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.vagrant.steps import Failed, step

RUN = ["ansible-playbook", "-i", "inventory/vagrant", "run_benchmark.yml", "-e", "strategy=poll"]
SLOWLY = ["-e", "repetitions=1", "-e", "connect_rate=500", "-e", "arm_timeout=120"]
"""At the usual 5,000 handshakes/s, 7,344 of 10,000 took a second or more in an emulated machine on a busy host."""
RESTLESS = {
    "fs.dentry-state",
    "fs.file-nr",
    "fs.inode-nr",
    "fs.inode-state",
    "kernel.ns_last_pid",
    "kernel.random.uuid",
}
"""Two readings differ in these with nothing between."""


def main() -> None:
    checkout, box, rate = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    step("vagrant box add", ["vagrant", "box", "add", "--name", "c10k/bookworm", box], checkout)
    try:
        step("vagrant up", ["vagrant", "up", "--no-tty"], checkout)
        machines = sorted(path.parent.name for path in (checkout / "inventory/vagrant/.ssh").glob("*/ssh_config"))
        before = {name: kernel_values(checkout, name) for name in machines}
        step("ansible-playbook", [*RUN, *SLOWLY, "-e", f"rate={rate}"], checkout)
        for name in machines:
            compare(name, before[name], kernel_values(checkout, name))
        judge(checkout / "results/latest")
        step("vagrant halt", ["vagrant", "halt"], checkout)
        refused(checkout)
    finally:
        step("vagrant destroy", ["vagrant", "destroy", "-f", "--no-tty"], checkout)
    left = [str(path) for path in (checkout / "inventory/vagrant/.ssh").glob("*")]
    expect(not left, f"after vagrant destroy there is still {left}")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(f"{otherwise}.")


def kernel_values(checkout: Path, machine: str) -> dict[str, str]:
    command = ["vagrant", "ssh", machine, "--no-tty", "-c", "sudo sysctl -a 2>/dev/null"]
    said = subprocess.run(command, cwd=checkout, text=True, stdout=subprocess.PIPE, check=True).stdout
    return {key: value for key, _, value in (line.partition(" = ") for line in said.splitlines())}


def compare(machine: str, before: dict[str, str], after: dict[str, str]) -> None:
    """Every key that a profile may tune is among them, and each is as it was."""
    other = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} - RESTLESS
    expect("net.core.somaxconn" in before, f"sysctl of {machine} says nothing")
    expect(not other, f"{machine} differs after the restore in {sorted(other)}")
    print(f"   {machine}: {len(before)} kernel values as they were", flush=True)


def judge(run: Path) -> None:
    """Every trial is ok, and kernel, server and clients counted the same in each proof."""
    plan: dict[str, Any] = yaml.safe_load((run / "plan.yml").read_text())
    for name, host in plan["hosts"].items():
        print(f"   {name}: ssh {host['ssh']}, load {host['load_address']}, cpus {host['cpus']}")
    for path in sorted(run.glob("trials/*/trial.json")):
        trial = json.loads(path.read_text())
        print(f"   trial {trial['n']}: {trial['outcome']}, {json.dumps(trial['proof'])}", flush=True)
        expect(trial["outcome"] == "ok", f"trial {trial['n']} is {trial['outcome']}: {trial['reason']}")
        if trial["kind"] == "measure":
            counts = {count for proof in trial["proof"].values() for count in proof.values()}
            expect(counts == {trial["asked"]["connections"]}, f"the counts of trial {trial['n']} are not equal")


def refused(checkout: Path) -> None:
    """Without a machine that runs, the run is refused by a sentence."""
    ended = subprocess.run(RUN, cwd=checkout, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    expect(ended.returncode == 2 and "`vagrant up`" in ended.stdout, f"a run without a machine says {ended.stdout}")


if __name__ == "__main__":
    main()
