-- name: of_turn
SELECT payload, state, attempts, due, deadline, outbox.at, native, error FROM outbox JOIN places USING (place)
WHERE turn = $4 AND ($1 = '' OR agent = $1) AND (cardinality($2::text[]) = 0 OR state = ANY($2::text[]))
ORDER BY post LIMIT $3

-- name: stuck
SELECT payload, state, attempts, due, deadline, outbox.at, native, error FROM outbox JOIN places USING (place)
WHERE ($1 = '' OR agent = $1) AND state <> 'sent' AND state = ANY($2::text[])
ORDER BY post LIMIT $3

-- name: all
SELECT payload, state, attempts, due, deadline, outbox.at, native, error FROM outbox JOIN places USING (place)
WHERE ($1 = '' OR agent = $1) AND (cardinality($2::text[]) = 0 OR state = ANY($2::text[]))
ORDER BY post LIMIT $3

-- name: doubts
SELECT key, turn, agent, room, step, at, deadline, what, in_doubt FROM intents
WHERE in_doubt AND ($1 = '' OR agent = $1) ORDER BY at, key

-- name: settle
DELETE FROM intents WHERE key = $1 AND in_doubt RETURNING key
