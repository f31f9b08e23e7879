"""How the connections came to stand, on samples written by hand."""

from analysis.charts import ramp
from analysis.charts.registry import make
from tests.unit.analysis.chart_data import Row, dataset_of, trial

SELECT = trial(9, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018)


def samples(n: int, *points: tuple[float, int | None]) -> list[Row]:
    return [{"run": "r1", "trial": n, "t_s": t, "open": count} for t, count in points]


# The first sample, before the server answers, holds none; all stand at the third, 2 s later.
SAMPLES = samples(1, (-2.5, None), (-1.5, 4000), (-0.5, 10_000), (0.5, 10_000), (1.5, 10_000), (2.5, 10_000))


def test_time_counts_from_the_first_sample_and_the_load_is_left_out() -> None:
    frame = ramp.data(dataset_of(trials=[trial(1)], server_samples=SAMPLES))
    assert frame["t_s"].tolist() == [0, 1, 2, 3, 4]
    assert frame["connections"].tolist() == [0, 4000, 10_000, 10_000, 10_000]


def test_finding_tells_when_all_stood_who_stopped_and_that_no_queue_overflowed() -> None:
    dataset = dataset_of(trials=[trial(1), SELECT], server_samples=SAMPLES)
    assert ramp.caption(ramp.data(dataset)) == (
        "All 10,000 connections stood at the sample 2.0 s after the first (epoll). "
        "None of their accept queues overflowed. Stopped at a limit of their own: select at 1,018 (FD_SETSIZE)."
    )


def test_overflows_are_told_at_the_sample_in_which_they_grew() -> None:
    counter = {"run": "r1", "trial": 1, "counter": "TcpExt.ListenOverflows"}
    kernel = [counter | {"t_s": -1.5, "value": 30}, counter | {"t_s": -0.5, "value": 50},
              counter | {"t_s": -0.5, "value": 999, "counter": "TcpExt.TCPTimeouts"}]  # fmt: skip
    frame = ramp.data(dataset_of(trials=[trial(1)], server_samples=SAMPLES, kernel=kernel))
    assert frame["overflows"].tolist() == [0, 30, 20, 0, 0]
    assert "The accept queue overflowed with epoll." in ramp.caption(frame)


def test_a_sample_that_never_finds_all_is_said() -> None:
    short = samples(1, (-2.0, 0), (-1.0, 4000), (0.0, 9999))
    text = ramp.caption(ramp.data(dataset_of(trials=[trial(1)], server_samples=short)))
    assert text == "No sample found all of them with epoll. None of their accept queues overflowed."


def test_a_step_is_what_the_least_of_the_three_counts_confirm() -> None:
    proof = {"run": "r1", "trial": 1, "moment": "step 1", "asked": 1000, "kernel": 1000, "server": 990, "clients": 995}
    barrier = proof | {"moment": "barrier", "asked": 10_000}
    mute = proof | {"moment": "step 2", "asked": 2000, "kernel": 2000, "server": None, "clients": 2000}
    dataset = dataset_of(trials=[trial(1, workload="ramp")], proofs=[proof, mute, barrier])
    frame = ramp.data(dataset)
    assert frame[["asked_connections", "connections"]].to_numpy().tolist() == [[1000, 990], [2000, 2000]]
    assert ramp.caption(frame) == "epoll held all 2,000 connections, step by step."


def test_a_strategy_that_stops_keeps_its_steps_and_is_marked_at_its_limit() -> None:
    steps = [{"run": "r1", "trial": 9, "moment": f"step {i}", "asked": asked, "kernel": held, "server": held,
              "clients": held} for i, asked, held in ((1, 1000, 1000), (2, 2000, 1018))]  # fmt: skip
    frame = ramp.data(dataset_of(trials=[SELECT | {"workload": "ramp"}], proofs=steps))
    assert frame["kind"].tolist() == ["step", "step", "stopped"]
    assert ramp.caption(frame) == "Stopped at a limit of their own: select at 1,018 (FD_SETSIZE)."
    ramp.draw(frame).to_dict()


def test_charts_of_one_strategy_and_of_several() -> None:
    dataset = dataset_of(trials=[trial(1), SELECT], server_samples=SAMPLES)
    figure = make(ramp, dataset)
    assert figure is not None
    assert figure.drawing is not None
    assert "1,018, FD_SETSIZE" in str(figure.drawing.to_dict())


def test_nothing_to_show() -> None:
    assert make(ramp, dataset_of(trials=[SELECT])) is None
    assert make(ramp, dataset_of(trials=[trial(1, workload="churn")], server_samples=SAMPLES)) is None


def test_what_was_not_begun_has_stopped_nowhere() -> None:
    """The defect: "Stopped at a limit of their own: poll at – ()"."""
    refused = trial(2, "poll", outcome="dnf", connections=20_000)
    text = ramp.caption(ramp.data(dataset_of(trials=[trial(1), refused], server_samples=SAMPLES)))
    assert text.endswith("Not begun, since a host could not hold so many: poll, 20,000 connections.")


def test_what_an_own_server_dropped_is_told_though_nobody_counted_its_connections_meanwhile() -> None:
    """The defect: "None of their accept queues overflowed", beside a finding of 1,092 times."""
    mute = [one | {"open": None} for one in SAMPLES]
    counter = {"run": "r1", "trial": 1, "counter": "TcpExt.ListenOverflows"}
    kernel = [counter | {"t_s": -1.5, "value": 13}, counter | {"t_s": -0.5, "value": 748}]
    proof = {"run": "r1", "trial": 1, "moment": "barrier", "kernel": 10_000, "server": None, "clients": 10_000}
    frame = ramp.data(dataset_of(trials=[trial(1)], server_samples=mute, kernel=kernel, proofs=[proof]))
    assert frame["overflows"].sum() == 748
    assert "The accept queue overflowed with epoll." in ramp.caption(frame)
