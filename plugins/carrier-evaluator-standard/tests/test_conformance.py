"""The context of this plugin keeps what the host relies on."""

from __future__ import annotations

import pytest

from carrier_core import Context
from carrier_core.testing import ContextConformance
from carrier_evaluator_standard import Settings, register_context


class TestFeedback(ContextConformance):
    @pytest.fixture
    def context(self) -> Context:
        (context,) = register_context(Settings(feedback=True))
        return context
