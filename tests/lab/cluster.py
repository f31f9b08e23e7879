"""Hosts as people have them: one SSH user, a gateway with a key of its own, and the load on another network than SSH.

The hosts are those of the lab, which must stand. A second network, the control plane, leads to each of them from the
gateway alone: there a second sshd listens, with a passwd and sudoers of its own. The controller's cable to the lab is
cut meanwhile, so that it reaches nothing but the gateway.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from plugins.module_utils import c10k_lab_network as network
from tests import line
from tests.lab.ordinary import SSHD, accounts

USERS = {"c10k": 42_431, "bench": 42_432}
PASSWORD = "c10k bench"
HASH = "$6$c10kbench$PxFlVxDYdFAGHgiFbLtrc1uyhLcm/Qm5kTguCYFKq0qJJdwT58xNm3ufOadZqd0U2fG7EE8gGKgzfLzsxf9uT/"
SUDOERS = "c10k ALL=(root) NOPASSWD: ALL\nbench ALL=(root) ALL"
CABLE = "c10k-way"
GATEWAY, CONTROLLER = "198.19.255.2", "198.19.255.1"  # in the range of the lab, which no machine has for itself
BASE = Path("/var/lib/c10k-cluster")
HOSTS = ("server", "client1", "client2", "client3")
CONTROL = {name: f"203.0.113.1{n}" for n, name in enumerate(HOSTS)}
NETWORKS = (("10.10.0.", 24), ("fd00:c10c::", 64))
LOAD = {
    name: [f"{network}{place}{n}/{bits}" for network, bits in NETWORKS for place in (1, 2)]
    for n, name in enumerate(HOSTS)
}
"""Those of inventory/cluster.example, and such of IPv6; of each two, so that a client has two sources."""
MORE_PORTS = {"client2": 2222}
"""Where an sshd listens beside 22."""
EXAMPLE = line.ROOT / "inventory/cluster.example"
COPY = line.ROOT / "inventory/cluster-of-a-test"
"""In the checkout, as a person's own, since git is to overlook it."""


@dataclass(frozen=True)
class Cluster:
    directory: Path

    def moved(self) -> dict[str, dict[str, int]]:
        """For each host the bytes that have gone through its two interfaces so far, both ways."""
        found = {}
        for name in HOSTS:
            links = json.loads(network.run("ip", "-n", f"c10k-{name}", "-s", "-j", "link", "show"))
            found[name] = {
                link["ifname"]: sum(link["stats64"][way]["bytes"] for way in ("rx", "tx"))
                for link in links
                if link["ifname"] in ("eth0", "control")
            }
        return found


@contextmanager
def cluster() -> Iterator[Cluster]:
    assert not BASE.exists()
    directory = Path(tempfile.mkdtemp(prefix="c10k-cluster-"))
    directory.chmod(0o755)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, directory)
        undo.callback(shutil.rmtree, BASE, ignore_errors=True)
        undo.callback(shutil.rmtree, COPY, ignore_errors=True)
        undo.callback(unwire)
        wire()
        bound = prepare(directory)
        for name in ("gateway", *HOSTS):
            undo.callback(end, serve(directory, name, bound))
        for name in ("gateway", *HOSTS):
            line.eventually(f"the sshd of {name} listens", lambda name=name: listens(name), 20)
        yield Cluster(directory)


def prepare(directory: Path) -> list[tuple[Path, str]]:
    """Keys, accounts, and the names that only the gateway knows; what each file is bound over."""
    for name, uid in USERS.items():
        home = directory / f"home-{name}"
        home.mkdir()
        shutil.chown(home, uid, uid)
    for key in ("key", *(f"{name}-host_key" for name in ("gateway", *HOSTS))):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / key)], check=True)
    (directory / "authorized_keys").write_text((directory / "key.pub").read_text())
    bound = accounts(directory, USERS, SUDOERS)
    shadow = directory / "shadow"
    shadow.write_text(shadow.read_text().replace("bench:*:", f"bench:{HASH}:"))
    names = directory / "hosts"
    names.write_text("".join(f"{address} {name}.example.org\n" for name, address in CONTROL.items()))
    return [*bound, (names, "/etc/hosts")]


def wire() -> None:
    """The control plane, its gateway, and the load addresses of the hosts; the controller's own cable is cut."""
    ns = "c10k-gateway"
    network.make_namespace(ns)
    cables = f"link add {CABLE} type veth peer name way netns {ns}\naddr add {CONTROLLER}/30 dev {CABLE}\n"
    network.run("ip", "-batch", "-", given=f"{cables}link set {CABLE} up\nlink set {network.CABLE} down\n")
    switch = "link add switch type bridge stp_state 0 forward_delay 0\nlink set switch up\nlink set way up\n"
    given = f"{switch}addr add 203.0.113.1/24 dev switch\naddr add {GATEWAY}/30 dev way\n"
    network.run("ip", "-n", ns, "-batch", "-", given=given)
    for name, address in CONTROL.items():
        made = f"link add {name} type veth peer name control netns c10k-{name}\nlink set {name} master switch up\n"
        network.run("ip", "-n", ns, "-batch", "-", given=made)
        load = "".join(f"addr add {one} dev eth0{' nodad' if ':' in one else ''}\n" for one in LOAD[name])
        own = f"addr add {address}/24 dev control\nlink set control up\n{load}"
        network.run("ip", "-n", f"c10k-{name}", "-batch", "-", given=own)


def unwire() -> None:
    """What still runs on the gateway ends, and with it every connection through it."""
    network.end_processes({network.inode("c10k-gateway") or 0})
    network.remove_cable(CABLE, None)
    network.remove_namespace("c10k-gateway")
    for name in HOSTS:
        network.remove_cable("control", f"c10k-{name}")
        for one in LOAD[name]:
            with suppress(network.Failed):
                network.run("ip", "-n", f"c10k-{name}", "addr", "del", one, "dev", "eth0")
    network.run("ip", "link", "set", network.CABLE, "up")


def serve(directory: Path, name: str, bound: list[tuple[Path, str]]) -> "subprocess.Popen[bytes]":
    """An sshd in mounts of its own, where the files are bound over those of the machine. With a /run of its own too,
    since a run's lock is there, which two SSH users on one kernel could not share."""
    words = {"directory": directory, "port": 22, "address": CONTROL.get(name, GATEWAY)}
    config = directory / f"{name}-sshd_config"
    text = SSHD.format(**words).replace("/host_key", f"/{name}-host_key") + "Subsystem sftp internal-sftp\n"
    config.write_text(f"Port {MORE_PORTS[name]}\n{text}" if name in MORE_PORTS else text)
    mounts = "".join(f"mount --bind {copy} {place} && " for copy, place in bound)
    mounts += "mount -t tmpfs -o mode=0755 tmpfs /run && mkdir /run/sshd && "
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    command = [
        "ip",
        "netns",
        "exec",
        f"c10k-{name}",
        "unshare",
        "-m",
        "sh",
        "-c",
        f"{mounts}exec {sshd} -D -e -f {config}",
    ]
    with (directory / f"{name}-log").open("w") as log:
        return subprocess.Popen(command, stderr=log)


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(timeout=10)


def listens(name: str) -> bool:
    return bool(network.run("ip", "netns", "exec", f"c10k-{name}", "ss", "-Hltn", "src", CONTROL.get(name, GATEWAY)))


# The inventory --------------------------------------------------------------------------------------------------------


def copied(directory: Path, gateway: bool = True) -> Path:
    """A copy of the example, with names of one's own in it, as its comments say."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(EXAMPLE, COPY)
    hosts = COPY / "hosts.yml"
    hosts.write_text(re.sub(r"# (c10k_(weight|sources))", r"\1", hosts.read_text()))
    config, group = COPY / ".ssh/ssh_config", COPY / "group_vars/c10k.yml"
    replace(config, {"gateway.example.org": GATEWAY, "~/.ssh/id_ed25519": str(directory / "key")})
    replace(
        config,
        {"inventory/cluster/": f"inventory/{COPY.name}/", "~/.ssh/known_hosts_c10k": str(COPY / ".ssh/known_hosts")},
    )
    if gateway:
        config.write_text(re.sub(r"^#(Host gateway|    HostName|    ProxyJump)", r"\1", config.read_text(), flags=re.M))
    replace(group, {"/var/lib/c10k": str(BASE)})
    return COPY


def replace(path: Path, words: Mapping[str, str]) -> None:
    text = path.read_text()
    for old, new in words.items():
        assert old in text, f"{path} does not say {old}"
        text = text.replace(old, new)
    path.write_text(text)


def commented(path: Path) -> list[str]:
    """The commands in the comments of a file."""
    return re.findall(r"^#   (ssh.*)$", path.read_text(), re.MULTILINE)
