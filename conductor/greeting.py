"""The first step of a trial: every agent has started and is the right one."""

from conductor.course import Course
from conductor.errors import Abandoned, RunEnded, RunRefused
from conductor.fleet import Peer
from conductor.specs import HELLO_S
from contracts.visible import one_line


def greet(course: Course) -> None:
    """Wait until every agent has said hello; all were started at once. An agent that cannot start ends the run."""
    fleet = course.fleet
    agents = fleet.agents.values()
    fleet.tolerant = True  # an agent that ends at once is judged here, with its last words
    try:
        fleet.wait(lambda: all(_greeted(agent) or _failed_to_start(agent) for agent in agents), HELLO_S)
    except Abandoned:
        fleet.ending = True  # let the last words of those that ended arrive
        fleet.wait(lambda: all(agent.ended for agent in agents if agent.lost), 1.0)
        fleet.ending = False
    # Agents that have ended come first: the others might still have said hello.
    for agent in sorted(agents, key=lambda agent: not _failed_to_start(agent)):
        if problem := _no_hello_because(course, agent):
            fleet.lose(agent, problem.rstrip("."))
            raise (RunRefused if course.is_first else RunEnded)(f"{agent.name}: {problem}")
    fleet.tolerant = False


def _greeted(agent: Peer) -> bool:
    return "hello" in agent.said and agent.starting.over


def _failed_to_start(agent: Peer) -> bool:
    return agent.ended or agent.starting.error is not None


def _no_hello_because(course: Course, agent: Peer) -> str | None:
    app = course.plan.app(agent.host)
    hello = agent.said.get("hello")
    if agent.starting.error is not None:
        return f"its agent could not be started: {agent.starting.error}."
    if hello is None and agent.spoiled:
        return agent.spoiled
    if hello is None and agent.lost:
        return f"{agent.because(f'its agent did not start in {app}')}: run playbooks/prepare.yml, which deploys it."
    if hello is None or not agent.starting.over:
        why = agent.because(f"its agent said no hello within {HELLO_S:.0f} s")
        return f"{why}: see whether the host is overloaded."
    if hello["version"] != 1 or hello["host"] != agent.name:
        found = f"host {one_line(repr(hello['host']))}, protocol {hello['version']}"
        return f"its agent is that of {found}: run playbooks/prepare.yml, which deploys the right one."
    return None
