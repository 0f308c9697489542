-- Who is told of what happens in a project. `previous_until`: for so long the secret before the last rotation signs too.
CREATE TABLE webhooks (
    id              TEXT   NOT NULL PRIMARY KEY,
    project         TEXT   NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    url             TEXT   NOT NULL,
    description     TEXT   NOT NULL,
    events          TEXT   NOT NULL,
    enabled         BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason TEXT,
    previous_until  BIGINT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    generation      BIGINT NOT NULL,
    sealed          BLOB   NOT NULL
);
CREATE INDEX webhooks_of_project ON webhooks (project, id);

-- Notifications: those still to be sent, and what became of the others. `leased_until`: until then somebody is sending it.
CREATE TABLE webhook_deliveries (
    id              TEXT   NOT NULL PRIMARY KEY,
    webhook         TEXT   NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event           TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    leased_until    BIGINT,
    last_status     BIGINT,
    last_error      TEXT,
    duration        BIGINT,
    created_at      BIGINT NOT NULL,
    finished_at     BIGINT,
    CHECK ((finished_at IS NULL) = (state = 'pending'))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_of_webhook ON webhook_deliveries (webhook, id);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (finished_at);
