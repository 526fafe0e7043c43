"""What every model provider does: access to a service, the client that calls share, loggers that keep quiet."""

from __future__ import annotations

import logging
import threading

import anyio
import pytest

from carrier_core import Finish, Usage
from carrier_core.providing import (
    Access,
    Answer,
    Connection,
    Faults,
    Meter,
    Patience,
    may_be_billed,
    quieten,
    read_out,
    seconds_of,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def access(address: str = "", key: str = "") -> Access:
    return Access(address, key, home="api.example", key_name="EXAMPLE_KEY", address_name="EXAMPLE_URL")


# --- access -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "key", "missing"),
    [
        ("", "", "No key is set. Set EXAMPLE_KEY, or EXAMPLE_URL for a server that needs none."),
        ("https://api.example/v1", "", "No key is set. Set EXAMPLE_KEY, or EXAMPLE_URL for a server that needs none."),
        (
            "https://eu.api.example/v1",
            "",
            "No key is set. Set EXAMPLE_KEY, or EXAMPLE_URL for a server that needs none.",
        ),
        ("http://127.0.0.1:1/v1", "", ""),
        ("https://notapi.example/v1", "", ""),
        ("", " sk-1\n", ""),
        (
            "http://127.0.0.1:1",
            "sk-1\nsk-2",
            "The key is none: it has characters that no key has. Correct EXAMPLE_KEY.",
        ),
        ("", "sk-ключ", "The key is none: it has characters that no key has. Correct EXAMPLE_KEY."),
    ],
)
def test_what_is_missing_is_said_with_its_remedy(address, key, missing):
    assert access(address, key).missing() == missing


def test_without_the_name_of_an_address_none_is_proposed():
    assert Access("", "", home="api.example", key_name="EXAMPLE_KEY").missing() == "No key is set. Set EXAMPLE_KEY."


@pytest.mark.parametrize(
    ("address", "shown", "secret"),
    [
        ("", "", ""),
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1", ""),
        ("http://ana:hunter2@[::1]:1/v1?key=abc", "http://[::1]:1/v1", "hunter2"),
        ("http://ana:hunter2@[::1]:1/v1?key=abc", "http://[::1]:1/v1", "key=abc"),
        ("http://ana:hunt%20er2@host/v1", "http://host/v1", "hunt er2"),
        ("http://token-1@host/v1", "http://host/v1", "token-1"),
    ],
)
def test_what_an_address_holds_is_not_shown(address, shown, secret):
    there = access(address, "sk-1")
    assert there.shown == shown
    assert {"sk-1", secret} <= {*there.secrets}
    error = Faults("p", "m", secrets=there.secrets, server=there.shown).error("server", f"said {secret or 'sk-1'}")
    assert error.message == f"p{f' at {shown}' if shown else ''}, model m, said (the key)."


# --- faults -----------------------------------------------------------------------------------------------------------


def test_an_error_without_words_is_told_by_its_name():
    assert Faults("p", "m").unreachable(TimeoutError()).message.endswith("hung up (TimeoutError).")
    assert Faults("p", "m").unreachable(OSError("no route")).message.endswith("hung up (OSError: no route).")


@pytest.mark.parametrize(
    ("name", "told"), [("ConnectError", None), ("ConnectTimeout", None), ("ReadError", Usage()), ("OSError", Usage())]
)
def test_what_was_sent_may_be_billed(name, told):
    cause = type(name, (Exception,), {})()
    wrapped = RuntimeError("of an SDK")
    wrapped.__cause__ = cause
    with Meter() as meter:
        Faults("p", "m").unreachable(wrapped)
    assert meter.usage == told


@pytest.mark.anyio
async def test_what_is_told_of_an_answer_is_known_at_once():
    with Meter() as meter, Patience(first=9, pause=9, total=9) as patience:
        assert meter.usage is None
        patience.heard()
        assert meter.usage == Usage()
        answer = Answer([].append)
        answer.usage = Usage(7, 1, calls=1)
        patience.heard()
        assert meter.usage == answer.usage == Usage(7, 1, calls=1)
    answer.usage = Usage(8, calls=1)
    may_be_billed()
    assert meter.usage == Usage(7, 1, calls=1)


@pytest.mark.parametrize(
    ("kind", "told"), [("text/html; charset=utf-8", "text/html"), ("", "nothing"), (None, "nothing")]
)
def test_a_page_is_no_stream(kind, told):
    error = Faults("p", "m", remedies={"connection": "Check the address."}).no_stream(kind)
    assert (error.reason, error.remedy) == ("unreadable", "Check the address.")
    assert f"answered with {told} instead of a stream of events" in error.message


@pytest.mark.parametrize("code", [["overloaded"], {"code": 1}, 529, None, "new"])
def test_a_code_that_nobody_knows_leaves_the_status(code):
    faults = Faults("p", "m", codes={"slow_down": "rate_limit"})
    assert faults.status(503, "Ouch", code, "").reason == "overloaded"
    assert faults.status(503, "Ouch", code, "slow_down").reason == "rate_limit"
    assert faults.broke_off("Ouch", code).reason == "server"


@pytest.mark.parametrize(
    "header", ["soon", "nan", "1e999", "Fri, 01 Jan 99999 00:00:00 GMT", f"Fri, 01 Jan 2100 00:00:00 +{9**20}"]
)
def test_a_time_that_means_nothing_is_none(header):
    assert seconds_of(header) is None


# --- answer -----------------------------------------------------------------------------------------------------------


def test_half_a_character_is_in_no_name_of_a_call():
    answer = Answer(lambda piece: None)
    answer.add_call(0, "a\ud83c", "p\ud83cing", "{}")
    answer.finish = Finish.CALLS
    (call,) = answer.completion("p", "m", Faults("p", "m")).calls
    assert (call.id, call.name) == ("a\ufffd", "p\ufffding"), "it could not be recorded"


# --- connection -------------------------------------------------------------------------------------------------------


class Client:
    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.closed = False

    async def close(self) -> None:
        self.closed = True


@pytest.mark.anyio
async def test_calls_share_a_client_that_is_made_beside_the_loop():
    connection = Connection(Client)
    found = []

    async def call() -> None:
        found.append(await connection.open())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(call)
    assert len({*map(id, found)}) == 1
    assert found[0].thread != threading.get_ident()


@pytest.mark.anyio
async def test_a_closed_connection_is_opened_again():
    connection = Connection(Client)
    first = await connection.open()
    await connection.close()
    await connection.close()
    assert (first.closed, (await connection.open()) is first) == (True, False)


@pytest.mark.anyio
async def test_a_client_that_cannot_be_made_is_tried_again():
    attempts = iter([True, False])

    def make() -> Client:
        if next(attempts):
            raise OSError("no certificates")
        return Client()

    connection = Connection(make)
    with pytest.raises(OSError, match="no certificates"):
        await connection.open()
    assert not (await connection.open()).closed


@pytest.mark.anyio
@pytest.mark.parametrize("ends", ["clean", "broken", "never"])
async def test_how_a_stream_ends_after_its_answer_does_not_matter(ends):
    async def events():
        yield 1
        if ends == "broken":
            raise ConnectionError
        if ends == "never":
            await anyio.sleep_forever()

    with anyio.fail_after(5):
        await read_out(events())


# --- loggers ----------------------------------------------------------------------------------------------------------


def test_loggers_are_kept_quiet_unless_they_have_a_level():
    set_by_operator, other = logging.getLogger("test_providing.set"), logging.getLogger("test_providing.other")
    set_by_operator.setLevel(logging.DEBUG)
    quieten(set_by_operator.name, other.name)
    assert (set_by_operator.level, other.level) == (logging.DEBUG, logging.WARNING)
