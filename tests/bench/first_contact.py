"""Figure: a newcomer's first minutes, in every setting of tests/first_contact.py, one after the other; run by hand.

python -m tests.bench.first_contact [WORD…]    # about three minutes a setting; those whose name holds a word
"""

import sys

from tests.first_contact import CELLS, Cell, Seen, attempt


def told(cell: Cell, seen: Seen) -> str:
    table = "never" if seen.table_s is None else f"{seen.table_s:5.0f} s"
    return f"{cell.name:<28} exit {seen.status}  first table {table}  longest silence {seen.longest_gap_s:4.1f} s"


def main() -> int:
    """1 where one did not go well."""
    failed = 0
    for cell in CELLS:
        if sys.argv[1:] and not any(word in cell.name for word in sys.argv[1:]):
            continue
        seen = attempt(cell)
        print(told(cell, seen), flush=True)
        print(f"    the longest silence came after: {seen.before_it}", flush=True)
        if seen.status or seen.table_s is None:
            failed = 1
            print(seen.said[-3000:], flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
