-- Counters of what was spent on models. `scope` is a row of words, each ended by U+001F, so that those of one beginning lie
-- side by side; `used` and `held` are JSON objects of numbers, without those that are 0.
CREATE TABLE spent (
    scope TEXT NOT NULL,
    window TEXT NOT NULL,
    until REAL NOT NULL,
    used TEXT NOT NULL,
    held TEXT NOT NULL,
    PRIMARY KEY (scope, window)
) WITHOUT ROWID;
CREATE INDEX spent_until ON spent (until) WHERE until > 0;

-- Calls that were begun and of which nobody has said what they used: what `held` of the counters is made of.
CREATE TABLE holds (key TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;
