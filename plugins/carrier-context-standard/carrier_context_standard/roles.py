"""What the people here are to the agent."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_context_standard.names import shown
from carrier_core import Context, Part, Provenance, Role, State, Turn, person

_NAMED = 50  # people whose roles are looked up


class Roles(Context):
    """The role of the person spoken with, and of the others who were seen in the room, the most powerful first.

    People choose their own names, so the text counts as said by those whom it names.
    """

    name = "roles"
    dynamic = True
    description = "What the people in this room are to you: owner, admin, member or guest, and what that allows."
    size = 4_000

    async def provide(self, turn: Turn) -> State | None:
        """One part."""
        others = [each for each in await turn.participants() if each.id != turn.person.id][: _NAMED - 1]
        people = [(turn.person, await turn.role()), *[(each, await turn.role(each)) for each in others]]
        ranked = sorted(people, key=lambda pair: pair[1].rank, reverse=True)
        lines = [
            f"- {shown(who.name) or 'Somebody'} ({shown(who.username or who.native)}): {role}"
            f"{', who is speaking to you now' if who.id == turn.person.id else ''}"
            for who, role in ranked
        ]
        text = "\n".join(("What people are to you here:", *lines, _ALLOWS))
        origins = tuple(person(who.id) for who, _ in people)
        return State((Part(text, self.name, Provenance(origins, turn.spoken.audience), order=order.ROLES),))


_ALLOWS = f"An {Role.OWNER} may change all roles; an {Role.ADMIN} those of {Role.MEMBER}s and {Role.GUEST}s, and may approve what others ask for."
