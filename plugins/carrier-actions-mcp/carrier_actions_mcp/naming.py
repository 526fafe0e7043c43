"""Names that every model's tools may have, made of the names that servers give their tools."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

LONGEST: Final = 64
"""Characters of a tool's name (the strictest of the model services)."""

_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_MARK = 6  # hex characters that tell two names apart of which the same was left


def name_of(prefix: str, tool: str) -> str:
    """The name of a tool here. It depends on nothing else, so that rules can name it: one that has to be changed beyond its
    prefix ends in a mark of the original, so that no two tools of a server get one name."""
    made = f"{prefix}{_OTHER.sub('_', tool)}"
    if made == f"{prefix}{tool}" and tool and len(made) <= LONGEST:
        return made
    mark = blake2b(tool.encode(errors="replace"), digest_size=_MARK // 2).hexdigest()
    return f"{made[: LONGEST - _MARK - 1]}_{mark}"
