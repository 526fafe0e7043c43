"""Faults in files: each names the file, the line and the remedy."""

from __future__ import annotations

import pytest

from carrier_core import ConfigError
from carrier_provider_scripted import Settings, register_providers

FAULTS = [  # the text, the line of the fault, words of the message and of the remedy
    ("version = 1\nrules = [\n", 3, "not TOML", "Correct"),
    ("version = 1\n\nrules = nothing\n", 3, "not TOML", "Correct"),
    ("[[rules]]\ntext = 'hi'\n", 1, "no version", "version = 1"),
    ("# rules\nversion = 2\n[[rules]]\ntext = 'hi'\n", 2, "version is 2", "version = 1"),
    ("version = true\n", 1, "version is True", "version = 1"),
    ("version = 1\n", 1, "no rules", "[[rules]]"),
    ("version = 1\nrule = []\n", 2, "`rule` is unknown", "`rules`"),
    ("version = 1\n[[rules]]\ntext = 'hi'\n[[rules]]\ntexts = 'hi'\n", 5, "`texts`", "`text`"),
    ("version = 1\n[[rules]]\ntext = 'texts = 1'\n[[rules]]\ncolour = 1\n", 5, "`colour`", "pattern"),
    ("version = 1\n[[rules]]\ntext = '''\ntexts = 1\n'''\n[[rules]]\ntexts = 1\n", 7, "`texts`", "`text`"),
    ("version = 1\n[[rules]]\nwhen = { frist = true }\n", 3, "`frist`", "`first`"),
    ("version = 1\n[[rules]]\ntext = 'hi'\n[rules.when]\nfrist = true\n", 5, "`frist`", "`first`"),
    (
        "version = 1\n[[rules]]\n[[rules.steps]]\ntext = 'a'\n[[rules.steps]]\ntexts = 'b'\n",
        6,
        "`texts`",
        "`text`",
    ),
    ("version = 1\n[[rules]]\ntext = 5\n", 3, "Expected `str`, got `int`", "README"),
    ("version = 1\n[[rules]]\ntext = 'a'\n\n[[rules]]\nlatency = -1\n", 6, "`float` >= 0", "README"),
    ("version = 1\n[[rules]]\nfailure = { reason = 'hunger' }\n", 3, "hunger", "README"),
    ("version = 1\n[[rules]]\nfailure = {}\n", 3, "`reason`", "README"),
    ("version = 1\n[[rules]]\ncalls = [{ nmae = 'x' }]\n", 3, "`nmae`", "`name`"),
    ("version = 1\n[[rules]]\ncalls = [{ arguments = {} }]\n", 3, "`name`", "README"),
    ("version = 1\n[[rules]]\ntext = 'a'\n[[rules]]\npattern = '('\n", 5, "regular expression", "Correct"),
    ("version = 1\n[[rules]]\npattern = 'a'\ncontains = 'b'\n", 2, "either", "Remove"),
    ("version = 1\n[[rules]]\ntext = 'a'\nsteps = [{ text = 'b' }]\n", 2, "either", "first of the steps"),
    ("version = 1\n[[rules]]\ntext = 'a'\n[[rules]]\ntext = '{{ oh'\n", 5, "not Jinja2", "Correct"),
    (
        "version = 1\n[[rules]]\ncalls = [{ name = 'x', arguments = { y = ['{% if %}'] } }]\n",
        3,
        "Jinja2",
        "Correct",
    ),
    ("version = 1\nintroduction = '{{'\n[[rules]]\ntext = 'a'\n", 2, "Jinja2", "Correct"),
]


@pytest.mark.parametrize(("text", "line", "message", "remedy"), FAULTS)
def test_a_fault_in_a_rule_file(tmp_path, text, line, message, remedy):
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        register_providers(Settings(rules=path))
    assert caught.value.file == str(path)
    assert caught.value.line == line
    assert message in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("version = 1\n[[pairs]]\nsentence = 'a'\n", 2, "`call`"),
        ("version = 1\n[[pairs]]\nsentence = ' '\ncall = { name = 'x' }\n", 3, "regex"),
        ("version = 1\n[[pairs]]\nsentence = 'a'\ncall = 'x'\n", 4, "Expected"),
        ("version = 1\n[[pairs]]\nsentence = 'a'\n[pairs.call]\nname = 'x'\nargs = {}\n", 6, "`args`"),
        ("version = 1\n[[rules]]\ntext = 'a'\n", 2, "`rules`"),
    ],
)
def test_a_fault_in_a_file_of_pairs(tmp_path, text, line, message):
    path = tmp_path / "pairs.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        register_providers(Settings(obey=path))
    assert (caught.value.file, caught.value.line) == (str(path), line)
    assert message in caught.value.message
    assert caught.value.remedy


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="Correct the path"):
        register_providers(Settings(rules=tmp_path / "none.toml"))


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        register_providers(Settings(rules=path))


def test_the_provider_stands_in_and_is_always_ready():
    provider = register_providers(Settings())
    assert (provider.name, provider.last_resort, provider.missing()) == ("scripted", True, "")
