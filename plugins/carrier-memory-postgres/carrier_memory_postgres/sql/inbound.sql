-- name: ready
SELECT agent, room FROM places WHERE place IN (
    SELECT place FROM inbound WHERE turn IS NULL AND discarded IS NULL
    UNION SELECT place FROM drafts WHERE until IS NULL
    UNION SELECT place FROM outbox WHERE state IN ('waiting', 'sending')
) ORDER BY place

-- name: work
WITH here AS MATERIALIZED (SELECT place FROM places WHERE agent = $1 AND room = $2)
SELECT
    'turn' AS sort, id AS turn, number AS seq, NULL::bytea AS payload, NULL AS state, NULL::integer AS attempts,
    NULL::double precision AS due, NULL::double precision AS deadline, NULL::double precision AS at, NULL AS native,
    NULL AS error
FROM drafts WHERE place = (SELECT place FROM here) AND until IS NULL
UNION ALL
SELECT 'row', NULL, seq, payload, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM inbound WHERE place = (SELECT place FROM here) AND turn IS NULL AND discarded IS NULL
UNION ALL
SELECT 'post', NULL, post, payload, state, attempts, due, deadline, at, native, error
FROM outbox WHERE place = (SELECT place FROM here) AND state IN ('waiting', 'sending')
ORDER BY sort, seq
