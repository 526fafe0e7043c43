-- A daemon of the release before may be at work: it waits, so that every statement here sees the same rows. Its transactions
-- begin with its row of `writers`: one that has come further holds up this one, and never waits for it.
LOCK TABLE writers, turns, inbound, steps, outbox, parts IN ACCESS EXCLUSIVE MODE;

-- Turns that have not finished: small rows that change in place (no column that changes in every turn is in an index), and go
-- when the turn is finished. A turn is running, parked, completed (its reply is being delivered) or finished. `activations`
-- counts how often it was begun since a step was last recorded. One that is parked waits for `step`.
CREATE TABLE drafts (
    number bigint NOT NULL,
    place bigint NOT NULL,
    started double precision NOT NULL,
    until double precision,
    activations integer NOT NULL,
    id text COLLATE "C" PRIMARY KEY,
    state text NOT NULL,
    status text NOT NULL,
    step text,
    reason text,
    record bytea NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO drafts (number, place, started, until, activations, id, state, status, step, reason, record)
SELECT number, place, started, until, activations, id, state, status, step, reason, record FROM turns
WHERE state <> 'finished' ORDER BY number;
-- Partial, so that a plan made while the table was empty cannot take them for looking through all of it.
CREATE INDEX drafts_open ON drafts (place) WHERE until IS NULL;
CREATE INDEX drafts_parked ON drafts (until) WHERE until IS NOT NULL;

-- Turns that have finished: written once, with the whole record (see traces.py). What the release before wrote stays as it is.
CREATE TABLE finished (
    number bigint NOT NULL,
    place bigint NOT NULL,
    started double precision NOT NULL,
    activations integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    record bytea NOT NULL
);
ALTER TABLE finished ALTER COLUMN record SET STORAGE EXTERNAL;
INSERT INTO finished (number, place, started, activations, id, status, record)
SELECT number, place, started, activations, id, status, record FROM turns WHERE state = 'finished' ORDER BY number;
DROP TABLE turns;
ALTER TABLE finished RENAME TO turns;
ALTER TABLE turns ADD PRIMARY KEY (id);
CREATE INDEX turns_number ON turns (number);
CREATE INDEX turns_place ON turns (place, number);

-- All turns, with the transaction that wrote each last.
CREATE VIEW handled AS
SELECT number, place, started, until, activations, id, state, status, step, reason, record, xmin AS version FROM drafts
UNION ALL
SELECT number, place, started, NULL, activations, id, 'finished', status, NULL, NULL, record, xmin FROM turns;

-- Records of turns name parts by their numbers. What is stored deflated is not compressed again.
CREATE UNIQUE INDEX parts_number ON parts (number);
ALTER TABLE parts ALTER COLUMN part SET STORAGE EXTERNAL;
ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Rows that are rewritten once find room where others were, so pages need not be left half empty for them; and that room is
-- looked for before a fifth of a big table is lost.
ALTER TABLE outbox SET (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE inbound SET (autovacuum_vacuum_scale_factor = 0.05);
