"""What is kept of a server between two daemons."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrier_actions_mcp.listed import Listed, Listing
from carrier_actions_mcp.notebook import Notebook
from carrier_actions_mcp.settings import ServerSettings

SETTINGS = ServerSettings(command="server", args=("--fast",))
SCHEMA = {"type": "object", "properties": {}}


def listing(**marks: str) -> Listing:
    return Listing(tuple(Listed(name, "It looks.", SCHEMA, mark) for name, mark in marks.items()), {"odd": "is odd"})


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return Notebook(tmp_path, "files", SETTINGS)


def test_there_is_nothing_at_first(notebook: Notebook) -> None:
    assert notebook.listing() is None
    assert notebook.accepted() == {}


def test_what_was_listed_is_there_again(notebook: Notebook, tmp_path: Path) -> None:
    notebook.keep(listing(look="1"))

    assert Notebook(tmp_path, "files", SETTINGS).listing() == listing(look="1")


def test_only_the_first_listing_is_accepted_by_itself(notebook: Notebook) -> None:
    notebook.keep(listing(look="1"))
    notebook.keep(listing(look="2", new="1"))

    assert notebook.accepted() == {"look": "1"}


def test_what_is_accepted_stays_so(notebook: Notebook, tmp_path: Path) -> None:
    notebook.keep(listing(look="1"))
    notebook.accept({"look": "2"})

    assert Notebook(tmp_path, "files", SETTINGS).accepted() == {"look": "2"}


def test_another_server_under_the_same_name_is_another_server(notebook: Notebook, tmp_path: Path) -> None:
    notebook.keep(listing(look="1"))
    other = Notebook(tmp_path, "files", ServerSettings(command="another"))

    assert (other.listing(), other.accepted()) == (None, {})
    other.keep(listing(look="9"))
    assert other.accepted() == {"look": "9"}


def test_another_key_is_the_same_server(notebook: Notebook, tmp_path: Path) -> None:
    notebook.keep(listing(look="1"))
    again = ServerSettings.model_validate({**SETTINGS.model_dump(by_alias=True), "env": {"KEY": "another"}})

    assert Notebook(tmp_path, "files", again).listing() == listing(look="1")


def test_a_broken_file_accepts_nothing(notebook: Notebook, tmp_path: Path) -> None:
    notebook.keep(listing(look="1"))
    (tmp_path / "mcp" / "files.accepted.json").write_text("{")
    notebook.keep(listing(look="2"))

    assert notebook.accepted() == {}


def test_a_broken_list_is_as_none(notebook: Notebook, tmp_path: Path) -> None:
    notebook.keep(listing(look="1"))
    (tmp_path / "mcp" / "files.json").write_text("{")

    assert notebook.listing() is None


def test_why_it_failed_is_known_until_it_lists_its_tools(notebook: Notebook, tmp_path: Path) -> None:
    notebook.fail("ended")

    assert Notebook(tmp_path, "files", SETTINGS).failure() == "ended"
    assert Notebook(tmp_path, "files", ServerSettings(command="another")).failure() == ""
    notebook.keep(listing(look="1"))
    assert notebook.failure() == ""


def test_no_key_is_in_it(tmp_path: Path) -> None:
    settings = ServerSettings.model_validate({"command": "server", "env": {"KEY": "sk-secret"}})
    Notebook(tmp_path, "files", settings).keep(listing(look="1"))

    assert "sk-secret" not in "".join(path.read_text() for path in (tmp_path / "mcp").iterdir())
