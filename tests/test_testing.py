"""The testing kit: hosts in memory, the fake client, the echo, held turns, the pytest plugin."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import anyio
import pytest

from carrier_core import (
    CarrierError,
    ConfigError,
    InboundKind,
    InDoubt,
    Memory,
    NotDone,
    Part,
    PluginError,
    PluginSettings,
    ProviderError,
    Rejected,
    Reply,
    Room,
    RoomKind,
    Sent,
    State,
    Status,
    Unavailable,
    impl,
)
from carrier_core.testing import (
    Clock,
    EchoProvider,
    FakeClient,
    FakeHost,
    InMemoryStore,
    running_host,
    running_turn,
    running_turns,
)

pytestmark = pytest.mark.anyio


@impl
async def provide_state(turn) -> State:
    return State.of(weather="It rains.")


class Hanging:
    @impl
    async def provide_state(self, turn):
        await anyio.sleep_forever()


class Shouting:
    class Settings(PluginSettings):
        mark: str = "!"

    @impl
    def register_evaluators(self, settings):
        self.mark = settings.mark

    @impl
    async def transform_reply(self, turn, reply):
        return Reply((Part(reply.text.upper() + self.mark),), reply.reply_to)


# --- the host --------------------------------------------------------------------------------------------------------


async def test_a_host_answers_with_nothing_but_the_kit(carrier):
    assert await carrier.ask("Hello.") == "You said: Hello."
    record = await carrier.last()
    assert (record.agent, record.client, record.outcome.status) == ("robin", "fake", Status.REPLIED)
    assert len(carrier.told("turn_completed")) == 1
    assert [memory.text for memory in await carrier.store.memory.list()] == ["You said: Hello.", "Hello."]


async def test_plugin_objects_run_without_being_installed(make_host):
    async with make_host([provide_state, Shouting], config="[plugin.shouting]\nmark = '?'\n") as running:
        assert await running.ask("Hello.") == "YOU SAID: HELLO.?"
        [weather] = running.provider.prompts[0].select("weather")
        assert weather.provenance.plugin == "provide-state"
        assert (await running.host.status())["plugins"]["shouting"] == "loaded"


async def test_plugins_may_be_named_and_configured_by_name(make_host):
    config = {"agents": {"wren": {}}, "plugins": {"disabled": ["weather"]}, "plugin": {"loud": {"mark": ""}}}
    async with make_host({"loud": Shouting(), "weather": provide_state}, config=config) as running:
        assert await running.ask("Hello.") == "YOU SAID: HELLO."
        assert running.provider.prompts[0].select("weather") == ()
        assert (await running.last()).agent == "wren"


async def test_a_hang_costs_the_budget_of_the_test(make_host):
    async with make_host([Hanging], config="[limits]\nbudgets = { provide_state = 0.01 }\n") as running:
        assert await running.ask("Hello.") == "You said: Hello."
        [failed] = running.told("plugin_failed")
        assert (failed.plugin, failed.data["how"]) == ("hanging", "timed_out")


async def test_a_character_is_given_by_its_fields(make_host):
    async with make_host(character={"name": "Wren", "bio": ["A small bird."]}) as running:
        assert running.host.agents["robin"].character.bio == ("A small bird.",)


async def test_a_fault_of_the_configuration_is_told_with_its_line(make_host):
    with pytest.raises(ConfigError, match="roms") as caught:
        async with make_host(config="[limits]\nroms = 3\n"):
            pass
    assert caught.value.line == 2


async def test_a_plugin_that_cannot_be_loaded_is_told_or_left_out(make_host):
    class Broken:
        @impl
        async def provide_stat(self, turn):
            pass

    with pytest.raises(PluginError, match="Did you mean provide_state"):
        async with make_host([Broken]):
            pass
    async with make_host([Broken], strict=False) as running:
        assert await running.ask("Hello.") == "You said: Hello."
        assert "broken" in running.host.degraded


async def test_the_store_of_a_plugin_goes_before_the_kits(make_host):
    mine = InMemoryStore()
    mine.name = "mine"

    class Keeping:
        @impl
        def register_stores(self):
            return mine

    async with make_host([Keeping]) as running:
        assert running.store is mine


async def test_a_second_host_on_a_store_finds_what_the_first_left():
    store = InMemoryStore()
    async with running_host(store=store) as running:
        await running.ask("I live in Porto.")
        with pytest.raises(Unavailable):
            async with running_host(store=store):
                pass
    async with running_host(store=store) as running:
        assert [memory.text for memory in await store.memory.list(limit=1)] == ["You said: I live in Porto."]
        assert (await running.last()).outcome.status is Status.REPLIED


async def test_time_stands_still_until_it_is_moved(make_host):
    clock = Clock(1000.0)
    async with make_host(clock=clock) as running:
        await running.ask("One.")
        clock.advance(60.0)
        await running.ask("Two.")
        assert [said.message.at for said in running.client.said] == [1001.0, 1062.0]
        assert running.host.clock() == 1062.0


# --- the provider ----------------------------------------------------------------------------------------------------


async def test_the_echo_gives_the_answers_that_are_queued(carrier):
    carrier.provider.then("First.", ProviderError("Not that.", reason="refused"))
    assert await carrier.ask("a") == "First."
    assert "went wrong" in await carrier.ask("b")
    assert await carrier.ask("c") == "You said: c"


async def test_the_echo_can_be_held(carrier):
    carrier.provider.hold()
    await carrier.client.say("one", "Ana", "Hello.")
    await carrier.client.say("two", "Bea", "Hi.")
    assert len(await carrier.provider.asked(2)) == 2
    assert carrier.client.texts == ()
    carrier.provider.release()
    assert sorted(part.text for part in await carrier.client.replies(2)) == ["You said: Hello.", "You said: Hi."]


async def test_a_function_may_answer(make_host):
    provider = EchoProvider(lambda prompt: f"{len(prompt.messages)} messages")
    async with make_host(provider=provider) as running:
        assert await running.ask("Hello.") == "1 messages"


# --- the client ------------------------------------------------------------------------------------------------------


async def test_posts_are_kept_in_order_and_waited_for(carrier):
    client = carrier.client
    for number in range(5):
        await client.say("main", "Ana", str(number))
    posts = await client.replies(5)
    assert [part.text for part in posts] == [f"You said: {number}" for number in range(5)]
    assert len(await client.replies(5, room="main")) == 5
    with pytest.raises(TimeoutError, match="5 of 6"):
        await client.replies(6, within=0.01)


async def test_mentions_and_rooms(carrier):
    client = carrier.client
    group, dm = client.group("square"), client.dm("Ana")
    assert (group.kind, dm.kind, dm.id) == (RoomKind.GROUP, RoomKind.DM, client.dm(client.person("Ana")).id)
    assert await client.ask(group, "Ana", "Nice weather.") == ""
    accepted = await client.say(group, "Ana", "And you?", mentions=["robin"])
    await client.host.wait(accepted.heard[0].turn)
    assert client.texts == ("You said: And you?",)


@pytest.mark.parametrize("error", [NotDone("later"), Rejected("no"), InDoubt("perhaps"), OSError("cut")])
async def test_a_delivery_fails_as_it_is_told_to(carrier, error):
    carrier.client.fail(error)
    assert await carrier.ask("Hello.") == ""
    assert [part.text for part in carrier.client.attempts] == ["You said: Hello."]
    assert carrier.store.receipts == {}
    assert await carrier.ask("Again.", room="another") == "You said: Again."


async def test_a_delivery_may_be_in_doubt_although_it_arrived(carrier):
    carrier.client.fail(InDoubt("The connection broke."), delivered=True)
    assert await carrier.ask("Hello.") == "You said: Hello."
    [part] = carrier.client.sends
    assert isinstance(await carrier.client.find(part), Sent)
    assert list(carrier.store.receipts) == [part.key]


async def test_a_delivery_may_hang(make_host):
    async with make_host(config='[limits]\nbudgets = { "deliver" = 0.01 }\n') as running:
        running.client.hang()
        assert await running.ask("Hello.") == ""
        assert len(await running.client.attempted()) == 1


async def test_events_may_come_twice(carrier):
    carrier.client.duplicates = 2
    assert await carrier.ask("Hello.") == "You said: Hello."
    assert len(carrier.client.sends) == 1


async def test_events_may_come_in_another_order(carrier):
    async with carrier.client.reordered():
        for text in ("one", "two", "three"):
            await carrier.client.say("main", "Ana", text)
    posts = await carrier.client.replies(3)
    assert [part.text for part in posts] == ["You said: three", "You said: two", "You said: one"]


async def test_drafts_are_kept_where_the_client_retracts(make_host):
    async with make_host(client=FakeClient(retracts=True)) as running:
        assert await running.ask("Hello there.") == "You said: Hello there."
        assert "".join(drafted.text for drafted in running.client.drafts) == "You said: Hello there."


async def test_long_replies_are_cut(make_host):
    async with make_host(client=FakeClient(most=10)) as running:
        await running.ask("Hello there.")
        assert running.client.texts == ("You said: ", "Hello ther", "e.")


async def test_what_was_said_can_be_changed_taken_back_and_stopped(carrier):
    client = carrier.client
    await carrier.ask("I live in Porto.")
    [said] = client.said
    await client.edit(said, "I live in Faro.")
    assert "I live in Faro." in [memory.text for memory in await carrier.store.memory.list()]
    await client.delete(said)
    assert [memory.text for memory in await carrier.store.memory.list()] == ["You said: I live in Porto."]
    carrier.provider.hold()
    accepted = await client.say("main", "Ana", "Count to a million.")
    await carrier.provider.asked(2)
    await client.stop("main", "Ana")
    assert (await client.host.wait(accepted.heard[0].turn))["status"] == "stopped"
    assert client.said[-1].kind is InboundKind.STOP


async def test_a_client_that_nobody_runs_says_so():
    with pytest.raises(RuntimeError, match="not running"):
        await FakeClient().say("main", "Ana", "Hello.")


async def test_asking_when_nobody_hears_is_an_error(carrier):
    with pytest.raises(CarrierError, match="the message is empty"):
        await carrier.ask("   ")


# --- held turns, the host of clients -----------------------------------------------------------------------------------


async def test_a_turn_is_held_for_the_test():
    async with running_turn("Where do I live?", before=[("Ana", "I live in Porto."), ("Robin", "Nice.")]) as turn:
        assert turn.message.text == "Where do I live?"
        assert [(line.name, line.by_agent) for line in await turn.history()] == [("Ana", False), ("Robin", True)]
        assert [found.memory.text for found in await turn.recall("Where do I live?")] == ["I live in Porto."]
        kept = await turn.remember("Ana has a dog.")
        assert isinstance(kept, Memory)


async def test_turns_of_a_room_are_held_one_after_another():
    async with running_turns([provide_state]) as turns:
        for number in range(3):
            async with turns.turn(f"message {number}") as turn:
                assert len(await turn.history()) == number
                assert (await turn.compose()).text("weather") == "It rains."
        assert turns.running.client.texts == ()


async def test_a_fake_host_keeps_what_it_is_handed():
    host, client = FakeHost("robin", "wren"), FakeClient()
    async with anyio.create_task_group() as group:
        group.start_soon(client.run, host, lambda: None)
        await client.up.wait()
        accepted = await client.say("main", "Ana", "Hello.", event="e")
        again = await client.say("main", "Ana", "Hello.", event="e")
        assert [taken.agent for taken in accepted.heard] == ["robin", "wren"]
        assert [taken.is_new for taken in again.heard] == [False, False]
        assert (await host.wait(accepted.heard[0].turn))["status"] == "silent"
        assert (len(await host.hears()), len(host.repeated)) == (1, 1)
        with pytest.raises(CarrierError, match="no turn"):
            await host.why("unknown")
        group.cancel_scope.cancel()
    assert Room.of("fake", "main").id == host.heard[0].room.id


# --- the pytest plugin -------------------------------------------------------------------------------------------------


def run(code: str) -> str:
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_every_pytest_run_imports_next_to_nothing():
    loaded = run(
        "import pytest, sys; before = {*sys.modules}; import carrier_core.testing.plugin;"
        "print(*sorted({*sys.modules} - before))"
    )
    assert loaded.split() == ["carrier_core", "carrier_core.testing", "carrier_core.testing.plugin"]


def test_hosts_and_clients_need_no_pytest():
    assert (
        run(
            "import sys; sys.modules['pytest'] = None; import carrier_core.testing as kit;"
            "print(*[name for name in kit.__all__ if not name.endswith('Conformance') and not getattr(kit, name)])"
        )
        == ""
    )


def test_a_name_that_there_is_not_is_told():
    import carrier_core.testing

    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = carrier_core.testing.NoSuchThing
    assert {*carrier_core.testing.__all__} == {*dir(carrier_core.testing)}


def pytest_of(folder: Path, source: str) -> str:
    """What pytest says of a test file of somebody else's."""
    (folder / "test_mine.py").write_text(textwrap.dedent(source), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_the_suites_tell_an_author_what_to_override(tmp_path):
    told = pytest_of(
        tmp_path,
        """
        from carrier_core.testing import ActionConformance

        class TestAction(ActionConformance):
            pass
        """,
    )
    assert "Override the fixture `action`." in told
    assert "11 errors" in told


def test_a_law_that_fails_shows_the_values(tmp_path):
    told = pytest_of(
        tmp_path,
        """
        import pytest
        from carrier_core import Context
        from carrier_core.testing import ContextConformance

        class Nameless(Context):
            name = ""
            async def provide(self, turn):
                return None

        class TestNameless(ContextConformance):
            @pytest.fixture
            def context(self):
                return Nameless()
        """,
    )
    assert "where '' = " in told, told
    assert "1 failed, 9 passed" in told
