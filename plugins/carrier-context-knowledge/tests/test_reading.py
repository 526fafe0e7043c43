"""Documents are read in a process that each of them may ruin for itself, and for no other."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from carrier_context_knowledge.reader import Bounds, Refusal, Text
from carrier_context_knowledge.reading import Reading

pytestmark = pytest.mark.anyio

SOUND = b"# Tea\n\nGreen."


async def test_documents_are_read_in_one_process() -> None:
    async with Reading(Bounds()) as reading:
        first = await reading.read(SOUND, ".md")
        process = reading._process
        second = await reading.read(b"\0\1\2", ".md")
        third = await reading.read(SOUND, ".md")
        assert reading._process is process

    assert isinstance(first, Text)
    assert isinstance(second, Refusal)
    assert third == first
    assert process is not None
    assert process.returncode is not None


async def test_one_that_never_ends_is_given_up_and_the_next_is_read(papers) -> None:
    slow = papers.booklet([["word " * 15] * 40] * 2_000)
    async with Reading(Bounds(seconds=0.3)) as reading:
        refused = await reading.read(slow, ".pdf")
        assert isinstance(await reading.read(SOUND, ".md"), Text)

    assert isinstance(refused, Refusal)
    assert refused.reason == "To read it takes more than 0.3 s."


async def test_one_that_needs_too_much_memory_is_given_up_and_the_next_is_read() -> None:
    async with Reading(Bounds(memory=200, characters=40_000_000)) as reading:
        refused = await reading.read(b"word " * 7_000_000, ".txt")
        assert isinstance(await reading.read(SOUND, ".md"), Text)

    assert isinstance(refused, Refusal)
    assert refused.reason == "To read it takes more than 200 MiB."


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        (signal.SIGKILL, "To read it takes more than 1024 MiB."),  # as the kernel does that has no memory left
        (signal.SIGSEGV, "Whatever is in it ends the program that reads it."),
    ],
)
async def test_a_process_that_dies_is_begun_again(sign: signal.Signals, said: str) -> None:
    async with Reading(Bounds()) as reading:
        await reading.read(SOUND, ".md")
        assert reading._process is not None
        os.kill(reading._process.pid, sign)
        refused = await reading.read(SOUND, ".md")
        assert isinstance(await reading.read(SOUND, ".md"), Text)

    assert refused == Refusal(said, refused.remedy)


async def test_what_lies_in_the_folder_is_not_imported(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "msgspec", "carrier_context_knowledge", "pypdf"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    async with Reading(Bounds()) as reading:
        assert isinstance(await reading.read(SOUND, ".md"), Text)


async def test_it_is_not_given_what_the_daemon_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a secret")
    async with Reading(Bounds()) as reading:
        await reading.read(SOUND, ".md")
        assert reading._process is not None
        assert b"a secret" not in Path(f"/proc/{reading._process.pid}/environ").read_bytes()
