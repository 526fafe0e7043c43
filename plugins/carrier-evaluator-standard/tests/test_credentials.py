"""What has the format of a secret, and what only looks a little like it. All of these are made up."""

from __future__ import annotations

import pytest

from carrier_evaluator_standard.credentials import credentials, entropy

BODY = "Zq8Lx2Vt7Nw4Rk9Bs3Hd6Jf1Mp5Gc0Ty"

SECRETS = {
    "an Anthropic key": f"sk-ant-api03-{BODY}",
    "an OpenAI key": f"sk-proj-{BODY}",
    "an AWS access key": "AKIA" + "Q3EGRZ7YTKLM2PWA",
    "a GitHub token": f"ghp_{BODY}",
    "a GitLab token": f"glpat-{BODY[:20]}",
    "a Slack token": "xoxb-" + "2917350468-8402716395-Zq8Lx2Vt7Nw4Rk9B",
    "a Google key": f"AIza{BODY}Qw3",
    "a Stripe key": f"sk_live_{BODY}",
    "a JSON web token": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxOTg0NyJ9.{BODY}",
    "a Discord token": f"MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{BODY[:27]}",
    "a Hugging Face token": f"hf_{BODY}",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n-----END RSA PRIVATE KEY-----",
    "a password in an address": "hunter2Zq8Lx",
}


@pytest.mark.parametrize(("kind", "secret"), SECRETS.items(), ids=list(SECRETS))
def test_known_formats_are_found(kind: str, secret: str) -> None:
    text = f"Take this: {secret} and keep it." if "address" not in kind else f"postgres://app:{secret}@db.internal/x"

    assert kind in [found.kind for found in credentials(text)]


@pytest.mark.parametrize("kind", ["an OpenAI key", "a GitHub token", "an AWS access key"])
def test_invisible_signs_hide_nothing(kind: str) -> None:
    secret = SECRETS[kind]
    hidden = f"{secret[:9]}\u200b{secret[9:]}"

    assert [found.kind for found in credentials(hidden)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "The password is x7Gq2Lp9Wz!4Kd",
        "password: `x7Gq2Lp9Wz4KdTr8`",
        "API_KEY=9f8aQ7c3Lk2Vb6Xn",
        "The secret = q3V9x1Z7b5N2m8",
        "Authorization: Bearer a8F3k9Q2z7L4x1V6",
    ],
)
def test_what_looks_drawn_by_lot_beside_a_word_for_a_secret(text: str) -> None:
    assert [found.kind for found in credentials(text)] == ["what looks like a password or key"]


@pytest.mark.parametrize(
    "text",
    [
        "Your password must have at least 12 characters, with letters and digits.",
        "Never share your password or token with anyone.",
        "Set OPENAI_API_KEY=your-key-here and start it.",
        "An OpenAI key begins with sk- and an AWS key with AKIA.",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx is only a placeholder.",
        "AKIAIOSFODNN7EXAMPLE is the one from the documentation.",
        "export TOKEN=abcdef1234567890",
        "The secret ingredient is cinnamon.",
        "The token ring network-2026-release was quite something.",
        "My secret: procrastination-is-the-thief-of-time",
        "The commit is 3f2b1c9d8e7a6f5b4c3d2e1f0a9b8c7d6e5f4a3b.",
        "Order number 2026-11-21-4471 is on its way.",
        "Call +351 912 345 678 or write to ana@example.org.",
        "The id is 550e8400-e29b-41d4-a716-446655440000.",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "She is a sk-ilful ghp_layer.",
    ],
)
def test_ordinary_texts_have_no_secrets(text: str) -> None:
    assert list(credentials(text)) == []


def test_entropy_is_that_of_the_signs() -> None:
    assert entropy("") == 0.0
    assert entropy("aaaa") == 0.0
    assert entropy("abcd") == 2.0
