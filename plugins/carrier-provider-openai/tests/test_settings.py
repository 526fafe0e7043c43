"""What the operator sets, and what is said when something is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from carrier_core import Part, Prompt, PromptMessage, ProviderError
from carrier_provider_openai import Settings, register_providers
from carrier_provider_openai.provider import DEFAULT_MODELS, OpenAIProvider


def test_without_a_key_it_says_which_variable_to_set():
    provider = register_providers(Settings())
    assert provider.name == "openai"
    assert "OPENAI_API_KEY" in provider.missing()


@pytest.mark.anyio
async def test_without_a_key_it_is_not_asked():
    with pytest.raises(ProviderError, match="OPENAI_API_KEY") as caught:
        await OpenAIProvider().generate(Prompt((PromptMessage("user", (Part("hi"),)),)), "m", lambda piece: None)
    assert caught.value.reason == "auth"


def test_a_key_or_a_server_of_ones_own_is_enough():
    assert register_providers(Settings(api_key="sk-1")).missing() == ""
    assert register_providers(Settings(base_url="http://127.0.0.1:11434/v1")).missing() == ""
    assert register_providers(Settings(base_url="https://api.openai.com/v1")).missing() != ""


def test_models_that_are_named_replace_the_defaults():
    provider = register_providers(Settings(models={"small": "llama"}))
    assert provider.models == DEFAULT_MODELS | {"small": "llama"}


@pytest.mark.parametrize("wrong", [{"base_url": "localhost:1234"}, {"api": "assistants"}, {"timeout": 0}, {"key": "x"}])
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_the_key_is_hidden():
    assert "sk-secret" not in repr(Settings(api_key="sk-secret"))


def test_the_sdk_is_not_imported_with_the_plugin():
    code = (
        "import sys, carrier_provider_openai as plugin; plugin.register_providers(plugin.Settings(api_key='sk-1'));"
        "print([name for name in ('openai', 'httpx2') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
