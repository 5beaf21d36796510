from __future__ import annotations

from pathlib import Path

import pytest

from memgen_bench.errors import UsageError
from memgen_bench.files.places import find_places, named_path


def test_places_are_what_somebody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMGEN_DATA", "elsewhere")
    monkeypatch.setenv("MEMGEN_CACHE", "elsewhere")
    places = find_places("data", "cache", ["shared"])
    assert (places.data_dir, places.cache_dir) == (Path("data"), Path("cache"))
    assert places.shared_caches == (Path("shared"),)


def test_the_environment_names_what_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMGEN_DATA", "my-data")
    monkeypatch.setenv("MEMGEN_CACHE", "my-cache")
    places = find_places()
    assert (places.data_dir, places.cache_dir) == (Path("my-data"), Path("my-cache"))
    assert places.shared_caches == ()


def test_without_either_data_are_below_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMGEN_DATA", raising=False)
    monkeypatch.setenv("MEMGEN_CACHE", "")
    places = find_places()
    assert places.data_dir == places.cache_dir / "data"


def test_resolved_places_stay_where_they_are_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    places = find_places("data", "cache").resolved()
    monkeypatch.chdir("other")
    assert (places.data_dir, places.cache_dir) == (tmp_path / "data", tmp_path / "cache")


def test_networks_are_written_to_the_cache_and_read_from_shared_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    monkeypatch.chdir(tmp_path)
    places = find_places(cache_dir="cache", shared_caches=["shared"])
    assert places.network_folders() == (Path("cache/networks"), tmp_path / "shared")


def test_shared_folders_must_be_what_they_are_taken_for(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    with pytest.raises(UsageError, match="nowhere: there is no such folder"):
        find_places(shared_caches=[tmp_path / "nowhere"]).network_folders()
    with pytest.raises(UsageError, match=r"a whole cache; name .*networks"):
        find_places(shared_caches=[tmp_path]).network_folders()


def test_a_tilde_is_home_wherever_a_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MEMGEN_CACHE", "~/c")
    places = find_places("~/d", None, ["~/s"])
    named = (places.data_dir, places.cache_dir, *places.shared_caches)
    assert named == tuple(tmp_path / name for name in "dcs")
    with pytest.raises(UsageError, match="name a whole path"):
        named_path("~nobody-is-called-so/x")
