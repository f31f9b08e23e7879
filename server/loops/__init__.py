"""Event loops: how one process learns which of its sockets are ready."""
