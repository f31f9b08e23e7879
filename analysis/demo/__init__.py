"""A synthetic run whose truth is known, in the words of a real one: to learn the report, and to test it."""
