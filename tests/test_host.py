"""The host over time: what it does with what an earlier process left, with edits, with a new configuration, with rooms."""

from functools import partial

import anyio
import msgspec
import pytest

from carrier_core import ConfigError, InboundKind, MemoryKind, PluginError, impl
from carrier_core.settings import load
from carrier_core.testing import FakeClient, InMemoryStore, running_host

pytestmark = pytest.mark.anyio

DURABLE = '[plugins]\nenabled = ["carrier-memory-sqlite"]\n'


async def test_a_message_that_was_accepted_and_not_begun_is_answered_after_a_restart(tmp_path):
    async with running_host(config=DURABLE, folder=tmp_path) as running:
        running.host.rooms.close()
        await running.client.say("r", "Ana", "are you there?")
        assert running.client.sends == []
    async with running_host(config=DURABLE, folder=tmp_path) as running:
        assert [reply.text for reply in await running.client.replies(1)] == ["You said: are you there?"]


async def test_a_turn_that_was_cut_off_is_gone_on_with_after_a_restart(tmp_path):
    config = DURABLE + "[limits]\nstop_seconds = 0.01\n"
    client = FakeClient()
    async with running_host(config=config, folder=tmp_path, client=client) as running:
        running.provider.hold()
        turn = (await running.client.say("r", "Ana", "buy one ticket")).heard[0].turn
        await running.provider.asked(1)
    async with running_host(config=config, folder=tmp_path, client=client) as running:
        assert (await running.client.host.wait(turn))["status"] == "replied"
        assert await running.ask("and now?", room="r") == "You said: and now?"


async def test_the_same_event_after_a_restart_is_answered_once(tmp_path):
    client = FakeClient()
    said = client.message("r", "Ana", "once")
    async with running_host(config=DURABLE, folder=tmp_path, client=client) as running:
        first = (await client.hand_over(said))[0].heard[0]
        await running.client.host.wait(first.turn)
    async with running_host(config=DURABLE, folder=tmp_path, client=client):
        again = (await client.hand_over(said))[0].heard[0]
        assert (again.turn, again.is_new) == (first.turn, False)
    assert client.texts == ("You said: once",)


async def test_an_edit_changes_what_is_remembered_and_a_deletion_forgets_it():
    async with running_host() as running:
        await running.ask("I live in Porot", room="r")
        said = running.client.said[0]
        await running.client.edit(said, "I live in Porto")
        texts = [memory.text for memory in await running.store.memory.list(agent="robin") if not memory.by_agent]
        assert texts == ["I live in Porto"]
        stranger = msgspec.structs.replace(
            said,
            kind=InboundKind.EDIT,
            revision=7,
            target=said.event,
            message=msgspec.structs.replace(said.message, sender=running.client.person("Mallory")),
        )
        await running.client.hand_over(stranger)
        await running.client.delete(said)
        left = [memory.text for memory in await running.store.memory.list(agent="robin") if not memory.by_agent]
        assert left == []


async def test_what_was_said_in_one_room_is_not_recalled_in_another():
    async with running_host(config=DURABLE + "[agents.robin.memory]\nscope = 'audience'\n") as running:
        recalled = {}

        async def look(room: str, person: str) -> None:
            await running.ask("Where is the key?", room=room, person=person)

        @impl
        async def provide_state(turn):
            recalled[turn.room.name] = [found.memory.text for found in await turn.recall("Where is the key?")]

        running.host.plugins.manager.register(
            type("Looks", (), {"provide_state": staticmethod(provide_state)})(), "looks"
        )
        for agent in running.host.agents.values():
            agent._tables.clear()
        await running.ask("The key is under the mat.", room="ana's", person="Ana")
        await look("ana's", "Ana")
        await look("bo's", "Bo")
        await look("ana's second", "Ana")
        assert "The key is under the mat." in recalled["ana's"]
        assert "The key is under the mat." not in recalled["bo's"]
        assert "The key is under the mat." in recalled["ana's second"]


async def test_a_fact_that_was_told_in_a_dm_does_not_surface_in_a_group():
    heard = []

    @impl
    async def provide_state(turn):
        if "remember" in turn.message.text:
            await turn.remember("Ana's diagnosis is secret.")
        found = await turn.recall("diagnosis", kinds=(MemoryKind.FACT,))
        heard.append((turn.room.name, [each.memory.text for each in found]))

    async with running_host([provide_state]) as running:
        group = running.client.group("office")
        await running.client.ask(running.client.dm("Ana"), "Ana", "remember my diagnosis")
        await running.client.ask(running.client.dm("Ana"), "Ana", "what is my diagnosis")
        said = await running.client.say(group, "Ana", "what is my diagnosis", mentions=("robin",))
        await running.client.host.wait(said.heard[0].turn)
        assert heard[1][1] == ["Ana's diagnosis is secret."]
        assert heard[2] == ("office", [])


async def test_an_empty_message_is_refused_with_a_word_and_a_huge_one_is_cut():
    async with running_host(config="[limits]\nmessage_bytes = 1000\n") as running:
        assert (await running.client.say("r", "Ana", "")).reason == "the message is empty"
        assert (await running.client.say("r", "Ana", "\x00\x07")).reason == "the message is empty"
        reply = await running.ask("é" * 500_000)
        assert reply == "You said: " + "é" * 500
        assert await running.ask("a\ud800b\x00c\u200f") == "You said: a\ufffdbc\u200f"


async def test_a_reload_takes_over_agents_and_limits_and_says_what_needs_a_restart():
    async with running_host(config="[agents.robin]\n") as running:
        path = running.host.config.path
        (running.folder / "characters" / "wren.json").write_text('{"name": "Wren"}')
        path.write_text('[agents.robin]\n[agents.wren]\n[plugins]\norder = ["carrier-testing"]\n')
        assert await running.host.reload(load(path, {})) == ("plugins",)
        assert await running.ask("hello", agent="wren") == "You said: hello"
        path.write_text('[agents.robin]\n[agents.wren.models]\nembedding = "test/other"\n')
        assert await running.host.reload(load(path, {})) == ("plugins", "agents.*.models.embedding")
        path.write_text("[agents.robin]\n[agents.heron]\n")
        with pytest.raises(ConfigError, match="heron"):
            await running.host.reload(load(path, {}))
        assert sorted(running.host.agents) == ["robin", "wren"]
        path.write_text('[agents.robin]\n[limits]\nzone = "Atlantis/Capital"\n')
        with pytest.raises(ConfigError, match="Atlantis"):
            await running.host.reload(load(path, {}))
        assert sorted(running.host.agents) == ["robin", "wren"]


async def test_a_required_plugin_that_does_not_start_stops_the_start_and_unwinds():
    order = []

    class First:
        @impl
        async def start_host(self, host):
            order.append("first up")

        @impl
        async def stop_host(self, host):
            order.append("first down")

    class Second:
        @impl
        async def start_host(self, host):
            raise RuntimeError("no port")

    required = '[plugins]\nrequired = ["second"]\norder = ["first"]\n'
    with pytest.raises(PluginError, match="second is required and did not start: RuntimeError: no port"):
        async with running_host({"first": First(), "second": Second()}, config=required):
            pass
    assert order == ["first up", "first down"]


async def test_a_plugin_that_does_not_start_and_is_not_required_leaves_the_host_degraded():
    class Second:
        @impl
        async def start_host(self, host):
            raise RuntimeError("no port")

    async with running_host({"second": Second()}) as running:
        assert await running.ask("hello") == "You said: hello"
        status = await running.client.host.status()
        assert status["ready"] is True
        assert "no port" in status["degraded"]["second"]


async def test_an_edit_of_a_message_that_still_waits_is_what_is_answered_and_a_deletion_takes_it_back():
    async with running_host() as running:
        running.provider.hold()
        await running.client.say("r", "Ana", "first")
        await running.provider.asked(1)
        second, third = (running.client.message("r", "Ana", text) for text in ("meet at six", "ignore this"))
        await running.client.hand_over(second, third)
        await running.client.edit(second, "meet at seven")
        await running.client.edit(second, "an older edit that came late")
        await running.client.delete(third)
        running.provider.release()
        await running.client.replies(2)
        await running.ask("fourth", room="r")
        assert running.client.texts == ("You said: first", "You said: meet at seven", "You said: fourth")


async def test_an_edit_is_stored_as_hooks_would_have_it():
    @impl
    async def transform_memory(turn, memory):
        parts = tuple(msgspec.structs.replace(part, text=part.text.replace("1234", "****")) for part in memory.content)
        return msgspec.structs.replace(memory, content=parts)

    async with running_host([transform_memory]) as running:
        await running.ask("hello", room="r")
        await running.client.edit(running.client.said[0], "my pin is 1234")
        texts = [memory.text for memory in await running.store.memory.list(agent="robin")]
        assert "my pin is ****" in texts


async def test_watchers_hear_of_what_happened_last():
    heard = []

    @impl
    async def turn_completed(event):
        heard.append(event.turn)

    async with running_host([turn_completed]) as running:
        turns = [(await running.client.say("r", "Ana", f"{n}")).heard[0].turn for n in range(5)]
        await running.client.host.wait(turns[-1])
    assert heard == turns


async def test_a_client_that_is_cancelled_from_within_costs_only_itself():
    class Fickle(FakeClient):
        name = "fickle"
        runs = 0

        async def run(self, host, started):
            self.runs += 1
            raise anyio.get_cancelled_exc_class()()

    fickle = Fickle("fickle", "fickle")

    @impl
    def register_clients():
        return fickle

    async with running_host([register_clients]) as running:
        assert await running.ask("hello") == "You said: hello"
        assert "client fickle" in (await running.client.host.status())["degraded"]


async def test_what_is_stored_is_answered_even_if_the_client_gave_up_waiting():
    store = InMemoryStore()
    append = store.journal.append_inbound

    async def slowly(*args):
        appended = await append(*args)
        stored.set()
        await go_on.wait()
        return appended

    store.journal.append_inbound = slowly
    stored, go_on = anyio.Event(), anyio.Event()
    async with running_host(store=store) as running, anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(running.client.say, "r", "Ana", "hello")
            await stored.wait()
            scope.cancel()
        group.cancel_scope.cancel()
        go_on.set()
        with anyio.CancelScope(shield=True):
            assert [reply.text for reply in await running.client.replies(1)] == ["You said: hello"]


async def test_an_edit_reaches_every_agent_of_the_room():
    async with running_host(config="[agents.robin]\n[agents.wren]\n") as running:
        await running.client.ask("r", "Ana", "I live in Porot")
        await running.client.edit(running.client.said[0], "I live in Porto")
        for agent in ("robin", "wren"):
            texts = [m.text for m in await running.store.memory.list(agent=agent) if not m.by_agent]
            assert texts == ["I live in Porto"]


async def test_a_message_whose_agent_was_taken_out_is_kept_and_nobody_waits_for_ever():
    async with running_host(config="[agents.robin]\n[agents.wren]\n") as running:
        running.provider.hold()
        await running.client.say("r", "Ana", "one", agent="wren")
        await running.provider.asked(1)
        waiting = (await running.client.say("r", "Ana", "two", agent="wren")).heard[0].turn
        path = running.host.config.path
        path.write_text("[agents.robin]\n")
        await running.host.reload(load(path, {}))
        running.provider.release()
        result = await running.client.host.wait(waiting)
        assert "taken out" in result["reason"]
        room = running.client.said[0].room
        assert len((await running.store.journal.work("wren", room.id)).rows) == 1


async def test_where_many_turns_begin_at_once_some_gather_their_context_and_the_rest_wait_for_that():
    class Slow:
        gathering = most = 0

        @impl
        async def provide_state(self, turn):
            Slow.gathering += 1
            Slow.most = max(Slow.most, Slow.gathering)
            await anyio.wait_all_tasks_blocked()
            Slow.gathering -= 1

    async with running_host([Slow()]) as running:
        running.host.composing = anyio.Semaphore(2)
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(partial(running.ask, "Hello", room=f"r{number}"))
        assert Slow.most == 2
        assert len(running.client.texts) == 5
