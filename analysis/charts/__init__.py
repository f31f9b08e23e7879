"""One module a figure, and what they share: theme, identity of each strategy."""
