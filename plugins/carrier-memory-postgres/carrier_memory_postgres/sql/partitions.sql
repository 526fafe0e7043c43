-- name: agents
SELECT DISTINCT agent FROM partitions

-- name: of_agents
SELECT agent, since FROM partitions WHERE agent = ANY($1::text[]) AND NOT detached

-- name: rest
SELECT name FROM partitions WHERE agent = $1 AND since IS NULL

-- name: lock
SELECT pg_advisory_xact_lock($1)

-- name: number
SELECT nextval('partition_numbers')

-- name: note
INSERT INTO partitions (name, agent, since, until) VALUES ($1, $2, $3, $4)

-- name: make_agent
CREATE TABLE {name} (LIKE memories) PARTITION BY RANGE (at);
CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT;
ALTER TABLE memories ATTACH PARTITION {name} FOR VALUES IN ({agent})

-- name: make_month
CREATE TABLE {name} (LIKE {parent});
WITH moved AS (DELETE FROM {rest} WHERE at >= {since} AND at < {until} RETURNING *) INSERT INTO {name} SELECT * FROM moved;
ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({since}) TO ({until})

-- name: over
SELECT name, until FROM partitions WHERE agent = $1 AND until <= $2 AND NOT detached ORDER BY until

-- name: kinds
SELECT DISTINCT kind FROM {name}

-- name: detach
ALTER TABLE {parent} DETACH PARTITION {name}

-- name: rename
ALTER TABLE {name} RENAME TO {new}

-- name: detached
UPDATE partitions SET detached = true, name = $2 WHERE name = $1

-- name: changed
UPDATE places SET heard = heard + 1 WHERE place IN (SELECT place FROM {name})

-- name: dropping
SELECT name FROM partitions WHERE agent = $1 AND detached

-- name: forget_rows
WITH gone AS (DELETE FROM remembered USING {name} WHERE remembered.row = {name}.row AND remembered.agent = {name}.agent
    AND remembered.at = {name}.at RETURNING 1)
SELECT count(*) FROM gone

-- name: forget_vectors
DELETE FROM {vectors} USING {name} WHERE {vectors}.row = {name}.row

-- name: drop
DROP TABLE {name}

-- name: dropped
DELETE FROM partitions WHERE name = $1
