-- name: turns_of_agent
SELECT count(*) FROM turns WHERE place IN (SELECT place FROM places WHERE agent = ?)

-- name: turns_before
SELECT number FROM turns JOIN places USING (place)
WHERE agent = ?1 AND started < ?2 AND state = 'finished' AND NOT EXISTS (
    SELECT 1 FROM outbox WHERE outbox.turn = turns.id AND outbox.state NOT IN ('sent', 'dead', 'discarded')
)
ORDER BY started, number LIMIT ?3

-- name: turns_beyond
SELECT number FROM (
    SELECT number, id, state, started FROM turns JOIN places USING (place)
    WHERE agent = ?1 ORDER BY started, number LIMIT ?2
) AS oldest
WHERE state = 'finished' AND NOT EXISTS (
    SELECT 1 FROM outbox WHERE outbox.turn = oldest.id AND outbox.state NOT IN ('sent', 'dead', 'discarded')
)
ORDER BY started, number LIMIT ?3

-- name: memories_of_kind
SELECT count(*) FROM places JOIN memories USING (place) WHERE agent = ? AND kind = ?

-- name: memories_before
SELECT row FROM places JOIN memories USING (place)
WHERE agent = ?1 AND kind = ?2 AND at < ?3 ORDER BY at, number LIMIT ?4

-- name: memories_beyond
SELECT row FROM places JOIN memories USING (place)
WHERE agent = ?1 AND kind = ?2 ORDER BY at, number LIMIT ?3

-- name: is_over
SELECT 1 FROM turns WHERE number = ? AND state = 'finished' AND NOT EXISTS (
    SELECT 1 FROM outbox WHERE outbox.turn = turns.id AND outbox.state NOT IN ('sent', 'dead', 'discarded')
)

-- name: turn
SELECT id, place, trace, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace) WHERE number = ?

-- name: orphan
INSERT INTO orphans (part) VALUES (?) ON CONFLICT DO NOTHING

-- name: orphans
SELECT part FROM orphans

-- name: no_orphan
DELETE FROM orphans WHERE part = ?

-- name: traces
SELECT trace, parts FROM traces WHERE trace > ? ORDER BY trace LIMIT 500

-- name: trace
SELECT parts, memories, record FROM traces WHERE trace = ?

-- name: drafts
SELECT turn, record FROM drafts

-- name: drop_part
DELETE FROM parts WHERE number = ?

-- name: drop_inbound
DELETE FROM inbound WHERE place = ? AND seq = ?

-- name: drop_beside
DELETE FROM inbound WHERE turn = ? AND beside

-- name: drop_intents
DELETE FROM intents WHERE turn = ?

-- name: drop_posts
DELETE FROM outbox WHERE turn = ?

-- name: drop_trace
DELETE FROM traces WHERE trace = ?

-- name: drop_turn
DELETE FROM turns WHERE number = ?
