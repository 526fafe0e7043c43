-- name: worlds
SELECT id, platform, native, name, realm FROM worlds
WHERE ?1 = '' OR id IN (
    SELECT world FROM rooms WHERE id IN (
        SELECT room FROM residents WHERE agent = ?1
        UNION SELECT room FROM places WHERE agent = ?1 AND (seq > 0 OR epoch > 0)
    )
)
ORDER BY id

-- name: rooms
SELECT id, platform, native, kind, name, world, realm FROM rooms
WHERE ?1 = '' OR id IN (
    SELECT room FROM residents WHERE agent = ?1
    UNION SELECT room FROM places WHERE agent = ?1 AND (seq > 0 OR epoch > 0)
)
ORDER BY id

-- name: entities
SELECT id, platform, native, name, username, realm, bot FROM entities
WHERE ?1 = '' OR id IN (
    SELECT entity FROM participants WHERE room IN (
        SELECT room FROM residents WHERE agent = ?1
        UNION SELECT room FROM places WHERE agent = ?1 AND (seq > 0 OR epoch > 0)
    )
)
ORDER BY id

-- name: participants
SELECT room, entity FROM participants
WHERE ?1 = '' OR room IN (
    SELECT room FROM residents WHERE agent = ?1
    UNION SELECT room FROM places WHERE agent = ?1 AND (seq > 0 OR epoch > 0)
)
ORDER BY room, entity

-- name: residents
SELECT agent, room FROM residents WHERE ?1 = '' OR agent = ?1 ORDER BY agent, room

-- name: places
SELECT agent, room, seq, epoch FROM places
WHERE (?1 = '' OR agent = ?1) AND (seq > 0 OR epoch > 0) ORDER BY agent, room

-- name: ledger
SELECT agent, key, seq FROM dedupe WHERE ?1 = '' OR agent = ?1 ORDER BY agent, key

-- name: inbound
SELECT agent, room, inbound.seq, payload, turn, discarded FROM inbound JOIN places USING (place)
WHERE ?1 = '' OR agent = ?1 ORDER BY number

-- name: parts
SELECT digest, part FROM parts ORDER BY number

-- name: turns
SELECT number, state, activations, drafts.record, parts, memories, traces.record
FROM turns JOIN places USING (place) LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace)
WHERE ?1 = '' OR agent = ?1 ORDER BY number

-- name: intents
SELECT key, turn, agent, room, step, at, deadline, what, in_doubt FROM intents
WHERE ?1 = '' OR agent = ?1 ORDER BY key

-- name: outbox
SELECT payload, state, attempts, due, deadline, at, native, error FROM outbox JOIN places USING (place)
WHERE ?1 = '' OR agent = ?1 ORDER BY post

-- name: schedules
SELECT payload FROM schedules WHERE ?1 = '' OR agent = ?1 ORDER BY id

-- name: spent
SELECT scope, window, until, used, held FROM spent ORDER BY scope, window

-- name: memories
SELECT memories.row FROM memories INDEXED BY memories_place JOIN places USING (place) WHERE ?1 = '' OR agent = ?1 ORDER BY number

-- name: embedders
SELECT embedder, name FROM embedders ORDER BY name

-- name: vectors
SELECT id, vector FROM memories CROSS JOIN vectors ON vectors.row = memories.row AND embedder = ?2
WHERE ?1 = '' OR place IN (SELECT place FROM places WHERE agent = ?1) ORDER BY id

-- name: add_world
INSERT INTO worlds (id, platform, native, name, realm) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: add_room
INSERT INTO rooms (id, platform, native, kind, name, world, realm) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: add_entity
INSERT INTO entities (id, platform, native, name, username, realm, bot) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING

-- name: set_place
UPDATE places SET seq = ?, epoch = ? WHERE place = ?

-- name: add_inbound
INSERT INTO inbound (place, seq, payload, turn, discarded, beside) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: add_turn
INSERT INTO turns (id, place, state, status, activations, started) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING RETURNING number

-- name: add_schedule
INSERT INTO schedules (id, agent, next_at, payload) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: add_vector
INSERT INTO vectors (row, embedder, shelf, bits, vector) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
