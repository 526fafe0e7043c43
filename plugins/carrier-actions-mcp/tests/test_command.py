"""``carrierd mcp``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from carrier_actions_mcp.command import Mcp
from carrier_actions_mcp.listed import Listed, Listing
from carrier_actions_mcp.notebook import Notebook
from carrier_actions_mcp.settings import Settings
from carrier_core import CarrierError

SCHEMA = {"type": "object", "properties": {}}
SETTINGS = Settings.model_validate(
    {
        "servers": {
            "files": {"command": "a", "except": ["move"], "effects": {"look": "read"}},
            "far": {"url": "https://b.example"},
        }
    }
)


def listing(**marks: str) -> Listing:
    return Listing(
        tuple(Listed(name, f"It can {name}.", SCHEMA, mark) for name, mark in marks.items()), {"odd": "is odd"}
    )


def carrierd(folder: Path, *arguments: str) -> int:
    command = Mcp(SETTINGS)
    parser = argparse.ArgumentParser()
    parser.add_argument("--state")
    command.configure(parser)
    return command.run(parser.parse_args([*arguments, "--state", str(folder)]))


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    made = Notebook(tmp_path, "files", SETTINGS.servers["files"])
    made.keep(listing(look="1", edit="1"))
    made.keep(listing(look="1", edit="2", move="1", paint="1"))
    return made


def test_it_lists_what_there_is_and_why_not(notebook: Notebook, tmp_path: Path, capsys) -> None:
    carrierd(tmp_path, "list", "--json")

    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["state"], row["effect"]) for row in rows] == [
        ("files_look", "offered", "read"),
        ("files_edit", "changed", "external"),
        ("files_move", "excluded", "external"),
        ("files_paint", "new", "external"),
        ("odd", "unfit", ""),
        ("", "unknown", ""),
    ]


@pytest.mark.parametrize("arguments", [("--json",), ("list", "--json"), ("--json", "list")])
def test_without_a_word_it_lists(notebook: Notebook, tmp_path: Path, capsys, arguments) -> None:
    assert carrierd(tmp_path, *arguments) == 0
    assert len(json.loads(capsys.readouterr().out)) == 6


def test_without_anything_it_lists_for_people(notebook: Notebook, tmp_path: Path, capsys) -> None:
    assert carrierd(tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["files", "offered", "read", "files_look"]


def test_why_a_server_fails_is_listed(notebook: Notebook, tmp_path: Path, capsys) -> None:
    notebook.fail("ended with exit status 3")
    Notebook(tmp_path, "far", SETTINGS.servers["far"]).fail("failed: it cannot be reached")
    carrierd(tmp_path)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=2) == ["files", "failing", "it ended with exit status 3"]
    assert lines[-1].split(maxsplit=2) == ["far", "unknown", "it failed: it cannot be reached"]
    with pytest.raises(CarrierError, match="It is not known what tools far has: it failed: it cannot be reached"):
        carrierd(tmp_path, "accept", "far")


def test_what_a_server_says_of_its_tools_can_be_read(notebook: Notebook, tmp_path: Path, capsys) -> None:
    carrierd(tmp_path, "list", "--json")

    look = json.loads(capsys.readouterr().out)[0]
    assert (look["description"], look["parameters"]) == ("It can look.", SCHEMA)


def test_a_server_does_not_write_to_the_terminal(tmp_path: Path, capsys) -> None:
    made = Notebook(tmp_path, "files", SETTINGS.servers["files"])
    made.keep(Listing((), {"\x1b[2J": "has an impossible name"}))
    carrierd(tmp_path, "list")

    assert "\x1b" not in capsys.readouterr().out


def test_all_that_a_server_has_is_accepted(notebook: Notebook, tmp_path: Path, capsys) -> None:
    assert carrierd(tmp_path, "accept", "files") == 0

    assert capsys.readouterr().out == "Accepted of files: look, edit, move, paint.\n"
    assert notebook.accepted() == {"look": "1", "edit": "2", "move": "1", "paint": "1"}


def test_single_tools_are_accepted(notebook: Notebook, tmp_path: Path, capsys) -> None:
    carrierd(tmp_path, "accept", "files", "paint", "look")

    assert capsys.readouterr().out == "Accepted of files: paint, look.\n"
    assert notebook.accepted() == {"look": "1", "edit": "1", "paint": "1"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("accept", "none"), "There is no MCP server none. There are: files, far."),
        (("accept", "files", "fly"), "files has no tool fly. See carrierd mcp list."),
        (("accept", "files", "odd"), "odd of files cannot be used: it is odd."),
        (("accept", "far"), "It is not known what tools far has."),
    ],
)
def test_what_is_not_there_is_said(notebook: Notebook, tmp_path: Path, arguments, why: str) -> None:
    with pytest.raises(CarrierError) as refused:
        carrierd(tmp_path, *arguments)
    assert str(refused.value).startswith(why)
