-- name: places
UPDATE places SET seq = new.seq, epoch = new.epoch, owner = new.owner, heard = places.heard + new.heard
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::integer[]) AS new (place, seq, epoch, owner, heard)
WHERE places.place = new.place

-- name: append
WITH new AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::text[], $7::text[]
    ) WITH ORDINALITY AS new (agent, key, seq, place, payload, turn, discarded, position)
),
heard AS (INSERT INTO ledger (agent, key, seq) SELECT agent, key, seq FROM new)
INSERT INTO inbound (place, seq, payload, turn, discarded)
SELECT place, seq, payload, turn, discarded FROM new ORDER BY position

-- name: rewrite
UPDATE inbound SET payload = new.payload
FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS new (place, seq, payload)
WHERE inbound.place = new.place AND inbound.seq = new.seq AND turn IS NULL AND discarded IS NULL

-- name: take
UPDATE inbound SET turn = new.turn, discarded = new.discarded
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS new (place, seq, turn, discarded)
WHERE inbound.place = new.place AND inbound.seq = new.seq AND inbound.turn IS NULL AND inbound.discarded IS NULL

-- name: open
INSERT INTO drafts (id, number, place, started, state, activations, status, record, step, until, reason)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::double precision[], $5::text[], $6::integer[], $7::text[], $8::bytea[],
    $9::text[], $10::double precision[], $11::text[]
)

-- name: change
UPDATE drafts SET
    state = new.state, activations = new.activations, status = coalesce(new.status, drafts.status),
    record = coalesce(new.record, drafts.record), step = new.step, until = new.until, reason = new.reason
FROM unnest(
    $1::text[], $2::text[], $3::integer[], $4::text[], $5::bytea[], $6::text[], $7::double precision[], $8::text[]
) AS new (id, state, activations, status, record, step, until, reason)
WHERE drafts.id = new.id

-- name: finish
WITH new AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::bytea[]) AS new (id, activations, status, record)
),
gone AS (
    DELETE FROM drafts USING new WHERE drafts.id = new.id
    RETURNING number, place, started, new.activations, new.id, new.status, new.record
)
INSERT INTO turns (number, place, started, activations, id, status, record) SELECT * FROM gone ORDER BY number

-- name: amend
UPDATE turns SET
    activations = new.activations, status = coalesce(new.status, turns.status), record = coalesce(new.record, turns.record)
FROM unnest($1::text[], $2::integer[], $3::text[], $4::bytea[]) AS new (id, activations, status, record)
WHERE turns.id = new.id

-- name: add_steps
INSERT INTO steps (turn, name, record) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])

-- name: drop_steps
DELETE FROM steps WHERE turn = ANY($1::text[])

-- name: end_intents
DELETE FROM intents WHERE key = ANY($1::text[])

-- name: doubt
UPDATE intents SET in_doubt = true WHERE key = ANY($1::text[])

-- name: begin
INSERT INTO intents (key, turn, agent, room, step, at, deadline, what, in_doubt)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::double precision[], $7::double precision[],
    $8::text[], $9::boolean[]
) ON CONFLICT DO NOTHING

-- name: post
INSERT INTO outbox (key, place, turn, payload, state, attempts, due, deadline, at, native, error)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::bytea[], $5::text[], $6::integer[], $7::double precision[],
    $8::double precision[], $9::double precision[], $10::text[], $11::text[]
) ON CONFLICT DO NOTHING

-- name: deliver
UPDATE outbox SET
    state = new.state, attempts = new.attempts, due = new.due, deadline = new.deadline, at = new.at,
    native = new.native, error = new.error
FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::integer[], $5::double precision[], $6::double precision[],
    $7::double precision[], $8::text[], $9::text[]
) AS new (key, place, state, attempts, due, deadline, at, native, error)
WHERE outbox.key = new.key AND (new.place IS NULL OR outbox.place = new.place)

-- name: keep_schedules
INSERT INTO schedules (id, agent, next_at, payload)
SELECT * FROM unnest($1::text[], $2::text[], $3::double precision[], $4::bytea[])
ON CONFLICT (id) DO UPDATE SET agent = excluded.agent, next_at = excluded.next_at, payload = excluded.payload

-- name: drop_schedules
DELETE FROM schedules WHERE id = ANY($1::text[])

-- name: lease
INSERT INTO owners (owner, lease_until)
SELECT owner, clock_timestamp() + seconds * interval '1 second'
FROM unnest($1::text[], $2::double precision[]) AS new (owner, seconds)
ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until

-- name: hold
SELECT pg_try_advisory_lock($1)

-- name: free
SELECT pg_advisory_unlock($1)

-- name: number
SELECT nextval('numbers')

-- name: add_entities
INSERT INTO entities (id, platform, realm, native, name, username, bot)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
ON CONFLICT (id) DO UPDATE SET
    name = CASE WHEN excluded.name = '' THEN entities.name ELSE excluded.name END,
    username = CASE WHEN excluded.username = '' THEN entities.username ELSE excluded.username END,
    bot = excluded.bot

-- name: add_worlds
INSERT INTO worlds (id, platform, realm, native, name)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (id) DO UPDATE SET name = CASE WHEN excluded.name = '' THEN worlds.name ELSE excluded.name END

-- name: add_rooms
INSERT INTO rooms (id, platform, realm, native, kind, name, world)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind,
    name = CASE WHEN excluded.name = '' THEN rooms.name ELSE excluded.name END,
    world = CASE WHEN excluded.world = '' THEN rooms.world ELSE excluded.world END

-- name: reside
INSERT INTO residents (agent, room) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING

-- name: join
INSERT INTO participants (room, entity) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
