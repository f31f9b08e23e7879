"""Does a host fit the run? Each check says what is needed, what there is, and what mends it. Pure."""

from collections.abc import Iterator, Sequence

from contracts.declared import GENERATORS
from planner import commands, duet, room
from planner.cells import Catalog, Request
from planner.cells import interpreters as asked_interpreters
from planner.check import DOUBTFUL, LOAD_ADDRESS, Check, Facts, Host, judged, yes
from plugins.module_utils.c10k_sysctl import listed
from server.catalog import PROGRAMS

GOARCH = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
SERVER_PYTHON = (3, 9)
CLOCK_S = 5.0
"""How far the wall clock of a host may be from the controller's before it is told."""


def checks_of(request: Request, catalog: Catalog, hosts: Sequence[Host]) -> list[Check]:
    """Every check of every host; of one that was not looked at, only that."""
    found = []
    for host in hosts:
        probe = host["probe"]
        if probe is None:
            outside = " was not looked at: a run needs every host of the inventory, so leave --limit away."
            found.append(judged(host, "reached", "yes", "outside --limit", outside))
        elif probe.get("problem"):
            found.append(judged(host, "reached", "yes", "no", f" {probe['problem']}"))
        else:
            found += of_one(request, catalog, hosts, host, probe["facts"])
    return found


def of_one(request: Request, catalog: Catalog, hosts: Sequence[Host], host: Host, facts: Facts) -> Iterator[Check]:
    yield judged(host, "reached", "yes", "by ssh" if host["probe"].get("ssh") else "local")
    if host["role"] == "server":
        yield python(host, facts)
        yield from interpreters(request, host, facts)
        yield from ports_of(request, host, facts)
        yield from commands.there(request, host, facts)
        yield room.server_descriptors(request, catalog, host, facts)
    else:
        yield architecture(host, facts)
        yield room.client_descriptors(request, hosts, host, facts)
    yield from load_address(host, facts)
    yield from pinned(request, host, facts)
    yield from account(host)
    yield base(host, facts)
    yield room.disk(host, facts)
    yield executable(request, catalog, host, facts)
    yield root(request, host, facts)
    yield room.memory(request, hosts, host, facts)
    yield from room.conntrack(request, hosts, host, facts)
    yield room.processes(host, facts)
    yield clock(host)


# What the host is ----------------------------------------------------------------------------------------------------


def python(host: Host, facts: Facts) -> Check:
    old = tuple(int(part) for part in facts["python"].split(".")[:2]) < SERVER_PYTHON
    bad = f" has Python {facts['python']} but the server needs 3.9: set ansible_python_interpreter to one."
    return judged(host, "Python", "3.9", facts["python"], bad if old else "")


def interpreters(request: Request, host: Host, facts: Facts) -> Iterator[Check]:
    """Each that the run asks for by version or path."""
    for level in asked_interpreters(request.cells):
        if level in request.optional:
            continue
        found = facts["interpreters"].get(level)
        old = found and tuple(int(part) for part in found["python"].split(".")[:2]) < SERVER_PYTHON
        bad = f" has {found['python']} there, and the servers need 3.9." if old else "" if found else (
            " has none that its user may run, neither in PATH nor in /usr/local, /opt or where pyenv and uv put them: "
            "install it there, name it by its whole path, or leave it out."
        )  # fmt: skip
        named = level if level.startswith("/") else f"Python {level}"
        yield judged(host, named, "there", found["python"] if found else "not there", bad and f": of {named} it{bad}")


def architecture(host: Host, facts: Facts) -> Check:
    arch, known = facts["arch"], ", ".join(GOARCH)
    bad = f" is a {arch}, and the generator is built for {known} only."
    return judged(host, "architecture", known, arch, "" if arch in GOARCH else bad)


def pinned(request: Request, host: Host, facts: Facts) -> Iterator[Check]:
    name = f"{host['role']}_cpus"
    wanted = request.run_wide[name]
    if not isinstance(wanted, list):
        return
    have = listed(facts["cpus"])
    absent = [core for core in wanted if core not in facts["cpus"]]
    bad = f": {name} names CPU {absent[0]}, which it does not have; it has {have}." if absent else ""
    yield judged(host, name, listed(wanted), have, bad)


def root(request: Request, host: Host, facts: Facts) -> Check:
    lacks = request.run_wide["tune"] == "required" and not facts["root"]
    bad = ": tune=required, and its user is not root and may not become root; use tune=auto, or let it."
    return judged(host, "root", f"tune={request.run_wide['tune']}", yes(facts["root"]), bad if lacks else "")


def clock(host: Host) -> Check:
    ahead = host["probe"].get("clock_ahead_s") or 0.0
    bad = (
        f": its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this controller's, so the times of "
        "its logs mislead; let NTP set it. No latency is wrong for that."
    )
    return judged(
        host, "clock", f"within {CLOCK_S:.0f} s", f"{ahead:+.1f} s", bad if abs(ahead) > CLOCK_S else "", DOUBTFUL
    )


# Where its files go --------------------------------------------------------------------------------------------------


def account(host: Host) -> Iterator[Check]:
    """An account of its own is a boundary only where it is nobody else, and has no way to root."""
    of = host["probe"].get("account")
    if not of:
        return
    name, bad = of["name"], ""
    if of["uid"] is None:
        bad = f" has no account {name}: make it there (`useradd --system --create-home {name}`)"
    elif of["uid"] == 0:
        bad = f": its c10k_account {name} has the user id 0, so it may do everything: give another account"
    elif of["uid"] == of["user"]:
        bad = f": {name} is the user that SSH logs in with: give another account"
    elif not of["reached"]:
        bad = (
            f": its user may not run programs as {name} without a password and a terminal: let it "
            f"(`USER ALL=({name}) NOPASSWD: ALL`, and `Defaults:USER !requiretty` where sudo asks for one)"
        )
    elif of["root"]:
        bad = f": {name} may become root by sudo without a password, so it is no boundary: take that from it in sudoers"
    have = "there" if not bad else "not as needed"
    yield judged(host, "account", "no root, no sudo", have, f"{bad}, or leave c10k_account away." if bad else "")


def base(host: Host, facts: Facts) -> Check:
    bad, who = "", (host["probe"].get("account") or {"name": "its user"})["name"]
    if not facts["base_writable"] and not facts["root"]:
        bad = f": {who} may neither write {host['base']} nor become root; set c10k_base to a directory it owns."
    elif not facts["base_writable"] and facts["obstacle"]:
        bad = (
            f": {who} may not write {host['base']}/{host['name']}, and root does not make it, since "
            f"{facts['obstacle']}; set c10k_base to a directory that it owns."
        )
    return judged(host, "base", f"a directory of {who}", host["base"], bad)


def executable(request: Request, catalog: Catalog, host: Host, facts: Facts) -> Check:
    """A mount with noexec starts no program, and maps no library of a package."""
    if host["role"] == "client":
        needy = sorted({c["generator"] for c in request.cells if GENERATORS[c["generator"]].program == "loadgen"})
    else:
        asked = dict.fromkeys(cell["strategy"] for cell in request.cells if cell["strategy"])
        needy = [name for name in asked if catalog[name].packages or set(PROGRAMS) & set(catalog[name].needs)]
    bad = (
        f": {host['base']} is on a mount with noexec, where {', '.join(needy)} cannot run: set c10k_base to a "
        "directory elsewhere, or mount that one without noexec."
    )
    have = "noexec" if facts["noexec"] else "yes"
    return judged(host, "programs run", "yes" if needy else "–", have, bad if needy and facts["noexec"] else "")


# Where the server listens --------------------------------------------------------------------------------------------


def ports(request: Request) -> list[int]:
    if request.run_wide["duet"]:
        return sorted({port for cell in request.cells for port in duet.ports(cell)})
    return sorted({cell["server_port"] + i for cell in request.cells for i in range(cell["server_ports"])})


def ports_of(request: Request, host: Host, facts: Facts) -> Iterator[Check]:
    """An agent that lives is a run's: the lock names it, and the ports are its own."""
    asked = ports(request)
    low, high = facts["port_range"]
    open_to_theft = [port for port in asked if low <= port <= high and not reserved(port, facts["reserved_ports"])]
    yield judged(
        host, "ephemeral range", f"not {listed(asked)}", f"{low}-{high}",
        port_problem(open_to_theft, facts) if open_to_theft else "",
    )  # fmt: skip
    taken = {} if facts["agent"] else {held["port"]: held for held in facts["ports_held"]}
    first = next(iter(taken.values()), None)
    yield judged(
        host, "free ports", listed(asked), f"{first['port']}: {first['why']}" if first else "free",
        f": port {first['port']} of {host['load_address']} {first['why']}; stop that, or choose another server_port."
        if first else "",
    )  # fmt: skip


def reserved(port: int, text: str) -> bool:
    for part in filter(None, text.replace(" ", "").split(",")):
        low, _, high = part.partition("-")
        if int(low) <= port <= int(high or low):
            return True
    return False


def port_problem(taken: Sequence[int], facts: Facts) -> str:
    """One sentence however many they are: `server_ports` goes to a thousand."""
    low, high = facts["port_range"]
    every = listed(list(taken))
    return (
        f": server_port={every} is inside its ephemeral range ({low}-{high}), where a connection may take it "
        f"first: choose one below {low}, or reserve it there with `sysctl net.ipv4.ip_local_reserved_ports={every}`."
    )


def load_address(host: Host, facts: Facts) -> Iterator[Check]:
    why = facts["address_problem"]
    bad = (
        f" cannot use its c10k_load_address {host['load_address']} ({why}): give one that it has; `ip addr` there "
        "shows them."
    )
    if not host["load_address"]:
        return  # told of the variable
    login = facts["login_address"]
    way = "it too" if login == host["load_address"] else login
    beside = f"its own; SSH comes over {way}" if login else "its own"
    yield judged(host, LOAD_ADDRESS, host["load_address"], why or beside, bad if why else "")
