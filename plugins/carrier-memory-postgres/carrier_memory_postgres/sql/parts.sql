-- name: numbered
SELECT number, digest, part FROM parts WHERE number = ANY($1::bigint[])

-- name: hashed
SELECT number, parts.digest, CASE WHEN unread THEN part END
FROM unnest($1::text[], $2::boolean[]) AS wanted (digest, unread) JOIN parts ON parts.digest = wanted.digest

-- name: add
INSERT INTO parts (digest, part) SELECT * FROM unnest($1::text[], $2::bytea[])
ON CONFLICT DO NOTHING RETURNING number, digest
