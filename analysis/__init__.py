"""Reads what a run left under results/ and says what it means. Knows files; never hosts, never SSH."""
