"""Policy: whether an action call may happen. The one place where this is decided, innermost, after every wrapper.

What reads or writes the agent's own things is allowed. What acts outside or spends money is allowed only where the operator
lists the action in ``[policy] allow``; asking a person for approval needs turns that can wait, so until then it is a no.
"""

from __future__ import annotations

from collections.abc import Collection

from carrier_core.prompts import Authorization, Effect, Ruling

_HARMLESS = (Effect.READ, Effect.WRITE)


def judge(name: str, effect: Effect, allowed: Collection[str]) -> Authorization:
    """The policy's ruling on a call of the action ``name``."""
    if effect in _HARMLESS or name in allowed:
        return Authorization(Ruling.ALLOW)
    return Authorization(
        Ruling.ASK, f"{name} has an effect ({effect}) that nobody approved; the operator can list it in [policy] allow"
    )
