-- name: worlds
SELECT id, platform, native, name, realm FROM worlds
WHERE $1 = '' OR id IN (
    SELECT world FROM rooms WHERE id IN (
        SELECT room FROM residents WHERE agent = $1 UNION SELECT room FROM places WHERE agent = $1
    )
) ORDER BY id

-- name: rooms
SELECT id, platform, native, kind, name, world, realm FROM rooms
WHERE $1 = '' OR id IN (SELECT room FROM residents WHERE agent = $1 UNION SELECT room FROM places WHERE agent = $1)
ORDER BY id

-- name: entities
SELECT id, platform, native, name, username, realm, bot FROM entities
WHERE $1 = '' OR id IN (
    SELECT entity FROM participants WHERE room IN (
        SELECT room FROM residents WHERE agent = $1 UNION SELECT room FROM places WHERE agent = $1
    )
) ORDER BY id

-- name: participants
SELECT room, entity FROM participants
WHERE $1 = '' OR room IN (SELECT room FROM residents WHERE agent = $1 UNION SELECT room FROM places WHERE agent = $1)
ORDER BY room, entity

-- name: residents
SELECT agent, room FROM residents WHERE $1 = '' OR agent = $1 ORDER BY agent, room

-- name: places
SELECT agent, room, seq, epoch FROM places WHERE ($1 = '' OR agent = $1) AND (seq > 0 OR epoch > 0) ORDER BY agent, room

-- name: ledger
SELECT agent, key, seq FROM ledger WHERE $1 = '' OR agent = $1 ORDER BY agent, key

-- name: inbound
SELECT agent, room, inbound.seq, payload, turn, discarded FROM inbound JOIN places USING (place)
WHERE $1 = '' OR agent = $1 ORDER BY number

-- name: parts
SELECT digest, part FROM parts ORDER BY number

-- name: turns
SELECT
    state, record, (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id),
    activations, step, until, reason
FROM handled JOIN places USING (place) WHERE $1 = '' OR agent = $1 ORDER BY number

-- name: intents
SELECT key, turn, agent, room, step, at, deadline, what, in_doubt FROM intents WHERE $1 = '' OR agent = $1 ORDER BY key

-- name: outbox
SELECT payload, state, attempts, due, deadline, at, native, error FROM outbox JOIN places USING (place)
WHERE $1 = '' OR agent = $1 ORDER BY post

-- name: schedules
SELECT payload FROM schedules WHERE $1 = '' OR agent = $1 ORDER BY id

-- name: spent
SELECT scope, "window", until, used, held FROM spent
WHERE $1 = '' OR split_part(scope, U&'\001F', 2) = $1 ORDER BY scope, "window"

-- name: holds
SELECT payload FROM holds ORDER BY key

-- name: memories
SELECT payload FROM memories WHERE $1 = '' OR agent = $1 ORDER BY number

-- name: vectors
SELECT id, vector::real[] FROM {table} JOIN remembered ON remembered.row = {table}.row
WHERE $1 = '' OR agent = $1 ORDER BY id

-- name: add_worlds
INSERT INTO worlds (id, platform, realm, native, name)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING RETURNING 1

-- name: add_rooms
INSERT INTO rooms (id, platform, realm, native, kind, name, world)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ON CONFLICT DO NOTHING RETURNING 1

-- name: add_entities
INSERT INTO entities (id, platform, realm, native, name, username, bot)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
ON CONFLICT DO NOTHING RETURNING 1

-- name: add_participants
INSERT INTO participants (room, entity) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING RETURNING 1

-- name: add_residents
INSERT INTO residents (agent, room) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING RETURNING 1

-- name: add_heard
INSERT INTO ledger (agent, key, seq) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
ON CONFLICT DO NOTHING RETURNING 1

-- name: add_inbound
INSERT INTO inbound (place, seq, payload, turn, discarded)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING RETURNING 1

-- name: add_turns
WITH new AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::bigint[], $3::bigint[], $4::double precision[], $5::text[], $6::integer[], $7::text[], $8::bytea[],
        $9::text[], $10::double precision[], $11::text[]
    ) AS new (id, number, place, started, state, activations, status, record, step, until, reason)
    WHERE NOT EXISTS (SELECT FROM handled WHERE handled.id = new.id)
),
open AS (
    INSERT INTO drafts (id, number, place, started, state, activations, status, record, step, until, reason)
    SELECT * FROM new WHERE state <> 'finished' ON CONFLICT DO NOTHING RETURNING id
),
over AS (
    INSERT INTO turns (number, place, started, activations, id, status, record)
    SELECT number, place, started, activations, id, status, record FROM new WHERE state = 'finished'
    ON CONFLICT DO NOTHING RETURNING id
)
SELECT id FROM open UNION ALL SELECT id FROM over

-- name: add_intents
INSERT INTO intents (key, turn, agent, room, step, at, deadline, what, in_doubt)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::double precision[], $7::double precision[],
    $8::text[], $9::boolean[]
) ON CONFLICT DO NOTHING RETURNING 1

-- name: add_posts
INSERT INTO outbox (key, place, turn, payload, state, attempts, due, deadline, at, native, error)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::bytea[], $5::text[], $6::integer[], $7::double precision[],
    $8::double precision[], $9::double precision[], $10::text[], $11::text[]
) ON CONFLICT DO NOTHING RETURNING 1

-- name: add_schedules
INSERT INTO schedules (id, agent, next_at, payload)
SELECT * FROM unnest($1::text[], $2::text[], $3::double precision[], $4::bytea[]) ON CONFLICT DO NOTHING RETURNING 1

-- name: remembered
SELECT id, row FROM remembered WHERE id = ANY($1::text[])
