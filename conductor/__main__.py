"""python -m conductor run --plan results/<id>/plan.yml --results results/<id> [--owner PID] [--resume N,…]
python -m conductor hold --run ID --owner PID < hosts.json
python -m conductor doctor -i INVENTORY [-e strategy=poll …]"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from conductor import doctor, hold, owner
from conductor.errors import RunRefused
from conductor.inbox import Inbox, Interrupt
from conductor.output import complain
from conductor.plan import load_plan
from conductor.run import REFUSED, run_plan


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="conductor", description="Run a plan of trials over SSH.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run all trials of a plan")
    run.add_argument("--plan", type=Path, required=True, metavar="FILE")
    run.add_argument(
        "--results", type=Path, required=True, metavar="DIR", help="where events.jsonl and trials/ are written"
    )
    run.add_argument("--owner", type=int, metavar="PID", help="end the run when this process ends")
    run.add_argument(
        "--resume", type=numbers, metavar="N,…", help="run these of its trials, as of a run that was broken off"
    )
    held = commands.add_parser("hold", help="keep other runs away from the hosts of stdin until the owner ends")
    held.add_argument("--run", required=True, metavar="ID")
    held.add_argument("--owner", type=int, required=True, metavar="PID")
    held.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="for another run to end")
    commands.add_parser(
        "doctor", add_help=False, help="do the hosts fit a run? every check as a table; options as of ansible-playbook"
    )
    arguments, others = parser.parse_known_args(argv)
    if arguments.command == "doctor":
        return doctor.doctor(others)
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    inbox: Inbox = SimpleQueue()
    watch_signals(inbox)
    if arguments.owner is not None:
        owner.watch(arguments.owner, inbox)
    if arguments.command == "hold":
        owner.keep_awake(arguments.owner)
        held_hosts, ports = hold.parse(json.load(sys.stdin))
        return hold.hold(held_hosts, ports, arguments.run, arguments.wait, inbox)
    try:
        plan = load_plan(arguments.plan)
    except RunRefused as refusal:
        complain(str(refusal))
        return REFUSED
    return run_plan(plan, arguments.results, inbox, arguments.resume)


def numbers(text: str) -> frozenset[int]:
    """Of trials, with commas between."""
    return frozenset(int(number) for number in text.split(","))


def watch_signals(inbox: Inbox) -> None:
    """Turn the signals that mean "end" into an item of the inbox."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda given, _frame: inbox.put(Interrupt(f"{signal.Signals(given).name} received")))


if __name__ == "__main__":
    sys.exit(main())
