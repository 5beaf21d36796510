"""Directives that list what the code offers when the pages are built, so that none falls behind."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main
from sphinx.util.docutils import SphinxDirective

import memgen_bench
from memgen_bench.cli import app
from memgen_bench.testing.examination import checks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from docutils import nodes
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
SOURCES = {
    "memgen_bench": ROOT / "benchmark",
    "memgen_plugins": ROOT / "plugins",
    "memgen_leaderboard": ROOT / "leaderboard",
}


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return rows as a Markdown table."""
    lines = [list(columns)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """Return a text in which Markdown finds no mark-up."""
    return text.replace("<", "\\<").replace("*", "\\*").replace("_", "\\_")


def modules(package: str) -> str:
    """Return the modules of a package, each with the first line of its docstring."""
    root = SOURCES[package.partition(".")[0]]
    found = sorted(root.joinpath(*package.split(".")).rglob("*.py"))
    rows = [(_module(path, root), _first_line(path)) for path in found if _documents(path)]
    return table(("module", "what it is about"), rows)


def _documents(path: Path) -> bool:
    return path.name not in ("__init__.py", "__main__.py") and "templates" not in path.parts


def _module(path: Path, root: Path) -> str:
    package, *rest = path.relative_to(root).with_suffix("").parts
    return f"`{'.'.join(rest) or package}`"


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def catalogue(noun: str) -> str:
    """Return what is registered under a noun, such as `models`, with its families."""
    found: Any = getattr(memgen_bench.load_registry(), noun)
    specs = [found[name] for name in found]
    rows = [(f"`{spec.name}`", _plain(spec.summary), spec.citation) for spec in specs]
    families = found.families.items()
    rows += [(f"`{prefix}…`", _plain(family.summary), "") for prefix, family in families]
    return table(("name", "what it is", "source"), rows)


def decoders(_: str) -> str:
    """Return the decoders that ship, each with its estimator and its source."""
    rows = [
        (f"`{name}`", _plain(spec.summary), f"`{spec.build()!r}`", spec.citation)
        for name, spec in memgen_bench.load_registry().decoders.items()
    ]
    return table(("decoder", "what it does", "estimator", "source"), rows)


def checks(noun: str) -> str:
    """Return the demands that a plugin of a noun, such as `decoder`, must meet."""
    rows = [(f"`{check.name}`", _plain(check.demand)) for check in checks_of(noun)]
    return table(("check", "what it demands"), rows)


def command(words: str) -> str:
    """Return what a command of the command line does, and its options."""
    found: Any = typer.main.get_command(app)
    for word in words.split():
        found = found.commands[word]
    arguments, options = _parameters(found, "argument"), _parameters(found, "option")
    parts = [
        f"```text\nmemgen-bench {words}{''.join(f' {name}' for name, _ in arguments)}\n```",
        *[_plain(found.help or "")],
        *[table(("option", "meaning"), rows) for rows in [options] if rows],
    ]
    return "\n\n".join(parts)


def _parameters(found: Any, kind: str) -> list[tuple[str, str]]:
    return list(_named(found.params, kind))


def _named(parameters: Iterable[Any], kind: str) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        if parameter.param_type_name != kind or parameter.name in ("help", "debug"):
            continue
        if kind == "argument":
            yield parameter.metavar or parameter.name.upper(), parameter.help or ""
        else:
            default = parameter.default
            said = [] if default in (None, False, "", ()) or callable(default) else [default]
            names = ", ".join(f"`{name}`" for name in parameter.opts)
            more = "".join(f" (default: {value})" for value in said)
            yield names, _plain(f"{parameter.help or ''}{more}")


def fields(where: str) -> str:
    """Return the attributes of a class, such as `memgen_bench:Recipe`, with their defaults."""
    found: Any = pkgutil.resolve_name(where)
    said = _attributes(inspect.getdoc(found) or "")
    rows = [(f"`{name}`", _default(found, name), _plain(text)) for name, text in said.items()]
    return table(("name", "default", "meaning"), rows)


def properties(where: str) -> str:
    """Return the public properties and methods of a class, each with its first line."""
    found: Any = pkgutil.resolve_name(where)
    rows = [
        (f"`{name}`", (inspect.getdoc(value) or "").partition("\n")[0])
        for name, value in vars(found).items()
        if not name.startswith("_") and (callable(value) or hasattr(value, "__get__"))
    ]
    return table(("name", "what it is"), rows)


def _attributes(docstring: str) -> dict[str, str]:
    """Return the attributes that a docstring in Google style documents."""
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for line in section.splitlines():
        if named := re.match(r"    (\w+): (.*)", line):
            name, found[name] = named[1], named[2]
        else:
            found[name] += f" {line.strip()}"
    return found


def _default(found: Any, name: str) -> str:
    """Return the default of a field; nothing where it has to be given or is computed."""
    if hasattr(found, "model_fields"):
        field = found.model_fields[name]
        value = None if field.is_required() or field.default is None else field.default
    else:
        field = {each.name: each for each in dataclasses.fields(found)}[name]
        value = None if field.default is dataclasses.MISSING else field.default
    if isinstance(value, tuple):
        value = list(value)
    is_plain = isinstance(value, str | int | float | list) and value not in ("", [])
    return f"`{value!r}`" if is_plain else ""


class Listing(SphinxDirective):
    """A directive whose argument is turned into Markdown by `make`."""

    required_arguments = 1
    final_argument_whitespace = True
    make: Any

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the Markdown that was made."""
        return self.parse_text_to_nodes(type(self).make(self.arguments[0]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register a directive for each listing."""
    for make in (modules, catalogue, decoders, checks, command, fields, properties):
        directive = type(make.__name__, (Listing,), {"make": staticmethod(make)})
        app.add_directive(make.__name__, directive)
    return {"parallel_read_safe": True}
