"""One trial: the protocol in the order in which it happens."""

import time
from collections.abc import Mapping

from conductor import progress, proving
from conductor.clock import EXCHANGES, Clock, clock_of, lead_ns
from conductor.course import Course
from conductor.errors import Abandoned, Interrupted, RunEnded, RunRefused
from conductor.events import EventLog
from conductor.fleet import Fleet
from conductor.greeting import greet
from conductor.inbox import Inbox, in_background
from conductor.itself import used
from conductor.meeting import Meeting
from conductor.output import say
from conductor.plan import STEP_HELD_S, Plan, Trial
from conductor.sessions import Session
from conductor.shares import heights, shares
from conductor.specs import CLOCK_S, bounds

INTERRUPTED_STOP_S = 2.0
CLOSE_S = 1.0
OWN_EVERY_S = 10


def run_trial(
    plan: Plan, trial: Trial, label: str, is_first: bool, sessions: Mapping[str, Session], inbox: Inbox, log: EventLog,
    meeting: Meeting | None = None,
) -> Course:  # fmt: skip
    """Run one trial to whatever end it has, which is in the course, never an exception. `label`: before a person.
    `meeting`: with the trial that another thread runs beside it."""
    parts = shares(trial.load, plan.clients)
    told = {name: getattr(trial, name) for name in ("n", "cell", "block", "kind", "control", "beside")}
    told |= {"server": trial.server.given, "load": trial.load.given}
    log.say(trial.n, "trial", state="started", **told, shares={name: part.load for name, part in parts.items()})
    started_ns = time.monotonic_ns()
    fleet = Fleet(plan, trial, parts, sessions, inbox, log)
    course = Course(
        plan, trial, label, is_first, log, fleet, parts, bounds(trial), meeting, marks={"starting": started_ns}
    )
    fleet.on_second = lambda: each_second(course)
    fleet.on_interval = course.tally.take
    try:
        measure(course)
    except Abandoned:
        pass  # the agents hold why they are lost or spoiled
    except RunRefused as refusal:
        course.refused = str(refusal)
    except RunEnded as end:
        course.run_over = str(end)
    except Interrupted as interruption:
        course.interrupted = str(interruption)
    finally:
        if meeting:
            meeting.leave(course.refused)
    stop(course)
    return course


def measure(course: Course) -> None:
    """All of a trial that goes well, but its end."""
    greet(course)
    course.clocks = read_clocks(course, "before")
    arm_server(course)
    if course.trial.load.climbs:
        climb(course)
    else:
        arm_generators(course)
    if proving.limit_met(course) or not proving.barrier_proved(course):
        proving.prove_what_is_left(course)
    else:
        go(course)
        follow(course)
        proving.prove_end(course)
        course.clocks_after = read_clocks(course, "after")


def read_clocks(course: Course, when: str) -> dict[str, Clock]:
    """Ask every agent for the time, 32 questions one after the other, all hosts side by side."""
    fleet = course.fleet
    agents = [fleet.server, *fleet.working_clients]
    for agent in agents:
        agent.exchanges.clear()

    def all_have_answered() -> bool:
        for agent in agents:
            if len(agent.exchanges) < EXCHANGES and not agent.owes_clock:
                agent.ask_clock()
        return all(len(agent.exchanges) >= EXCHANGES for agent in agents if agent.takes_part)

    if not fleet.wait(all_have_answered, CLOCK_S) and when == "before":
        slow = [agent for agent in agents if len(agent.exchanges) < EXCHANGES]
        fleet.give_up(slow, f"it did not tell its clock {EXCHANGES} times within {CLOCK_S:.0f} s")
        raise Abandoned
    clocks = {agent.name: clock_of(agent.exchanges) for agent in agents if agent.exchanges}
    said = {name: {"offset_ns": clock.offset_ns, "bound_ns": clock.bound_ns} for name, clock in clocks.items()}
    course.log.say(course.trial.n, "clocks", when=when, clocks=said)
    return clocks


def arm_server(course: Course) -> None:
    course.enter("arming")
    fleet = course.fleet
    fleet.tell([fleet.server], "arm")
    if not fleet.wait(lambda: "listening" in fleet.server.said, course.bounds.listen_s):
        fleet.give_up([fleet.server], f"the server did not listen within {course.bounds.listen_s:.0f} s")
        raise Abandoned


def climb(course: Course) -> None:
    """Arm in equal steps; at each one all must count the same, and it is held for a second. A limit ends the ramp."""
    fleet, load = course.fleet, course.trial.load
    for n, parts in enumerate(heights(course.shares, load.steps), 1):
        course.enter(f"step {n}/{load.steps}")
        arm_generators(course, parts)
        arm_s = (time.monotonic_ns() - course.marks[course.phase]) / 1e9
        whole = proving.verified(course) == sum(parts.values())
        if not whole:
            fleet.wait(lambda: "limit" in fleet.server.said, proving.LIMIT_TELLS_WITHIN_S)
        counted = proving.count_on_server(
            course, proving.verified(course), load.arm_timeout if whole else proving.LIMIT_RECOUNT_S
        )
        proof = proving.proven(course, counted)
        course.steps.append({"connections": sum(parts.values()), "arm_s": round(arm_s, 6), **vars(proof)})
        course.log.say(course.trial.n, "step", n=n, **course.steps[-1])
        if whole and not proof.agrees:
            course.barrier = proof
        if not whole or not proof.agrees:
            return
        if fleet.wait(lambda: "limit" in fleet.server.said, STEP_HELD_S):
            return


def arm_generators(course: Course, parts: Mapping[str, int] | None = None) -> None:
    """All at once, or so many connections of each client."""
    fleet = course.fleet
    fleet.forget(fleet.clients, "armed")
    for agent in fleet.clients:
        agent.tell("arm", **({} if parts is None else {"connections": parts[agent.name]}))
    if not fleet.wait(lambda: all("armed" in agent.said for agent in fleet.clients), course.bounds.arm_s):
        slow = [agent for agent in fleet.clients if "armed" not in agent.said]
        fleet.give_up(slow, f"it was not armed within {course.bounds.arm_s:.0f} s")
        raise Abandoned


def go(course: Course) -> None:
    """Give all agents the same moment, each in its own clock."""
    fleet = course.fleet
    go_ns = moment_of_both(course, course.meeting) if course.meeting else None
    fleet.tolerant = True
    course.phase = "load"
    course.go_ns = go_ns or time.monotonic_ns() + lead_ns(course.clocks.values())
    at_ns = {name: clock.there(course.go_ns) for name, clock in course.clocks.items()}
    for name, agent in fleet.agents.items():
        agent.tell("go", at=at_ns[name])
    course.marks["go"] = course.go_ns
    course.log.say(course.trial.n, "went", at_ns=at_ns, go_ns=course.go_ns)


def moment_of_both(course: Course, meeting: Meeting) -> int | None:
    """When this trial and the one beside it go; None: the other does not, and this one goes alone."""
    course.enter("meeting")
    meeting.arrive(lead_ns(course.clocks.values()))
    # The other leaves at its own end at the latest, so this bound is for a defect alone.
    if not course.fleet.wait(lambda: meeting.is_over, course.bounds.lifetime_s):
        meeting.leave()
    if meeting.refused:
        raise RunRefused(meeting.refused)
    return meeting.go_ns


def follow(course: Course) -> None:
    """Wait until every client that is still there is done. A client that is not done in time is lost."""
    fleet = course.fleet
    if why := overdue(course):
        for agent in fleet.working_clients:
            if "done" not in agent.said:
                fleet.lose(agent, why)
    course.marks["done"] = time.monotonic_ns()


def overdue(course: Course) -> str | None:
    """Why to wait no longer for those that are not done; None where all are.

    How long a number of requests takes nobody knows, but answers come meanwhile; where they cease, it is given up.
    """
    assert course.go_ns is not None
    fleet, load = course.fleet, course.trial.load
    ends_ns = course.go_ns + int(course.bounds.load_s * 1e9)
    while (left_s := (ends_ns - time.monotonic_ns()) / 1e9) > 0:
        arrived = course.tally.window_counts["arrived"]
        seconds = min(left_s, course.bounds.answer_s) if load.requests else left_s
        if fleet.wait(lambda: all("done" in a.said or not a.takes_part for a in fleet.clients), seconds):
            return None
        if load.requests and course.tally.window_counts["arrived"] == arrived:
            course.hung = proving.hang(course, in_vain=True)
            if course.hung:
                raise Abandoned
            return f"nothing was answered for {course.bounds.answer_s:.0f} s"
    return f"it was not done within {course.bounds.load_s:.0f} s"


def stop(course: Course) -> None:
    """Order all agents to stop, and read them to the end: what they flush belongs to the trial."""
    fleet = course.fleet
    course.enter("stopping")
    fleet.ending = True
    agents = list(fleet.agents.values())
    fleet.tell(agents, "stop")
    awaited = [agent for agent in agents if not agent.silent and agent.starting.result]
    for seconds in (INTERRUPTED_STOP_S if course.interrupted else course.bounds.stop_s, INTERRUPTED_STOP_S):
        try:
            fleet.wait(lambda: all(agent.ended for agent in awaited), seconds)
            break
        except Interrupted as interruption:
            course.interrupted = course.interrupted or str(interruption)
    course.marks["stopped"] = time.monotonic_ns()
    channels = [(agent.name, agent.starting.result) for agent in agents if agent.starting.result]
    closing = [in_background(fleet.inbox, name, channel.close) for name, channel in channels]
    try:
        fleet.wait(lambda: all(task.over for task in closing), CLOSE_S)
    except Interrupted as interruption:
        course.interrupted = course.interrupted or str(interruption)


def each_second(course: Course) -> None:
    show(course)
    if course.seconds % OWN_EVERY_S == 0:
        course.log.say(course.trial.n, "own", t=time.monotonic_ns(), **used())
    course.seconds += 1


def show(course: Course) -> None:
    """The line of this second."""
    now_ns = time.monotonic_ns()
    if course.go_ns is None or course.phase != "load":
        elapsed_s = (now_ns - course.marks.get(course.phase, now_ns)) / 1e9
        said = [agent.said["progress"] for agent in course.fleet.clients if "progress" in agent.said]
        say(progress.phase_line(course.label, course.phase, elapsed_s, said, course.trial.load.connections))
        return
    load = course.trial.load
    course.tally.settle(a.name for a in course.fleet.working_clients if course.shares[a.name].active)
    server = course.fleet.server
    stand = progress.connected(
        server.said.get("sample"), course.clocks[server.name].there(course.go_ns),
        course.barrier.server if course.barrier else None,
    )  # fmt: skip
    say(
        progress.load_line(
            course.label, max(0, now_ns - course.go_ns) / 1e9, None if load.requests else load.warmup + load.duration,
            stand if load.traits.holds else None, course.tally,
        )
    )  # fmt: skip
