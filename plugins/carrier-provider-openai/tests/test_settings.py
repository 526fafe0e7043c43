"""What the operator sets, and what is said when something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from carrier_core import ProviderError
from carrier_provider_openai import Settings, register_embedders, register_providers
from carrier_provider_openai.provider import DEFAULT_MODELS

OLLAMA = {"base_url": "http://127.0.0.1:11434/v1"}


def only(settings: Settings):
    (provider,) = register_providers(settings)
    return provider


def test_without_a_key_it_says_which_variable_to_set():
    provider = only(Settings())
    assert provider.name == "openai"
    assert "OPENAI_API_KEY" in provider.missing()


@pytest.mark.anyio
async def test_without_a_key_it_is_not_asked(ask):
    with pytest.raises(ProviderError, match="OPENAI_API_KEY") as caught:
        await ask(only(Settings()))
    assert caught.value.reason == "auth"


def test_a_key_or_a_server_of_ones_own_is_enough():
    assert only(Settings(api_key="sk-1")).missing() == ""
    assert only(Settings(**OLLAMA)).missing() == ""
    assert only(Settings(base_url="https://api.openai.com/v1")).missing() != ""


def test_models_that_are_named_replace_the_defaults():
    assert only(Settings(models={"small": "llama"})).models == DEFAULT_MODELS | {"small": "llama"}


def test_each_server_is_a_provider_of_its_own():
    settings = Settings(
        api_key="sk-1",
        servers={
            "ollama": {**OLLAMA, "models": {"large": "qwen3"}, "free": True},
            "second": {"base_url": "https://api.openai.com/v1"},
        },
    )
    openai, ollama, second = register_providers(settings)
    assert [each.name for each in (openai, ollama, second)] == ["openai", "ollama", "second"]
    assert [each.api for each in (openai, ollama, second)] == ["responses", "chat", "responses"]
    assert [each.billed_as for each in (openai, ollama, second)] == ["openai", "", "openai"]
    assert [each.free for each in (openai, ollama, second)] == [False, True, False]
    assert ollama.models == {"large": "qwen3"}
    assert ollama.missing() == ""
    assert "[plugin.carrier-provider-openai.servers.second]" in second.missing()


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        ({}, []),
        ({"embedding": "text-embedding-3-small"}, [("openai/text-embedding-3-small", 1536, False)]),
        ({"embedding": "text-embedding-3-large", "dimensions": 256}, [("openai/text-embedding-3-large", 256, True)]),
        (
            {"servers": {"ollama": {**OLLAMA, "embedding": "nomic", "dimensions": 768}}},
            [("ollama/nomic", 768, False)],
        ),
    ],
)
def test_an_embedder_is_there_where_a_model_is_named(settings, made):
    embedders = register_embedders(Settings(**settings))
    assert [(each.name, each.dimension, each.shorten) for each in embedders] == made


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "localhost:1234"},
        {"api": "assistants"},
        {"timeout": 0},
        {"first_timeout": -1},
        {"key": "x"},
        {"embedding": "nomic"},
        {"servers": {"openai": OLLAMA}},
        {"servers": {"a/b": OLLAMA}},
        {"servers": {"ollama": {}}},
        {"servers": {"ollama": {**OLLAMA, "servers": {}}}},
    ],
)
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_keys_are_hidden():
    settings = Settings(api_key="sk-secret", servers={"groq": {**OLLAMA, "api_key": "sk-secret"}})
    assert "sk-secret" not in repr(settings)
    assert "sk-secret" not in repr([vars(each) for each in register_providers(settings)])


def test_the_readme_tells_every_setting():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"| `{name}` |" not in readme] == []
    assert [model for model in DEFAULT_MODELS.values() if model not in readme] == []


def test_the_sdk_is_not_imported_with_the_plugin():
    code = (
        "import sys, carrier_provider_openai as plugin\n"
        "settings = plugin.Settings(api_key='sk-1', embedding='text-embedding-3-small')\n"
        "plugin.register_providers(settings), plugin.register_embedders(settings)\n"
        "print([name for name in ('openai', 'httpx2') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
