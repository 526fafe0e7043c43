-- name: get
SELECT payload FROM unnest($1::text[]) WITH ORDINALITY AS wanted (id, place)
JOIN remembered ON remembered.id = wanted.id
JOIN memories ON memories.row = remembered.row AND memories.agent = remembered.agent AND memories.at = remembered.at
ORDER BY wanted.place

-- name: history
SELECT payload FROM memories
WHERE agent = $1 AND place = (SELECT place FROM places WHERE agent = $1 AND room = $2) AND kind = 'message' AND at < $4
ORDER BY at DESC, number DESC LIMIT $3

-- name: talk
SELECT heard, payload FROM places LEFT JOIN LATERAL (
    SELECT payload, at, number FROM memories
    WHERE memories.agent = $1 AND memories.place = places.place AND kind = 'message'
    ORDER BY at DESC, number DESC LIMIT $3
) AS messages ON true
WHERE places.agent = $1 AND places.room = $2 AND heard <> $4
ORDER BY at DESC, number DESC

-- name: of_kind
SELECT payload FROM memories
WHERE agent = $1 AND kind = $2 AND kind <> 'message'
    AND ($3 = '' OR place IN (SELECT place FROM places WHERE agent = $1 AND room = $3))
ORDER BY at DESC, number DESC LIMIT $4

-- name: of_kind_about
SELECT payload FROM memories
WHERE agent = $1 AND kind = $2 AND kind <> 'message' AND entity = $5
    AND ($3 = '' OR place IN (SELECT place FROM places WHERE agent = $1 AND room = $3))
ORDER BY at DESC, number DESC LIMIT $4

-- name: list
SELECT payload FROM memories
WHERE ($1 = '' OR kind = $1) AND ($2 = '' OR entity = $2) AND ($3 = '' OR agent = $3)
    AND ($4 = '' OR place IN (SELECT place FROM places WHERE room = $4))
ORDER BY at DESC, number DESC LIMIT $5
