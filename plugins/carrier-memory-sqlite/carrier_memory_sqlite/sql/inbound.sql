-- name: place
SELECT place, seq, epoch, owner FROM places WHERE agent = ? AND room = ?

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
INSERT INTO inbound (place, seq, payload) VALUES (?, ?, ?)

-- name: ready
SELECT agent, room FROM places WHERE place IN (
    SELECT place FROM inbound WHERE turn IS NULL AND discarded IS NULL
    UNION SELECT place FROM turns WHERE state IN ('running', 'completed')
    UNION SELECT place FROM outbox WHERE state <> 'sent' AND state IN ('waiting', 'sending')
) ORDER BY place

-- name: waiting
SELECT seq, payload FROM inbound
WHERE place = ? AND turn IS NULL AND discarded IS NULL ORDER BY seq

-- name: taken
SELECT payload FROM inbound WHERE place = ? AND seq = ? AND turn = ?

-- name: take
UPDATE inbound SET turn = ? WHERE place = ? AND seq = ? AND turn IS NULL AND discarded IS NULL

-- name: take_beside
UPDATE inbound SET turn = ?, beside = 1 WHERE place = ? AND seq = ? AND turn IS NULL AND discarded IS NULL

-- name: discard
UPDATE inbound SET discarded = ? WHERE place = ? AND seq = ? AND turn IS NULL AND discarded IS NULL

-- name: rewrite
UPDATE inbound SET payload = ? WHERE place = ? AND seq = ? AND turn IS NULL AND discarded IS NULL
