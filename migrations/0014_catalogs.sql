-- Which catalog was taken over when: by what a meter's rate was that plain usage was priced with,
-- whose row keeps no hash. Written when a daemon starts with a catalog or takes one over, never by a
-- batch.
CREATE TABLE catalog_taken (
    taken_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    hash     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (taken_at, hash)
);
