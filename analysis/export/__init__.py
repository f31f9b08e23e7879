"""A dataset in formats that other tools read."""
