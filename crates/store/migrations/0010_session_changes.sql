-- What a session changed, per repository in its order. The newest attempt to publish counts.
CREATE TABLE session_changes (
    session    TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    repository BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    PRIMARY KEY (session, repository)
);

-- What a list of sessions is searched for, in lower case: written by the program, which knows more of it than `lower`.
ALTER TABLE sessions ADD COLUMN words TEXT NOT NULL DEFAULT '';
UPDATE sessions SET words = lower(substr(details, 1, 600));

-- Each also answers for the other filters, so that a list in which few pass reads the index and not the records.
DROP INDEX sessions_of_owner;
DROP INDEX sessions_of_project;
CREATE INDEX sessions_of_owner ON sessions (owner, id, project, phase);
CREATE INDEX sessions_of_project ON sessions (project, id, phase, owner);
CREATE INDEX sessions_of_phase ON sessions (phase, id, project, owner);
