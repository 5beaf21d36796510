"""Which images there are, what is passed over, and which links are refused."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from memgen_bench import DataError
from memgen_plugins.datasets.class_folders import account, list_classes

if TYPE_CHECKING:
    from pathlib import Path


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A folder with two classes."""
    touch(tmp_path / "part", "ant/0.png", "ant/1.JPG", "bee/0.png")
    return tmp_path / "part"


def test_images_come_in_torchvisions_order(part: Path) -> None:
    from torchvision.datasets import ImageFolder

    touch(part, "ant/b/2.png", "ant/a-b/1.png", "ant/a/1.webp", "ant/10.bmp", "Zoo/x.tiff")
    official, ours = ImageFolder(str(part)), list_classes(part)
    assert ours.samples == official.samples
    assert ours.classes == official.classes
    assert ours.left_out == []


def test_what_is_hidden_or_no_image_is_left_out_with_the_reason(part: Path) -> None:
    touch(part, ".ipynb_checkpoints/0.png", ".DS_Store", "ant/._0.png", "bee/.git/0.png")
    touch(part, "ant/a.gif", "ant/b.GIF", "bee/notes", "bee/Thumbs.db", "0.png")
    os.mkfifo(part / "ant" / "pipe.png")
    found = list_classes(part)
    assert found.classes == ["ant", "bee"]
    assert [os.path.relpath(file, part) for file, _ in found.samples] == [
        *("ant/0.png", "ant/1.JPG"),
        "bee/0.png",
    ]
    assert {os.path.relpath(item.path, part): item.why for item in found.left_out} == {
        ".ipynb_checkpoints": "hidden",
        ".DS_Store": "hidden",
        "ant/._0.png": "hidden",
        "bee/.git": "hidden",
        "ant/a.gif": ".gif",
        "ant/b.GIF": ".gif",
        "ant/pipe.png": "no plain file",
        "bee/notes": "without a suffix",
        "bee/Thumbs.db": ".db",
        "0.png": "in no class folder",
    }


def test_an_account_counts_what_is_read_and_what_is_not(part: Path) -> None:
    assert account([list_classes(part)] * 2) == ""
    touch(part, "ant/a.gif", "bee/b.gif", ".DS_Store")
    assert account([list_classes(part)]) == (
        f"3 images are read; left out: 2 .gif (as {part}/ant/a.gif), 1 hidden (as {part}/.DS_Store)"
    )
    assert account([list_classes(part)] * 2).startswith("3 + 3 images are read; left out: 4 .gif")


def test_links_within_a_class_are_followed(part: Path) -> None:
    touch(part, "ant/sub/2.png")
    (part / "ant" / "again.png").symlink_to("0.png")
    (part / "ant" / "more").symlink_to("sub")
    names = [os.path.relpath(file, part / "ant") for file, k in list_classes(part).samples if k < 1]
    assert names == ["0.png", "1.JPG", "again.png", "more/2.png", "sub/2.png"]


def test_a_class_may_be_a_link_to_somewhere_else(part: Path, tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "cow.png")
    (part / "cow").symlink_to(tmp_path / "elsewhere")
    assert list_classes(part).samples[-1] == (str(part / "cow" / "cow.png"), 2)


@pytest.mark.parametrize(
    ("link", "target", "says"),
    [
        ("ant/loop", ".", "leads back to {part}/ant, round and round"),
        ("ant/loop", "..", "leads back to {part}, round and round"),
        ("ant/loop", "../..", "leads back to {top}, round and round"),
        ("ant/sub/loop", ".", "leads back to {part}/ant/sub, round and round"),
        ("ant/sub/loop", "..", "leads back to {part}/ant, round and round"),
        ("ant/other", "../bee", "leads out of its class folder to {part}/bee"),
        ("ant/x.png", "../bee/0.png", "leads out of its class folder to {part}/bee/0.png"),
        ("ant/x.png", "/etc/hostname", "leads out of its class folder to /etc/hostname"),
        ("ant/x.png", "nowhere.png", "leads nowhere"),
        ("ant/x.png", "x.png", "leads nowhere"),
        ("cow", "nowhere", "leads nowhere"),
    ],
)
def test_a_link_that_leads_elsewhere_is_refused(
    link: str, target: str, says: str, part: Path
) -> None:
    (part / link).parent.mkdir(exist_ok=True)
    (part / link).symlink_to(target)
    says = re.escape(f"{part / link}: a link that {says.format(part=part, top=part.parent)}")
    with pytest.raises(DataError, match=f"^{says}.*; "):
        list_classes(part)


def test_links_that_lead_to_each_others_folders_are_refused(part: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        touch(part, f"ant/{one}/0.png")
        (part / "ant" / one / "loop").symlink_to(f"../{other}")
    with pytest.raises(DataError, match=r"ant/[ab]/loop/loop: a link that leads back to"):
        list_classes(part)


@pytest.mark.parametrize("target", ["bee", "bee/sub", "..", "."])
def test_classes_that_share_images_through_a_link_are_refused(target: str, part: Path) -> None:
    touch(part, "bee/sub/1.png")
    (part / "cow").symlink_to(target)
    with pytest.raises(DataError, match=rf"^{part}/cow: a link by which images of {part}/\w+ "):
        list_classes(part)


def test_a_folder_that_cannot_be_read_is_named(part: Path) -> None:
    touch(part / "ant", "closed/0.png")
    (part / "ant" / "closed").chmod(0)
    if os.access(part / "ant" / "closed", os.R_OK):
        pytest.skip("nothing is closed to root")
    with pytest.raises(DataError, match=r"ant/closed'; make it readable"):
        list_classes(part)


def test_a_class_without_images_is_named(part: Path) -> None:
    touch(part, "cow/0.gif")
    with pytest.raises(DataError, match=rf"^{part}/cow: no image in this class folder; .*\.png"):
        list_classes(part)


def test_a_folder_without_classes_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "0.png", ".hidden/0.png")
    with pytest.raises(DataError, match=rf"^{tmp_path}: there is no class folder;"):
        list_classes(tmp_path)


def test_names_that_are_no_text_are_told_in_one_line(part: Path) -> None:
    touch(part, os.fsdecode(b"ant/\xff\n.gif"))
    assert account([list_classes(part)]).endswith(rf"1 .gif (as {part}/ant/\xff\n.gif)")
