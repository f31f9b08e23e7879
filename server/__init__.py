"""Echo servers, one per I/O strategy, and the agent that runs and watches one of them."""
