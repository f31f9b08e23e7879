"""python -m conductor run --plan results/<id>/plan.yml --results results/<id> [--owner PID]"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from conductor.errors import RunRefused
from conductor.inbox import Inbox
from conductor.output import complain
from conductor.owner import watch_owner, watch_signals
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
    arguments = parser.parse_args(argv)
    try:
        plan = load_plan(arguments.plan)
    except RunRefused as refusal:
        complain(str(refusal))
        return REFUSED
    inbox: Inbox = SimpleQueue()
    watch_signals(inbox)
    if arguments.owner is not None:
        watch_owner(arguments.owner, inbox)
    return run_plan(plan, arguments.results, inbox)


if __name__ == "__main__":
    sys.exit(main())
