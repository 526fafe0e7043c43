-- name: lock
WITH marked AS (UPDATE writers SET batch = $4 WHERE writer = $3 RETURNING 1)
SELECT
    place, places.agent, places.room, seq, epoch, owner,
    (SELECT lease_until > clock_timestamp() FROM owners WHERE owners.owner = places.owner),
    heard, (SELECT generation FROM store)
FROM places JOIN unnest($1::text[], $2::text[]) AS wanted (agent, room)
    ON places.agent = wanted.agent AND places.room = wanted.room
ORDER BY place FOR NO KEY UPDATE OF places

-- name: generation
WITH marked AS (UPDATE writers SET batch = $2 WHERE writer = $1 RETURNING 1)
SELECT generation FROM store

-- name: add_places
INSERT INTO places (agent, room) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING

-- name: heard
SELECT agent, key, seq FROM ledger JOIN unnest($1::text[], $2::text[]) AS wanted (agent, key) USING (agent, key)

-- name: schedules
SELECT id, next_at, payload FROM schedules WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE

-- name: participants
SELECT room, entity FROM participants
JOIN unnest($1::text[], $2::text[]) AS wanted (room, entity) USING (room, entity)

-- name: turns
SELECT
    id, handled.place, state, activations, agent, room, step, until, reason,
    (SELECT array_agg(name) FROM steps WHERE steps.turn = handled.id)
FROM handled JOIN places USING (place) WHERE id = ANY($1::text[])

-- name: intents
SELECT key, turn, agent, room, step, at, deadline, what, in_doubt FROM intents WHERE turn = ANY($1::text[])

-- name: steps
SELECT turn, name, record FROM steps JOIN unnest($1::text[], $2::text[]) AS wanted (turn, name) USING (turn, name)

-- name: held
SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32) | objid::bigint = ANY($1::bigint[])
