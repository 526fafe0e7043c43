"""Settings: what each key may be, and what a person is told, with the line, where it is something else."""

import json
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from carrier_core.errors import ConfigError
from carrier_core.sections import Settings
from carrier_core.settings import PluginSettings, load, secret, section_of, well_known


def as_toml(data, path=()):
    """TOML as people write it: a header for each table."""
    text = f"\n[{'.'.join(json.dumps(key) for key in path)}]\n" if path else ""
    tables = {key: value for key, value in data.items() if isinstance(value, dict)}
    text += "".join(f"{json.dumps(key)} = {json.dumps(data[key])}\n" for key in data if key not in tables)
    return text + "".join(as_toml(table, (*path, key)) for key, table in tables.items())


def as_json(data):
    return json.dumps(data, indent=2)


def as_yaml(data):
    return yaml.safe_dump(data, sort_keys=False)


WRITERS = {"toml": as_toml, "yaml": as_yaml, "json": as_json}
BOT = {"agents": {"bot": {}}}


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    """Writes data as a configuration in each format; returns the path and the text."""

    def write(data):
        path = tmp_path / f"carrier.{request.param}"
        text = WRITERS[request.param](data)
        path.write_text(text)
        return path, text

    return write


@pytest.fixture
def toml(tmp_path):
    """Writes a configuration in TOML and loads it."""

    def write(text="[agents.bot]\n", environ=(), cwd=None):
        path = tmp_path / "carrier.toml"
        path.write_text(text)
        return load(path, dict(environ), cwd or tmp_path)

    return write


def line_of(text, needle):
    """The line, counted from 1, that the needle is in."""
    (line,) = [number for number, line in enumerate(text.splitlines(), 1) if needle in line]
    return line


def shown(faults):
    return "\n".join(str(fault) for fault in faults)


# What is right


def test_every_key_is_read(write, tmp_path):
    path, _ = write(
        {
            "agents": {
                "tifa": {
                    "character": "../tifa.toml",
                    "kind": "task",
                    "clients": ["terminal"],
                    "plugins": ["carrier-memory-sqlite"],
                    "models": {"small": "openai/a/b", "large": "scripted"},
                    "burst": "each",
                    "conversation_length": 0,
                    "failure": "Oh no.",
                    "limits": {"rounds": 3, "revisions": 0, "tokens": 1000, "seconds": 2},
                    "memory": {"kinds": ["fact"], "scope": "audience", "results": 9, "threshold": 0.5},
                },
                "bot-2": {},
            },
            "clients": {"terminal": {"enabled": False, "prompt": ">"}},
            "plugin": {"my-plugin": {"anything": [1]}},
            "plugins": {
                "enabled": ["a"],
                "disabled": ["b"],
                "required": ["a"],
                "order": ["a", "b"],
                "folder": "own",
            },
            "memory": {"store": "sqlite"},
            "policy": {"trusted": ["a"], "guards": ["a:authorize"], "allow": ["post"]},
            "limits": {
                "message_bytes": 1,
                "rooms": 2,
                "stop_seconds": 0.5,
                "breaker_failures": 3,
                "breaker_window": 4,
                "breaker_cooldown": 5,
                "budgets": {"recall": 0.25},
            },
            "log": {"level": "debug", "format": "json", "levels": {"httpx2": "warning"}},
        }
    )
    config = load(path, {}, tmp_path)
    assert config.faults == ()
    settings = config.settings
    tifa = settings.agents["tifa"]
    assert (tifa.character, tifa.kind, tifa.clients) == ("../tifa.toml", "task", ("terminal",))
    assert {key: model.use for key, model in tifa.models.items()} == {"small": ("openai/a/b",), "large": ("scripted",)}
    assert (tifa.limits.rounds, tifa.limits.tokens, tifa.limits.seconds) == (3, 1000, 2.0)
    assert (tifa.memory.kinds, tifa.memory.scope, tifa.memory.threshold) == (("fact",), "audience", 0.5)
    assert settings.clients == {"terminal": {"enabled": False}}
    assert list(settings.plugin) == ["my-plugin"]
    assert settings.plugins.order == ("a", "b")
    assert settings.limits.budgets == {"recall": 0.25}
    assert settings.log.levels == {"httpx2": "warning"}
    assert config.path == path
    assert config.folder == tmp_path
    assert config.plugin_folder == tmp_path / "own"


def test_the_defaults_of_an_agent(write, tmp_path):
    config = load(write(BOT)[0], {}, tmp_path)
    bot = config.settings.agents["bot"]
    assert (bot.character, bot.kind, bot.clients, bot.burst) == ("bot", "conversational", None, "each")
    bounds = (bot.limits.rounds, bot.limits.calls, bot.limits.tokens, bot.limits.seconds)
    assert (bounds, bot.limits.revisions) == ((None,) * 4, 2)  # those of the kind of agent
    assert (bot.memory.kinds, bot.memory.scope, bot.memory.results) == (("message", "fact"), "room", 5)
    assert bot.conversation_length == 32
    assert config.plugin_folder == tmp_path / "plugins"


def test_yaml_may_leave_sections_empty(tmp_path):
    path = tmp_path / "carrier.yaml"
    path.write_text("agents:\n  bot:\nclients:\n  terminal:\nlog:\nplugin:\n")
    config = load(path, {}, tmp_path)
    assert config.faults == ()
    assert list(config.settings.agents) == ["bot"]


def test_settings_cannot_be_changed(toml):
    settings = toml().settings
    with pytest.raises(ValueError, match="frozen"):
        settings.log.level = "debug"


def test_every_key_has_a_description():
    def without(model):
        for name, field in model.model_fields.items():
            if not field.description:
                yield f"{model.__name__}.{name}"
            for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    yield from without(part)

    assert list(without(Settings)) == []


# What is wrong with a key: where (a word that is in no other line), what is said, what is advised


def agent(**keys):
    return {"agents": {"bot": keys}}


FAULTS = {
    "unknown section": ({**BOT, "agnets": {"x": 1}}, "agnets", "no key `agnets` at the top", "`agents`"),
    "unknown top key": ({"levle": "x", **BOT}, "levle", "no key `levle` at the top", "Known here"),
    "unknown agent key": (
        agent(caracter="x"),
        "caracter",
        "no key `caracter` in [agents.bot]",
        "`character`",
    ),
    "unknown limit": (agent(limits={"round": 1}), "round", "`round` in [agents.bot.limits]", "`rounds`"),
    "unknown memory key": (agent(memory={"kind": []}), "kind", "`kind` in [agents.bot.memory]", "`kinds`"),
    "unknown model class": (agent(models={"smal": "x"}), "smal", "`smal` in [agents.bot.models]", "`small`"),
    "unknown plugins key": (
        {**BOT, "plugins": {"enable": []}},
        '"enable"|enable',
        "in [plugins]",
        "`enabled`",
    ),
    "unknown memory setting": ({**BOT, "memory": {"stroe": "x"}}, "stroe", "in [memory]", "`store`"),
    "unknown policy key": ({**BOT, "policy": {"trust": []}}, "trust", "in [policy]", "`trusted`"),
    "unknown host limit": ({**BOT, "limits": {"roms": 1}}, "roms", "in [limits]", "`rooms`"),
    "unknown log key": ({**BOT, "log": {"lvl": "info"}}, "lvl", "in [log]", "`level`"),
    "agents no table": (
        {"agents": 3},
        "agents",
        "`agents` at the top of the file must be a table, not 3",
        "Correct",
    ),
    "agent no table": ({"agents": {"bot": "x"}}, "bot", 'must be a table, not "x"', "Correct"),
    "agent name": ({"agents": {"bad name": {}}}, "bad name", "letters, digits, - and _", "Rename"),
    "agent name digit": ({"agents": {"1bot": {}}}, "1bot", "begins with a letter", "Rename"),
    "character no text": (agent(character=3), "character", "must be text, not 3", "leave it out"),
    "kind empty": (agent(kind=""), "kind", "text that is not empty", '"conversational"'),
    "clients no list": (agent(clients="http"), "clients", 'must be a list, not "http"', "leave it out"),
    "client twice": (agent(clients=["http", "http"]), "clients", "http is listed twice", "Correct"),
    "agent plugin name": (agent(plugins=["a b"]), "a b", "Entry 1 of `plugins`", "Correct"),
    "models no table": (agent(models=["x"]), "models", "must be a table", "Correct"),
    "model no text": (agent(models={"small": 5}), "small", 'a model is written "provider/model"', "Correct"),
    "unknown key of a model": (
        agent(models={"small": {"use": ["a/b"], "temprature": 1}}),
        "temprature",
        "no key `temprature` in [agents.bot.models.small]",
        "`temperature`",
    ),
    "model without name": (agent(models={"small": "openai/"}), "small", '"provider/model"', "Correct"),
    "burst of no kind": (agent(burst="some"), "burst", '"together" or "latest", not "some"', '"each"'),
    "history negative": (agent(conversation_length=-1), "conversation_length", "at least 0, not -1", "32"),
    "history a fraction": (
        agent(conversation_length=1.5),
        "conversation_length",
        "a whole number, not 1.5",
        "32",
    ),
    "rounds zero": (agent(limits={"rounds": 0}), "rounds", "more than 0, not 0", "leave it out"),
    "rounds text": (agent(limits={"rounds": "8"}), "rounds", 'a whole number, not "8"', "leave it out"),
    "rounds true": (agent(limits={"rounds": True}), "rounds", "a whole number, not true", "leave it out"),
    "revisions negative": (agent(limits={"revisions": -1}), "revisions", "at least 0", "2"),
    "tokens negative": (agent(limits={"tokens": -5}), "tokens", "more than 0", "leave it out"),
    "seconds text": (agent(limits={"seconds": "1m"}), "seconds", 'a number, not "1m"', "leave it out"),
    "memory kind": (agent(memory={"kinds": ["fakt"]}), "fakt", '"message", "fact"', "Correct"),
    "memory kind twice": (
        agent(memory={"kinds": ["fact", "fact"]}),
        "kinds",
        "fact is listed twice",
        "Correct",
    ),
    "memory scope": (
        agent(memory={"scope": "world"}),
        "scope",
        '"room" or "audience", not "world"',
        '"room"',
    ),
    "memory results": (agent(memory={"results": 0}), "results", "more than 0", "5"),
    "memory threshold": (agent(memory={"threshold": "low"}), "threshold", "a number", "0.0"),
    "clients section no table": ({**BOT, "clients": "http"}, "clients", "must be a table", "Correct"),
    "client no table": ({**BOT, "clients": {"http": 1}}, "http", "must be a table", "[clients.http]"),
    "client enabled": (
        {**BOT, "clients": {"http": {"enabled": "yes"}}},
        "enabled",
        "true or false",
        "Correct",
    ),
    "plugin no table": ({**BOT, "plugin": {"my-one": 1}}, "my-one", "must be a table", "[plugin.my-one]"),
    "enabled no list": (
        {**BOT, "plugins": {"enabled": True}},
        "enabled",
        "must be a list, not true",
        "Correct",
    ),
    "enabled no text": (
        {**BOT, "plugins": {"enabled": [7]}},
        "7",
        "Entry 1 of `enabled` in [plugins]",
        "Correct",
    ),
    "enabled twice": ({**BOT, "plugins": {"enabled": ["a", "a"]}}, "enabled", "a is listed twice", "Correct"),
    "enabled and disabled": (
        {**BOT, "plugins": {"enabled": ["a"], "disabled": ["a"]}},
        "disabled",
        "a is in `enabled` too",
        "Correct",
    ),
    "required and disabled": (
        {**BOT, "plugins": {"disabled": ["a"], "required": ["a"]}},
        "required",
        "a is in `disabled` too",
        "Correct",
    ),
    "folder": ({**BOT, "plugins": {"folder": []}}, "folder", "must be text", '"plugins"'),
    "store": ({**BOT, "memory": {"store": 1}}, "store", "must be text, not 1", "leave it out"),
    "guard": ({**BOT, "policy": {"guards": ["authorize"]}}, "authorize", "Entry 1 of `guards`", "Correct"),
    "trusted": ({**BOT, "policy": {"trusted": "me"}}, "trusted", "must be a list", "Correct"),
    "allow": ({**BOT, "policy": {"allow": [""]}}, "\"\"|''", "Entry 1 of `allow`", "Correct"),
    "message bytes": ({**BOT, "limits": {"message_bytes": "64k"}}, "64k", "a whole number", "65536"),
    "stop seconds": ({**BOT, "limits": {"stop_seconds": 0}}, "stop_seconds", "more than 0", "10"),
    "budget": ({**BOT, "limits": {"budgets": {"recall": -1}}}, "recall", "more than 0, not -1", "Correct"),
    "log level": ({**BOT, "log": {"level": "loud"}}, "loud", '"critical", not "loud"', '"info"'),
    "log format": ({**BOT, "log": {"format": "xml"}}, "format", '"auto", "console" or "json"', '"auto"'),
    "log levels": ({**BOT, "log": {"levels": {"apsw": "x"}}}, "apsw", '"debug"', "Correct"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_line_and_remedy(write, tmp_path, name):
    data, needle, words, remedy = FAULTS[name]
    path, text = write(data)
    (fault,) = load(path, {}, tmp_path).faults
    assert words in fault.message
    assert remedy in fault.remedy
    assert fault.file == str(path)
    needles = [each for each in needle.split("|") if each in text]
    # A list is on the line of its key in TOML and on lines of its own in the other formats.
    assert fault.line == min(line_of(text, each) for each in needles)
    with pytest.raises(ConfigError) as caught:
        _ = load(path, {}, tmp_path).settings
    assert str(caught.value) == str(fault)


def test_no_agent(write, tmp_path):
    for data in ({"log": {"level": "info"}}, {"log": {"level": "info"}, "agents": {}}):
        path, text = write(data)
        (fault,) = load(path, {}, tmp_path).faults
        assert fault.message == "No agent is configured."
        assert "[agents.NAME]" in fault.remedy
        assert fault.line == (line_of(text, "agents") if "agents" in text else 1)


def test_all_faults_are_told_in_the_order_of_the_lines(toml, tmp_path):
    config = toml(
        "[log]\nlevel = 3\nformat = 'x'\n[agents.bot]\nfoo = 1\nbar = 2\n[limits]\nrooms = 'x'\n",
        {"CARRIER_FOO": "1"},
    )
    assert [fault.line for fault in config.faults] == [2, 3, 5, 6, 8, None]
    with pytest.raises(ConfigError) as caught:
        _ = config.settings
    assert caught.value is config.faults[0]


def test_a_file_that_cannot_be_read_is_one_fault(tmp_path):
    path = tmp_path / "carrier.toml"
    path.write_text("[agents.bot]\n= 1\n")
    (fault,) = load(path, {}, tmp_path).faults
    assert fault.line == 2
    (fault,) = load(tmp_path / "absent.toml", {}, tmp_path).faults
    assert "cannot be read" in fault.message
    with pytest.raises(ConfigError, match="cannot be read"):
        _ = load(tmp_path / "absent.toml", {}, tmp_path).settings


def test_keys_written_twice_are_told_beside_other_faults(tmp_path):
    path = tmp_path / "carrier.yaml"
    path.write_text("agents:\n  bot: {}\n  bot: {}\nlog:\n  level: loud\n")
    assert [fault.line for fault in load(path, {}, tmp_path).faults] == [3, 5]


# Plugins


class Auth(BaseModel):
    user: str = "me"
    password: SecretStr | None = None


class Colour(Enum):
    RED = "red"


class Http(PluginSettings):
    section = "clients.http"

    port: int = 8080
    server: Annotated[str, well_known("HTTP_SERVER")] = "localhost"
    token: SecretStr = secret("HTTP_TOKEN", "HTTP_KEY", required=True, description="Who may call.")
    spare: SecretStr | None = secret()
    hosts: tuple[str, ...] = ()
    retries: int | Literal["never"] = 3
    ports: list[int] = []
    auth: Auth = Auth()
    colour: Colour | None = None
    limits: dict[str, float] = {}
    place: Path = Path()
    quiet: bool = False
    size: Annotated[int, Field(ge=1, le=9)] = 5
    word: Annotated[str, Field(pattern="^[a-z]+$", max_length=3)] = "abc"

    @field_validator("server")
    @classmethod
    def _known(cls, server):
        if server == "nowhere":
            raise ValueError("this server is nowhere.")
        return server

    @model_validator(mode="after")
    def _careful(self):
        if self.port == 1:
            raise ValueError(f"not with the token {self.token.get_secret_value()}")
        return self


HTTP = "carrier-client-http"


def with_http(**keys):
    return {**BOT, "clients": {"other": {"x": 1}, "http": keys}}


def test_a_plugin_gets_its_section(write, tmp_path):
    path, _ = write(
        with_http(
            enabled=True,
            port=1234,
            token="abcdef",
            hosts=["a", "b"],
            retries="never",
            ports=[1, 2],
            auth={"password": "pppp"},
            colour="red",
            limits={"x": 2},
            place="/srv",
            quiet=True,
        )
    )
    config = load(path, {}, tmp_path)
    assert config.plugin_faults(HTTP, Http) == ()
    own = config.plugin(HTTP, Http)
    assert (own.port, own.hosts, own.retries, own.ports) == (1234, ("a", "b"), "never", [1, 2])
    assert (own.colour, own.limits, own.place, own.quiet) == (Colour.RED, {"x": 2.0}, Path("/srv"), True)
    assert own.token.get_secret_value() == "abcdef"
    assert "abcdef" not in repr(own)
    assert "abcdef" not in repr(config.settings)


def test_without_a_section_of_its_own_it_is_named_after_the_plugin(toml):
    class Plain(PluginSettings):
        depth: int = 1

    config = toml("[agents.bot]\n[plugin.my-plugin]\ndepth = 4\n[plugin.'with.dot']\ndepth = 5\n")
    assert section_of("my-plugin", Plain) == "plugin.my-plugin"
    assert config.plugin("my-plugin", Plain).depth == 4
    assert config.plugin("with.dot", Plain).depth == 5
    assert config.plugin("absent", Plain).depth == 1


OWN_FAULTS = {
    "unknown key": ({"prot": 1}, "prot", "There is no key `prot` in [clients.http].", "Did you mean `port`?"),
    "wrong type": ({"port": "x"}, "port", 'must be a whole number, not "x"', "the default is 8080"),
    "list entry": (
        {"ports": [1, "nein"]},
        "nein",
        "Entry 2 of `ports` in [clients.http] must be a whole number",
        "Correct",
    ),
    "union": ({"retries": "x"}, "retries", 'must be a whole number or "never", not "x"', "the default is 3"),
    "nested": ({"auth": {"user": 3}}, "user", "`user` in [clients.http.auth] must be text, not 3", '"me"'),
    "nested unknown": ({"limits": {"inner": "x"}}, "inner", "must be a number", "Correct"),
    "enum": ({"colour": "blue"}, "colour", 'must be "red", not "blue"', "leave it out"),
    "bound": ({"size": 10}, "size", "at most 9, not 10", "the default is 5"),
    "pattern": ({"word": "AB"}, "word", "text of the form ^[a-z]+$", '"abc"'),
    "long": ({"word": "abcd"}, "word", "text of at most 3 characters", '"abc"'),
    "own words": (
        {"server": "nowhere"},
        "server",
        "`server` in [clients.http]: this server is nowhere.",
        "Correct",
    ),
    "wrong secret": ({"spare": 987654}, "spare", "must be text, not a number (not shown", "Correct it."),
    "secret inside": ({"auth": "987654"}, "auth", "must be", "Correct it."),
    "whole section": (
        {"port": 1},
        "http",
        "What is in [clients.http]: not with the token ********",
        "Correct it.",
    ),
}


@pytest.mark.parametrize("name", OWN_FAULTS)
def test_a_fault_of_a_plugins_section(write, tmp_path, name):
    keys, needle, words, remedy = OWN_FAULTS[name]
    path, text = write(with_http(token="ttttoken", **keys))
    config = load(path, {}, tmp_path)
    assert config.faults == ()
    (fault,) = config.plugin_faults(HTTP, Http)
    assert words in fault.message
    assert remedy in fault.remedy
    assert "987654" not in str(fault)
    assert "ttttoken" not in str(fault)
    assert (fault.file, fault.line) == (str(path), line_of(text, needle))
    with pytest.raises(ConfigError) as caught:
        config.plugin(HTTP, Http)
    assert str(caught.value) == str(fault)
    assert caught.value.__context__ is None


def test_a_missing_key_has_the_line_of_its_table(write, tmp_path):
    path, text = write(with_http(port=2))
    (fault,) = load(path, {}, tmp_path).plugin_faults(HTTP, Http)
    assert "The key `token` is missing in [clients.http]." in fault.message
    assert fault.remedy == "Add it, or set $HTTP_TOKEN or $HTTP_KEY."
    assert fault.line == line_of(text, "http")


def test_a_missing_section_is_at_the_top(toml):
    (fault,) = toml("[agents.bot]\n[clients.other]\n").plugin_faults(HTTP, Http)
    assert fault.line == 1


def test_the_section_of_a_plugin_that_is_not_enabled_is_not_validated(toml):
    assert toml("[agents.bot]\n[plugin.off]\nwhatever = 1\n[clients.http]\nport = 'x'\n").faults == ()


def test_enabled_in_a_plugins_section_is_told_where_it_belongs(toml):
    class Plain(PluginSettings):
        pass

    (fault,) = toml("[agents.bot]\n[plugin.p]\nenabled = true\n").plugin_faults("p", Plain)
    assert fault.line == 3
    assert "[plugins]" in fault.remedy


def test_a_section_must_be_of_a_plugin():
    with pytest.raises(TypeError, match=r'Wrong.section is "log"; write "clients.NAME"'):

        class Wrong(PluginSettings):
            section = "log"


def test_an_alias_in_capitals_is_an_environment_name_too(toml):
    class Alias(PluginSettings):
        account: str = Field(validation_alias="INSTAGRAM_ACCOUNT_ID")

    config = toml(environ={"INSTAGRAM_ACCOUNT_ID": "17"})
    assert config.plugin("p", Alias).account == "17"
    assert toml("[agents.bot]\n[plugin.p]\naccount = 'x'\n").plugin("p", Alias).account == "x"
    (fault,) = toml().plugin_faults("p", Alias)
    assert fault.message == "The key `account` is missing in [plugin.p]."
    assert "$INSTAGRAM_ACCOUNT_ID" in fault.remedy


def test_sections_that_belong_to_no_plugin(write, tmp_path):
    path, text = write(
        {
            **BOT,
            "clients": {
                "htpp": {"port": 1},
                "http": {},
                "discord": {"x": 1},
                "off": {"enabled": False, "x": 1},
            },
            "plugin": {
                "carrier-memory-sqlte": {"x": 1},
                "carrier-memory-sqlite": {},
                "installed-only": {"x": 1},
            },
        }
    )
    config = load(path, {"CARRIER_PLUGIN__NO_SUCH__KEY": "1", "CARRIER_CLIENTS__DISCORD__X": "1"}, tmp_path)
    assert config.faults == ()
    first, second, third = config.unknown_sections(
        ["clients.http", "plugin.carrier-memory-sqlite"], ["carrier-client-discord", "installed-only"]
    )
    assert "[clients.htpp] belongs to no plugin" in first.message
    assert "`clients.http`" in first.remedy
    assert first.line == line_of(text, "htpp")
    assert "`plugin.carrier-memory-sqlite`" in second.remedy
    assert second.line == line_of(text, "sqlte")
    assert third.message.startswith("$CARRIER_PLUGIN__NO_SUCH__KEY")


def test_the_variables_that_hold_a_plugins_secrets(toml):
    config = toml(environ={"CARRIER_CLIENTS__HTTP__TOKEN": "abc", "CARRIER_CLIENTS__HTTP__PORT": "1"})
    assert config.secret_names(Http) == ("CARRIER_CLIENTS__HTTP__TOKEN", "HTTP_KEY", "HTTP_TOKEN")


def test_two_plugins_cannot_claim_one_secret_or_section(toml):
    class Other(PluginSettings):
        key: SecretStr | None = secret("HTTP_KEY")
        server: Annotated[str, well_known("HTTP_SERVER")] = ""  # no secret, so it may be shared

    class Same(PluginSettings):
        section = "clients.http"

    config = toml(f"[agents.bot]\n[plugins]\nenabled = [\n  '{HTTP}',\n  'other',\n]\n")
    assert config.claim_faults({HTTP: Http}) == ()
    (fault,) = config.claim_faults({HTTP: Http, "other": Other})
    assert fault.message == "The plugins carrier-client-http and other both claim $HTTP_KEY."
    assert "disabled" in fault.remedy
    assert fault.line == 5
    (fault,) = config.claim_faults({HTTP: Http, "single-file": Same})
    assert "[clients.http]" in fault.message
    assert fault.line == 3


def test_a_settings_class_that_fails_is_the_plugins_fault(toml):
    class Broken(PluginSettings):
        key: str = ""

        @field_validator("key")
        @classmethod
        def _broken(cls, key):
            raise KeyError(key)

    (fault,) = toml("[agents.bot]\n[plugin.p]\nkey = 'hunter22'\n").plugin_faults("p", Broken)
    assert "Broken failed with KeyError" in fault.message
    assert "hunter22" not in str(fault)
    assert fault.line == 2


def test_a_plugin_may_postpone_its_annotations(toml, monkeypatch):
    module = ModuleType("my_plugin")
    monkeypatch.setitem(sys.modules, "my_plugin", module)
    exec(
        "from __future__ import annotations\n"
        "from pydantic import SecretStr\n"
        "from carrier_core.settings import PluginSettings, secret\n"
        "class Settings(PluginSettings):\n"
        "    section = 'clients.mine'\n"
        "    key: SecretStr | None = secret('MY_KEY')\n"
        "    port: int = 1\n",
        module.__dict__,
    )
    config = toml("[agents.bot]\n[clients.mine]\nport = 'x'\n", {"MY_KEY": "k"})
    assert config.secret_names(module.Settings) == ("MY_KEY",)
    (fault,) = config.plugin_faults("mine", module.Settings)
    assert fault.line == 3


# Characters and places for others' faults


def test_the_character_of_an_agent(toml, tmp_path):
    folder = tmp_path / "characters"
    folder.mkdir()
    for name in ("tifa.toml", "bob.json", "v1.2.yaml"):
        (folder / name).write_text("x")
    (tmp_path / "own.json").write_text("{}")
    config = toml(
        "[agents.tifa]\n[agents.b]\ncharacter = 'bob'\n[agents.c]\ncharacter = 'own.json'\n"
        "[agents.d]\ncharacter = 'bob.json'\n[agents.e]\ncharacter = 'v1.2'\n"
        f"[agents.f]\ncharacter = '{tmp_path / 'own.json'}'\n[agents.g]\ncharacter = 'tiffa'\n[agents.nobody]\n"
    )
    assert config.character_path("tifa") == folder / "tifa.toml"
    assert config.character_path("b") == folder / "bob.json"
    assert config.character_path("c") == tmp_path / "own.json"
    assert config.character_path("d") == folder / "bob.json"
    assert config.character_path("e") == folder / "v1.2.yaml"
    assert config.character_path("f") == tmp_path / "own.json"
    with pytest.raises(ConfigError, match=r"tiffa\.toml does not exist") as caught:
        config.character_path("g")
    assert (caught.value.file, caught.value.line) == (str(config.path), 13)
    assert "tifa" in caught.value.remedy
    with pytest.raises(ConfigError, match=r"nobody\.toml does not exist") as caught:
        config.character_path("nobody")
    assert caught.value.line == 14


def test_others_find_the_place_of_a_fault(toml):
    config = toml("[agents.bot]\n[plugins]\nenabled = [\n  'a',\n  'b',\n]\n", {"CARRIER_PLUGINS__REQUIRED": "a"})
    assert config.fault(("plugins", "enabled", 1), "b is not installed.", "Install it.").line == 5
    assert config.fault(("plugins", "required", 0), "x.", "y.").message == "$CARRIER_PLUGINS__REQUIRED: x."


def test_what_a_file_does_not_need_is_not_imported(tmp_path):
    (tmp_path / "carrier.toml").write_text("[agents.bot]\n")
    program = (
        "import sys, pathlib; from carrier_core.settings import load; load(pathlib.Path('carrier.toml'), {}).settings; "
        "print({'yaml', 'jinja2', 'dotenv', 'pydantic_settings'} & set(sys.modules))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"
