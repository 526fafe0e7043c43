"""What several actions take."""

from __future__ import annotations

from typing import Annotated

import msgspec

LONGEST = 2_000
"""Characters of what is stored at one time: a fact, a reminder, a goal."""


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For an action that needs nothing more."""


Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST, pattern=r"\S")]
"""A text that says something."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
"""What a person, a room or a thing is called."""
