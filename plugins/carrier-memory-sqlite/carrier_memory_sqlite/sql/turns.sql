-- name: open
INSERT INTO turns (id, place, state, status, started) VALUES (?, ?, 'running', ?, ?) ON CONFLICT DO NOTHING

-- name: draft
INSERT OR REPLACE INTO drafts (turn, record) VALUES (?, ?)

-- name: find
SELECT number, state FROM turns WHERE id = ?

-- name: activate
UPDATE turns SET activations = activations + 1 WHERE id = ? RETURNING activations

-- name: progress
UPDATE turns SET activations = 0 WHERE number = ?

-- name: move
UPDATE turns SET state = ?, status = ? WHERE number = ?

-- name: complete
UPDATE turns SET state = 'completed', status = ? WHERE id = ? AND state IN ('running', 'parked') RETURNING number

-- name: add_completed
INSERT INTO turns (id, place, state, status, started) VALUES (?, ?, 'completed', ?, ?) ON CONFLICT DO NOTHING
RETURNING number

-- name: ended
SELECT number, trace FROM turns WHERE id = ? AND state IN ('completed', 'finished')

-- name: finish
UPDATE turns SET state = 'finished', status = ?, trace = ? WHERE number = ?

-- name: add_trace
INSERT INTO traces (parts, memories, record) VALUES (?, ?, ?)

-- name: set_trace
UPDATE traces SET parts = ?, memories = ?, record = ? WHERE trace = ?

-- name: drop_draft
DELETE FROM drafts WHERE turn = ?

-- name: add_step
INSERT INTO steps (turn, name, record) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: step
SELECT record FROM steps WHERE turn = ? AND name = ?

-- name: steps
SELECT record FROM steps WHERE turn = ? ORDER BY step

-- name: drop_steps
DELETE FROM steps WHERE turn = ?

-- name: park
INSERT OR REPLACE INTO parkings (turn, step, until, reason) VALUES (?, ?, ?, ?)

-- name: parking
SELECT step, until, reason FROM parkings WHERE turn = ?

-- name: parked_at
SELECT number, step FROM turns JOIN parkings ON parkings.turn = turns.number WHERE id = ?

-- name: unpark
DELETE FROM parkings WHERE turn = ?

-- name: parked
SELECT id, agent, room, step, until, reason
FROM parkings JOIN turns ON turns.number = parkings.turn JOIN places USING (place)
ORDER BY until, parkings.turn

-- name: add_part
INSERT INTO parts (digest, part) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: part_number
SELECT number FROM parts WHERE digest = ?

-- name: digests
SELECT digest FROM json_each(?) AS wanted JOIN parts ON number = wanted.value ORDER BY wanted.key

-- name: part
SELECT part FROM parts WHERE digest = ?

-- name: work
SELECT id FROM turns WHERE place = ? AND state IN ('running', 'completed') ORDER BY number

-- name: reopen
SELECT number, state, activations, place, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace) WHERE id = ?

-- name: turn
SELECT number, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace) WHERE id = ?

-- name: turns_like
SELECT number, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace)
WHERE id >= ? AND id < ? LIMIT 2

-- name: turns
SELECT number, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace)
WHERE (?1 = '' OR status = ?1) ORDER BY number DESC LIMIT ?2

-- name: turns_of_place
SELECT number, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace)
WHERE place = (SELECT place FROM places WHERE agent = ?3 AND room = ?4) AND (?1 = '' OR status = ?1)
ORDER BY number DESC LIMIT ?2

-- name: turns_of_agent
SELECT number, drafts.record, parts, memories, traces.record
FROM turns CROSS JOIN places USING (place) LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace)
WHERE agent = ?3 AND (?1 = '' OR status = ?1) ORDER BY number DESC LIMIT ?2

-- name: turns_of_room
SELECT number, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace)
WHERE place IN (SELECT place FROM places WHERE room = ?3) AND (?1 = '' OR status = ?1) ORDER BY number DESC LIMIT ?2
