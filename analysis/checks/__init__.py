"""The only judge: every finding, and the validity of a trial, made of the files under results/."""

from analysis.checks.findings import findings_table, validity

__all__ = ["findings_table", "validity"]
