-- name: counter
SELECT scope, window, until, used, held FROM spent WHERE scope = ? AND window = ?

-- name: hold
SELECT payload FROM holds WHERE key = ?

-- name: holds
SELECT payload FROM holds ORDER BY key

-- name: count
INSERT INTO spent (scope, window, until, used, held) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET until = excluded.until, used = excluded.used, held = excluded.held

-- name: drop_counter
DELETE FROM spent WHERE scope = ? AND window = ?

-- name: keep_hold
INSERT OR REPLACE INTO holds (key, payload) VALUES (?, ?)

-- name: drop_hold
DELETE FROM holds WHERE key = ?

-- name: spent
SELECT scope, window, until, used, held FROM spent
WHERE scope >= ?1 AND scope < ?2 AND window >= ?3 AND window < ?4 ORDER BY scope, window LIMIT ?5

-- name: past
SELECT scope, window, until, used, held FROM spent WHERE until > 0 AND until < ?

-- name: naming
SELECT scope, window, until, used, held FROM spent WHERE instr(scope, ?)
