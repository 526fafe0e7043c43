-- Text is compared by its bytes (COLLATE "C"): keys sort the same way in every database, and a beginning is a range.

-- `generation` goes up when something is removed beside the course of turns: what is kept in mind of it is void.
CREATE TABLE store (generation bigint NOT NULL);
INSERT INTO store (generation) VALUES (1);

-- Who works on rooms, and how long nobody else may.
CREATE TABLE owners (
    owner text COLLATE "C" PRIMARY KEY,
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The number of the last batch that each writer has committed: it tells what became of one whose answer was lost.
CREATE TABLE writers (
    writer text COLLATE "C" PRIMARY KEY,
    batch bigint NOT NULL,
    began timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Numbers for what has an order: a writer takes a block of them at a time.
CREATE SEQUENCE numbers INCREMENT BY 1000 MINVALUE 1000;

-- Every (agent, room) pair that work was done in: the last sequence number given out, and who works on it.
CREATE TABLE places (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent text COLLATE "C" NOT NULL,
    room text COLLATE "C" NOT NULL,
    seq bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    heard bigint NOT NULL DEFAULT 0, -- goes up with every change of what was said there
    UNIQUE (agent, room)
) WITH (fillfactor = 70);

CREATE TABLE inbound (
    place bigint NOT NULL,
    seq bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    payload bytea NOT NULL,
    turn text COLLATE "C",
    discarded text,
    PRIMARY KEY (place, seq)
);
CREATE INDEX inbound_waiting ON inbound (place, seq) WHERE turn IS NULL AND discarded IS NULL;

-- The ledger of platform events: never partitioned, never thinned out with the rows themselves.
CREATE TABLE ledger (
    agent text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (agent, key)
);

-- A turn is running, parked, completed (its reply is being delivered) or finished. `activations` counts how often it was
-- begun since a step was last recorded. One that is parked waits for `step`.
CREATE TABLE turns (
    id text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL,
    place bigint NOT NULL,
    state text NOT NULL,
    status text NOT NULL,
    activations integer NOT NULL,
    started double precision NOT NULL,
    record bytea NOT NULL,
    step text,
    until double precision,
    reason text
) WITH (fillfactor = 85);
CREATE INDEX turns_number ON turns (number);
CREATE INDEX turns_place ON turns (place, number);
CREATE INDEX turns_open ON turns (place) WHERE state IN ('running', 'completed');
CREATE INDEX turns_parked ON turns (until) WHERE state = 'parked';

-- What turns have done that are not finished; a finished turn has its steps in its record.
CREATE TABLE steps (
    turn text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    record bytea NOT NULL,
    PRIMARY KEY (turn, name)
);

-- Effects that were begun: they go when their step is recorded, unless nobody knows whether they happened.
CREATE TABLE intents (
    key text COLLATE "C" PRIMARY KEY,
    turn text COLLATE "C" NOT NULL,
    agent text COLLATE "C" NOT NULL,
    room text COLLATE "C" NOT NULL,
    step text COLLATE "C" NOT NULL,
    at double precision NOT NULL,
    deadline double precision NOT NULL,
    what text NOT NULL,
    in_doubt boolean NOT NULL
);
CREATE INDEX intents_turn ON intents (turn);
CREATE INDEX intents_doubt ON intents (at) WHERE in_doubt;

CREATE TABLE parts (
    digest text COLLATE "C" PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    part bytea NOT NULL
);

-- Parts that turns named which are gone: removed, unless another turn is found that names them too.
CREATE TABLE orphans (digest text COLLATE "C" PRIMARY KEY);

CREATE TABLE outbox (
    key text COLLATE "C" PRIMARY KEY,
    post bigint GENERATED ALWAYS AS IDENTITY,
    place bigint NOT NULL,
    turn text COLLATE "C" NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    due double precision NOT NULL,
    deadline double precision NOT NULL,
    at double precision NOT NULL,
    native text NOT NULL,
    error text NOT NULL,
    payload bytea NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX outbox_turn ON outbox (turn);
CREATE INDEX outbox_unsettled ON outbox (place) WHERE state IN ('waiting', 'sending');
CREATE INDEX outbox_stuck ON outbox (post) WHERE state <> 'sent';

CREATE TABLE schedules (
    id text COLLATE "C" PRIMARY KEY,
    agent text COLLATE "C" NOT NULL,
    next_at double precision NOT NULL,
    payload bytea NOT NULL
);
CREATE INDEX schedules_next ON schedules (next_at, id);

CREATE TABLE entities (
    id text COLLATE "C" PRIMARY KEY,
    platform text COLLATE "C" NOT NULL,
    realm text NOT NULL,
    native text NOT NULL,
    name text COLLATE "C" NOT NULL,
    username text NOT NULL,
    bot boolean NOT NULL
);

CREATE TABLE worlds (
    id text COLLATE "C" PRIMARY KEY,
    platform text COLLATE "C" NOT NULL,
    realm text NOT NULL,
    native text NOT NULL,
    name text COLLATE "C" NOT NULL
);

CREATE TABLE rooms (
    id text COLLATE "C" PRIMARY KEY,
    platform text COLLATE "C" NOT NULL,
    realm text NOT NULL,
    native text NOT NULL,
    kind text NOT NULL,
    name text COLLATE "C" NOT NULL,
    world text COLLATE "C" NOT NULL
);

CREATE TABLE participants (
    room text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    PRIMARY KEY (room, entity)
);
CREATE INDEX participants_entity ON participants (entity, room);

-- The agents that take part in a room.
CREATE TABLE residents (
    agent text COLLATE "C" NOT NULL,
    room text COLLATE "C" NOT NULL,
    PRIMARY KEY (agent, room)
);

-- A shelf holds memories of one agent that all have the same audience; messages have shelves of their own, by room.
-- `digest` stands for the audience, which may be longer than an index takes; `last` is the last place given out on it.
CREATE TABLE shelves (
    shelf bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent text COLLATE "C" NOT NULL,
    room text COLLATE "C" NOT NULL,
    messages boolean NOT NULL,
    digest bytea NOT NULL,
    audience bytea NOT NULL,
    last bigint NOT NULL DEFAULT 0,
    UNIQUE (agent, room, messages, digest)
) WITH (fillfactor = 70);

-- Under which words a reader finds the shelves that he may know: a room's id, a person's id, or nothing for everyone.
CREATE TABLE shelf_keys (
    agent text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    messages boolean NOT NULL,
    shelf bigint NOT NULL,
    PRIMARY KEY (agent, key, messages, shelf)
);

-- Memories, by agent and month. (Words that wait in the index's list of pending ones would be looked through by every
-- search, so they do not wait.) `row` is shelf, place on the shelf and traits in one number, `words` are the text
-- as it is searched (both: carrier_core.recall), and the shelf as one more word: so a search within a scope touches nothing else.
CREATE TABLE memories (
    row bigint NOT NULL,
    at double precision NOT NULL,
    number bigint NOT NULL,
    place bigint NOT NULL,
    agent text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    words tsvector NOT NULL
) PARTITION BY LIST (agent);
CREATE INDEX memories_row ON memories (row);
CREATE INDEX memories_place ON memories (place, kind, at, number);
CREATE INDEX memories_age ON memories (kind, at);
CREATE INDEX memories_words ON memories USING gin (words) WITH (fastupdate = off);

-- Where a memory is, by its id: the partitions cannot tell that an id is there once.
CREATE TABLE remembered (
    id text COLLATE "C" PRIMARY KEY,
    row bigint NOT NULL,
    number bigint NOT NULL,
    at double precision NOT NULL,
    agent text COLLATE "C" NOT NULL
);
CREATE INDEX remembered_number ON remembered (number);

-- The partitions of `memories` that hold rows: what was said to an agent from one time to another, and (no bounds) all
-- else. One that is detached is about to be dropped.
CREATE TABLE partitions (
    name text COLLATE "C" PRIMARY KEY,
    agent text COLLATE "C" NOT NULL,
    since double precision,
    until double precision,
    detached boolean NOT NULL DEFAULT false
);
CREATE SEQUENCE partition_numbers;

-- What tells embedders apart: name and dimension. Each has a table `vectors_N` of its own.
CREATE TABLE embedders (
    embedder integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    dimension integer NOT NULL,
    indexed boolean NOT NULL DEFAULT false
);
