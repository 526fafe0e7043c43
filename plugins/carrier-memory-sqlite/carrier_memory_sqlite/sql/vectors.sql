-- name: embedder
SELECT embedder FROM embedders WHERE name = ?

-- name: add_embedder
INSERT INTO embedders (name) VALUES (?) RETURNING embedder

-- name: memory
SELECT row, payload FROM memories WHERE id = ?

-- name: add
INSERT OR REPLACE INTO vectors (row, embedder, shelf, bits, vector) VALUES (?, ?, ?, ?, ?)

-- name: remove
DELETE FROM vectors WHERE row = ?

-- name: missing
SELECT row FROM memories
WHERE NOT EXISTS (
    SELECT 1 FROM vectors
    WHERE vectors.row = memories.row AND embedder = (SELECT embedder FROM embedders WHERE name = ?)
)
ORDER BY number LIMIT ?

-- name: newest
SELECT max(number) FROM vectors

-- name: bits
SELECT number, row, bits FROM vectors WHERE embedder = ? AND shelf = ? AND number > ? ORDER BY number

-- name: vector
SELECT vector FROM vectors WHERE row = ? AND embedder = ?
