-- name: find
SELECT embedder, dimension, indexed FROM embedders WHERE name = $1

-- name: tables
SELECT name, embedder, dimension, indexed FROM embedders ORDER BY name

-- name: lock
SELECT pg_advisory_xact_lock($1)

-- name: try_lock
SELECT pg_try_advisory_lock($1)

-- name: unlock
SELECT pg_advisory_unlock($1)

-- name: add
INSERT INTO embedders (name, dimension) VALUES ($1, $2) RETURNING embedder

-- name: make
CREATE TABLE {table} (row bigint PRIMARY KEY, shelf bigint NOT NULL, vector vector({dimension}));
ALTER TABLE {table} ALTER COLUMN vector SET STORAGE MAIN;
CREATE INDEX {table}_shelf ON {table} (shelf)

-- name: insert
INSERT INTO {table} (row, shelf, vector)
SELECT row, row >> 36, vector::vector({dimension}) FROM unnest($1::bigint[], $2::text[]) AS new (row, vector)
ON CONFLICT DO NOTHING RETURNING row

-- name: replace
INSERT INTO {table} (row, shelf, vector)
SELECT row, row >> 36, vector::vector({dimension}) FROM unnest($1::bigint[], $2::text[]) AS new (row, vector)
ON CONFLICT (row) DO UPDATE SET vector = excluded.vector RETURNING row

-- name: count
SELECT count(*) FROM (SELECT FROM {table} WHERE vector IS NOT NULL LIMIT $1::bigint + 1) AS few

-- name: drop_index
DROP INDEX IF EXISTS {table}_nearest

-- name: build_index
CREATE INDEX CONCURRENTLY {table}_nearest ON {table} USING hnsw ((vector::{kind}({dimension})) {kind}_cosine_ops)

-- name: indexed
UPDATE embedders SET indexed = true WHERE embedder = $1

-- name: size
SELECT coalesce(sum(last), 0)::bigint FROM shelves WHERE shelf = ANY($1::bigint[])

-- name: exact
WITH asked AS MATERIALIZED (SELECT $1::text::vector AS vector),
here AS MATERIALIZED (SELECT row, vector FROM {table} WHERE shelf = ANY($2::bigint[]) AND vector IS NOT NULL)
SELECT row, 1 - (vector <=> (SELECT vector FROM asked)) FROM here
ORDER BY vector <=> (SELECT vector FROM asked), row LIMIT $3

-- name: search_on
SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 400

-- name: search
WITH asked AS MATERIALIZED (SELECT $1::text::vector AS vector, $1::text::{kind}({dimension}) AS short)
SELECT row, 1 - (vector <=> (SELECT vector FROM asked)) FROM {table}
WHERE shelf = ANY($2::bigint[]) AND vector IS NOT NULL
ORDER BY vector::{kind}({dimension}) <=> (SELECT short FROM asked) LIMIT $3

-- name: beside
WITH asked AS MATERIALIZED (SELECT $1::text::vector AS vector)
SELECT row, 1 - (vector <=> (SELECT vector FROM asked)) FROM {table}
WHERE row = ANY($2::bigint[]) AND vector IS NOT NULL

-- name: missing
SELECT remembered.number, payload FROM remembered
JOIN memories ON memories.row = remembered.row AND memories.agent = remembered.agent AND memories.at = remembered.at
WHERE remembered.number >= $1 AND NOT EXISTS (SELECT FROM {table} WHERE {table}.row = remembered.row)
ORDER BY remembered.number LIMIT $2

-- name: missing_all
SELECT remembered.number, payload FROM remembered
JOIN memories ON memories.row = remembered.row AND memories.agent = remembered.agent AND memories.at = remembered.at
WHERE remembered.number >= $1 ORDER BY remembered.number LIMIT $2

-- name: last
SELECT coalesce(max(number), 0) FROM remembered

-- name: to_embed
SELECT remembered.id, remembered.row, md5(payload) FROM remembered
JOIN memories ON memories.row = remembered.row AND memories.agent = remembered.agent AND memories.at = remembered.at
WHERE remembered.id = ANY($1::text[]) ORDER BY remembered.id FOR SHARE OF remembered
