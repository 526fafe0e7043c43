"""Where each piece of context stands among the parts of a state, lower first; other plugins' parts have 0 unless they say.

The default prompt is made of three groups, each in this order: what is stable, the conversation, and what is new in
this turn. What the answer most depends on stands last, next to the message. What is dynamic stands where it was asked for.
"""

from __future__ import annotations

CHARACTER = -100
KNOWLEDGE = -90
ACTIONS = -80
LOOK_UP = -70
TIME = -60
ACTORS = -50
RECENT_MESSAGES = 0
GOALS = 30
FACTS = 40
MEMORIES = 50
ATTACHMENTS = 60
CHOICES = 70
WORLD = 80
ROLES = 81
RELATIONSHIPS = 82
SETTINGS = 83
