"""Both actions keep what the host relies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrier_actions_skills import ReadSkillFile, Skill, UseSkill
from carrier_core import Action, Json
from carrier_core.testing import ActionConformance


class TestAction(ActionConformance):
    trusted = True

    @pytest.fixture(params=[UseSkill, ReadSkillFile])
    def action(self, request: pytest.FixtureRequest, tmp_path: Path) -> Action:
        (tmp_path / "SKILL.md").write_text("---\nname: tea\ndescription: How to make tea.\n---\nBoil water.\n")
        (tmp_path / "kinds.md").write_text("Green and black.")
        return request.param({"tea": Skill("tea", "How to make tea.", tmp_path)})

    @pytest.fixture
    def arguments(self, action: Action) -> dict[str, Json]:
        return {"name": "tea", "path": "kinds.md"} if isinstance(action, ReadSkillFile) else {"name": "tea"}
