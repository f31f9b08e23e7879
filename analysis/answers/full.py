"""Which cells left their server's CPUs hardly any time: what a request costs there is what the rate leaves it."""

from collections import Counter

from analysis.findings import parsed
from analysis.model import Dataset

CHECK = "SV7"
BOUND = "its CPUs were full: at this rate no more can show"
"""Why a cost of these is the least that it can be."""


def full(dataset: Dataset) -> set[tuple[str, str]]:
    """The (run, cell) of which that was found in most of the repetitions."""
    own = dataset.trials[~dataset.trials["control"].fillna(False).astype(bool)]
    cell_of = {(run, n): cell for run, n, cell in zip(own["run"], own["trial"], own["cell"], strict=True)}
    of = Counter((key[0], cell) for key, cell in cell_of.items())
    told = [one for one in parsed(dataset.findings) if one.check == CHECK]
    seen = {(one.run, n) for one in told for n in one.trials if (one.run, n) in cell_of}
    found = Counter((key[0], cell_of[key]) for key in seen)
    whole = {(one.run, cell) for one in told if not one.trials for cell in one.cells}
    return whole | {key for key, n in found.items() if 2 * n > of[key]}
