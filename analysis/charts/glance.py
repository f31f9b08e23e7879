"""At a glance: the table of all cells, which is a chart without a drawing."""

from __future__ import annotations

from analysis.answers import glance

NAME, TITLE = "glance", "At a glance"
READ = (
    "A row is a strategy (or what else was varied), best first by requests per server-CPU-second. The bar spans the "
    "95 % interval of the repetitions, its mark is their centre; where the bars of two rows overlap widely, do not "
    "tell them apart. Percentiles are over all planned requests. The word against the baseline holds beside all the "
    "other words, and asks for more than the ratio's own interval. A row that met a limit stands below those that held "
    "every connection, and what is struck is no measurement of the server."
)
data, caption = glance.data, glance.caption
