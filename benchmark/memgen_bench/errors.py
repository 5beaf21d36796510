"""Errors that a user can mend; each message names the fault, the place, and the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LENGTH = 500
_READ = 100_000  # characters of a text that are looked at


def one_line(error: BaseException | str) -> str:
    """Return an error (with its type) or a text in one printable line of limited length."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {text_of(error)}"
    return printable(" ".join(text[:_READ].split())[:_LENGTH])[:_LENGTH]


def text_of(error: BaseException) -> str:
    """Return the text of a plugin's exception or warning, also where it cannot be made."""
    try:
        return str.__getitem__(str(error), slice(_READ))
    except Exception as fault:
        return f"(its text cannot be made: {type(fault).__name__})"


def printable(text: str) -> str:
    """Return a text that any terminal and file takes: what cannot be printed is escaped.

    These are control characters, those that change the direction of writing, and halves of
    characters, as in the name of a Latin-1 file.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_interruptible = True


def blame_plugins() -> None:
    """Take all exceptions for faults of plugins, as no user interrupts this process."""
    global _interruptible
    _interruptible = False


def is_fault(error: BaseException) -> bool:
    """Whether an exception is a plugin's fault, and not the end of a run."""
    stops = isinstance(error, KeyboardInterrupt) and _interruptible
    return not stops and not isinstance(error, RunStop)


def error_type_of(error: BaseException) -> str:
    """Return the `error_type` of a reading that failed with an exception."""
    if isinstance(error, TrainingError):
        return error.error_type
    full = isinstance(error, MemoryError) or "out of memory" in text_of(error)
    return "oom" if full else "error"


class RunStop(BaseException):
    """A run is to stop here, which no plugin's fault is."""


class MemgenError(Exception):
    """The base class of errors; the command line prints the message and exits with 1.

    The message is one printable line, whatever the names in it hold.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UsageError(MemgenError):
    """A request is invalid; the command line exits with 2."""

    exit_code = 2


class RefusedValueError(UsageError):
    """A value of an axis or a size is not allowed; the command line says how its option is called.

    Args:
        name: The axis or size, as in Python and in a suite's file.
        value: The value, as its user gave it.
        fault: What it should be.
    """

    def __init__(self, name: str, value: object, fault: str) -> None:
        super().__init__(f"{name}: {value!r:.60} {fault}")
        self.name, self.value, self.fault = name, value, fault


class PluginError(MemgenError):
    """A plugin breaks the contract; the message names plugin, hook, file and remedy."""


class DataError(MemgenError):
    """A data set on disk is damaged, or does not match its specification."""


class DataNotFoundError(DataError):
    """A data set is not on disk; the message says how to get it there."""


class TrainingError(MemgenError):
    """A network could not be trained: its loss or its outputs are unusable.

    Args:
        message: One line for the user.
        error_type: The `error_type` of the readings that fail with it.
    """

    def __init__(self, message: str, error_type: str = "error") -> None:
        super().__init__(message)
        self.error_type = error_type


class WriteError(MemgenError):
    """A file cannot be written: the disk is full, or the folder is not writable."""


class StoreError(MemgenError):
    """A results folder is damaged or was written by a newer version."""


class DamagedPartError(StoreError):
    """A part of a results folder is damaged."""

    def __init__(self, part: Path, reason: str) -> None:
        super().__init__(
            f"{part}: damaged ({reason}); memgen-bench results verify {part.parent.parent} "
            "--set-aside moves it away, and the next run makes its rows again"
        )


class VanishedPartError(StoreError):
    """A part of a results folder was moved or removed while it was read."""

    def __init__(self, part: Path | str) -> None:
        super().__init__(f"{part}: vanished while it was read; try again")


class DamagedError(MemgenError):
    """A file of the cache is damaged; it is set aside and made again."""


class FixtureError(MemgenError):
    """A fixture or a baseline is missing or unusable, so that nothing can be measured."""

    exit_code = 2


class NotMeasuredError(MemgenError):
    """A gate could not measure; it exits with 2, since 1 means a regression."""

    exit_code = 2


class NotApplicable(ValueError):  # noqa: N818 - a plugin's answer, not a fault
    """Raised by a plugin that does not apply to the data; the message says why.

    A decoder's reading is `skipped`, a model is left out of the plan, and a noise's rows fail.
    """
