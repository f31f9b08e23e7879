"""Lessons: defects to see with one's own eyes, each a program that prints what it counted. None is a strategy.

`python -m server lesson NAME` runs the module's `main()`, which returns the exit status.
"""
