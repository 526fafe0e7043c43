-- What is not said but noted (facts, goals, roles): little beside the messages, and looked up by its kind, mostly by whom it is about.
CREATE INDEX memories_kind ON memories (kind, entity, at, number) WHERE kind <> 'message';
CREATE INDEX memories_noted ON memories (kind, at, number) WHERE kind <> 'message';
