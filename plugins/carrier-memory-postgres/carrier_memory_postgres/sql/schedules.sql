-- name: schedules
SELECT payload FROM schedules WHERE ($1 = '' OR agent = $1) ORDER BY next_at, id

-- name: due
SELECT payload FROM schedules WHERE next_at <= $1 ORDER BY next_at, id LIMIT $2
