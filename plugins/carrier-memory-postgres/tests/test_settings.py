"""What an operator can set."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from carrier_memory_postgres.settings import Settings


def test_a_secret_is_not_shown():
    settings = Settings(url="postgresql://u:swordfish@h/d", read_url="postgresql://u:swordfish@r/d")
    assert "swordfish" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": "Carrier"},
        {"namespace": 'x"; DROP SCHEMA public; --'},
        {"pool_size": 0},
        {"connect_seconds": 0},
        {"retry_seconds": -1},
        {"busy_seconds": 0},
        {"file": "carrier.db"},
    ],
)
def test_what_is_no_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


@pytest.mark.anyio
async def test_the_servers_own_settings_are_told_to_it(store):
    async with store._database.pool.link() as link:
        shown = {name: (await link.fetch(f"SHOW {name}"))[0][0] for name in ("lock_timeout", "jit", "search_path")}
    assert shown == {"lock_timeout": "10s", "jit": "off", "search_path": '"carrier", "public"'}
