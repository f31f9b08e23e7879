"""The lab's SSH: ephemeral keys, an sshd in each host's namespaces, and the inventory that leads to them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from .c10k_lab_network import Failed, eventually, inode, run
from .c10k_lab_request import CONTROLLER_ADDRESS, Host

SHADOW = Path("/etc/shadow")
START_S = 5.0


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


# Keys -----------------------------------------------------------------------------------------------------------------


def public(key: Path) -> str:
    """Type and value of the public half."""
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


def key_is_whole(key: Path) -> bool:
    try:
        return (
            key.stat().st_mode & 0o777 == 0o600
            and run("ssh-keygen", "-y", "-f", str(key)).split()[:2] == public(key).split()
        )
    except (OSError, Failed):
        return False


def make_key(key: Path, comment: str) -> None:
    for path in (key, key.with_suffix(".pub")):
        path.unlink(missing_ok=True)
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key))


# sshd -----------------------------------------------------------------------------------------------------------------


def sshd_config(host: Host, home: Path, authorized: Path) -> str:
    """SHLVL: a shell that is not the outermost does not read what root's own start-up files of this machine do."""
    return f"""\
ListenAddress {host.address}:22
HostKey {home}/host_key
PidFile {home}/sshd.pid
AuthorizedKeysFile {authorized}
AllowUsers root
PermitRootLogin prohibit-password
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxSessions 256
MaxStartups 256:30:512
PrintMotd no
PrintLastLog no
SetEnv SHLVL=1
Subsystem sftp internal-sftp
"""


def listener(host: Host, home: Path) -> int | None:
    """The recorded sshd, where it is that of this host, runs in its namespace, and its clock is as it should be."""
    try:
        pid = int((home / "sshd.pid").read_text())
        process = Path(f"/proc/{pid}")
        ours = f"-f {home}/" in command(process)
        same_net = (process / "ns/net").stat().st_ino == inode(host.namespace)
    except (OSError, ValueError):
        return None
    return pid if ours and same_net and offset_of(process) == host.offset_s else None


def offset_of(process: Path) -> int:
    try:
        fields = (process / "timens_offsets").read_text().split()
    except OSError:
        return 0
    return int(fields[fields.index("monotonic") + 1])


def running(directory: Path | None = None) -> set[int]:
    """The network namespaces in which an sshd runs, be they without a name; those of the lab's own, or of any. A lab in
    a container or an isolation below ours has the same paths in a /run of its own, and is none of ours."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            sshd = (process / "comm").read_text().strip() == "sshd" and (process / "root/run").samefile("/run")
            if sshd and (not directory or f"-f {directory}/" in command(process)):
                found.add((process / "ns/net").stat().st_ino)
    return found


def command(process: Path) -> str:
    return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def start_sshd(host: Host, home: Path) -> None:
    """Start sshd in the network of the host, with the host's own name and clock."""
    (home / "sshd.pid").unlink(missing_ok=True)
    clock = ["--time", "--monotonic", str(host.offset_s)] if host.offset_s else []
    unlock = unlocked_root(home)
    script = f'{unlock}echo "$0" >/proc/sys/kernel/hostname && exec "$@"'
    sshd = [program("sshd") or "sshd", "-f", str(home / "sshd_config"), "-E", str(home / "sshd.log")]
    run("ip", "netns", "exec", host.namespace, "unshare", "--uts", *clock, "sh", "-c", script, host.name, *sshd)
    if not eventually(lambda: listener(host, home) is not None, START_S):
        log = (home / "sshd.log").read_text().strip().splitlines() if (home / "sshd.log").exists() else []
        raise Failed(f"The sshd of {host.name} did not start: {log[-1] if log else 'it said nothing'}.")


def unlocked_root(home: Path) -> str:
    """Without PAM sshd refuses root where the password is locked by `!`: in the host's own mounts it is `*` instead."""
    lines = SHADOW.read_text().splitlines() if SHADOW.exists() else []
    if not any(line.startswith("root:!") for line in lines):
        return ""
    copy = home / "shadow"
    copy.touch(mode=0o600)
    changed = [":".join(["root", "*", *line.split(":")[2:]]) if line.startswith("root:") else line for line in lines]
    copy.write_text("\n".join(changed) + "\n")
    return f"mount --bind '{copy}' {SHADOW} && "


def sessions_end(control: Path) -> None:
    """Ansible's connections to the lab that still wait for more to do."""
    for path in control.glob("*") if control.is_dir() else ():
        with contextlib.suppress(Failed):
            run("ssh", "-F", "/dev/null", "-o", f"ControlPath={path}", "-O", "exit", CONTROLLER_ADDRESS)


# The inventory --------------------------------------------------------------------------------------------------------


def inventory_files(hosts: Sequence[Host], inventory: Path, state: Path, base: str) -> dict[str, str]:
    """All but the key. Ansible takes every file here for an inventory unless a dot hides it: hence .ssh."""
    ssh = inventory / ".ssh"
    clients = "".join(
        f"        {host.name}:\n          c10k_load_address: {host.address}\n"
        f"          c10k_sources: [{host.address}, {host.sources}]\n"
        for host in hosts[1:]
    )
    python = "ansible_python_interpreter: /usr/bin/python3\n" if Path("/usr/bin/python3").exists() else ""
    return {
        "hosts.yml": f"""\
---
# Made by playbooks/lab.yml: hosts that are network namespaces of this machine.
c10k:
  children:
    c10k_server:
      hosts:
        server:
          c10k_load_address: {hosts[0].address}
    c10k_clients:
      hosts:
{clients}""",
        "group_vars/c10k.yml": f"""\
---
# Made by playbooks/lab.yml. Ansible and the conductor use the same options of ssh, and accept no other host key.
c10k_base: {base}
ansible_ssh_common_args: "-F {{{{ (inventory_dir ~ '/.ssh/ssh_config') | quote }}}}"
ansible_control_path_dir: {state}/control
{python}""",
        ".ssh/known_hosts": "".join(
            f"{host.address},{host.name} {public(state / host.name / 'host_key')}\n" for host in hosts
        ),
        ".ssh/ssh_config": "# Made by playbooks/lab.yml.\n"
        + "".join(f"Host {host.name}\n    HostName {host.address}\n" for host in hosts)
        + f"""\
Host *
    User root
    IdentityFile "{ssh}/id_ed25519"
    IdentitiesOnly yes
    UserKnownHostsFile "{ssh}/known_hosts"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    PasswordAuthentication no
    ConnectTimeout 10
""",
    }


def differs(path: Path, text: str) -> bool:
    try:
        return path.read_text() != text
    except (OSError, UnicodeDecodeError):
        return True


def write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700 if path.parent.name == ".ssh" else 0o755, parents=True, exist_ok=True)
    new = path.with_name(f".new-{path.name}")
    new.write_text(text)
    new.chmod(0o600 if path.parent.name == ".ssh" else 0o644)
    new.replace(path)
