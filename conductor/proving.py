"""Who counts the connections of a trial, when, and what it means where they do not agree."""

import time

from conductor.course import Course
from conductor.errors import Abandoned
from conductor.outcome import Proof
from conductor.protocol import Event

# How long the server's agent may take to report a limit that the clients have already met.
LIMIT_TELLS_WITHIN_S = 1.5
RECOUNT_AFTER_S = 0.02
LIMIT_RECOUNT_S = 1.0
END_RECOUNT_S = 0.5
# The server's agent takes a sample each second; a server that uses a smaller share of a CPU is idle.
SAMPLE_S, IDLE = 3.0, 0.01


def verified(course: Course) -> int:
    return sum(agent.said["armed"]["verified"] for agent in course.fleet.clients)


def all_armed(course: Course) -> bool:
    """Every connection was verified; or, where the workload holds none, no connection failed."""
    armed = [agent.said["armed"] for agent in course.fleet.clients]
    if not course.trial.load.traits.holds:
        return not any(event["failed"] for event in armed)
    return verified(course) == course.trial.load.connections


def limit_met(course: Course) -> bool:
    """The strategy reached a limit while arming. Unverified connections end the trial where no limit explains them."""
    fleet = course.fleet
    course.enter("proving")
    if all_armed(course) and "limit" not in fleet.server.said:
        return False
    if fleet.wait(lambda: "limit" in fleet.server.said, LIMIT_TELLS_WITHIN_S):
        return course.trial.load.traits.holds
    course.hung = hang(course)
    if course.trial.load.traits.searches == "connections" and not course.hung:
        return True  # as many as are held are what the search looks for
    raise Abandoned


def barrier_proved(course: Course) -> bool:
    """Kernel, server and clients must count the same connections before anyone may go. False: a limit after all."""
    if not course.trial.load.traits.holds:
        return True
    proof = count_on_server(course, verified(course), course.trial.load.arm_timeout)
    log_proof(course, "barrier", proof)
    if "limit" in course.fleet.server.said:
        return False
    course.barrier = proven(course, proof)
    if not course.barrier.agrees:
        raise Abandoned
    return True


def proven(course: Course, proof: Proof | None) -> Proof:
    """The proof that there must be; a server's host that does not count ends the trial."""
    if proof is None:
        course.fleet.give_up([course.fleet.server], "it did not count its connections")
        raise Abandoned
    return proof


def prove_what_is_left(course: Course) -> None:
    """The limit is the result: count the connections that are still served, and skip the window."""
    course.dnf = True
    course.barrier = count_on_server(course, ask_generators(course), LIMIT_RECOUNT_S)
    log_proof(course, "barrier", course.barrier)


def ask_generators(course: Course) -> int | None:
    """How many connections have just answered one more verified echo; None if a client did not say."""
    fleet = course.fleet
    clients = fleet.working_clients
    fleet.forget(clients, "proved")
    fleet.tell(clients, "prove")
    fleet.wait(lambda: all("proved" in a.said or not a.takes_part for a in clients), course.bounds.prove_s)
    answers = [agent.said["proved"]["verified"] for agent in clients if "proved" in agent.said]
    return sum(answers) if len(answers) == len(clients) else None


def count_on_server(course: Course, clients: int | None, seconds: float) -> Proof | None:
    """Ask the server's host to count, again and again, until it agrees with the clients or the time is over."""
    fleet = course.fleet
    deadline_ns = time.monotonic_ns() + int(seconds * 1e9)
    proof = None
    while True:
        fleet.forget([fleet.server], "counts")
        fleet.tell([fleet.server], "prove")
        # One look may take longer than there is time for another, and is an answer all the same.
        if fleet.wait(lambda: "counts" in fleet.server.said, max(seconds, course.bounds.count_s)):
            counts = fleet.server.said["counts"]
            proof = Proof(counts["established"], counts["open"], clients)
        limit_is_news = "limit" in fleet.server.said and not course.dnf and course.go_ns is None
        if time.monotonic_ns() >= deadline_ns or (proof and proof.agrees) or limit_is_news:
            return proof
        fleet.wait(lambda: False, RECOUNT_AFTER_S)


def log_proof(course: Course, when: str, proof: Proof | None) -> None:
    if proof:
        course.log.say(course.trial.n, "proof", when=when, **vars(proof))


def prove_end(course: Course) -> None:
    if course.trial.server.disturb:
        course.fleet.tell([course.fleet.server], "prove")  # nobody is disturbed from now on
    if not course.trial.load.traits.holds:
        if course.trial.load.traits.verifies and course.tally.ceased(course.trial.load.timeout):
            course.hung = hang(course, in_vain=True)
        return
    course.enter("checking")
    clients = ask_generators(course)
    course.end = count_on_server(course, clients, END_RECOUNT_S)
    log_proof(course, "end", course.end)
    asked = [agent.said["proved"] for agent in course.fleet.working_clients if "proved" in agent.said]
    if any(proved["failed"] for proved in asked):
        course.hung = hang(course, in_vain=sum(proved["verified"] for proved in asked) == 0)
    course.marks["proved"] = time.monotonic_ns()


def hang(course: Course, in_vain: bool = False) -> str | None:
    """After clients waited: does the server stand still over work that its kernel holds for it? Or was all in vain?

    A server that is only slow goes on; what a client's path has lost never came. Neither of them hangs.
    """
    fleet = course.fleet
    before = fleet.server.said.get("sample")
    if before is None:
        return None
    fleet.forget([fleet.server], "sample")
    fleet.wait(lambda: "sample" in fleet.server.said, SAMPLE_S)
    after = fleet.server.said.get("sample")
    if after is None or not stood_still(before, after):
        return None
    fleet.forget([fleet.server], "counts")
    fleet.tell([fleet.server], "prove")
    fleet.wait(lambda: "counts" in fleet.server.said, SAMPLE_S)
    unread, queued = fleet.server.said.get("counts", {}).get("unread") or 0, after["accept_queue"] or 0
    work = [f"had not read what came on {unread:,} connections"] if unread else []
    work += [f"had not accepted {queued:,} that had come"] if queued else []
    if work:
        return f"the server hung: it did nothing, and {' and '.join(work)}"
    nobody = (
        "at the end the server did nothing and gave nobody a whole answer: it hung, lost bytes, or nothing reached it"
    )
    return nobody if in_vain else None


def stood_still(before: Event, after: Event) -> bool:
    """Between two samples the server wrote nothing; of a server that does not tell: it used next to no CPU."""
    if after["open"] is not None:
        return bool(after["bytes_out"] == before["bytes_out"])
    used = [one["cpu_user_ns"] for one in (before, after)], [one["cpu_system_ns"] for one in (before, after)]
    if None in used[0] or None in used[1]:
        return False  # a tree too large to be looked at
    spent_ns = sum(last - first for first, last in used)
    return bool(spent_ns <= IDLE * (after["t"] - before["t"]))
