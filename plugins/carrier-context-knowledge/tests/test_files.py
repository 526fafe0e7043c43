"""Which files are looked into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carrier_context_knowledge.files import content_of, found, source_of
from carrier_context_knowledge.formats import Unreadable


def told(*paths: Path) -> list[tuple[str, str]]:
    return [
        (file.path.name, file.refusal.reason if file.refusal else "") for file in found([str(path) for path in paths])
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.md", "a.txt", "deep/er/c.HTML", "deep/d.pdf", ".hidden.md", ".git/e.md"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path / "docs"


def test_a_folder_is_all_that_is_in_it_in_one_order(folder: Path) -> None:
    assert told(folder) == [("a.txt", ""), ("b.md", ""), ("d.pdf", ""), ("c.HTML", "")]


def test_a_file_is_found_once_and_a_folder_that_loops_is_entered_once(folder: Path) -> None:
    (folder / "deep" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "again.md").symlink_to(folder / "b.md")
    (folder / "self").symlink_to("self")

    files = told(folder, folder / "a.txt", folder)

    assert [name for name, reason in files if not reason] == ["a.txt", "again.md", "d.pdf", "c.HTML"]
    assert [name for name, reason in files if reason] == ["self"]
    assert "Too many levels of symbolic links" in files[-1][1]


def test_what_is_no_document_is_refused_by_name_with_the_reason(folder: Path) -> None:
    (folder / "code.py").write_text("x")
    (folder / "README").write_text("x")
    os.mkfifo(folder / "pipe.md")

    assert told(
        folder / "nowhere.md", folder / "a.txt" / "b", folder / "code.py", folder / "README", folder / "pipe.md"
    ) == [
        ("nowhere.md", "There is no such file."),
        ("b", "There is no such file."),
        (
            "code.py",
            "Files of this kind are not read; those that are end in .md, .markdown, .txt, .text, .html, .htm, .xhtml, .pdf.",
        ),
        ("README", ""),
        ("pipe.md", "It is no file, but a device, a pipe or a socket."),
    ]
    assert "README" in [name for name, reason in told(folder) if reason]


@pytest.mark.parametrize("what", ["folder", "file"])
def test_one_without_rights_is_said_to_be(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def refuses(*given: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    if what == "folder":  # the tests may run as root, who may read everything
        monkeypatch.setattr(Path, "iterdir", refuses)
        assert told(folder) == [("docs", "This user may not read it.")]
    else:
        monkeypatch.setattr(os, "open", refuses)
        with pytest.raises(Unreadable, match="This user may not read it"):
            content_of(folder / "a.txt", 10)


def test_a_name_that_cannot_be_one_is_told() -> None:
    assert told(Path("a\0b")) == [("a\0b", "It cannot be opened: embedded null byte.")]


def test_the_content_is_bounded(folder: Path) -> None:
    assert content_of(folder / "a.txt", 1) == b"x"
    with pytest.raises(Unreadable, match="larger than 0 bytes"):
        content_of(folder / "a.txt", 0)
    with pytest.raises(Unreadable, match="There is no such file"):
        content_of(folder / "gone.txt", 1)


def test_a_source_is_the_same_however_the_file_was_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "link.md").symlink_to("b.md")
    monkeypatch.chdir(folder)

    assert source_of(Path("link.md")) == source_of(folder / "deep" / ".." / "b.md") == str((folder / "b.md").resolve())
