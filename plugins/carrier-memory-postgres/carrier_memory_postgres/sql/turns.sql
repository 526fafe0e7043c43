-- name: reopen
SELECT
    state, record, activations, agent, room, step, until, reason,
    (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id),
    (SELECT array_agg((seq, payload)) FROM inbound WHERE inbound.place = handled.place AND inbound.turn = handled.id),
    (
        SELECT array_agg((key, intents.turn, intents.agent, intents.room, intents.step, at, deadline, what, in_doubt)
            ORDER BY at, key)
        FROM intents WHERE intents.turn = handled.id
    )
FROM handled JOIN places USING (place) WHERE id = $1

-- name: parked
SELECT id, agent, room, step, until, reason FROM drafts JOIN places USING (place)
WHERE until IS NOT NULL ORDER BY until, number

-- name: turn
SELECT state, record, (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id)
FROM handled WHERE id = $1

-- name: turns_like
SELECT state, record, (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id)
FROM handled WHERE id >= $1 AND id < $2 LIMIT 2

-- name: turns
SELECT state, record, (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id)
FROM handled WHERE ($1 = '' OR status = $1) ORDER BY number DESC LIMIT $2

-- name: turns_of_agent
SELECT state, record, (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id)
FROM handled WHERE place = ANY(ARRAY(SELECT place FROM places WHERE agent = $1)) AND ($2 = '' OR status = $2)
ORDER BY number DESC LIMIT $3

-- name: turns_of_room
SELECT state, record, (SELECT array_agg(steps.record ORDER BY steps.number) FROM steps WHERE steps.turn = handled.id)
FROM handled WHERE place IN (SELECT place FROM places WHERE room = $1 AND ($2 = '' OR agent = $2))
    AND ($3 = '' OR status = $3)
ORDER BY number DESC LIMIT $4

-- name: parts
SELECT parts.digest, part FROM unnest($1::text[]) WITH ORDINALITY AS wanted (digest, place)
JOIN parts ON parts.digest = wanted.digest ORDER BY wanted.place
