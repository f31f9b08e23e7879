"""Does every fault, in every part of a run, end in a true outcome and a clear sentence, with nothing left behind?

    .venv/bin/python -m tests.bench.faults [--only WORDS]

Needs the lab of three clients (playbooks/lab.yml). CI runs those that stand for their kind.
"""

import argparse
import sys

from tests.faults import cases, suffered
from tests.harm import NotThere


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORDS", help="the cases with these words in their names")
    options = parser.parse_args()
    chosen = [case for case in cases.CASES if options.only in case.name]
    failed = []
    for case in chosen:
        try:
            ended, found = suffered.check(case)
            print(f"{case.name}: {ended.took_s:.0f} s, {'; '.join(found) or 'as it must be'}", flush=True)
        except (NotThere, AssertionError) as error:
            found = [str(error)]
            why = next((text for text in found[0].splitlines() if text.startswith("[ERROR]")), found[0][-300:])
            print(f"{case.name}: could not be made: {why}", flush=True)
        failed += [case.name] if found else []
    print(f"{len(chosen)} faults, {len(failed)} not as they must be: {failed}")
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
