"""The two networks in the cache of the workplace that a test stands in."""

from __future__ import annotations

from pathlib import Path


def networks() -> list[Path]:
    """Return the notes of the two networks, the clean one first."""
    found = sorted(Path("cache/networks").glob("*.json"), key=lambda path: path.stat().st_mtime)
    return sorted(found, key=lambda path: '"draw": null' not in path.read_text())


def flip(path: Path) -> None:
    """Change a digit of a stored accuracy."""
    text = path.read_text()
    place = text.index('"train_accuracy": [0.') + len('"train_accuracy": [0.')
    other = str((int(text[place]) + 1) % 10)
    path.write_text(text[:place] + other + text[place + 1 :])
