"""What the operator sets, and what is said when something is missing."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest
from pydantic import ValidationError

from carrier_core import Part, Prompt, PromptMessage, ProviderError
from carrier_core.testing import wire
from carrier_provider_anthropic import Settings, register_providers
from carrier_provider_anthropic.models import DEFAULT_MODELS
from carrier_provider_anthropic.provider import AnthropicProvider


def test_without_a_key_it_says_which_variable_to_set():
    provider = register_providers(Settings())
    assert provider.name == "anthropic"
    assert "ANTHROPIC_API_KEY" in provider.missing()


@pytest.mark.anyio
async def test_without_a_key_it_is_not_asked():
    with pytest.raises(ProviderError, match="ANTHROPIC_API_KEY") as caught:
        await AnthropicProvider().generate(Prompt((PromptMessage("user", (Part("hi"),)),)), "m", lambda piece: None)
    assert caught.value.reason == "auth"


@pytest.mark.parametrize(
    ("settings", "ready", "billed_as"),
    [
        ({"api_key": "sk-1"}, True, "anthropic"),
        ({"api_key": "sk-1", "base_url": "https://api.anthropic.com/v1"}, True, "anthropic"),
        ({"base_url": "http://127.0.0.1:11434"}, True, ""),
        ({"base_url": "https://api.anthropic.com"}, False, "anthropic"),
    ],
)
def test_a_key_or_a_server_of_ones_own_is_enough(settings, ready, billed_as):
    provider = register_providers(Settings(**settings))
    assert (provider.missing() == "", provider.billed_as) == (ready, billed_as)


def test_models_that_are_named_replace_the_defaults():
    assert register_providers(Settings(models={"small": "tiny"})).models == DEFAULT_MODELS | {"small": "tiny"}


@pytest.mark.parametrize(
    "wrong", [{"base_url": "localhost:1"}, {"max_tokens": 0}, {"pause_timeout": 0}, {"timeout": -1}, {"key": "x"}]
)
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_the_key_is_hidden():
    settings = Settings(api_key="sk-secret")
    assert "sk-secret" not in repr(settings)
    assert "sk-secret" not in repr(vars(register_providers(settings)))


@pytest.mark.anyio
async def test_the_client_is_made_beside_the_loop(make, kit, monkeypatch):
    """To import the SDK and the certificates would stop every room."""
    threads, made = [], AnthropicProvider._open
    monkeypatch.setattr(
        AnthropicProvider, "_open", lambda provider: threads.append(threading.get_ident()) or made(provider)
    )
    async with wire.serve(kit.events(kit.answer("Hi"))) as server, anyio.create_task_group() as group:
        provider = make(server.url)
        for _ in range(3):
            group.start_soon(provider.generate, kit.hello, "claude-test", lambda piece: None)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_the_readme_tells_every_setting():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"| `{name}` |" not in readme] == []
    assert [model for model in DEFAULT_MODELS.values() if model not in readme] == []


def test_the_sdk_is_not_imported_with_the_plugin():
    code = (
        "import sys, carrier_provider_anthropic as plugin; plugin.register_providers(plugin.Settings(api_key='sk-1'));"
        "print([name for name in ('anthropic', 'httpx2') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
