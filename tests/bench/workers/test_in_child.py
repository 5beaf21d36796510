"""Networks in children: whose they are, here and where a function was sent to."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from memgen_bench.messages import Row, RunSettings
from memgen_bench.workers import in_child
from memgen_bench.workers.in_child import InChild

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    import pytest

    from memgen_bench.plan.plan import Plan


class Answering:
    """Children that report a row for each reading at once."""

    def __init__(self) -> None:
        self.calls, self.ended = 0, 0

    def call(self, function: str, network: Any, keys: Any, *_: Any, report: Any, **__: Any) -> bool:
        self.calls += 1
        for key in keys:
            report(Row("readings", {"key": key, "network_id": network.network_id}))
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended += 1


def test_children_stay_with_whoever_made_them(
    tmp_path: Path, plan_digits: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    lent, borrowed, own = Answering(), Answering(), Answering()
    monkeypatch.setattr(in_child, "Children", lambda: own)
    network = plan_digits().networks[0]
    settings = RunSettings(plugin_files=(), data_dir=tmp_path, network_dir=tmp_path, device="cpu")
    keys = frozenset(reading.key for reading in network.readings)
    here = InChild(lent)  # type: ignore[arg-type] # stand-ins
    there: InChild = pickle.loads(pickle.dumps(here))
    for function in (here, here, there, there.with_children(borrowed)):  # type: ignore[arg-type]
        rows: list[Any] = []
        function(network, keys, settings, rows.append)
        assert {row.columns["key"] for row in rows} == keys
    assert [(it.calls, it.ended) for it in (lent, own, borrowed)] == [(2, 0), (1, 1), (1, 0)]
