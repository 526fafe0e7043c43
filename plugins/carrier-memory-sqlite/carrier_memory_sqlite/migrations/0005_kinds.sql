-- What is not said but noted (facts, goals, roles): little beside the messages, and looked up by its kind and whom it is about.
CREATE INDEX memories_kind ON memories (kind, entity, at, number) WHERE kind <> 'message';
