-- People. Whoever signed in by an identity provider is known by its issuer and their subject there; `admin` is built in.
CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    issuer        TEXT,
    subject       TEXT,
    name          TEXT   NOT NULL,
    email         TEXT,
    administrator BIGINT NOT NULL CHECK (administrator IN (0, 1)),
    disabled      BIGINT NOT NULL CHECK (disabled IN (0, 1)),
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT,
    CHECK ((issuer IS NULL) = (subject IS NULL)),
    UNIQUE (issuer, subject)
);
INSERT INTO users (id, name, administrator, disabled, created_at) VALUES ('admin', 'Administrator', 1, 0, 0);

-- What the identity provider said at the last sign-in.
CREATE TABLE user_groups (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
);

ALTER TABLE projects ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN settings TEXT;
ALTER TABLE projects ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;

-- Who is in a project: a person, whoever has an e-mail address that their identity provider verified, or a group there.
CREATE TABLE project_members (
    project  TEXT   NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    kind     TEXT   NOT NULL CHECK (kind IN ('person', 'email', 'group')),
    subject  TEXT   NOT NULL,
    role     TEXT   NOT NULL CHECK (role IN ('viewer', 'member', 'admin')),
    added_at BIGINT NOT NULL,
    PRIMARY KEY (project, kind, subject)
);
CREATE INDEX project_members_of ON project_members (kind, subject);

ALTER TABLE tokens ADD COLUMN project TEXT REFERENCES projects (name) ON DELETE CASCADE;
ALTER TABLE tokens ADD COLUMN read_only BIGINT NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1));

-- What a project has is named once in it, whoever connected it.
DROP INDEX integrations_alias;
DROP INDEX integrations_default;
CREATE UNIQUE INDEX integrations_alias
    ON integrations ((CASE scope WHEN 'project' THEN '' ELSE owner END), scope, coalesce(project, ''), alias_folded)
    WHERE removing = 0;
CREATE UNIQUE INDEX integrations_default
    ON integrations ((CASE scope WHEN 'project' THEN '' ELSE owner END), scope, coalesce(project, ''), provider)
    WHERE removing = 0 AND is_default = 1;
CREATE INDEX sessions_of_project ON sessions (project, id);

-- Set where a project owns the integration: then its members may know.
ALTER TABLE integration_events ADD COLUMN project TEXT;
CREATE INDEX integration_events_of_project ON integration_events (project, id) WHERE project IS NOT NULL;
