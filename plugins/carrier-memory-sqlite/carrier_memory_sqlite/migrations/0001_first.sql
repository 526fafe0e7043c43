-- Every (agent, room) pair that work was done in: the last sequence number given out, and who works on it.
CREATE TABLE places (
    place INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '',
    UNIQUE (agent, room)
);

-- `row` is place << 32 | seq, so that the rows of a room lie side by side.
CREATE TABLE inbound (
    row INTEGER PRIMARY KEY,
    payload BLOB NOT NULL,
    turn TEXT,
    discarded TEXT
);
CREATE INDEX inbound_waiting ON inbound (row) WHERE turn IS NULL AND discarded IS NULL;

-- The ledger of platform events: never partitioned, never thinned out with the rows themselves.
CREATE TABLE dedupe (
    agent TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (agent, key)
) WITHOUT ROWID;

CREATE TABLE turns (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL,
    started REAL NOT NULL,
    status TEXT NOT NULL,
    open INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX turns_place ON turns (place);
CREATE INDEX turns_open ON turns (number) WHERE open;

CREATE TABLE parts (
    digest TEXT NOT NULL UNIQUE,
    part BLOB NOT NULL
);

CREATE TABLE outbox (
    key TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL,
    turn TEXT NOT NULL,
    number INTEGER NOT NULL,
    payload BLOB NOT NULL,
    native TEXT,
    sent_at REAL
);
CREATE INDEX outbox_waiting ON outbox (place) WHERE sent_at IS NULL;

CREATE TABLE entities (
    id TEXT PRIMARY KEY,
    platform TEXT NOT NULL,
    realm TEXT NOT NULL,
    native TEXT NOT NULL,
    name TEXT NOT NULL,
    username TEXT NOT NULL,
    bot INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE worlds (
    id TEXT PRIMARY KEY,
    platform TEXT NOT NULL,
    realm TEXT NOT NULL,
    native TEXT NOT NULL,
    name TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE rooms (
    id TEXT PRIMARY KEY,
    platform TEXT NOT NULL,
    realm TEXT NOT NULL,
    native TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    world TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE participants (
    room TEXT NOT NULL,
    entity TEXT NOT NULL,
    PRIMARY KEY (room, entity)
) WITHOUT ROWID;
CREATE INDEX participants_entity ON participants (entity, room);

-- The agents that take part in a room.
CREATE TABLE residents (
    agent TEXT NOT NULL,
    room TEXT NOT NULL,
    PRIMARY KEY (agent, room)
) WITHOUT ROWID;

-- A shelf holds memories of one agent that all have the same audience; messages have shelves of their own, by room.
CREATE TABLE shelves (
    shelf INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    room TEXT NOT NULL,
    messages INTEGER NOT NULL,
    audience BLOB NOT NULL,
    UNIQUE (agent, room, messages, audience)
);

-- Under which words a reader finds the shelves that he may know: a room's id, a person's id, or nothing for everyone.
CREATE TABLE shelf_keys (
    agent TEXT NOT NULL,
    key TEXT NOT NULL,
    messages INTEGER NOT NULL,
    shelf INTEGER NOT NULL,
    PRIMARY KEY (agent, key, messages, shelf)
) WITHOUT ROWID;

-- `row` is shelf, place on the shelf and traits in one number (see carrier_core.recall): a scope is a range of rows, here and in the
-- index. `number` is the order in which memories came, and `numbers` has the last
-- one given out, and the version of words that the index was made with.
CREATE TABLE memories (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,
    entity TEXT NOT NULL,
    at REAL NOT NULL,
    number INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE numbers (last INTEGER NOT NULL, words INTEGER NOT NULL);
INSERT INTO numbers (last, words) VALUES (0, 0);
CREATE INDEX memories_place ON memories (place, kind, at, number);

-- Memories whose words are not in the index yet: it takes many at once for much less than one by one.
CREATE TABLE unindexed (row INTEGER PRIMARY KEY);

-- Contentless: what is indexed is the text as carrier_core.recall prepares it. Positions are not kept, since no phrase is searched.
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = '', contentless_delete = 1, detail = none,
    tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
INSERT INTO words (words, rank) VALUES ('automerge', 2);
