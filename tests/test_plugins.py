"""Plugins: which of them run, in which order, what each is given, and what one that fails costs the others."""

import os
import sys

import pytest
from pydantic import SecretStr

from carrier_core import (
    Context,
    Drop,
    PluginSettings,
    State,
    impl,
    secret,
)
from carrier_core.plugins import CORE, Plugins
from carrier_core.settings import load
from carrier_core.testing import FakeClient, running_host
from carrier_core.things import Action, Client


@pytest.fixture
def make(tmp_path):
    """Finds and loads the plugins of a configuration, given texts for the plugin folder."""

    def make(config="", files=None, environ=None, extra=None):
        (tmp_path / "carrier.toml").write_text(f"{config}\n[agents.bot]\n")
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        for name, text in (files or {}).items():
            (folder / f"{name}.py").write_text(f"from carrier_core import *\nfrom carrier_core import impl\n{text}")
        plugins = Plugins(load(tmp_path / "carrier.toml", environ or {}, tmp_path), extra=extra)
        plugins.find()
        plugins.load()
        return plugins

    return make


def said(plugins, hook="decide"):
    """The plugins that implement a hook, in the order in which they are called."""
    names = [found.plugin_name for found in plugins.implementations(hook)]
    assert names.pop() == CORE, "the default of a step is the last resort"
    return names


def states(plugins, *names):
    return {name: plugins.found[name].state for name in names}


DECIDES = "@impl\nasync def decide(turn): ...\n"
FIRST = "@impl(tryfirst=True)\nasync def decide(turn): ...\n"
LAST = "@impl(trylast=True)\nasync def decide(turn): ...\n"
THREE = {"ann": DECIDES, "ben": DECIDES, "cid": DECIDES}


# --- which ------------------------------------------------------------------------------------------------------------


def test_a_file_in_the_plugin_folder_runs_by_its_presence_unless_it_is_disabled(make):
    plugins = make('[plugins]\ndisabled = ["ben"]', {**THREE, "_draft": "1 / 0\n"})
    assert states(plugins, "ann", "ben", "cid") == {"ann": "loaded", "ben": "off", "cid": "loaded"}
    assert plugins.found["ben"].why == "disabled in [plugins]"
    assert "_draft" not in plugins.found
    assert said(plugins) == ["ann", "cid"]


def test_an_installed_plugin_runs_only_where_it_is_enabled_or_required(make):
    name = "carrier-memory-sqlite"
    assert make().found[name].why == "not in `enabled` of [plugins]"
    assert states(make(f'[plugins]\nenabled = ["{name}"]'), name) == {name: "loaded"}
    required = make(f'[plugins]\nrequired = ["{name}"]').found[name]
    assert (required.state, required.required) == ("loaded", True)


def test_a_client_that_is_switched_off_is_off_with_its_plugin(make):
    off = make('[plugins]\nenabled = ["carrier-client-terminal"]\n[clients.terminal]\nenabled = false\nnonsense = 1')
    plugin = off.found["carrier-client-terminal"]
    assert (plugin.state, plugin.why, off.faults) == ("off", "[clients.terminal] has enabled = false", [])


def test_a_client_is_switched_off_by_the_section_that_its_settings_name(make):
    text = "class Settings(PluginSettings):\n    section = 'clients.irc'\n    server: str\n" + DECIDES
    plugins = make("[clients.irc]\nenabled = false", {"chatter": text})
    assert (plugins.found["chatter"].state, plugins.faults, said(plugins)) == ("off", [], [])


def test_what_is_not_enabled_is_not_imported(make, tmp_path):
    plugins = make('[plugins]\ndisabled = ["ann"]', {"ann": f"open({str(tmp_path / 'trace')!r}, 'w')\n{DECIDES}"})
    assert states(plugins, "ann") == {"ann": "off"}
    assert not (tmp_path / "trace").exists()


# --- order -------------------------------------------------------------------------------------------------------------


def test_without_a_word_plugins_go_by_their_names(make):
    assert said(make("", dict(reversed(THREE.items())))) == ["ann", "ben", "cid"]


def test_the_configurations_order_goes_first_then_the_order_in_which_they_are_enabled(make):
    assert said(make('[plugins]\norder = ["cid", "ann"]', THREE)) == ["cid", "ann", "ben"]
    assert said(make('[plugins]\nenabled = ["ben", "cid"]', THREE)) == ["ben", "cid", "ann"]
    assert said(make('[plugins]\nenabled = ["ben", "cid"]\norder = ["ann"]', THREE)) == ["ann", "ben", "cid"]


def test_tryfirst_and_trylast_go_before_and_after_all_others(make):
    files = {"ann": LAST, "ben": LAST, "cid": DECIDES, "dan": DECIDES, "eva": FIRST, "flo": FIRST}
    config = '[plugins]\norder = ["ben", "ann", "dan", "cid", "flo", "eva"]'
    assert said(make(config, files)) == ["flo", "eva", "dan", "cid", "ben", "ann"]


@pytest.mark.anyio
async def test_hooks_are_called_in_that_order_one_after_the_other(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in THREE:
        (folder / f"{name}.py").write_text(
            "import msgspec\nfrom carrier_core import Part, impl\n@impl\nasync def transform_completion(turn, completion):\n"
            f"    return msgspec.structs.replace(completion, parts=(Part(completion.text + ' {name}'),))\n"
        )
    async with running_host(config='[plugins]\norder = ["cid", "ann"]\n', folder=tmp_path) as running:
        assert await running.ask("hi") == "You said: hi cid ann ben"


# --- failures ------------------------------------------------------------------------------------------------------------


def test_a_plugin_that_fails_leaves_the_others(make):
    plugins = make("", {**THREE, "ben": "1 / 0\n"})
    assert states(plugins, "ann", "ben", "cid") == {"ann": "loaded", "ben": "failed", "cid": "loaded"}
    assert said(plugins) == ["ann", "cid"]
    assert plugins.found["ben"].why == "ben cannot be loaded: it raised ZeroDivisionError: division by zero."
    assert "carrier_single_file_ben" not in sys.modules


def test_a_registration_that_fails_half_way_is_undone(make):
    text = (
        DECIDES + "class Wave(Action):\n    name = 'wave'\n    description = ''\n    parameters = {'type': 'object'}\n"
        "    effect = Effect.READ\n    async def perform(self, turn, call): ...\n"
        "@impl\ndef register_actions():\n    return Wave()\n@impl\ndef register_clients():\n    raise OSError\n"
    )
    plugins = make("", {"ann": DECIDES, "ben": text})
    assert states(plugins, "ann", "ben") == {"ann": "loaded", "ben": "failed"}
    assert (plugins.found["ben"].hooks, plugins.found["ben"].things) == ((), ())
    assert said(plugins) == ["ann"]
    assert "wave" not in plugins.things[Action]


def test_a_name_that_a_failed_plugin_had_is_free_again(make):
    wave = (
        "class Wave(Action):\n    name = 'wave'\n    description = ''\n    parameters = {'type': 'object'}\n"
        "    effect = Effect.READ\n    async def perform(self, turn, call): ...\n"
        "@impl\ndef register_actions():\n    return Wave()\n"
    )
    plugins = make("", {"ann": wave + "@impl\ndef register_context():\n    return 3\n", "ben": wave})
    assert states(plugins, "ann", "ben") == {"ann": "failed", "ben": "loaded"}
    assert plugins.things[Action]["wave"].plugin == "ben"


@pytest.mark.anyio
async def test_a_host_without_a_plugin_that_failed_is_degraded_and_answers(tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "own.py").write_text("1 / 0\n")
    async with running_host(folder=tmp_path) as running:
        assert await running.ask("hi") == "You said: hi"
        assert running.host.degraded == {"own": "own cannot be loaded: it raised ZeroDivisionError: division by zero."}


# --- settings and secrets ----------------------------------------------------------------------------------------------------


class Weather:
    class Settings(PluginSettings):
        city: str = "Lisbon"
        token: SecretStr | None = secret("WEATHER_TOKEN")

    @impl
    def register_context(self, settings):
        self.given = settings


class News:
    class Settings(PluginSettings):
        section = "clients.news"
        key: SecretStr | None = secret("NEWS_KEY")

    @impl
    def register_context(self, settings):
        self.given = settings


class Bare:
    @impl
    def register_context(self, settings):
        self.given = settings


def test_each_plugin_is_given_its_own_settings_and_secrets_and_no_others(make):
    given = {"weather": Weather(), "news": News(), "bare": Bare()}
    config = '[plugin.weather]\ncity = "Porto"\n[clients.news]\nenabled = true\n'
    plugins = make(config, environ={"WEATHER_TOKEN": "sunny day", "NEWS_KEY": "read all"}, extra=given)
    assert plugins.faults == []
    weather, news = given["weather"].given, given["news"].given
    assert (weather.city, weather.token.get_secret_value()) == ("Porto", "sunny day")
    assert news.key.get_secret_value() == "read all"
    assert given["bare"].given is None
    assert "sunny day" not in repr(news) + repr(weather)


def test_secrets_are_taken_out_of_the_environment_of_child_processes(make, monkeypatch):
    names = ("WEATHER_TOKEN", "CARRIER_PLUGIN__WEATHER__TOKEN", "CARRIER_PLUGIN__WEATHER__CITY", "NEWS_KEY")
    for name in names:
        monkeypatch.setenv(name, "a value")
    plugins = make(environ=os.environ, extra={"weather": Weather()})
    plugins.take_secrets()
    assert [name for name in names if name in os.environ] == ["CARRIER_PLUGIN__WEATHER__CITY", "NEWS_KEY"]


def test_a_fault_in_a_plugins_section_fails_the_plugin_and_is_a_fault_of_the_configuration(make):
    plugins = make("[plugin.weather]\ntown = 1\n", extra={"weather": Weather()})
    assert plugins.found["weather"].state == "failed"
    assert [(fault.line, fault.message) for fault in plugins.faults] == [
        (2, "There is no key `town` in [plugin.weather].")
    ]


# --- hooks of plugins' own -----------------------------------------------------------------------------------------------------

TIDE = (
    "from carrier_core import Drop, Inbound, Verb, step\n"
    "@step(Verb.TRANSFORM)\nasync def tide_rose(inbound: Inbound) -> Inbound | Drop | None:\n    '''When it rose.'''\n"
    "@impl\nasync def decide(turn): ...\n"
)


@pytest.mark.anyio
async def test_a_plugin_can_let_others_implement_hooks_of_its_own(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "tide.py").write_text(f"from carrier_core import impl\n{TIDE}")
    (folder / "beach.py").write_text(
        "from carrier_core import Drop, impl\n@impl\nasync def tide_rose(inbound):\n    return Drop('washed away')\n"
    )
    async with running_host(folder=tmp_path) as running:
        host, spec = running.host, running.host.plugins.specs["tide_rose"]
        said = running.client.message("r", "Ana", "sand castle")
        answer = await host.hooks.transform(host.table.caller(spec), said)
        assert answer == Drop("washed away")
        assert [entry.plugin for entry in host.table.caller(spec).impls] == ["beach"]


def test_a_hook_that_another_plugin_has_specified_is_not_specified_again(make):
    other = "@impl\nasync def decide(turn): ...\nfrom carrier_core import step, Verb\n@step(Verb.OBSERVE)\nasync def {}(event): ...\n"
    plugins = make("", {"tide": other.format("tide_high_rose"), "tide_high": other.format("tide_high_rose")})
    failed = [plugin for plugin in plugins.found.values() if plugin.state == "failed"]
    assert [(plugin.name, plugin.why) for plugin in failed] == [
        ("tide_high", "tide_high specifies the hook tide_high_rose, which tide has already.")
    ]


# --- things ------------------------------------------------------------------------------------------------------------------------


def test_things_are_in_the_order_of_their_plugins(make):
    text = (
        "class Line(FakeClient):\n    pass\n@impl\ndef register_clients():\n"
        "    return [FakeClient('{0}-1'), FakeClient('{0}-2')]\n"
    )
    files = {name: "from carrier_core.testing import FakeClient\n" + text.format(name) for name in ("ann", "ben")}
    plugins = make('[plugins]\norder = ["ben"]', files)
    assert [entry.thing.name for entry in plugins.all(Client)] == ["ben-1", "ben-2", "ann-1", "ann-2"]
    assert plugins.found["ben"].things == ("client ben-1", "client ben-2")


class Weekday(Context):
    name = "weekday"
    clients = frozenset({"second"})

    async def provide(self, turn):
        return State.of(weekday="It is Monday.")


class WeekdayPlugin:
    @impl
    def register_context(self):
        return Weekday()


class SecondPlugin:
    def __init__(self):
        self.client = FakeClient("second", "second")

    @impl
    def register_clients(self):
        return self.client


@pytest.mark.anyio
async def test_a_thing_that_is_limited_to_some_clients_takes_part_in_their_turns_alone():
    second = SecondPlugin()
    async with running_host([WeekdayPlugin(), second]) as running:
        await second.client.up.wait()
        await running.ask("over here")
        first = running.provider.prompts[-1]
        await second.client.ask("r", "Ana", "over there")
        other = running.provider.prompts[-1]
    assert "It is Monday." not in str(first)
    assert "It is Monday." in str(other)


class Hello:
    @impl
    async def provide_state(self, turn):
        return State.of(greeting="Say hello from the plugin.")


@pytest.mark.anyio
async def test_an_agent_that_names_its_plugins_has_those_alone_in_its_turns():
    config = '[agents.robin]\nplugins = ["carrier-testing"]\n[agents.wren]\nplugins = ["carrier-testing", "hello"]\n'
    async with running_host([Hello()], config=config) as running:
        await running.ask("hi", agent="robin")
        robin = running.provider.prompts[-1]
        await running.ask("hi", agent="wren")
        wren = running.provider.prompts[-1]
    assert "Say hello from the plugin." not in str(robin)
    assert "Say hello from the plugin." in str(wren)


# --- guards -------------------------------------------------------------------------------------------------------------------------


class Careless:
    """No guard by its own word; it fails."""

    @impl
    async def transform_reply(self, turn, reply):
        raise ValueError("lost my glasses")


@pytest.mark.anyio
async def test_the_operator_can_make_a_guard_of_any_implementation():
    async with running_host([Careless()]) as running:
        assert await running.ask("hi") == "You said: hi"
    async with running_host([Careless()], config='[policy]\nguards = ["careless:transform_reply"]\n') as running:
        await running.client.say("main", "Ana", "hi")
        assert [reply.text for reply in await running.client.replies(1)] != ["You said: hi"]
        assert "careless" in (await running.last()).outcome.reason


# --- stopping -------------------------------------------------------------------------------------------------------------------------


class Witness:
    def __init__(self, name, events):
        self.name, self.events = name, events

    @impl
    async def start_host(self, host):
        self.events.append(f"start {self.name}")

    @impl
    async def stop_host(self, host):
        self.events.append(f"stop {self.name}")


@pytest.mark.anyio
async def test_plugins_are_stopped_in_the_reverse_of_the_order_in_which_they_started():
    events = []
    plugins = {name: Witness(name, events) for name in ("ann", "ben", "cid")}
    async with running_host(plugins, config='[plugins]\norder = ["cid"]\n'):
        assert events == ["start cid", "start ann", "start ben"]
    assert events[3:] == ["stop ben", "stop ann", "stop cid"]


@pytest.mark.anyio
async def test_a_required_plugin_that_cannot_be_loaded_stops_the_start_with_its_place(tmp_path):
    from carrier_core.errors import ConfigError
    from carrier_core.plugins import load_plugins

    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "own.py").write_text("\n1 / 0\n")
    (tmp_path / "carrier.toml").write_text('[agents.bot]\n[plugins]\nrequired = ["own"]\n')
    with pytest.raises(ConfigError, match=r"own\.py:2: own cannot be loaded: it raised ZeroDivisionError"):
        load_plugins(load(tmp_path / "carrier.toml", {}, tmp_path))
