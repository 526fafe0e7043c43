-- Inbound rows in the order in which they came, by a number of their own: an archive has them in this order. Those that
-- a turn has beside the ones that its record names are marked, so that they go with it.
CREATE TABLE queued (
    number INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL,
    turn TEXT,
    discarded TEXT,
    beside INTEGER NOT NULL DEFAULT 0,
    UNIQUE (place, seq)
);
INSERT INTO queued (place, seq, payload, turn, discarded)
SELECT row >> 32, row & 4294967295, payload, turn, discarded FROM inbound ORDER BY row;
DROP TABLE inbound;
ALTER TABLE queued RENAME TO inbound;
CREATE INDEX inbound_waiting ON inbound (place, seq) WHERE turn IS NULL AND discarded IS NULL;
CREATE INDEX inbound_beside ON inbound (turn) WHERE beside;

-- Parts by a number that stays: `traces` names them by it, which takes a quarter of the space of a digest.
CREATE TABLE shown (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    part BLOB NOT NULL
);
INSERT INTO shown (number, digest, part) SELECT rowid, digest, part FROM parts;
DROP TABLE parts;
ALTER TABLE shown RENAME TO parts;

-- A turn is running, parked, completed (its reply is being delivered) or finished. What the release before called ended
-- is finished, unless it stopped between the end of a turn and the delivery of its reply. `activations` counts how often
-- it was begun since a step was last recorded.
CREATE TABLE begun (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL,
    state TEXT NOT NULL,
    status TEXT NOT NULL,
    activations INTEGER NOT NULL DEFAULT 1,
    started REAL NOT NULL,
    trace INTEGER
);
-- The record of a turn while it changes, and that of a finished one: rows that grow and shrink would leave every page of
-- the others half empty.
CREATE TABLE drafts (turn INTEGER PRIMARY KEY, record BLOB NOT NULL);
-- `parts` are the numbers of the parts that the record names, `memories` the ids of the memories (see traces.py); null
-- where the record itself has them.
CREATE TABLE traces (trace INTEGER PRIMARY KEY, parts BLOB, memories BLOB, record BLOB NOT NULL);

INSERT INTO begun (number, id, place, state, status, started)
SELECT
    number, id, place,
    CASE
        WHEN open THEN 'running'
        WHEN EXISTS (SELECT 1 FROM outbox WHERE outbox.turn = turns.id AND sent_at IS NULL)
            AND json_extract(CAST(record AS TEXT), '$.data.ran') IS NULL THEN 'completed'
        ELSE 'finished'
    END,
    status, started
FROM turns;
INSERT INTO drafts (turn, record)
SELECT number, turns.record FROM turns JOIN begun USING (number) WHERE state <> 'finished';
INSERT INTO traces (trace, record)
SELECT number, turns.record FROM turns JOIN begun USING (number) WHERE state = 'finished';
UPDATE begun SET trace = number WHERE state = 'finished';
DROP TABLE turns;
ALTER TABLE begun RENAME TO turns;
CREATE INDEX turns_place ON turns (place);
CREATE INDEX turns_open ON turns (place) WHERE state IN ('running', 'completed');
CREATE INDEX turns_age ON turns (started, place);

-- What turns have done that are not finished; a finished turn has its steps in its record. `step` is their order.
CREATE TABLE steps (
    step INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL,
    name TEXT NOT NULL,
    record BLOB NOT NULL,
    UNIQUE (turn, name)
);

-- Turns that wait for somebody.
CREATE TABLE parkings (
    turn INTEGER PRIMARY KEY,
    step TEXT NOT NULL,
    until REAL NOT NULL,
    reason TEXT NOT NULL
);

-- Effects that were begun: they go when their step is recorded, unless nobody knows whether they happened.
CREATE TABLE intents (
    key TEXT PRIMARY KEY,
    turn TEXT NOT NULL,
    agent TEXT NOT NULL,
    room TEXT NOT NULL,
    step TEXT NOT NULL,
    at REAL NOT NULL,
    deadline REAL NOT NULL,
    what TEXT NOT NULL,
    in_doubt INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX intents_turn ON intents (turn);
CREATE INDEX intents_doubt ON intents (at) WHERE in_doubt;

-- `post` is the order in which replies were put here. Of one that the release before did not deliver, and whose turn it
-- did not finish, nobody knows how far it got; where the turn was finished, its delivery had failed for good.
CREATE TABLE posts (
    post INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL,
    turn TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due REAL NOT NULL,
    deadline REAL NOT NULL,
    at REAL NOT NULL,
    native TEXT NOT NULL,
    error TEXT NOT NULL,
    payload BLOB NOT NULL
);
INSERT INTO posts (post, key, place, turn, state, attempts, due, deadline, at, native, error, payload)
SELECT
    outbox.rowid, key, outbox.place, turn,
    CASE
        WHEN sent_at IS NOT NULL THEN 'sent'
        WHEN turns.state = 'finished' THEN 'dead'
        WHEN turns.state IS NULL THEN 'dead'
        ELSE 'sending'
    END,
    1, 0.0, 0.0, ifnull(sent_at, 0.0), ifnull(native, ''), '', payload
FROM outbox LEFT JOIN turns ON turns.id = outbox.turn;
DROP TABLE outbox;
ALTER TABLE posts RENAME TO outbox;
CREATE INDEX outbox_turn ON outbox (turn);
CREATE INDEX outbox_unsent ON outbox (state, place) WHERE state <> 'sent';

CREATE TABLE schedules (
    id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    next_at REAL NOT NULL,
    payload BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX schedules_next ON schedules (next_at);

-- Parts that turns named which are gone: they go too, unless another turn names them.
CREATE TABLE orphans (part INTEGER PRIMARY KEY);
