-- Counters of what was spent on models. `scope` is a row of words, each ended by U+001F, so that those of one beginning lie
-- side by side; `used` and `held` are objects of numbers, without those that are 0. Some are written at every call.
CREATE TABLE spent (
    scope text COLLATE "C" NOT NULL,
    "window" text COLLATE "C" NOT NULL,
    until double precision NOT NULL DEFAULT 0,
    used jsonb NOT NULL DEFAULT '{}',
    held jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (scope, "window")
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX spent_until ON spent (until) WHERE until > 0;

-- Calls that were begun and of which nobody has said what they used: what `held` of the counters is made of.
CREATE TABLE holds (
    key text COLLATE "C" PRIMARY KEY,
    payload bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
