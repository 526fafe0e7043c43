-- name: known
SELECT id, row, number, at, agent FROM remembered WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE

-- name: known_shelves
SELECT shelf, agent, room, messages, digest FROM shelves
JOIN unnest($1::text[], $2::text[], $3::boolean[], $4::bytea[]) AS wanted (agent, room, messages, digest)
    USING (agent, room, messages, digest)

-- name: add_shelves
INSERT INTO shelves (agent, room, messages, digest, audience)
SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::bytea[], $5::bytea[]) ON CONFLICT DO NOTHING

-- name: add_shelf_keys
INSERT INTO shelf_keys (agent, key, messages, shelf)
SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::bigint[]) ON CONFLICT DO NOTHING

-- name: places_on_shelves
UPDATE shelves SET last = last + new.count
FROM (
    SELECT shelves.shelf, wanted.count FROM shelves
    JOIN unnest($1::bigint[], $2::bigint[]) AS wanted (shelf, count) USING (shelf)
    ORDER BY shelves.shelf FOR NO KEY UPDATE OF shelves
) AS new
WHERE shelves.shelf = new.shelf RETURNING shelves.shelf, last - new.count

-- name: add
WITH new AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::bigint[], $2::double precision[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
        $8::bytea[], $9::text[], $10::text[]
    ) AS new (row, at, number, place, agent, kind, entity, payload, words, id)
),
added AS (
    INSERT INTO memories (row, at, number, place, agent, kind, entity, payload, words)
    SELECT row, at, number, place, agent, kind, entity, payload, words::tsvector FROM new
)
INSERT INTO remembered (id, row, number, at, agent) SELECT id, row, number, at, agent FROM new ORDER BY id
ON CONFLICT (id) DO UPDATE SET row = excluded.row, at = excluded.at, agent = excluded.agent

-- name: remove
DELETE FROM memories USING unnest($1::bigint[], $2::text[], $3::double precision[]) AS old (row, agent, at)
WHERE memories.row = old.row AND memories.agent = old.agent AND memories.at = old.at

-- name: forget
DELETE FROM remembered WHERE id = ANY($1::text[])

-- name: embedders
SELECT embedder FROM embedders

-- name: partitions
SELECT agent, since, until FROM partitions WHERE agent = ANY($1::text[])
-- name: forgotten
UPDATE places SET heard = heard + 1 WHERE place IN (
    SELECT memories.place FROM remembered
    JOIN memories ON memories.row = remembered.row AND memories.agent = remembered.agent AND memories.at = remembered.at
    WHERE remembered.id = ANY($1::text[])
)
