"""Where each piece of context stands among the parts of a state, lower first; other plugins' parts have 0 unless they say.

The default prompt is made of three groups, each in this order: what is stable, the conversation, and what is new in
this turn. What the answer most depends on stands last, next to the message.
"""

from __future__ import annotations

CHARACTER = -100
KNOWLEDGE = -90
ACTIONS = -80
RECENT_MESSAGES = 0
TIME = -60
ACTORS = -50
MEMORIES = 50
ATTACHMENTS = 60
