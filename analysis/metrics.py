"""The figures that are compared: from which column of `trials`, in which unit, and which direction is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure. `column` is of `trials`; `tail` names the column with the requests beyond a percentile, `resolution`
    that with what the figure is known to. `is_cost`: of a load that is not sustained it says nothing of the server."""

    name: str
    column: str
    title: str
    unit: str  # ns, µs, 1/s, B, connections
    higher_is_better: bool
    tail: str | None = None
    resolution: str | None = None
    is_cost: bool = False


METRICS = {
    metric.name: metric
    for metric in (
        Metric("efficiency", "requests_per_cpu_s", "requests per server-CPU-second", "1/s", True, is_cost=True),
        Metric("p50", "response_p50_ns", "median response", "ns", False, "response_p50_tail_requests"),
        Metric("p99", "response_p99_ns", "p99 response", "ns", False, "response_p99_tail_requests"),
        Metric("p99_9", "response_p99_9_ns", "p99.9 response", "ns", False, "response_p99_9_tail_requests"),
        Metric("throughput", "requests_per_s", "requests answered per second", "1/s", True),
        Metric("cpu", "cpu_us_per_request", "server CPU time per request", "µs", False, is_cost=True),
        Metric("cpu_user", "cpu_user_us_per_request", "of it in user mode", "µs", False, is_cost=True),
        Metric("cpu_system", "cpu_system_us_per_request", "of it in the kernel", "µs", False, is_cost=True),
        Metric(
            "memory", "rss_bytes_per_connection", "memory per connection", "B", False, resolution="rss_resolution_bytes"
        ),
        Metric("connect_p99", "connect_p99_ns", "p99 of connecting", "ns", False),
        Metric("late", "connect_late_share", "share of connections that took 0.9 s or more", "", False),
        Metric("errors", "errors_share", "share of requests without a right answer", "", False),
        Metric("fairness", "workers_fairness", "Jain's index of connections over workers", "", True),
        Metric("lag", "lag_p99_ns", "p99 lateness of sending", "ns", False),
        Metric("generator_memory", "generators_rss_bytes", "memory of the generators", "B", False),
        Metric("held", "held_connections", "connections held", "connections", True),
    )
}
PRIMARY = "efficiency"
