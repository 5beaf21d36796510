"""`memgen-bench list`, as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_bench import load_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.command_line import CommandLine

    PluginWriter = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("what", "shows"),
    [
        ("models", ("mlp", "paper-resnet18", "timm/test_resnet", "timm/…")),
        ("datasets", ("digits", "fashion-mnist", "folder/…")),
        ("decoders", ("masc", "lda-shrunk", "variance=0.75")),
        ("noises", ("uniform", "flip", "permute", "pair")),
        ("suites", ("core", "smoke", "fashion", "paper")),
        ("plugins", ("decoders", "memgen_plugins/noises.py")),
    ],
)
def test_list_names_what_is_registered(
    what: str, shows: tuple[str, ...], here: CommandLine
) -> None:
    outcome = here("list", what)
    assert outcome.code == 0
    for part in shows:
        assert part in outcome.out


def test_list_takes_a_plugin_file_and_shows_its_text_as_it_is(
    plugin_file: PluginWriter, here: CommandLine
) -> None:
    source = """
from memgen_bench import DecoderSpec, hookimpl

@hookimpl
def register_decoders():
    return [DecoderSpec(name="loud", summary="[bold red]bad[/] :smile:", build=dict)]
"""
    outcome = here("list", "decoders", "--plugin", str(plugin_file("mine", source)))
    assert outcome.code == 0
    assert "loud" in outcome.out
    assert "red]bad[/]" in outcome.out


def test_list_all_names_the_members_of_families(here: CommandLine) -> None:
    outcome = here("list", "models", "--all")
    assert "timm/resnet18" in outcome.out
    assert "timm/…" not in outcome.out


def test_a_broken_installed_plugin_is_reported_and_the_rest_works(
    install_plugin: PluginWriter, here: CommandLine
) -> None:
    install_plugin("mischief", "raise RuntimeError('out of cheese')\n")
    outcome = here("list", "noises")
    assert outcome.code == 0
    assert "uniform" in outcome.out
    assert outcome.err.startswith("memgen-bench: warning: plugin 'mischief' of mischief-dist 2.5")
    assert "out of cheese" in outcome.err
    assert outcome.err.count("\n") == 1


def test_names_are_whole_where_nobody_watches(here: CommandLine) -> None:
    names = {line.split(" ")[0] for line in here("list", "decoders").out.splitlines()}
    assert set(load_registry().decoders) <= names
