-- name: add
INSERT INTO memories (row, id, place, kind, entity, at, number, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING

-- name: row
SELECT row, number FROM memories WHERE id = ?

-- name: remove
DELETE FROM memories WHERE row = ?

-- name: payload
SELECT payload FROM memories WHERE row = ?

-- name: last_number
SELECT last FROM numbers

-- name: set_last_number
UPDATE numbers SET last = ?

-- name: last_row
SELECT max(row) FROM memories WHERE row BETWEEN ? AND ?

-- name: next_row
SELECT row FROM memories WHERE row > ? AND row <= ? ORDER BY row LIMIT 1

-- name: some_rows
SELECT row FROM memories WHERE row BETWEEN ? AND ? LIMIT ?

-- name: get
SELECT payload FROM memories WHERE id = ?

-- name: history
SELECT row FROM memories
WHERE place = (SELECT place FROM places WHERE agent = ? AND room = ?) AND kind = 'message' AND at < ?
ORDER BY at DESC, number DESC LIMIT ?

-- name: of_kind
SELECT payload FROM memories INDEXED BY memories_noted
WHERE kind = ?1 AND kind <> 'message' AND place IN (SELECT place FROM places WHERE agent = ?2)
ORDER BY at DESC, number DESC LIMIT ?3

-- name: of_kind_in
SELECT payload FROM memories INDEXED BY memories_place
WHERE kind = ?1 AND place = (SELECT place FROM places WHERE agent = ?2 AND room = ?4)
ORDER BY at DESC, number DESC LIMIT ?3

-- name: of_kind_about
SELECT payload FROM memories INDEXED BY memories_kind
WHERE kind = ?1 AND kind <> 'message' AND entity = ?5
    AND place IN (SELECT place FROM places WHERE agent = ?2 AND (?4 = '' OR room = ?4))
ORDER BY at DESC, number DESC LIMIT ?3

-- name: list
SELECT payload FROM memories
WHERE (?1 = '' OR kind = ?1) AND (?2 = '' OR entity = ?2)
    AND ((?3 = '' AND ?4 = '')
        OR place IN (SELECT place FROM places WHERE (?3 = '' OR agent = ?3) AND (?4 = '' OR room = ?4)))
ORDER BY at DESC, number DESC LIMIT ?5
