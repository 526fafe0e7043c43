"""An archive file holds a whole store; a damaged one is named by the line, and nothing of that batch is taken."""

import io
import json
from pathlib import Path

import pytest

from carrier_core import CarrierError, Place, encode
from carrier_core.archivefile import Batch, entries, read, written
from carrier_core.testing import InMemoryStore
from carrier_core.testing.suites.inventory import fill
from carrier_core.testing.suites.scene import exported

pytestmark = pytest.mark.anyio

HEAD = b'{"carrier":"archive","v":1}\n'
ROW = encode(Place("robin", "r1", 3, 2))


def end(count: int) -> bytes:
    return b'{"carrier":"end","entries":%d}\n' % count


def file(*rows: bytes, head: bytes = HEAD, last: bytes | None = None) -> io.BytesIO:
    """A file with these lines between its first and its last one."""
    return io.BytesIO(head + b"".join(row + b"\n" for row in rows) + (end(len(rows)) if last is None else last))


@pytest.fixture
async def full(tmp_path: Path) -> InMemoryStore:
    """A store with rows of every kind."""
    store = InMemoryStore()
    await store.open(tmp_path)
    await fill(store)
    return store


async def text_of(store: InMemoryStore, agent: str = "") -> bytes:
    return b"".join([piece async for piece in written(store, agent)])


async def test_a_store_goes_through_a_file_into_another(full: InMemoryStore) -> None:
    text = await text_of(full)
    other = InMemoryStore()
    for batch in read(io.BytesIO(text)):
        await other.restore(entries(batch.lines, batch.first))
    assert await exported(other) == await exported(full)
    assert await text_of(other) == text


async def test_the_first_and_the_last_line_say_what_it_is(full: InMemoryStore) -> None:
    lines = (await text_of(full, "wren")).splitlines()
    assert json.loads(lines[0]) == {"carrier": "archive", "v": 1, "agent": "wren"}
    assert json.loads(lines[-1]) == {"carrier": "end", "entries": len(lines) - 2}
    assert all(set(json.loads(line)) == {"type", "v", "data"} for line in lines[1:-1])


async def test_a_large_file_comes_in_batches() -> None:
    batches = list(read(file(*[ROW] * 1201)))
    assert [(batch.first, len(batch.lines)) for batch in batches] == [(2, 500), (502, 500), (1002, 201)]
    assert batches[0] == Batch(2, (ROW.decode(),) * 500)


async def test_an_empty_store_makes_an_archive_without_entries() -> None:
    assert await text_of(InMemoryStore()) == HEAD + end(0)
    assert list(read(file())) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (io.BytesIO(b""), "This is no archive of Carrier"),
        (file(head=b"hello\n"), "This is no archive of Carrier"),
        (file(head=b'{"name": "x"}\n'), "This is no archive of Carrier"),
        (file(head=b'{"carrier":"end"}\n'), "This is no archive of Carrier"),
        (file(head=b'{"carrier":"archive","v":2}\n'), "This archive has version 2, of a newer release"),
        (file(ROW, last=b""), "Line 3: the archive ends here, before its last line"),
        (file(ROW, last=end(2)), "Line 3: the archive should have 2 entries and has 1"),
        (file(ROW, last=end(1) + ROW), "Line 4: the archive has ended before"),
        (file(ROW, last=HEAD), "Line 3: the archive is no entry"),
        (file(ROW, b"\xff"), "Line 3: it is not UTF-8"),
    ],
)
async def test_a_file_that_is_no_whole_archive_is_told(broken: io.BytesIO, said: str) -> None:
    with pytest.raises(CarrierError) as raised:
        list(read(broken))
    assert said in raised.value.message
    assert raised.value.exit_code == 65
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "Line 8: Input data was truncated"),
        ("not json", "Line 8: JSON is malformed"),
        (ROW.decode()[:-5], "Line 8: Input data was truncated"),
        ('{"type":"place","v":1,"data":{"agent":1,"room":"r"}}', "Line 8: Expected `str`, got `int`"),
        ('{"type":"place","v":9,"data":{}}', "Line 8: nothing is known of a place of version 9"),
        ('{"type":"comet","v":1,"data":{}}', "Line 8: nothing is known of a comet of version 1"),
        ('{"type":"part","v":1,"data":{}}', "Line 8: a Part is no entry of an archive"),
        (
            '{"type":"queued","v":1,"data":{"agent":"a","room":"r","seq":1,"payload":{"type":"part","v":1,"data":{}}}}',
            "Line 8: the inbound is a Part",
        ),
        ('{"type":"queued","v":1,"data":{"agent":"a","room":"r","seq":1,"payload":5}}', "Line 8: Expected `object`"),
        ("[" * 10_000, "Line 8: "),
    ],
)
async def test_a_bad_line_is_named(line: str, said: str) -> None:
    with pytest.raises(CarrierError) as raised:
        entries((ROW.decode(), line, ROW.decode()), 7)
    assert raised.value.message.startswith(said)
    assert raised.value.exit_code == 65
