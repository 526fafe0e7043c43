-- name: writer
INSERT INTO writers (writer, batch) VALUES ($1, 0) ON CONFLICT DO NOTHING

-- name: last
SELECT batch FROM writers WHERE writer = $1 FOR UPDATE

-- name: hold
SELECT pg_try_advisory_lock($1)
