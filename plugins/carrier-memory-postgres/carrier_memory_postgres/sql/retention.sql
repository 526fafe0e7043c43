-- name: memories_beyond
SELECT remembered.id FROM (
    SELECT row, agent, at FROM memories
    WHERE agent = $1 AND kind = $2 AND at < $3
    UNION
    SELECT row, agent, at FROM (
        SELECT row, agent, at FROM memories WHERE agent = $1 AND kind = $2 AND $4::bigint IS NOT NULL
        ORDER BY at, number
        LIMIT greatest(0, (SELECT count(*) FROM memories WHERE agent = $1 AND kind = $2) - coalesce($4::bigint, 0))
    ) AS excess
    ORDER BY at LIMIT $5
) AS beyond
JOIN remembered ON remembered.row = beyond.row AND remembered.agent = beyond.agent AND remembered.at = beyond.at

-- name: turns_beyond
SELECT id FROM (
    SELECT id, started, state, number, row_number() OVER (ORDER BY started, number) AS place,
        count(*) OVER () AS total
    FROM handled JOIN places USING (place) WHERE agent = $1 AND $2 = 'turn'
) AS every
WHERE (started < $3 OR every.place <= total - $4::bigint) AND state = 'finished' AND NOT EXISTS (
    SELECT FROM outbox WHERE turn = every.id AND outbox.state NOT IN ('sent', 'dead', 'discarded')
)
ORDER BY started, number LIMIT $5

-- name: over
SELECT id FROM turns WHERE id = ANY($1::text[]) AND NOT EXISTS (
    SELECT FROM outbox WHERE outbox.turn = turns.id AND outbox.state NOT IN ('sent', 'dead', 'discarded')
)

-- name: turns
SELECT place, record FROM handled WHERE id = ANY($1::text[])

-- name: steps_of
SELECT record FROM steps WHERE turn = ANY($1::text[])

-- name: steps
SELECT record FROM steps

-- name: drop_inbound
DELETE FROM inbound USING handled
WHERE handled.id = ANY($1::text[]) AND inbound.place = handled.place AND inbound.turn = handled.id RETURNING 1

-- name: drop_superseded
DELETE FROM inbound USING unnest($1::bigint[], $2::bigint[]) AS old (place, seq)
WHERE inbound.place = old.place AND inbound.seq = old.seq RETURNING 1

-- name: drop_steps
DELETE FROM steps WHERE turn = ANY($1::text[]) RETURNING 1

-- name: drop_intents
DELETE FROM intents WHERE turn = ANY($1::text[]) RETURNING 1

-- name: drop_outbox
DELETE FROM outbox WHERE turn = ANY($1::text[]) RETURNING 1

-- name: drop_turns
WITH over AS (DELETE FROM turns WHERE id = ANY($1::text[]) RETURNING 1),
open AS (DELETE FROM drafts WHERE id = ANY($1::text[]) RETURNING 1)
SELECT 1 FROM over UNION ALL SELECT 1 FROM open

-- name: orphan
INSERT INTO orphans (digest) SELECT * FROM unnest($1::text[])
UNION SELECT digest FROM parts WHERE number = ANY($2::bigint[])
ON CONFLICT DO NOTHING

-- name: orphans
SELECT digest, number FROM orphans LEFT JOIN parts USING (digest)

-- name: no_orphans
DELETE FROM orphans WHERE digest = ANY($1::text[])

-- name: drop_parts
DELETE FROM parts WHERE digest = ANY($1::text[]) RETURNING 1

-- name: records
SELECT number, record FROM turns WHERE number > $1 ORDER BY number LIMIT $2

-- name: open
SELECT id FROM drafts

-- name: of
SELECT record FROM handled WHERE id = ANY($1::text[])

-- name: outdate
UPDATE store SET generation = generation + 1 RETURNING generation
