-- name: room
SELECT id, platform, native, kind, name, world, realm FROM rooms WHERE id = $1

-- name: rooms
SELECT id, platform, native, kind, name, world, realm FROM rooms ORDER BY platform, name, id

-- name: rooms_of_agent
SELECT id, platform, native, kind, name, world, realm FROM residents JOIN rooms ON rooms.id = residents.room
WHERE agent = $1 ORDER BY platform, name, id

-- name: participants
SELECT id, platform, native, name, username, realm, bot FROM participants
JOIN entities ON entities.id = participants.entity WHERE room = $1 ORDER BY entity

-- name: rooms_in_common
WITH people AS MATERIALIZED (
    SELECT entity FROM participants JOIN entities ON entities.id = participants.entity WHERE room = $1
)
SELECT
    ARRAY(SELECT entity FROM people ORDER BY entity),
    ARRAY(
        SELECT room FROM participants WHERE entity IN (SELECT entity FROM people)
        GROUP BY room HAVING count(*) = (SELECT count(*) FROM people) ORDER BY room
    )
