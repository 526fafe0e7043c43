"""What is hidden of what a server is given."""

from __future__ import annotations

import pytest

from carrier_actions_mcp.mask import HIDDEN, SHORTEST, Mask, mask_of
from carrier_actions_mcp.settings import ServerSettings


def test_what_env_and_headers_have_is_hidden() -> None:
    at_home = ServerSettings.model_validate({"command": "a", "env": {"KEY": "sk-secret", "NONE": ""}})
    far = ServerSettings.model_validate({"url": "https://a.example", "headers": {"Authorization": "Bearer sk-secret"}})

    assert mask_of(at_home)("It is sk-secret.") == f"It is {HIDDEN}."
    assert mask_of(far)("Bearer sk-secret, or sk-secret") == f"{HIDDEN}, or {HIDDEN}"


def test_a_variable_of_the_daemon_is_hidden_where_its_name_says_that_it_is_a_key(monkeypatch) -> None:
    monkeypatch.setenv("GIT_TOKEN", "sk-secret")
    monkeypatch.setenv("STAGE", "production")
    mask = mask_of(ServerSettings.model_validate({"command": "a", "inherit": ["GIT_TOKEN", "STAGE", "ABSENT_KEY"]}))

    assert mask("sk-secret in production") == f"{HIDDEN} in production"


@pytest.mark.parametrize("written", ["a b/c", "a%20b%2Fc", "a+b%2Fc"])
def test_it_is_found_as_it_is_written_in_a_url(written: str) -> None:
    assert Mask(["a b/c1"])(f"{written}1") == HIDDEN


def test_a_variable_that_is_no_text_does_no_harm(monkeypatch) -> None:
    monkeypatch.setenv("GIT_TOKEN", "sk-\udcff-secret")  # bytes that are no UTF-8

    assert mask_of(ServerSettings.model_validate({"command": "a", "inherit": ["GIT_TOKEN"]}))("sk-?-secret") == HIDDEN


def test_a_key_in_another_is_hidden_with_it() -> None:
    assert Mask(["secret", "secret-two"])("secret-two") == HIDDEN


def test_a_short_value_is_in_any_text() -> None:
    assert Mask(["x" * (SHORTEST - 1)])("x" * 10) == "x" * 10


def test_the_words_of_a_schema_stay() -> None:
    schema = {
        "type": "object",
        "required": ["object"],
        "properties": {"object": {"type": "string", "title": "An object"}},
    }

    assert Mask(["object"]).told(schema) == {
        "type": "object",
        "required": ["object"],
        "properties": {"object": {"type": "string", "title": f"An {HIDDEN}"}},
    }
