-- name: holds
SELECT payload FROM holds WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE

-- name: lock_holds
LOCK TABLE holds IN EXCLUSIVE MODE

-- name: all_holds
SELECT payload FROM holds ORDER BY key

-- name: lock
SELECT scope, "window", until, used, held FROM spent
JOIN unnest($1::text[], $2::text[]) AS wanted (scope, "window") USING (scope, "window")
ORDER BY scope, "window" FOR NO KEY UPDATE OF spent

-- name: add
INSERT INTO spent (scope, "window") SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
RETURNING scope, "window"

-- name: count
UPDATE spent SET until = new.until, used = new.used::jsonb, held = new.held::jsonb
FROM unnest($1::text[], $2::text[], $3::double precision[], $4::text[], $5::text[])
    AS new (scope, "window", until, used, held)
WHERE spent.scope = new.scope AND spent."window" = new."window"

-- name: drop
DELETE FROM spent USING unnest($1::text[], $2::text[]) AS old (scope, "window")
WHERE spent.scope = old.scope AND spent."window" = old."window"

-- name: drop_holds
DELETE FROM holds WHERE key = ANY($1::text[])

-- name: keep_holds
INSERT INTO holds (key, payload) SELECT * FROM unnest($1::text[], $2::bytea[])

-- name: spent
SELECT scope, "window", until, used, held FROM spent
WHERE scope >= $1 AND scope < $2 AND "window" >= $3 AND "window" < $4 ORDER BY scope, "window" LIMIT $5

-- name: past
SELECT scope, "window", until, used, held FROM spent WHERE until > 0 AND until < $1
ORDER BY scope, "window" FOR UPDATE

-- name: naming
SELECT scope, "window", until, used, held FROM spent WHERE position($1 IN scope) > 0
ORDER BY scope, "window" FOR UPDATE
