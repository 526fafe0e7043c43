"""What the README shows can be used as it is, and it names every setting."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from carrier_actions_web import Settings, register_actions
from carrier_actions_web.settings import ToolSettings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_tools_that_are_shown_are_tools() -> None:
    (written,) = [block for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "tools]]" in block]
    section = tomllib.loads(written)["plugin"]["carrier-actions-web"]
    section["secrets"] = {"weather": "one", "desk": "two"}

    actions = register_actions(Settings.model_validate_json(msgspec.json.encode(section), strict=True))

    assert [action.name for action in actions] == ["fetch_page", "get_weather", "create_ticket"]
    assert actions[1].check({"city": "Porto", "days": 3}) == ""
    assert actions[2].check({"queue": "roof", "title": "It rains in.", "urgent": True}) == ""
    assert actions[2].check({"queue": "garden", "title": "It rains in."})


@pytest.mark.parametrize("key", [*Settings.model_fields, *ToolSettings.model_fields])
def test_every_setting_is_explained(key: str) -> None:
    rows = re.findall(r"^\| (`.+?) \|", README, flags=re.MULTILINE)
    assert key in {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("settings", [Settings, ToolSettings])
def test_every_setting_describes_itself(settings) -> None:
    assert [name for name, field in settings.model_fields.items() if not field.description] == []
