"""Threads: results depend on their number, so a worker must hold every library to it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import threadpoolctl
import torch

from memgen_bench import UsageError
from memgen_bench.compute import best_by_scipy, denormals_as_zero, find_device, threads

CODE = """
from memgen_bench.compute import threads
with threads(1):
    import sklearn.cluster, sklearn.svm, scipy.linalg, scipy.sparse.linalg, torch
    import threadpoolctl
    counts = {library["num_threads"] for library in threadpoolctl.threadpool_info()}
    counts.add(torch.get_num_threads())
    assert counts == {1}, threadpoolctl.threadpool_info()
"""


def test_libraries_that_load_later_are_held_too() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_use_holds_all_libraries_and_lets_them_have_what_they_had() -> None:
    def counts() -> list[int]:
        own = [library["num_threads"] for library in threadpoolctl.threadpool_info()]
        return [*own, torch.get_num_threads()]

    before = counts()
    for count in (1, 2, 1):
        with threads(count):
            assert set(counts()) == {count}
        assert counts() == before


def test_scipy_is_left_alone_where_torch_has_threads_too() -> None:
    tensor = torch.zeros(1)
    for count in (1, 2, 1):
        with threads(count):
            assert best_by_scipy(tensor) == (count == 1)
    assert not best_by_scipy(tensor.to("meta"))


def test_a_device_that_is_not_there_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"--device cuda:77: not usable here .*; try cpu"):
        find_device("cuda:77")
    assert find_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["mps", "gpu", "nowhere"])
def test_a_kind_of_device_that_nothing_is_computed_on_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^--device {name}: take auto, cpu, cuda or cuda:1"):
        find_device(name)


def test_denormals_are_zero_inside_and_afterwards_what_they_were() -> None:
    def has_denormals() -> bool:
        return bool(torch.full((9,), 1e-38).mul(0.1).all())

    assert has_denormals()
    with denormals_as_zero():
        assert not has_denormals()
        with denormals_as_zero():
            pass
        assert not has_denormals()
    assert has_denormals()
