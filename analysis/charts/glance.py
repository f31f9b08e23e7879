"""At a glance: the table of all cells, which is a chart without a drawing."""

from __future__ import annotations

from analysis.answers import glance

NAME, TITLE = "glance", "At a glance"
READ = (
    "A row is a strategy, or what else was varied. First stands what was compared: the ratio to the baseline with its "
    "95 % interval, and the word for it, which holds beside all the other words and asks for more than the ratio's own "
    "interval. Rows that are decided to be better than the baseline come first, then the baseline and what is not told "
    "apart from it, then what is worse; among themselves they are in the order of the plan, for they were not compared "
    "with each other. ▲ names a finding that forbids a claim on the figure. A figure's bar spans the 95 % interval of "
    "the repetitions, its mark is their centre. Percentiles are over all planned requests. A row that met a limit "
    "stands below those that did not, and what is struck is no measurement of the server."
)
data, caption = glance.data, glance.caption
