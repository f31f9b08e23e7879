"""Decides a run: what was asked for, what the hosts can do, the cells, the plan, and where its results go."""
