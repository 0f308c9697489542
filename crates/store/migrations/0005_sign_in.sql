-- Two ways to be an administrator: by hand (`administrator`), and by what the identity provider said at the last sign-in.
ALTER TABLE users ADD COLUMN claimed_administrator BIGINT NOT NULL DEFAULT 0 CHECK (claimed_administrator IN (0, 1));
-- Name and e-mail address in small letters, to search in.
ALTER TABLE users ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE users SET folded = lower(name);

-- When a browser session began, and by what; not known of those from before.
ALTER TABLE web_sessions ADD COLUMN begun_at BIGINT;
ALTER TABLE web_sessions ADD COLUMN way TEXT CHECK (way IN ('link', 'token', 'identity_provider'));
CREATE INDEX web_sessions_of_owner ON web_sessions (owner, expires_at);
