-- What happened, in a chain of hashes: each entry's covers all of it and the hash before. What refuses changes is in
-- 0007_audit_sqlite.sql and 0007_audit_postgres.sql: triggers are the one thing that the two databases write differently.
CREATE TABLE audit (
    seq          BIGINT NOT NULL PRIMARY KEY,
    at           BIGINT NOT NULL,
    actor        TEXT,
    on_behalf_of TEXT,
    action       TEXT   NOT NULL,
    object_kind  TEXT,
    object_id    TEXT,
    project      TEXT,
    session      TEXT,
    client       TEXT,
    outcome      TEXT   NOT NULL CHECK (outcome IN ('allowed', 'refused', 'failed')),
    code         TEXT,
    detail       TEXT   NOT NULL,
    previous     TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    CHECK ((object_kind IS NULL) = (object_id IS NULL))
);
CREATE INDEX audit_of_actor ON audit (actor, seq) WHERE actor IS NOT NULL;
CREATE INDEX audit_on_behalf_of ON audit (on_behalf_of, seq) WHERE on_behalf_of IS NOT NULL;
CREATE INDEX audit_of_project ON audit (project, seq) WHERE project IS NOT NULL;
CREATE INDEX audit_of_session ON audit (session, seq) WHERE session IS NOT NULL;
CREATE INDEX audit_of_object ON audit (object_id, seq) WHERE object_id IS NOT NULL;

-- One row. `seq` and `hash` are the last entry's, `anchor_seq` and `anchor_hash` those of the last one that was forgotten.
CREATE TABLE audit_head (
    id          BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq         BIGINT NOT NULL,
    hash        TEXT   NOT NULL,
    anchor_seq  BIGINT NOT NULL,
    anchor_hash TEXT   NOT NULL,
    CHECK (anchor_seq <= seq)
);
INSERT INTO audit_head (id, seq, hash, anchor_seq, anchor_hash) VALUES (
    1,
    0, '0000000000000000000000000000000000000000000000000000000000000000',
    0, '0000000000000000000000000000000000000000000000000000000000000000'
);
