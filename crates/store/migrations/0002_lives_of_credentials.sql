-- The application that an administrator registered at a provider: it stands for Valetkey when people connect by OAuth.
CREATE TABLE provider_apps (
    key          TEXT   NOT NULL PRIMARY KEY,
    provider     TEXT   NOT NULL,
    instance_url TEXT   NOT NULL,
    client_id    TEXT   NOT NULL,
    origin       TEXT   NOT NULL CHECK (origin IN ('settings', 'ui')),
    details      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    generation   BIGINT NOT NULL,
    sealed       BLOB   NOT NULL,
    UNIQUE (provider, instance_url)
);

-- An authorization that a person was sent to give. Used ones stay until they expire, to be told from unknown ones.
CREATE TABLE oauth_attempts (
    id            TEXT   NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL CHECK (kind IN ('web', 'device')),
    state_hash    TEXT   UNIQUE,
    browser_hash  TEXT   NOT NULL,
    owner         TEXT   NOT NULL,
    provider      TEXT   NOT NULL,
    instance_url  TEXT   NOT NULL,
    body          TEXT   NOT NULL,
    sealed        BLOB   NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    poll_after    BIGINT,
    poll_interval BIGINT,
    used          BIGINT NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    outcome       TEXT,
    CHECK ((state_hash IS NOT NULL) = (kind = 'web')),
    CHECK ((poll_after IS NOT NULL) = (kind = 'device')),
    CHECK ((poll_interval IS NOT NULL) = (kind = 'device'))
);
CREATE INDEX oauth_attempts_expiry ON oauth_attempts (expires_at);

-- Who refreshes an integration's credential. Gone when the refresh is complete; `ended` stays until somebody reconnects.
-- `unanswered_since`: a request was sent then, and nobody stored its answer.
CREATE TABLE refresh_leases (
    integration      TEXT   NOT NULL PRIMARY KEY REFERENCES integrations (id) ON DELETE CASCADE,
    generation       BIGINT NOT NULL,
    holder           TEXT   NOT NULL,
    phase            TEXT   NOT NULL CHECK (phase IN ('held', 'sent', 'ended')),
    started_at       BIGINT NOT NULL,
    until            BIGINT NOT NULL,
    unanswered_since BIGINT,
    outcome          TEXT,
    CHECK ((outcome IS NOT NULL) = (phase = 'ended'))
);

ALTER TABLE integrations ADD COLUMN details TEXT;
ALTER TABLE integrations ADD COLUMN refresh_expires_at BIGINT;
ALTER TABLE integrations ADD COLUMN next_check_at BIGINT;
ALTER TABLE integrations ADD COLUMN expiring_noted_at BIGINT;
UPDATE integrations SET next_check_at = last_checked_at;
CREATE INDEX integrations_due ON integrations (next_check_at) WHERE removing = 0;

-- What happened to integrations. It outlives them.
CREATE TABLE integration_events (
    id          TEXT   NOT NULL PRIMARY KEY,
    integration TEXT   NOT NULL,
    owner       TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    body        TEXT   NOT NULL
);
CREATE INDEX integration_events_of_owner ON integration_events (owner, id);
CREATE INDEX integration_events_of_integration ON integration_events (integration, id);
CREATE INDEX integration_events_age ON integration_events (at);
