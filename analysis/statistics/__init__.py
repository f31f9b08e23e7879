"""Estimates with their intervals: pure functions of numbers."""
