"""What makes a figure doubtful, or no measurement of the server at all: the validity findings."""

from analysis.checks.table import findings_table

__all__ = ["findings_table"]
