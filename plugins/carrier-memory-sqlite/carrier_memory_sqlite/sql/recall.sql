-- name: shelf
SELECT shelf FROM shelves WHERE agent = ? AND room = ? AND messages = ? AND audience = ?

-- name: add_shelf
INSERT INTO shelves (agent, room, messages, audience) VALUES (?, ?, ?, ?) RETURNING shelf

-- name: add_shelf_key
INSERT INTO shelf_keys (agent, key, messages, shelf) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: shelves_of_room
SELECT shelf, audience FROM shelves WHERE agent = ? AND room = ? AND messages

-- name: shelves_under
SELECT shelf, audience FROM shelves WHERE shelf IN (
    SELECT shelf FROM shelf_keys WHERE agent = ? AND key = ? AND messages = ?
)

-- name: index
INSERT INTO words (rowid, text) VALUES (?, ?)

-- name: unindex
DELETE FROM words WHERE rowid = ?

-- name: match
-- The limit is put in as a number: SQLite plans a statement anew whenever one that is a parameter is bound.
SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid LIMIT {most}

-- name: match_newest
SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?

-- name: unindex_all
INSERT INTO words (words) VALUES ('delete-all')

-- name: wait
INSERT INTO unindexed (row) VALUES (?) ON CONFLICT DO NOTHING

-- name: wait_all
INSERT INTO unindexed (row) SELECT row FROM memories WHERE true ON CONFLICT DO NOTHING

-- name: waited
DELETE FROM unindexed WHERE row = ?

-- name: waiting
SELECT row, payload FROM unindexed JOIN memories USING (row) ORDER BY row LIMIT ?

-- name: words_version
SELECT words FROM numbers

-- name: set_words_version
UPDATE numbers SET words = ?

-- name: index_sql
SELECT sql FROM sqlite_schema WHERE name = 'words'

-- name: segments
-- The number of every segment's last page, which is about how many pages it has (page << 1 with a flag beside it).
WITH RECURSIVE segments (segment) AS (
    SELECT min(segid) FROM words_idx
    UNION ALL
    SELECT (SELECT min(segid) FROM words_idx WHERE segid > segment) FROM segments WHERE segment IS NOT NULL
)
SELECT (SELECT pgno >> 1 FROM words_idx WHERE segid = segment ORDER BY term DESC LIMIT 1)
FROM segments WHERE segment IS NOT NULL
