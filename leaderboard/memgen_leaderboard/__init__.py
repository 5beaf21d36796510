"""Scores of recoverable generalization, and the tables that show them."""
