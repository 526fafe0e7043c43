-- name: add_entity
INSERT INTO entities (id, platform, realm, native, name, username, bot) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    name = iif(excluded.name = '', name, excluded.name),
    username = iif(excluded.username = '', username, excluded.username),
    bot = excluded.bot

-- name: add_world
INSERT INTO worlds (id, platform, realm, native, name) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = iif(excluded.name = '', name, excluded.name)

-- name: add_room
INSERT INTO rooms (id, platform, realm, native, kind, name, world) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind,
    name = iif(excluded.name = '', name, excluded.name),
    world = iif(excluded.world = '', world, excluded.world)

-- name: join
INSERT INTO participants (room, entity) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: reside
INSERT INTO residents (agent, room) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: room
SELECT id, platform, native, kind, name, world, realm FROM rooms WHERE id = ?

-- name: rooms
SELECT id, platform, native, kind, name, world, realm FROM rooms ORDER BY platform, name, id

-- name: rooms_of_agent
SELECT id, platform, native, kind, name, world, rooms.realm FROM residents JOIN rooms ON rooms.id = residents.room
WHERE agent = ? ORDER BY platform, name, id

-- name: participants
SELECT id, platform, native, name, username, realm, bot FROM participants
JOIN entities ON entities.id = participants.entity WHERE room = ? ORDER BY entity

-- name: rooms_of_entity
SELECT room FROM participants WHERE entity = ?
