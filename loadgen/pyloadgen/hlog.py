"""latency.hlog: one histogram a line, tagged by kind, its times in seconds from `go`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from pyloadgen.histogram import Histogram
from pyloadgen.spec import Spec


class LatencyLog:
    """The file as it grows."""

    def __init__(self, path: Path, spec: Spec) -> None:
        now = datetime.now(timezone.utc)
        utc = now.isoformat(timespec="milliseconds")[:-6]
        self._file = path.open("w", buffering=1)  # a killed agent leaves whole lines
        self._file.write(
            "#[Histogram log format version 1.3]\n"
            f"#[run {spec.run}, trial {spec.trial}, host {spec.host}; nanoseconds; times count from go]\n"
            f"#[StartTime: {now.timestamp():.3f} (seconds since epoch), {utc}Z]\n"
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
        )

    def add(self, kind: str, start_s: int, length_s: int, histogram: Histogram, encoded: str) -> None:
        self._file.write(f"Tag={kind},{start_s}.000,{length_s}.000,{histogram.max / 1e6:.3f},{encoded}\n")

    def close(self) -> None:
        self._file.close()
