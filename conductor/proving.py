"""Who counts the connections of a trial, when, and what it means where they do not agree."""

import time

from conductor.course import Course
from conductor.errors import Abandoned
from conductor.outcome import Proof

# How long the server's agent may take to report a limit that the clients have already met.
LIMIT_TELLS_WITHIN_S = 1.5
RECOUNT_AFTER_S = 0.02
LIMIT_RECOUNT_S = 1.0
END_RECOUNT_S = 0.5


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
        course.fleet.spoil([course.fleet.server], "it did not count its connections")
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
        if fleet.wait(lambda: "counts" in fleet.server.said, seconds):
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
    if not course.trial.load.traits.holds:
        return
    course.enter("checking")
    clients = ask_generators(course)
    course.end = count_on_server(course, clients, END_RECOUNT_S)
    log_proof(course, "end", course.end)
    course.marks["proved"] = time.monotonic_ns()
