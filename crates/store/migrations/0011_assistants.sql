-- Named agent set-ups. `tools` has a slot per provider; what it pins is also in a table of its own, to be found from there.
CREATE TABLE assistants (
    id           TEXT   NOT NULL PRIMARY KEY,
    project      TEXT   NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    owner        TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    name_folded  TEXT   NOT NULL,
    description  TEXT   NOT NULL,
    instructions TEXT   NOT NULL,
    agent        TEXT,
    tools        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    UNIQUE (project, name_folded)
);
CREATE INDEX assistants_of_project ON assistants (project, id);

-- A pin outlives its integration: the assistant says then that it is missing.
CREATE TABLE assistant_pins (
    assistant   TEXT NOT NULL REFERENCES assistants (id) ON DELETE CASCADE,
    integration TEXT NOT NULL,
    PRIMARY KEY (assistant, integration)
);
CREATE INDEX assistant_pins_of ON assistant_pins (integration);
