-- name: place
SELECT place, seq, epoch FROM places WHERE agent = ? AND room = ?

-- name: add_place
INSERT INTO places (agent, room) VALUES (?, ?) RETURNING place

-- name: claim
UPDATE places SET epoch = ?, owner = ? WHERE place = ?

-- name: number
UPDATE places SET seq = ? WHERE place = ?

-- name: dedupe
INSERT INTO dedupe (agent, key, seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: seen
SELECT seq FROM dedupe WHERE agent = ? AND key = ?

-- name: append
INSERT INTO inbound (row, payload) VALUES (?, ?)

-- name: ready
SELECT agent, room FROM places WHERE place IN (
    SELECT DISTINCT row >> 32 FROM inbound WHERE turn IS NULL AND discarded IS NULL
) ORDER BY place

-- name: pending
SELECT row, payload FROM inbound
WHERE row BETWEEN ? AND ? AND turn IS NULL AND discarded IS NULL ORDER BY row

-- name: take
UPDATE inbound SET turn = ? WHERE row = ? AND turn IS NULL

-- name: discard
UPDATE inbound SET discarded = ? WHERE row = ? AND turn IS NULL

-- name: open_turn
INSERT INTO turns (id, place, started, status, open, record) VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING

-- name: end_turn
UPDATE turns SET status = ?, open = 0, record = ? WHERE id = ? AND open

-- name: add_ended_turn
INSERT INTO turns (id, place, started, status, open, record) VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING

-- name: finish_turn
UPDATE turns SET status = ?, record = ? WHERE id = ? AND NOT open

-- name: add_part
INSERT INTO parts (digest, part) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: part
SELECT part FROM parts WHERE digest = ?

-- name: add_outbox
INSERT INTO outbox (key, place, turn, number, payload) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: sent
UPDATE outbox SET native = ?, sent_at = ? WHERE key = ?

-- name: unfinished
SELECT record FROM turns WHERE open ORDER BY number

-- name: turn
SELECT record FROM turns WHERE id = ?

-- name: turns_like
SELECT record FROM turns WHERE id >= ? AND id < ? LIMIT 2

-- name: turns
SELECT record FROM turns ORDER BY number DESC LIMIT ?

-- name: turns_of_place
SELECT record FROM turns WHERE place = (SELECT place FROM places WHERE agent = ? AND room = ?)
ORDER BY number DESC LIMIT ?

-- name: turns_of_agent
SELECT record FROM turns WHERE place IN (SELECT place FROM places WHERE agent = ?) ORDER BY number DESC LIMIT ?

-- name: turns_of_room
SELECT record FROM turns WHERE place IN (SELECT place FROM places WHERE room = ?) ORDER BY number DESC LIMIT ?
