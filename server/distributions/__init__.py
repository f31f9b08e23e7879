"""Distributions: how connections reach the processes that serve them."""
