"""What an operator can set."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from carrier_memory_sqlite.settings import Settings


def test_defaults_are_the_careful_ones():
    assert (Settings().file, Settings().synchronous) == ("carrier.db", "full")


@pytest.mark.parametrize("wrong", [{"file": "../x.db"}, {"file": ""}, {"synchronous": "off"}, {"busy_seconds": -1}])
def test_what_is_no_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


@pytest.mark.anyio
@pytest.mark.parametrize(("how", "level"), [("full", 2), ("normal", 1)])
async def test_synchronous_is_what_sqlite_gets(tmp_path, how, level):
    from carrier_memory_sqlite.store import SqliteStore

    store = SqliteStore(Settings(synchronous=how))
    await store.open(tmp_path)
    connection = store._database._writer._transaction._connection
    assert connection.pragma("synchronous") == level
    assert connection.pragma("journal_mode") == "wal"
    await store.close()
