"""Kernel interfaces that the standard library lacks: io_uring, sock_diag, prctl, and processes as /proc shows them."""
