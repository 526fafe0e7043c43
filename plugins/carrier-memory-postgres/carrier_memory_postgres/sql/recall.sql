-- name: scope
SELECT shelf, audience, NULL AS name FROM shelves WHERE agent = $1 AND room = $2 AND messages AND $4 AND $2 <> ''
UNION ALL
SELECT shelf, audience, NULL FROM shelves WHERE shelf IN (
    SELECT shelf FROM shelf_keys
    WHERE agent = $1 AND key = ANY($3::text[]) AND ((messages AND $4 AND $2 = '') OR (NOT messages AND $5))
)
UNION ALL
SELECT NULL, NULL, entities.name FROM participants JOIN entities ON entities.id = participants.entity WHERE room = $6

-- name: match
SELECT wanted.place, found.row, found.version FROM unnest($1::text[]::tsquery[]) WITH ORDINALITY AS wanted (words, place)
CROSS JOIN LATERAL (
    SELECT row, xmin::text::bigint AS version FROM memories WHERE agent = $2 AND words @@ wanted.words ORDER BY number DESC LIMIT $3
) AS found

-- name: match_widely
SELECT wanted.place, found.row, found.version FROM unnest($1::text[]::tsquery[]) WITH ORDINALITY AS wanted (words, place)
CROSS JOIN LATERAL (
    SELECT row, xmin::text::bigint AS version FROM memories
    WHERE agent = $2 AND words @@ wanted.words AND row >> 36 = ANY($3::bigint[]) ORDER BY number DESC LIMIT $4
) AS found

-- name: next
SELECT wanted.row, found.row, found.version FROM unnest($1::bigint[], $2::bigint[]) AS wanted (row, last)
CROSS JOIN LATERAL (
    SELECT row, xmin::text::bigint AS version FROM memories
    WHERE agent = $3 AND row > wanted.row AND row <= wanted.last ORDER BY row LIMIT 1
) AS found

-- name: payloads
SELECT row, xmin::text::bigint, payload FROM memories WHERE agent = $2 AND row = ANY($1::bigint[])
