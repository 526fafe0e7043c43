"""The scanner finds every key of whatever tomllib, json and yaml accept, on the line where it is written."""

import json
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from carrier_core.keylines import json_lines, toml_lines, yaml_lines


def paths(value, path=()):
    """Every key path of parsed data."""
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from paths(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from paths(part, (*path, index))


TOML = '''\
# [not.a.table]
top = 1  # x = 2
"quoted key" = "a # b = c"
'literal.key' = 'C:\\'
dotted . "key.s" = 3

[agents.tifa]
text = """
[fake]
fake = 1
""quotes"" and an escape \\"""
"""
after = 1
literal = \'\'\'
[fake2]
ends in quotes \'\'\'\'\'
list = [
  "one", # [comment]
  [2, 3],
  { a = 1, "b.c" = { d = 2 } },
]
when = 1979-05-27 07:32:00.5
empty = ""
inline = { x = 1, y.z = "}" }

[[bots]]
name = "a"
[bots.inner]
deep = 1
[[bots]]
name = "b"
  [[bots.parts]]
  n = 1.5
  [[bots.parts]]
  n = +inf
"\\u0061bc" = 1
'''


def test_every_key_of_a_toml_file_has_its_line():
    found = toml_lines(TOML)
    assert set(found.lines) == set(paths(tomllib.loads(TOML)))
    assert not found.faults
    lines = TOML.splitlines()
    expected = {
        ("top",): "top = 1",
        ("quoted key",): '"quoted key"',
        ("literal.key",): "'literal.key'",
        ("dotted", "key.s"): "dotted .",
        ("agents", "tifa"): "[agents.tifa]",
        ("agents", "tifa", "text"): 'text = """',
        ("agents", "tifa", "after"): "after = 1",
        ("agents", "tifa", "list", 1): "  [2, 3]",
        ("agents", "tifa", "list", 2, "b.c", "d"): "  { a = 1",
        ("agents", "tifa", "inline", "y", "z"): "inline =",
        ("bots", 0, "inner", "deep"): "deep = 1",
        ("bots", 1, "name"): 'name = "b"',
        ("bots", 1, "parts", 1, "n"): "  n = +inf",
        ("bots", 1, "parts", 1, "abc"): '"\\u0061bc"',
    }
    for path, start in expected.items():
        assert lines[found.lines[path] - 1].startswith(start), path


def test_lines_are_counted_with_windows_line_ends():
    assert toml_lines("a = 1\r\n[b]\r\nc = 2\r\n").lines["b", "c"] == 3
    assert json_lines('{\r\n"a": 1,\r\n"b": 2}').lines[("b",)] == 3


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        st.one_of(st.integers(-9, 9), st.booleans(), KEYS, st.just("# [x] = {\"'")),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
        max_leaves=8,
    ),
    max_size=4,
)


@given(DATA, st.sampled_from([None, 1]))
def test_every_key_of_any_json_is_found(data, indent):
    text = json.dumps(data, indent=indent)
    found = json_lines(text)
    assert set(found.lines) == set(paths(data))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.lines.values())


def toml_value(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(key)} = {toml_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"  {toml_value(part)}, # ]\n" for part in value) + "]"
    if isinstance(value, str) and "'" not in value and value.isprintable():
        return f"'''{value}'''"
    return quoted(value)


def quoted(value):
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(key):
    return key if key.isascii() and key.isalnum() else quoted(key)


@given(DATA)
def test_every_key_of_any_toml_is_found(data):
    pieces = [f"{toml_key(key)} = {toml_value(part)}\n" for key, part in data.items() if not isinstance(part, dict)]
    for key, part in data.items():
        if isinstance(part, dict):
            pieces.append(f"\n[{toml_key(key)}] # head\n")
            pieces += [f"{toml_key(inner)} = {toml_value(value)}\n" for inner, value in part.items()]
    text = "".join(pieces)
    parsed = tomllib.loads(text)
    assert set(toml_lines(text).lines) == set(paths(parsed))


@given(DATA)
def test_every_key_of_any_yaml_is_found(data):
    text = yaml.safe_dump(data, sort_keys=False)
    found = yaml_lines(yaml.compose(text))
    assert set(found.lines) == set(paths(yaml.safe_load(text)))
    assert not found.faults


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (json_lines, '{"a": {"b": 1,\n"b": 2,\n"b": 3}}'),
        (lambda text: yaml_lines(yaml.compose(text)), "a: {b: 1,\n  b: 2,\n  b: 3}"),
    ],
)
def test_a_repeated_key_is_told_with_the_line_of_its_repetition(find, text):
    assert [(line, message) for line, message, _ in find(text).faults] == [
        (2, "The key `a.b` is written twice."),
        (3, "The key `a.b` is written twice."),
    ]


def test_a_yaml_alias_has_the_line_of_its_own_key():
    found = yaml_lines(yaml.compose("base: &base\n  x: 1\nother: *base\nmerged:\n  <<: {y: 2, z: 3}\n  y: 4\n"))
    assert found.lines["base", "x"] == 2
    assert found.lines[("other",)] == 3
    assert found.lines["merged", "y"] == 6
    assert found.lines["merged", "z"] == 5
    assert not found.faults


def test_yaml_aliases_that_grow_without_end_are_told():
    assert yaml_lines(yaml.compose("a: 1\nb: &b [*b]\n")).endless == 2
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for name, inner in zip("bcdefgh", "abcdefg", strict=True):
        laughs += f"{name}: &{name} [{', '.join(['*' + inner] * 10)}]\n"
    assert yaml_lines(yaml.compose(laughs)).endless > 2
