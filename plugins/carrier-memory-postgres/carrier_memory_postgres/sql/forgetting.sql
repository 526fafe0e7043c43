-- name: now
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: age
SELECT pg_current_xact_id()::text::bigint - $1::bigint + 1

-- name: read_tables
SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on

-- name: read_indexes
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off

-- name: outbox
SELECT key, payload FROM outbox WHERE $1::bigint IS NULL OR age(xmin) <= $1

-- name: memories
SELECT id, payload FROM memories JOIN remembered ON remembered.row = memories.row AND remembered.agent = memories.agent
    AND remembered.at = memories.at
WHERE $1::bigint IS NULL OR age(memories.xmin) <= $1

-- name: parts
SELECT number, digest, part FROM parts WHERE $1::bigint IS NULL OR age(xmin) <= $1

-- name: taken
SELECT turn FROM inbound WHERE turn IS NOT NULL AND position($1::bytea IN payload) > 0

-- name: turns
SELECT
    id, state, record, reason,
    (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id)
FROM handled WHERE $1::bigint IS NULL OR age(version) <= $1 OR state <> 'finished'

-- name: turn
SELECT state, record, (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id)
FROM handled WHERE id = $1

-- name: inbound
DELETE FROM inbound WHERE position($1::bytea IN payload) > 0 RETURNING 1

-- name: drop_outbox
DELETE FROM outbox WHERE key = ANY($1::text[]) RETURNING 1

-- name: schedules
DELETE FROM schedules WHERE position($1::bytea IN payload) > 0 RETURNING 1

-- name: entities
DELETE FROM entities WHERE id = $1 RETURNING 1

-- name: participants
DELETE FROM participants WHERE entity = $1 RETURNING 1

-- name: drop_parts
DELETE FROM parts WHERE digest = ANY($1::text[]) RETURNING 1

-- name: vectors
SELECT count(*) FROM {table} JOIN remembered ON remembered.row = {table}.row WHERE remembered.id = ANY($1::text[])

-- name: shelf_keys
DELETE FROM shelf_keys
WHERE key = $1 OR shelf IN (SELECT shelf FROM shelves WHERE position(convert_to($1, 'UTF8') IN audience) > 0)

-- name: shelves
DELETE FROM shelves WHERE position($1::bytea IN audience) > 0

-- name: empty_turn
UPDATE turns SET record = $2 WHERE id = $1

-- name: empty_draft
UPDATE drafts SET record = $2, reason = CASE WHEN reason IS NULL THEN NULL ELSE '' END WHERE id = $1

-- name: drop_steps
DELETE FROM steps WHERE turn = $1 AND name <> ALL($2::text[])

-- name: empty_intents
UPDATE intents SET what = '' WHERE turn = $1

-- name: outdate
UPDATE store SET generation = generation + 1 RETURNING generation
