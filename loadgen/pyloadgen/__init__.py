"""Three load generators in plain Python, to be measured themselves: worker processes, threads, asyncio."""
