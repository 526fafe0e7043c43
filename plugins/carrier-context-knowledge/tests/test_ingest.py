"""``carrierd ingest`` in a process of its own, on the real store, with a daemon and without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from carrier_context_knowledge.character import Shelf
from carrier_context_knowledge.files import File
from carrier_context_knowledge.ingest import Intake, Report
from carrier_context_knowledge.library import Label, Library
from carrier_context_knowledge.reader import Bounds
from carrier_context_knowledge.reading import Reading
from carrier_core.testing import InMemoryStore

CONFIG = """\
[agents.robin]
models = { large = "scripted/rules" }
character = "bot"
[agents.wren]
character = "bot"
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-provider-scripted", "carrier-context-knowledge"]
[log]
level = "info"
format = "json"
"""
CARRIERD = [str(Path(sys.executable).with_name("carrierd"))]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "HOME") if name in os.environ}
    return kept | {"XDG_CONFIG_HOME": str(tmp_path / "home"), "STATE_DIRECTORY": str(tmp_path / "state"), "TZ": "UTC"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config" / "characters").mkdir(parents=True)
    (tmp_path / "config" / "carrier.toml").write_text(CONFIG)
    (tmp_path / "config" / "characters" / "bot.toml").write_text('name = "Bot"\n')
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "handbook.md").write_text(
        "# Handbook\n\n## Holidays\n\n28 days a year.\n\n## Pay\n\nOn the 25th.\n"
    )
    (tmp_path / "docs" / "menu.html").write_text("<title>Menu</title><p>Leek soup.")
    return tmp_path


@pytest.fixture
def carrierd(folder: Path, environment: dict[str, str]) -> Run:
    """Runs a command; returns its exit code and what it printed."""

    def carrierd(*args: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*CARRIERD, *args], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return carrierd


@pytest.fixture
def told(carrierd: Run) -> Callable[..., Any]:
    """Runs a command that succeeds, with ``--json``; what it printed."""

    def told(*args: str) -> Any:
        code, out, err = carrierd(*args, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return told


@contextmanager
def daemon(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A daemon on the state directory, for as long as the block."""
    with subprocess.Popen(
        [*CARRIERD, "run"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert any('"ready"' in line for line in process.stdout)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    assert process.returncode == 0


def states(report: Any) -> dict[str, str]:
    return {document["name"]: document["state"] for document in report["documents"]}


def test_documents_are_taken_in_once_and_again_when_they_change(told, carrierd: Run, folder: Path) -> None:
    assert states(told("ingest", "docs")) == {"handbook.md": "new", "menu.html": "new"}
    assert states(told("ingest", "docs/../docs")) == {"handbook.md": "unchanged", "menu.html": "unchanged"}
    (folder / "docs" / "handbook.md").write_text("# Handbook\n\n30 days a year.\n")

    code, out, err = carrierd("ingest", "docs")

    assert (code, out, err) == (
        0,
        "docs/handbook.md: replaced, 1 fragment.\ndocs/menu.html: unchanged, 1 fragment.\n",
        "",
    )
    assert "28 days" not in carrierd("memory", "list", "--kind", "fragment")[1]
    assert states(told("ingest", "docs/menu.html", "--replace")) == {"menu.html": "replaced"}


def test_a_turn_is_shown_them_with_the_source_and_why_says_so(told, folder: Path) -> None:
    told("ingest", "docs")
    told("chat", "-m", "How many days of holidays are there?")

    why = told("why", "last")

    shown = {part["key"]: part for part in why["parts"]}
    assert shown["documents"]["text"] == "28 days a year."
    assert shown["documents"]["provenance"]["origins"] == ["outside:file/handbook.md"]
    assert any("section Handbook > Holidays:" in part["text"] for part in why["parts"])
    assert shown["documents"]["memory"] in [memory["id"] for memory in why["memories"]]


def test_they_are_listed_and_forgotten(told, carrierd: Run, folder: Path) -> None:
    assert carrierd("ingest", "--list")[0] == 69
    told("ingest", "docs")
    told("ingest", "docs/handbook.md", "--agent", "wren", "--name", "rules")

    listed = told("ingest", "--list")["documents"]

    assert [(each["agent"], each["name"], each["fragments"], each["complete"]) for each in listed] == [
        ("robin", "handbook.md", 2, True),
        ("robin", "menu.html", 1, True),
        ("wren", "rules", 2, True),
    ]
    assert listed[0]["source"] == str(folder / "docs" / "handbook.md")
    assert told("ingest", "--list", "--agent", "wren")["documents"] == listed[2:]
    lines = carrierd("ingest", "--list")[1].splitlines()
    assert lines[0].split() == ["DOCUMENT", "AGENT", "NAME", "FRAGMENTS", "ROOM", "SINCE", "SOURCE"]
    assert lines[1].split()[:5] == [listed[0]["id"][:12], "robin", "handbook.md", "2", "everyone"]
    for source, gone in (("rules", 1), (listed[1]["id"][:12], 1), ("docs", 1)):
        assert len(told("ingest", "--forget", source)["forgotten"]) == gone
    assert carrierd("ingest", "--list")[1] == "No document is known.\n"
    assert told("memory", "list") == []


def test_one_file_that_is_no_document_does_not_keep_the_others_out(
    carrierd: Run, folder: Path, papers, environment: dict[str, str]
) -> None:
    docs = folder / "docs"
    (docs / "bomb.pdf").write_bytes(papers.bomb())
    (docs / "huge.pdf").write_bytes(papers.booklet([["x"]] * 10_000))
    (docs / "locked.pdf").write_bytes(papers.encrypted(papers.booklet([["x"]]), "password"))
    (docs / "scan.pdf").write_bytes(papers.booklet([[]]))
    (docs / "good.pdf").write_bytes(papers.booklet([["Good."]]))
    (docs / "junk.md").write_bytes(os.urandom(4_000))
    (docs / "empty.txt").write_text("")
    (docs / "office.txt").write_bytes(b"PK\x03\x04" + os.urandom(100))
    (docs / "code.py").write_text("pass")
    (docs / "round").symlink_to(docs, target_is_directory=True)

    code, out, err = carrierd("ingest", "docs", "nowhere.md", "config/carrier.toml")

    assert code == 65
    assert out.splitlines() == [
        "docs/good.pdf: new, 1 fragment.",
        "docs/handbook.md: new, 2 fragments.",
        "docs/menu.html: new, 1 fragment.",
        "1 file of other kinds passed over.",
    ]
    assert [line.partition(".")[0] + ":" + line.split(": ", 2)[2][:42] for line in err.splitlines()] == [
        "carrierd: docs/bomb:It is far larger than its file: what is pa",
        "carrierd: docs/empty:It is empty.",
        "carrierd: docs/huge:It has 10000 pages; at most 2000 are taken",
        "carrierd: docs/junk:It is binary data, not text. Save or print",
        "carrierd: docs/locked:It is encrypted with a password. Save it w",
        "carrierd: docs/office:It is a ZIP archive, or an office document",
        "carrierd: docs/scan:There is no text in it: its pages are empt",
        "carrierd: nowhere:There is no such file. Check the path.",
        "carrierd: config/carrier:Files of this kind are not read; those tha",
    ]
    report = json.loads(carrierd("ingest", "docs", "--json")[1])
    assert [Path(each["path"]).name for each in report["refused"]] == [
        "bomb.pdf", "empty.txt", "huge.pdf", "junk.md", "locked.pdf", "office.txt", "scan.pdf"
    ]  # fmt: skip
    assert report["passed_over"] == ["docs/code.py"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ([], 64, "Say which documents: either PATH, or --list, or --forget SOURCE."),
        (["docs", "--list"], 64, "Say which documents"),
        (["docs", "--name", "x"], 64, "--name is for one file."),
        (["docs", "--agent", "nobody"], 64, "There is no agent nobody. There are: robin, wren."),
        (["nowhere.md"], 66, "nowhere.md: There is no such file."),
        (["config/characters"], 66, "There is no document there."),
        (["config/characters/bot.toml"], 65, "Files of this kind are not read"),
        (["--forget", "nothing"], 70, "There is no document nothing."),
    ],
)
def test_what_cannot_be_done_is_said_with_the_exit_code(carrierd: Run, args: list[str], code: int, said: str) -> None:
    got, out, err = carrierd("ingest", *args)

    assert (got, out.replace("1 file of other kinds passed over.\n", "")) == (code, "")
    assert err.startswith("carrierd: ")
    assert said in err


def test_a_document_can_be_for_a_room_and_be_trusted(told, carrierd: Run) -> None:
    told("chat", "--room", "staff", "-m", "Hello")
    told("ingest", "docs/handbook.md", "--room", "staff", "--trusted")

    [document] = told("memory", "list", "--kind", "document")
    assert document["provenance"]["origins"] == ["operator"]
    assert len(document["provenance"]["audience"]["rooms"]) == 1
    assert told("ingest", "--list")["documents"][0]["rooms"] == ["staff"]
    assert carrierd("ingest", "--list")[1].splitlines()[1].split()[4] == "staff"
    inside = told("memory", "recall", "How many days of holidays?", "--room", "staff")
    assert [memory["kind"] for memory in inside] == ["fragment"]
    assert told("memory", "recall", "How many days of holidays?") == []


def test_a_document_for_a_room_that_is_not_there_is_refused_with_those_that_are(told, carrierd: Run) -> None:
    code, out, err = carrierd("ingest", "docs", "--room", "staff")
    assert (code, out) == (64, "")
    assert "There is no room staff. A room is there once somebody has spoken in it." in err

    told("chat", "--room", "stuff", "-m", "Hello")
    told("chat", "--room", "harbour", "-m", "Hello")
    code, out, err = carrierd("ingest", "docs", "--room", "staff")

    assert (code, out) == (64, "")
    assert "There is no room staff. There are: harbour, stuff." in err
    assert told("ingest", "--list")["documents"] == []


def test_two_documents_of_one_name_are_told_apart(told, carrierd: Run, folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "handbook.md").write_text("More.")
    told("ingest", "docs", "more")

    code, _, err = carrierd("ingest", "--forget", "handbook.md")

    assert code == 64
    assert "Several documents are called handbook.md:" in err
    assert [each["source"] for each in told("ingest", "--forget", "more/handbook.md")["forgotten"]] == [
        str(folder / "more" / "handbook.md")
    ]


def test_a_name_cannot_control_a_terminal(carrierd: Run, folder: Path) -> None:
    (folder / "docs" / "a\x1b[2J\nb.md").write_text("x")
    (folder / "docs" / os.fsdecode(b"\xff.md")).write_text("x")

    code, out, _ = carrierd("ingest", "docs")

    assert code == 0
    assert out.splitlines()[0] == "docs/a\N{REPLACEMENT CHARACTER}[2J b.md: new, 1 fragment."
    assert carrierd("ingest", "--list")[0] == 0


@pytest.mark.anyio
async def test_a_file_that_may_not_be_read_is_said_to_be(folder: Path, monkeypatch, capsys) -> None:
    def refuses(*given: object) -> None:
        raise PermissionError(13, "Permission denied")

    report, path = Report(as_json=False), folder / "docs" / "handbook.md"
    async with Reading(Bounds()) as reading:
        monkeypatch.setattr(os, "open", refuses)  # the tests may run as root, who may read everything
        became = await Intake(Library(Shelf(InMemoryStore().memory), "robin"), reading).take(path, Label("/a", "a"))
    report.add(File(path), became)

    assert report.end() == 66
    assert capsys.readouterr().err == (
        f"carrierd: {path}: This user may not read it. Change its permissions, or run the command as its owner.\n"
    )


def test_a_daemon_that_runs_takes_them_in_and_knows_them_at_once(
    told, folder: Path, environment: dict[str, str]
) -> None:
    with daemon(folder, environment):
        assert states(told("ingest", "docs")) == {"handbook.md": "new", "menu.html": "new"}
        assert states(told("ingest", "docs")) == {"handbook.md": "unchanged", "menu.html": "unchanged"}
        told("chat", "-m", "Is there leek soup?")
        assert [part["text"] for part in told("why", "last")["parts"] if part["key"] == "documents"] == ["Leek soup."]
        assert len(told("ingest", "--list")["documents"]) == 2
        assert len(told("ingest", "--forget", "menu.html")["forgotten"]) == 1
        told("chat", "-m", "Is there leek soup now?")
        assert [part for part in told("why", "last")["parts"] if part["key"] == "documents"] == []
