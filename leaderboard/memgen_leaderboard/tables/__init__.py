"""Scores as text: tables, notes, Markdown, LaTeX, the terminal."""
