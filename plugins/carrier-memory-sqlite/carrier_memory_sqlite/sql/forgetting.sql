-- name: inbound
SELECT number, turn FROM inbound WHERE instr(payload, ?)

-- name: parts
SELECT number, digest, part FROM parts

-- name: memories
SELECT row, id, payload FROM memories

-- name: outbox
SELECT post, payload FROM outbox

-- name: schedules
SELECT id FROM schedules WHERE instr(payload, ?)

-- name: turns
SELECT number, id, state, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace)

-- name: steps
SELECT name, record FROM steps WHERE turn = ?

-- name: drop_inbound
DELETE FROM inbound WHERE number = ?

-- name: drop_part
DELETE FROM parts WHERE number = ?

-- name: drop_post
DELETE FROM outbox WHERE post = ?

-- name: drop_schedule
DELETE FROM schedules WHERE id = ?

-- name: drop_vectors
DELETE FROM vectors WHERE row = ?

-- name: drop_step
DELETE FROM steps WHERE turn = ? AND name = ?

-- name: turn
SELECT id, place, trace, drafts.record, parts, memories, traces.record
FROM turns LEFT JOIN drafts ON drafts.turn = number LEFT JOIN traces USING (trace) WHERE number = ?

-- name: hush_parking
UPDATE parkings SET reason = '' WHERE turn = ?

-- name: hush_intents
UPDATE intents SET what = '' WHERE turn = ?

-- name: drop_dms
DELETE FROM rooms WHERE kind = 'dm' AND id IN (SELECT room FROM participants WHERE entity = ?1) AND NOT EXISTS (
    SELECT 1 FROM participants WHERE participants.room = rooms.id AND entity <> ?1
)

-- name: drop_residents
DELETE FROM residents WHERE room IN (SELECT room FROM participants WHERE entity = ?) AND NOT EXISTS (
    SELECT 1 FROM rooms WHERE rooms.id = residents.room
)

-- name: drop_participant
DELETE FROM participants WHERE entity = ?

-- name: drop_entity
DELETE FROM entities WHERE id = ?

-- name: drop_shelf_keys
DELETE FROM shelf_keys WHERE shelf IN (SELECT shelf FROM shelves WHERE instr(audience, ?))

-- name: drop_shelves
DELETE FROM shelves WHERE instr(audience, ?)

-- name: merge
INSERT INTO words (words, rank) VALUES ('merge', ?)
