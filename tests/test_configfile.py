"""A configuration file is found where the documentation says, and whatever is wrong with it has a line and a remedy."""

import errno
import os
from pathlib import Path

import pytest

from carrier_core import configfile
from carrier_core.configfile import find_config, read_document
from carrier_core.errors import ConfigError


@pytest.fixture
def system(tmp_path, monkeypatch):
    folder = tmp_path / "etc" / "carrier"
    monkeypatch.setattr(configfile, "SYSTEM_FOLDER", folder)
    return folder


@pytest.fixture
def here(tmp_path, system):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def written(path, text="x = 1\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_each_place_goes_before_the_next(here, tmp_path, system):
    home, xdg = tmp_path / "home", tmp_path / "xdg"
    in_system = written(system / "carrier.json")
    assert find_config(None, {"HOME": str(home)}, here) == in_system
    in_home = written(home / ".config" / "carrier" / "carrier.yml")
    assert find_config(None, {"HOME": str(home)}, here) == in_home
    in_xdg = written(xdg / "carrier" / "carrier.yaml")
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(xdg)}
    assert find_config(None, environ, here) == in_xdg
    in_here = written(here / "config" / "carrier.yaml")
    assert find_config(None, environ, here) == in_here
    in_variable = written(tmp_path / "v.toml")
    environ["CARRIER_CONFIG"] = str(in_variable)
    assert find_config(None, environ, here) == in_variable
    explicit = written(here / "mine.toml")
    assert find_config("mine.toml", environ, here) == explicit


def test_toml_goes_before_the_other_formats_of_one_folder(here):
    for suffix in ("json", "yml", "yaml", "toml"):
        expected = written(here / "config" / f"carrier.{suffix}")
        assert find_config(None, {}, here) == expected


def test_an_empty_variable_and_a_relative_xdg_folder_are_ignored(here, tmp_path):
    written(here / "xdg" / "carrier" / "carrier.toml")
    in_home = written(tmp_path / "home" / ".config" / "carrier" / "carrier.toml")
    environ = {"CARRIER_CONFIG": "", "XDG_CONFIG_HOME": "xdg", "HOME": str(tmp_path / "home")}
    assert find_config(None, environ, here) == in_home


def test_when_there_is_none_it_says_where_it_looked(here, tmp_path, system):
    with pytest.raises(ConfigError) as caught:
        find_config(None, {"HOME": str(tmp_path / "home")}, here)
    message = str(caught.value)
    for folder in (here / "config", tmp_path / "home" / ".config" / "carrier", system):
        assert str(folder / "carrier.*") in message
    assert "--config" in caught.value.remedy


@pytest.mark.parametrize(("explicit", "environ"), [("no.toml", {}), (None, {"CARRIER_CONFIG": "no.toml"})])
def test_a_named_file_that_is_not_there(here, explicit, environ):
    written(here / "config" / "carrier.toml")
    with pytest.raises(ConfigError, match=r"no\.toml, given by .* does not exist") as caught:
        find_config(explicit, environ, here)
    assert caught.value.remedy


def test_a_named_folder(here):
    written(here / "config" / "carrier.yaml")
    with pytest.raises(ConfigError, match="is a folder") as caught:
        find_config("config", {}, here)
    assert str(here / "config" / "carrier.yaml") in caught.value.remedy


DEEP = 100_000


@pytest.mark.parametrize(
    ("name", "content", "line", "words"),
    [
        ("c.toml", b"", 1, "empty"),
        ("c.yaml", b" \n\n", 1, "empty"),
        ("c.json", b"", 1, "empty"),
        ("c.toml", b"\xef\xbb\xbfa = 1\n", 1, "byte-order mark"),
        ("c.yaml", b"\xff\xfea\x00", 1, "byte-order mark"),
        ("c.toml", b"a = 1\nb = '\xff'\n", 2, "not UTF-8"),
        ("c.json", b'{\n"a":\n"\xe9"}', 3, "not UTF-8"),
        ("c.toml", b"a = 1\nb = \n", 2, "not TOML"),
        ("c.toml", b"[a]\nx = 1\n[a]\n", 3, "not TOML"),
        ("c.toml", b"a = 1\na = 2\n", 2, "not TOML: cannot overwrite"),
        ("c.toml", b"a = 1\nb = [\n1,\n\n\n", 3, "not TOML: invalid value"),
        ("c.toml", b"a = " + b"9" * 5000, 1, "cannot be converted"),
        ("c.toml", b"a = " + b"[" * DEEP, 1, "nested too deeply"),
        ("c.json", b'{\n"a": 1,\n}', 3, "not JSON"),
        ("c.json", b'{"a": 1}\n{}', 2, "not JSON: extra data"),
        ("c.json", b"[" * DEEP, 1, "nested too deeply"),
        ("c.json", b"[1]", 1, "no table"),
        ("c.json", b'"x"', 1, "no table"),
        ("c.yaml", b"a: 1\nb: [1\nc: 2\n", 3, "not YAML"),
        ("c.yaml", b"a: 1\n? [x]\n: 1\n", 2, "unhashable key"),
        ("c.yaml", b"a: 1\n\tb: 1\n", 2, "not YAML"),
        ("c.yaml", b"a: 1\n---\nb: 2\n", 2, "not YAML"),
        ("c.yaml", b"a: 1\nb: !!python/object:os.x {}\n", 2, "not YAML"),
        ("c.yaml", b"a: 1\nb: *nowhere\n", 2, "not YAML"),
        ("c.yaml", b"a: 1\nb: &b [*b]\n", 2, "grow without end"),
        ("c.yaml", b"a: 1\nb: \x07\n", 2, "not YAML: a control character"),
        ("c.yaml", b"a: 2024-99-99\n", 1, "cannot be converted"),
        ("c.yaml", b"- a\n- b\n", 1, "no table"),
        ("c.yaml", b"just words\n", 1, "no table"),
        ("c.ini", b"a = 1\n", None, "format of c.ini is not known"),
        ("c", b"a = 1\n", None, "format of c is not known"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, name, content, line, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        read_document(path)
    assert (caught.value.file, caught.value.line) == (str(path), line)
    assert caught.value.remedy


def test_a_folder_and_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        read_document(tmp_path / "folder.toml")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    with pytest.raises(ConfigError, match="cannot be read: Too many levels") as caught:
        read_document(tmp_path / "loop.toml")
    assert caught.value.file == str(tmp_path / "loop.toml")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_document(tmp_path / "absent.toml")


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = written(tmp_path / "c.toml")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything, so what the system would say is played

        def refuse(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        read_document(path)


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("c.json", '{"a": 1,\n"a": 2}', 2, "`a` is written twice"),
        ("c.yaml", "a: {b: 1}\nc: 1\na: 2\n", 3, "`a` is written twice"),
        ("c.yaml", "a: 1\nb:\n  yes: 1\n", 3, "key yes is not text: YAML reads it as bool"),
        ("c.yaml", "a: 1\n5: 1\n", 2, "key 5 is not text"),
        ("c.yaml", "a: 1\nb: [1, .nan]\n", 2, "nan is no number"),
        ("c.toml", "a = 1\nb = [\n1.0,\n-inf,\n]\n", 4, "-inf is no number"),
        ("c.json", '{"a":\n1, "b":\nNaN}', 2, "nan is no number"),
        ("c.json", '{"a": 1,\n"b": ["x",\n"\\ud800"]}', 3, "surrogate"),
        ("c.json", '{"a": 1,\n"\\udfff": 1}', 2, "surrogate"),
    ],
)
def test_a_fault_that_leaves_the_rest_readable(tmp_path, name, text, line, words):
    document = read_document(written(tmp_path / name, text))
    (fault,) = document.faults
    assert words in fault.message
    assert (fault.file, fault.line) == (str(tmp_path / name), line)
    assert fault.remedy
    assert "a" in document.data


def test_a_file_of_comments_holds_nothing(tmp_path):
    for name in ("c.toml", "c.yaml"):
        assert read_document(written(tmp_path / name, "# nothing\n")).data == {}


def test_what_a_parser_says_of_a_value_is_not_repeated(tmp_path):
    path = written(tmp_path / "c.yaml", "password: !!int secretword\n")
    with pytest.raises(ConfigError) as caught:
        read_document(path)
    assert "secretword" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_that_is_missing_has_the_line_of_its_table(tmp_path):
    document = read_document(written(tmp_path / "c.toml", "[a]\nx = 1\n\n[b.c]\ny = 1\n"))
    assert document.line(("b", "c", "z")) == 4
    assert document.line(("b", "c", "y", 5)) == 5
    assert document.line(("nothing",)) == 1
