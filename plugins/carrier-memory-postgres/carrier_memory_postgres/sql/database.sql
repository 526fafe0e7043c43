-- name: size
SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1 AND relkind = 'r'

-- name: forget_writers
DELETE FROM writers WHERE began < now() - interval '30 days'
    AND NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'carrier writer' AND backend_start < began)
