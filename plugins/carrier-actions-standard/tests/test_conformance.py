"""All actions of this plugin keep what the host relies on."""

from __future__ import annotations

import pytest

from carrier_actions_standard import register_actions
from carrier_core import Action, Json
from carrier_core.testing import ActionConformance

ACTIONS = {action.name: action for action in register_actions()}


class TestAction(ActionConformance):
    @pytest.fixture(params=ACTIONS.values(), ids=ACTIONS)
    def action(self, request: pytest.FixtureRequest) -> Action:
        return request.param

    @pytest.fixture
    def arguments(self, action: Action) -> dict[str, Json]:
        return {"text": "Ana lives in Porto."} if action.name in ("reply", "remember") else {}
