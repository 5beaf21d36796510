"""Scores computed from readings; pure, apart from reading results folders."""
