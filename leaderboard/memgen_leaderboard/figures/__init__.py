"""Figures of a page and of a paper, drawn from the same frames."""
