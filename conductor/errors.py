"""What can end a run early. Each carries the one sentence that a person will read."""


class RunRefused(Exception):
    """Nothing may be loaded: the plan, a host or an agent said no. Exit 2."""


class RunEnded(Exception):
    """A host is lost for good, so that no later trial can be what the plan asks. Exit 3."""


class ResultsLost(Exception):
    """Nothing more can be written on the controller: its disk is full, or gone. Exit 3."""


class Interrupted(Exception):
    """A signal, or the owner's death. Exit 130."""


class Abandoned(Exception):
    """This trial cannot go on; why is written in the state of its agents."""
