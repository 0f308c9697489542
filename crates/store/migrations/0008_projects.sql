-- The repositories of projects, each with what the account that was asked last may do with it. Whose integration that was is
-- for its owner's eyes only; `refusal` is the word for why the provider showed nothing.
CREATE TABLE project_repositories (
    project        TEXT   NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    url            TEXT   NOT NULL,
    provider       TEXT   NOT NULL,
    integration    TEXT   REFERENCES integrations (id) ON DELETE SET NULL,
    default_branch TEXT,
    archived       BIGINT NOT NULL CHECK (archived IN (0, 1)),
    why_not_push   TEXT,
    refusal        TEXT,
    checked_at     BIGINT NOT NULL,
    checked_by     TEXT   NOT NULL,
    added_at       BIGINT NOT NULL,
    added_by       TEXT   NOT NULL,
    PRIMARY KEY (project, url)
);
CREATE INDEX project_repositories_by_integration ON project_repositories (integration);
CREATE INDEX tokens_of_project ON tokens (project);
