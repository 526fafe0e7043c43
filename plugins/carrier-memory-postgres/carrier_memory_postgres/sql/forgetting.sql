-- name: turns
SELECT id FROM turns
WHERE position($1::bytea IN record) > 0 AND convert_from(record, 'UTF8')::jsonb -> 'data' ->> 'person' = $2
UNION
SELECT id FROM turns JOIN inbound ON inbound.place = turns.place AND inbound.turn = turns.id
WHERE state <> 'finished' AND position($1::bytea IN payload) > 0

-- name: inbound
DELETE FROM inbound WHERE position($1::bytea IN payload) > 0 RETURNING 1

-- name: outbox
DELETE FROM outbox WHERE position($1::bytea IN payload) > 0 RETURNING 1

-- name: schedules
DELETE FROM schedules WHERE position($1::bytea IN payload) > 0 RETURNING 1

-- name: entities
DELETE FROM entities WHERE id = $1 RETURNING 1

-- name: participants
DELETE FROM participants WHERE entity = $1 RETURNING 1

-- name: parts
DELETE FROM parts WHERE position($1::bytea IN part) > 0 RETURNING digest

-- name: memories
SELECT remembered.id FROM memories JOIN remembered ON remembered.row = memories.row AND remembered.agent = memories.agent
    AND remembered.at = memories.at
WHERE position($1::bytea IN payload) > 0

-- name: vectors
SELECT count(*) FROM {table} JOIN remembered ON remembered.row = {table}.row WHERE remembered.id = ANY($1::text[])

-- name: shelf_keys
DELETE FROM shelf_keys
WHERE key = $1 OR shelf IN (SELECT shelf FROM shelves WHERE position(convert_to($1, 'UTF8') IN audience) > 0)

-- name: shelves
DELETE FROM shelves WHERE position($1::bytea IN audience) > 0

-- name: standing
SELECT
    number, id, record, reason,
    (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = turns.id)
FROM turns WHERE number > $1 ORDER BY number LIMIT $2

-- name: empty_turn
UPDATE turns SET record = $2, reason = CASE WHEN reason IS NULL THEN NULL ELSE '' END WHERE id = $1

-- name: drop_steps
DELETE FROM steps WHERE turn = $1 AND name = ANY($2::text[])

-- name: empty_intents
UPDATE intents SET what = '' WHERE turn = $1

-- name: outdate
UPDATE store SET generation = generation + 1 RETURNING generation
