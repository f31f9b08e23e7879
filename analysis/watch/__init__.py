"""A run while it goes on, as a table: reads events.jsonl as it grows, and opens no connection."""
