-- Valid in SQLite and PostgreSQL but for the one word BLOB, which becomes BYTEA there. Never edit a released migration: add one.
-- Times are milliseconds since 1970, flags are 0 or 1, ids are UUIDs of version 7 as text, JSON is text.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE projects (
    name TEXT NOT NULL PRIMARY KEY
);
INSERT INTO projects (name) VALUES ('default');

CREATE TABLE integrations (
    id              TEXT   NOT NULL PRIMARY KEY,
    provider        TEXT   NOT NULL,
    owner           TEXT   NOT NULL,
    scope           TEXT   NOT NULL CHECK (scope IN ('user', 'user_global', 'project')),
    project         TEXT   REFERENCES projects (name),
    alias           TEXT   NOT NULL,
    alias_folded    TEXT   NOT NULL,
    instance_url    TEXT   NOT NULL,
    account         TEXT   NOT NULL,
    auth_method     TEXT   NOT NULL,
    granted_scopes  TEXT   NOT NULL,
    expires_at      BIGINT,
    outcome         TEXT   NOT NULL,
    unreachable     TEXT,
    is_default      BIGINT NOT NULL CHECK (is_default IN (0, 1)),
    removing        BIGINT NOT NULL CHECK (removing IN (0, 1)),
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    last_checked_at BIGINT NOT NULL,
    last_used_at    BIGINT,
    generation      BIGINT NOT NULL,
    sealed          BLOB   NOT NULL,
    CHECK ((project IS NULL) = (scope = 'user_global'))
);
CREATE UNIQUE INDEX integrations_alias
    ON integrations (owner, scope, coalesce(project, ''), alias_folded) WHERE removing = 0;
CREATE UNIQUE INDEX integrations_default
    ON integrations (owner, scope, coalesce(project, ''), provider) WHERE removing = 0 AND is_default = 1;
CREATE INDEX integrations_removing ON integrations (id) WHERE removing = 1;

CREATE TABLE sessions (
    id             TEXT   NOT NULL PRIMARY KEY,
    project        TEXT   NOT NULL REFERENCES projects (name),
    owner          TEXT   NOT NULL,
    engine         TEXT   NOT NULL,
    phase          TEXT   NOT NULL,
    finished       BIGINT NOT NULL,
    stop_requested BIGINT NOT NULL DEFAULT 0 CHECK (stop_requested IN (0, 1)),
    created_at     BIGINT NOT NULL,
    last_seq       BIGINT NOT NULL DEFAULT 0,
    details        TEXT   NOT NULL,
    CHECK (finished = CASE WHEN phase IN ('Completed', 'Failed', 'Stopped') THEN 1 ELSE 0 END)
);
CREATE INDEX sessions_of_owner ON sessions (owner, id);
CREATE INDEX sessions_unfinished ON sessions (engine, id) WHERE finished = 0;

CREATE TABLE events (
    session TEXT   NOT NULL REFERENCES sessions (id),
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (session, seq)
);

-- A grant exists as long as it holds. What it names is in `body`; `grant_integrations` is the same list for queries.
CREATE TABLE grants (
    id         TEXT   NOT NULL PRIMARY KEY,
    session    TEXT   NOT NULL UNIQUE REFERENCES sessions (id),
    lease_hash TEXT   NOT NULL UNIQUE,
    ends_at    BIGINT NOT NULL,
    body       TEXT   NOT NULL
);
CREATE TABLE grant_integrations (
    integration TEXT NOT NULL REFERENCES integrations (id),
    grant_id    TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    PRIMARY KEY (integration, grant_id)
);
CREATE INDEX grant_integrations_of_grant ON grant_integrations (grant_id);

CREATE TABLE tokens (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    hash         TEXT   NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX tokens_of_owner ON tokens (owner, id);

CREATE TABLE sign_in_links (
    hash       TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sign_in_links_expiry ON sign_in_links (expires_at);

CREATE TABLE web_sessions (
    hash       TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX web_sessions_expiry ON web_sessions (expires_at);
