"""Runs: missing readings are computed, and stored as they come in."""
