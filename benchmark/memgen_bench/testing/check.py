"""One check of the plugin contract, and its result."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from memgen_bench.global_state import preserved

if TYPE_CHECKING:
    from collections.abc import Callable

Status = Literal["passed", "failed", "not applicable"]


class Broken(Exception):  # noqa: N818 - a result, not a fault of this code
    """A plugin breaks the contract; the message names the fault and the remedy."""


class Inapplicable(Exception):  # noqa: N818 - likewise
    """A check does not apply to a plugin; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check of the contract.

    Attributes:
        name: The check's name.
        demand: The demand and its reason, in one line.
        run: Function of a subject that raises `Broken` or `Inapplicable`.
        essential: Whether the checks after it are not applicable if it fails.
    """

    name: str
    demand: str
    run: Callable[[Any], None]
    essential: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of one check.

    Attributes:
        check: The check's name.
        status: `passed`, `failed` or `not applicable`.
        message: The fault to mend, or the reason why the check does not apply.
        seconds: Wall time.
    """

    check: str
    status: Status
    message: str = ""
    seconds: float = 0.0


def check(*, essential: bool = False) -> Callable[[Callable[[Any], None]], Check]:
    """Make a check of a function; its docstring is the demand."""

    def make(run: Callable[[Any], None]) -> Check:
        name = run.__name__.replace("_", "-")
        demand = (inspect.getdoc(run) or "").partition("\n\n")[0]
        return Check(name=name, demand=" ".join(demand.split()), run=run, essential=essential)

    return make


def demand(kept: bool, otherwise: str) -> None:
    """Raise `Broken` with a message unless a demand is kept."""
    if not kept:
        raise Broken(otherwise)


@check(essential=True)
def described(subject: Any) -> None:
    """A specification says in one short line what it is: lists and tables show it."""
    spec = subject.spec
    demand(bool(spec.summary.strip()), "there is no summary; say in one line what it is")
    length = len(spec.summary)
    demand(
        length < 100 and "\n" not in spec.summary,
        f"the summary has {length} characters; one line below 100 fits into tables",
    )
    demand(spec.version >= 1, f"version is {spec.version}; count from 1")


@check()
def leaves_the_process_alone(subject: Any) -> None:
    """Settings of Python, NumPy and torch stay as they are: others compute in the same process."""
    with preserved():  # what is imported for the first time may have to change some
        subject.exercise()
    with preserved() as changes:
        subject.exercise()
    names = sorted({*changes.restored, *changes.lasting})
    demand(
        not names,
        f"it changes or leaves behind: {', '.join(names)}; a context manager ends with what it "
        "began with, as torch.no_grad() and np.errstate() do",
    )
