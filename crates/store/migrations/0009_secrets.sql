-- What sessions are given besides their providers' tokens: a person's own, or a project's. Upper and lower case differ in names.
CREATE TABLE secrets (
    id          TEXT   NOT NULL PRIMARY KEY,
    person      TEXT   REFERENCES users (id) ON DELETE CASCADE,
    project     TEXT   REFERENCES projects (name) ON DELETE CASCADE,
    name        TEXT   NOT NULL,
    description TEXT   NOT NULL,
    created_by  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    generation  BIGINT NOT NULL,
    sealed      BLOB   NOT NULL,
    CHECK ((person IS NULL) <> (project IS NULL)),
    UNIQUE (person, name),
    UNIQUE (project, name)
);
