"""What the rooms agree on: the names and ranges of parameters, the words that they share, and the line protocol."""
