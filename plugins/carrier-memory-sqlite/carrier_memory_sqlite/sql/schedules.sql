-- name: keep
INSERT OR REPLACE INTO schedules (id, agent, next_at, payload) VALUES (?, ?, ?, ?)

-- name: cancel
DELETE FROM schedules WHERE id = ?

-- name: slot
SELECT payload FROM schedules WHERE id = ? AND next_at = ?

-- name: schedules
SELECT payload FROM schedules WHERE (?1 = '' OR agent = ?1) ORDER BY next_at, id

-- name: due
SELECT payload FROM schedules WHERE next_at <= ? ORDER BY next_at, id LIMIT ?
