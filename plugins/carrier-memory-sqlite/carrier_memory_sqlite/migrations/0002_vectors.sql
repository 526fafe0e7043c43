-- What tells embedders apart: name and dimension.
CREATE TABLE embedders (embedder INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- What memories mean to an embedder: the signs of the numbers as bits, and the numbers as float32, of length 1. Both are
-- empty where there is nothing to embed. `number` only grows, so what is new on a shelf is what has a greater one.
CREATE TABLE vectors (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    row INTEGER NOT NULL,
    embedder INTEGER NOT NULL,
    shelf INTEGER NOT NULL,
    bits BLOB NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (row, embedder)
);
-- Has all that a search reads, so that it leaves the numbers alone.
CREATE INDEX vectors_shelf ON vectors (embedder, shelf, number, row, bits);
