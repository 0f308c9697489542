CREATE INDEX integrations_of_owner ON integrations (owner, id) WHERE removing = 0;
CREATE INDEX integrations_of_project ON integrations (project, id) WHERE removing = 0 AND scope = 'project';
