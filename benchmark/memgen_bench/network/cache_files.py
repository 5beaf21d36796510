"""The files in a folder of trained networks, and their notes; imports no torch."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from memgen_bench import hashing
from memgen_bench.errors import DamagedError, MemgenError
from memgen_bench.files.checksummed import checksum, read_checksummed, with_checksum
from memgen_bench.files.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from memgen_bench.plan.plan import PlannedNetwork

FORMAT = 1
State = Literal["network", "trajectory", "checkpoint", "set aside", "temporary"]

# All other files in the folder are left alone.
_NAME = re.compile(
    r"(?P<id>[0-9a-f]{20})\.(?P<kind>json|safetensors|trajectory|checkpoint)(?P<aside>\.damaged)?"
    r"|\..+\.tmp"
)
_NOTE_END = b"\n}\n"  # no other line of checksummed JSON begins with a brace


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """A network, a resume file or another file in a folder of trained networks.

    A network is a note under a checksum, `<id>.json`, which is written last, and its weights,
    `<id>.safetensors`. It may have a trajectory beside them, `<id>.trajectory`. That, and a resume
    file, which is replaced again and again, hold a note and tensors in one.

    Attributes:
        network_id: The network's id; empty for a temporary file.
        state: `network`; `trajectory`; `checkpoint`, a resume file; `set aside`, a damaged file; or
            `temporary`, a file that a process is writing or left behind.
        files: The entry's files, some of which may be missing.
        beside: Files that it may have beside them.
    """

    network_id: str
    state: State
    files: tuple[Path, ...]
    beside: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder that holds the entry."""
        return self.files[0].parent

    @property
    def there(self) -> list[Path]:
        """The entry's files that exist."""
        return [file for file in (*self.files, *self.beside) if file.is_file()]

    @property
    def complete(self) -> bool:
        """Whether no file is missing."""
        return all(file.is_file() for file in self.files)

    @property
    def size(self) -> int:
        """The size on disk in bytes."""
        return sum(file.stat().st_size for file in self.there)

    @property
    def modified(self) -> float:
        """The time of the last change, in seconds since 1970."""
        return max(file.stat().st_mtime for file in self.there)

    def note(self) -> dict[str, Any]:
        """Return the fields of the note, without checking the weights.

        Raises:
            DamagedError: A file is missing, or the note is damaged.
        """
        for file in self.files:
            if not file.is_file():
                raise DamagedError(f"{file.name} is missing")
        return self._checked(_read(self.files[0]))[0]

    def read(self) -> tuple[dict[str, Any], bytes]:
        """Return the fields of the note, and the weights as safetensors.

        Raises:
            DamagedError: The files are damaged, or belong to another network.
        """
        fields, rest = self._checked(_read(self.files[0]))
        weights = rest + b"".join(map(_read, self.files[1:]))
        if checksum(weights) != fields.get("weights_sha256"):
            raise DamagedError("its weights do not match their checksum")
        return fields, weights

    def _checked(self, content: bytes) -> tuple[dict[str, Any], bytes]:
        note, rest = content, b""
        if len(self.files) == 1:
            note, end, rest = content.partition(_NOTE_END)
            note += end
        fields = read_checksummed(note)
        if (found := fields.get("format")) != FORMAT:
            raise DamagedError(f"its format is {found}; this memgen-bench reads {FORMAT}")
        try:
            whose = hashing.network_id(fields["identity"])
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            raise DamagedError("it does not say which network it is") from error
        if whose != self.network_id:
            raise DamagedError(f"it is another network, {whose}")
        return fields, rest

    def set_aside(self) -> None:
        """Rename the files so that they are not used, if the folder is writable."""
        for file in self.there:
            with contextlib.suppress(OSError):  # the next writer replaces it
                file.replace(f"{file}.damaged")

    def remove(self) -> None:
        """Delete the entry's files.

        Raises:
            MemgenError: The folder is not writable.
        """
        for file in (*self.files, *self.beside):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise MemgenError(f"cannot remove {file}: {error.strerror}") from error


def network_entry(folder: Path, network_id: str) -> CacheEntry:
    """Return the entry of a trained network, whether it exists or not."""
    files = (folder / f"{network_id}.json", folder / f"{network_id}.safetensors")
    beside = trajectory_entry(folder, network_id).files
    return CacheEntry(network_id=network_id, state="network", files=files, beside=beside)


def trajectory_entry(folder: Path, network_id: str) -> CacheEntry:
    """Return the entry of a network's trajectory alone, whether it exists or not."""
    files = (folder / f"{network_id}.trajectory",)
    return CacheEntry(network_id=network_id, state="trajectory", files=files)


def resume_entry(folder: Path, network_id: str) -> CacheEntry:
    """Return the entry of a network's resume file, whether it exists or not."""
    files = (folder / f"{network_id}.checkpoint",)
    return CacheEntry(network_id=network_id, state="checkpoint", files=files)


def cache_entries(folder: Path) -> list[CacheEntry]:
    """Return the entries of a folder, sorted by file name; none if the folder does not exist."""
    found = (_entry(path) for path in sorted(folder.glob("*")))
    return list(dict.fromkeys(entry for entry in found if entry))


def _entry(path: Path) -> CacheEntry | None:
    match = _NAME.fullmatch(path.name)
    if match is None or not path.is_file():
        return None
    if match["id"] is None:
        return CacheEntry(network_id="", state="temporary", files=(path,))
    if match["aside"]:
        return CacheEntry(network_id=match["id"], state="set aside", files=(path,))
    make = resume_entry if match["kind"] == "checkpoint" else network_entry
    return make(path.parent, match["id"])


def cached(folders: Iterable[Path]) -> set[str]:
    """Return the ids of the trained networks in some folders, without reading their files."""
    there = (
        entry for folder in folders for entry in cache_entries(folder) if entry.state == "network"
    )
    return {entry.network_id for entry in there if entry.complete}


def note_of(network: PlannedNetwork, weights: bytes, **fields: Any) -> bytes:
    """Return the note of a network, of its trajectory or of its resume file.

    Args:
        network: The network.
        weights: The weights that belong to the note.
        fields: Further fields of the note.
    """
    return with_checksum(
        {
            "format": FORMAT,
            "network": network.label,
            "identity": hashing.canonical(network.identity),
            "weights_sha256": checksum(weights),
            **fields,
        }
    )


def _read(file: Path) -> bytes:
    try:
        return read_regular(file)
    except FileNotFoundError:
        raise DamagedError(f"{file.name} is missing") from None
    except OSError as error:
        raise DamagedError(f"{file.name} cannot be read ({error.strerror})") from None
