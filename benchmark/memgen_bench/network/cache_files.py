"""What lies in a folder of trained networks, and what it says of itself; imports no torch."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from memgen_bench import hashing
from memgen_bench.errors import DamagedError, MemgenError
from memgen_bench.files.checksummed import checksum, read_checksummed, with_checksum

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from memgen_bench.plan.plan import PlannedNetwork

FORMAT = 1
State = Literal["network", "checkpoint", "set aside", "temporary"]

# What else lies in the folder is somebody else's, and is left alone.
_NAME = re.compile(
    r"(?P<id>[0-9a-f]{20})\.(?P<kind>json|safetensors|checkpoint)(?P<aside>\.damaged)?"
    r"|\..+\.tmp"
)
_NOTE_END = b"\n}\n"  # of sealed JSON, in which no other line begins with a brace


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """Something in a folder of trained networks.

    A network is a sealed note, `<id>.json`, which is written last, and its weights,
    `<id>.safetensors`. A checkpoint, which is written again and again, is the same in one file.

    Attributes:
        network_id: Whose it is; empty for a temporary file.
        state: `network`; `checkpoint` of a training; `set aside`, so damaged; or `temporary`, which
            a process is writing or has left behind.
        files: Its files, which for a network need not all be there.
    """

    network_id: str
    state: State
    files: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.files[0].parent

    @property
    def there(self) -> list[Path]:
        """Those of its files that are there."""
        return [file for file in self.files if file.is_file()]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.there)

    @property
    def modified(self) -> float:
        """When it was last written, in seconds since the epoch."""
        return max(file.stat().st_mtime for file in self.there)

    def note(self) -> dict[str, Any]:
        """Return what it says of itself, without reading its weights.

        Raises:
            DamagedError: It is damaged, as far as can be told from the note.
        """
        for file in self.files:
            if not file.is_file():
                raise DamagedError(f"{file.name} is missing")
        return self._checked(_read(self.files[0]))[0]

    def read(self) -> tuple[dict[str, Any], bytes]:
        """Return what it says of itself, and its weights as safetensors.

        Raises:
            DamagedError: A byte differs from what was written, or it is another network's.
        """
        fields, rest = self._checked(_read(self.files[0]))
        weights = rest + b"".join(map(_read, self.files[1:]))
        if checksum(weights) != fields.get("weights_sha256"):
            raise DamagedError("its weights do not match their checksum")
        return fields, weights

    def _checked(self, content: bytes) -> tuple[dict[str, Any], bytes]:
        note, rest = content, b""
        if self.state == "checkpoint":
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
        """Rename its files so that nothing uses them, where the folder can be written to."""
        for file in self.there:
            with contextlib.suppress(OSError):  # it will be written over
                file.replace(f"{file}.damaged")

    def remove(self) -> None:
        """Delete its files.

        Raises:
            MemgenError: The folder cannot be written to.
        """
        for file in self.files:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise MemgenError(f"cannot remove {file}: {error.strerror}") from error


def network_entry(folder: Path, network_id: str) -> CacheEntry:
    """Return where a trained network is, or would be."""
    files = (folder / f"{network_id}.json", folder / f"{network_id}.safetensors")
    return CacheEntry(network_id=network_id, state="network", files=files)


def resume_entry(folder: Path, network_id: str) -> CacheEntry:
    """Return where the checkpoint of a network's training is, or would be."""
    files = (folder / f"{network_id}.checkpoint",)
    return CacheEntry(network_id=network_id, state="checkpoint", files=files)


def cache_entries(folder: Path) -> list[CacheEntry]:
    """Return what is in a folder, in the order of its names; nothing where there is no folder."""
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
    """Return the identities of the trained networks in some folders; their contents stay unread."""
    there = (
        entry for folder in folders for entry in cache_entries(folder) if entry.state == "network"
    )
    return {entry.network_id for entry in there if len(entry.there) == len(entry.files)}


def note_of(network: PlannedNetwork, weights: bytes, **fields: Any) -> bytes:
    """Return the note of a network, or of a checkpoint of its training.

    Args:
        network: What it is.
        weights: What lies beside the note.
        fields: What else the note says.
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
        return file.read_bytes()
    except FileNotFoundError:
        raise DamagedError(f"{file.name} is missing") from None
    except OSError as error:
        raise DamagedError(f"{file.name} cannot be read ({error.strerror})") from None
