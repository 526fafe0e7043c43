-- name: server
SELECT current_setting('server_version_num')::integer

-- name: is_there
SELECT to_regclass(quote_ident($1) || '.versions') IS NOT NULL

-- name: has_namespace
SELECT to_regnamespace(quote_ident($1)) IS NOT NULL

-- name: lock
SELECT pg_advisory_xact_lock($1)

-- name: make_versions
CREATE TABLE versions (version integer PRIMARY KEY, since timestamptz NOT NULL DEFAULT now())

-- name: version
SELECT max(version) FROM versions

-- name: set_version
INSERT INTO versions (version) VALUES ($1)

-- name: vectors
SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'
