"""The documentation as tests read it: its files, and the examples in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
README = ROOT / "README.md"
PAPERS = [README, *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md"))]


def example(file: Path, mark: str = "") -> str:
    """Return the code block between a mark's two comments, or a file's first one in Python."""
    text = file.read_text()
    if mark:
        text = text.partition(f"<!-- {mark}:begin -->\n")[2].partition(f"<!-- {mark}:end -->")[0]
    found = re.search(r"```(?:python|toml)\n(.*?)```", text, flags=re.DOTALL)
    assert found, f"{file}: no code block {mark}"
    return found.group(1)


def links(file: Path) -> list[str]:
    """Return what a Markdown file links to, in the text and on its cards, without fragments."""
    text = re.sub(r"```(?!\{).*?```", "", file.read_text(), flags=re.DOTALL)
    found = re.findall(r"\]\(([^)#\s]+)", text)
    found += [f"{name}.md" for name in re.findall(r"^:link: (\S+)$", text, flags=re.MULTILINE)]
    return [link for link in found if "://" not in link]


def toctree(page: Path) -> list[Path]:
    """Return the pages that a page's tables of contents name."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    names = [line for line in lines if line and not line.startswith(":")]
    return [(page.parent / f"{name}.md").resolve() for name in names]
