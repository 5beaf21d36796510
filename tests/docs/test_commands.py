"""Every command that a page shows exists, and every command that exists is on a page."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from helpers.pages import DOCS, PAGES, PAPERS
from memgen_bench.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT_COMMAND: Any = typer.main.get_command(app)
LINE = re.compile(r"^ *(?:\$ )?memgen-bench (.*?)(?: +#.*)?$", flags=re.MULTILINE)


@pytest.mark.parametrize("file", [*PAPERS, *PAGES], ids=lambda file: file.name)
def test_every_command_that_is_shown_exists(file: Path) -> None:
    for line in LINE.findall(file.read_text()):
        command, words = ROOT_COMMAND, shlex.split(line)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert [word for word in words if word.startswith("--") and word not in known] == [], line
        assert command is not ROOT_COMMAND, line


def commands(group: Any, *above: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield " ".join((*above, name))
        if hasattr(command, "commands"):
            yield from commands(command, *above, name)


def test_every_command_that_exists_is_in_the_reference() -> None:
    shown = re.findall(
        r"^```\{command\} (.*)$", (DOCS / "command-line.md").read_text(), flags=re.MULTILINE
    )
    assert sorted(shown) == sorted(commands(ROOT_COMMAND))
