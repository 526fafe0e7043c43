-- name: add
INSERT INTO outbox (key, place, turn, state, attempts, due, deadline, at, native, error, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: deliver
UPDATE outbox SET state = ?, attempts = ?, due = ?, deadline = ?, at = ?, native = ?, error = ? WHERE key = ?

-- name: here
SELECT 1 FROM outbox WHERE key = ? AND place = ?

-- name: work
SELECT payload, state, attempts, due, deadline, at, native, error FROM outbox
WHERE place = ? AND state <> 'sent' AND state IN ('waiting', 'sending') ORDER BY post

-- name: of_turn
SELECT payload, state, attempts, due, deadline, at, native, error FROM outbox
JOIN places USING (place)
WHERE turn = ?4 AND (?1 = '' OR agent = ?1) AND (?2 = '[]' OR state IN (SELECT value FROM json_each(?2)))
ORDER BY post LIMIT ?3

-- name: unsent
SELECT payload, state, attempts, due, deadline, at, native, error FROM outbox
JOIN places USING (place)
WHERE (?1 = '' OR agent = ?1) AND state <> 'sent' AND state IN (SELECT value FROM json_each(?2))
ORDER BY post LIMIT ?3

-- name: all
SELECT payload, state, attempts, due, deadline, at, native, error FROM outbox
JOIN places USING (place)
WHERE (?1 = '' OR agent = ?1) AND (?2 = '[]' OR state IN (SELECT value FROM json_each(?2)))
ORDER BY post LIMIT ?3

-- name: add_intent
INSERT INTO intents (key, turn, agent, room, step, at, deadline, what, in_doubt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING

-- name: intent
SELECT key, turn, agent, room, step, at, deadline, what, in_doubt FROM intents WHERE key = ?

-- name: intents_of_turn
SELECT key, turn, agent, room, step, at, deadline, what, in_doubt FROM intents WHERE turn = ? ORDER BY at, key

-- name: recorded
DELETE FROM intents WHERE turn = ? AND step = ?

-- name: doubted
UPDATE intents SET in_doubt = 1 WHERE turn = ? AND step = ?

-- name: put_off
DELETE FROM intents WHERE turn = ? AND NOT in_doubt

-- name: doubts
SELECT key, turn, agent, room, step, at, deadline, what, in_doubt FROM intents
WHERE in_doubt AND (?1 = '' OR agent = ?1) ORDER BY at, key

-- name: settle
DELETE FROM intents WHERE key = ? AND in_doubt
