"""What the README shows is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from carrier_actions_mcp import meter, offers, pipes, results, schemas, server
from carrier_actions_mcp.settings import ServerSettings, Settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_example_is_a_configuration() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)

    section = tomllib.loads(example)["plugin"]["carrier-actions-mcp"]
    assert [*Settings.model_validate(section).servers] == ["files", "tickets"]


def test_every_key_is_explained() -> None:
    table = README.partition("| Key |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z_]+)`", table))

    assert {field.removesuffix("_") for field in ServerSettings.model_fields} <= named


def test_every_variable_that_a_program_gets_is_named() -> None:
    named = README.partition("and no others: ")[2].partition(";")[0]

    assert tuple(re.findall(r"`([A-Z_]+)`", named)) == pipes.NEEDED


def test_the_numbers_are_those_of_the_code() -> None:
    text = " ".join(README.split())

    assert f"a message of more than {meter.LONGEST_MESSAGE >> 20} MB" in text
    assert f"more than {meter.MOST_BYTES >> 20} MB or {meter.MOST_MESSAGES:,} messages" in text
    assert f"cut at {results.MOST_TEXT:,} characters" in text
    assert f"more than {schemas.MOST_BYTES >> 10} kB" in text
    assert f"{server.LONGEST_REST:g} at most" in text
    assert offers.INTRODUCTION == 10.0
    assert "ten seconds" in text
    assert server.PATIENCE == 5.0
    assert "five seconds" in text
    assert pipes.GRACE == 2.0
    assert "two seconds" in text
