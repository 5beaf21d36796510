"""Parameters of the decoders that ship: each number has a range, and is refused outside it."""

from __future__ import annotations

import pytest

from memgen_bench import UsageError, load_registry
from memgen_bench.plugin.given_parameters import with_parameters
from memgen_bench.plugin.parameters import parameters

DECODERS = load_registry().decoders
NUMBERS = [
    (name, key)
    for name in DECODERS
    for key, value in parameters(DECODERS[name].build()).items()
    if isinstance(value, int | float)
]


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_no_number_may_be_below_its_range(name: str, key: str) -> None:
    with pytest.raises(UsageError, match=rf"'{key.rpartition('__')[2]}' parameter of .* Got -1"):
        with_parameters(DECODERS[name], ((key, -1),)).build()
