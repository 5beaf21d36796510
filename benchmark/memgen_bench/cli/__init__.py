"""The command line: one short file for each command; heavy modules are imported on demand."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from memgen_bench import __version__
from memgen_bench.cli import (
    cache,
    check,
    compare,
    data,
    export,
    figures,
    gate,
    leaderboard,
    listing,
    new,
    options,
    publish,
    results,
    retrain,
    run,
    submission,
    why,
)
from memgen_bench.cli.terminal import say
from memgen_bench.errors import MemgenError, RefusedValueError, one_line
from memgen_bench.files.standard_streams import open_standard_streams, print_anything

app = typer.Typer(
    name="memgen-bench",
    help="How much generalization can be read out of networks that memorized their labels?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"memgen-bench {__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before a verb."""


app.command("run")(run.run)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("figures")(figures.figures)
app.command("compare")(compare.compare)
app.command("retrain")(retrain.retrain)
app.command("list")(listing.show)
app.command("why")(why.why)
app.command("publish")(publish.publish)
app.command("submit")(submission.submit)
app.command("verify-submission")(submission.verify)
app.command("new")(new.new)
app.command("check")(check.check)
app.command("export-activations")(export.export)
app.add_typer(gate.app, name="gate")
app.add_typer(data.app, name="data")
app.add_typer(results.app, name="results")
app.add_typer(cache.app, name="cache")


def main() -> None:
    """Run the command line; an error is printed in one line, and sets the exit code."""
    open_standard_streams()
    print_anything()
    try:
        words = list(map(_at_home, sys.argv[1:]))
        sys.exit(app(words, prog_name="memgen-bench", standalone_mode=False) or 0)
    except RefusedValueError as error:
        said = one_line(f"{options.flag(error.name)} {error.value} {error.fault}")
        _give_up(said, error, error.exit_code)
    except MemgenError as error:
        _give_up(f"{error}", error, error.exit_code)
    except Exception as error:
        if hasattr(error, "format_message"):  # the parser's: a wrong option or value
            _explain_usage(error)
        _give_up(f"{one_line(error)} (unexpected; --debug shows where)", error, 1)


def _at_home(word: str) -> str:
    """Return a word with `~` at its beginning, or after `--option=`, as the user's home."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    whole = os.path.expanduser(value)  # noqa: PTH111 - a path would drop its last slash
    return f"{option}{equals}{whole}"


def _explain_usage(error: Any) -> NoReturn:
    """Print one line for a wrong call, or the help for a call without arguments; then exit."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        message = " ".join((_refused(error) or error.format_message()).split())
        say(f"memgen-bench: error: {message} (-h shows what there is)", warns=True)
    sys.exit(error.exit_code)


def _refused(error: Any) -> str:
    """Return a line for a value that typer had pydantic refuse, which does not say the value."""
    if not hasattr(error.__cause__, "errors"):
        return ""
    from memgen_bench.plan.suite import should_be

    fault = error.__cause__.errors(include_url=False)[0]
    if fault["type"] == "value_error":  # a parser's own words
        return ""
    return f"{_as_given(error.param.opts)} {fault['input']} {should_be(fault)}"


def _as_given(names: list[str]) -> str:
    """Return the name of an option that the user wrote."""
    words = {word.partition("=")[0] for word in sys.argv}
    return next((name for name in names if name in words), names[0])


def _give_up(message: str, error: Exception, exit_code: int) -> None:
    if os.environ.get("MEMGEN_DEBUG"):
        raise error
    say(f"memgen-bench: error: {message}", warns=True)
    sys.exit(exit_code)
