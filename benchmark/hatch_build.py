"""Build hook: a wheel remembers the commit that it was built from, so that results can name it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[misc,type-arg,unused-ignore] # untyped
    """Puts `memgen_bench/_commit.txt` into the wheel; outside a checkout there is none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file; an editable install asks git itself, since its code can change."""
        if self.target_name != "wheel" or version == "editable":
            return
        try:
            self._git("ls-files", "--error-unmatch", "pyproject.toml")  # this very checkout
            commit = self._git("rev-parse", "HEAD")
            changed = self._git("status", "--porcelain", "--untracked-files=no")
        except (OSError, subprocess.CalledProcessError):
            return
        self.folder = tempfile.TemporaryDirectory()
        note = Path(self.folder.name) / "_commit.txt"
        note.write_text(commit + ("+" if changed else ""))
        build_data["force_include"][str(note)] = "memgen_bench/_commit.txt"

    def _git(self, *words: str) -> str:
        command = ["git", "-C", self.root, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
