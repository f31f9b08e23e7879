"""One command a file, each with `NAME`, `setup_arguments` and `run`."""
