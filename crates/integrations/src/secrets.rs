//! Secrets: values that sessions are given by name, besides their providers' tokens. They come out into sessions only.

use std::collections::{BTreeMap, btree_map::Entry};

use valetkey_model::{
    Actor, Integration, Problem, ProblemCode, ProjectName, Role, SecretId, SecretName, SecretOwner, Session, UserId,
    is_deceptive,
};
use valetkey_redact::{Redactor, is_too_short};
use valetkey_seal::{Identity, Sealed, Secret};
use valetkey_store::{SecretRecord, StoreError, StoredCredential};

use crate::{Integrations, credential::seal_problem};

/// The longest value, in bytes. The system takes 128 KiB in one variable.
const LONGEST_VALUE: usize = 64 * 1024;
/// What one owner keeps at most, in bytes and in number: a session gets a person's and a project's, and the system takes
/// no more than 2 MiB for a process's arguments and environment together.
const MOST_BYTES: u64 = 256 * 1024;
const MOST_SECRETS: u64 = 200;
const LONGEST_DESCRIPTION: usize = 200;

/// What to keep.
#[derive(Debug)]
pub struct NewSecret {
    /// The variable in which the agent finds it.
    pub name: SecretName,
    /// Its value: at most 64 KiB of text, of several lines too.
    pub value: Secret<String>,
    /// What it is for; as before if none.
    pub description: Option<String>,
}

/// What was kept.
#[derive(Debug)]
pub struct SavedSecret {
    /// The secret, without its value.
    pub secret: SecretRecord,
    /// Whether it is too short to be hidden in logs.
    pub too_short: bool,
}

impl SavedSecret {
    /// What the person should know of it.
    pub fn warnings(&self) -> Vec<String> {
        let short = || {
            let name = &self.secret.name;
            format!(
                "{name} has under 8 characters: too short to be hidden. Where an agent prints it, the log shows it."
            )
        };
        self.too_short.then(short).into_iter().collect()
    }
}

/// A secret as a session is given it.
#[derive(Debug)]
pub struct SessionSecret {
    /// Which.
    pub id: SecretId,
    /// The variable.
    pub name: SecretName,
    /// Whose it is.
    pub owner: SecretOwner,
    /// Its value.
    pub value: Secret<String>,
}

/// All secrets that a session is given; no two have one name.
#[derive(Debug, Default)]
pub struct SessionSecrets(Vec<SessionSecret>);

impl SessionSecrets {
    /// Each, by name.
    pub fn iter(&self) -> impl Iterator<Item = &SessionSecret> {
        self.0.iter()
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&SessionSecret> {
        self.0.iter().find(|secret| secret.name.as_str() == name)
    }

    /// The one that the agent gets in place of an integration's token, under all of that token's names that have no
    /// secret of their own.
    pub fn standing_in_for(&self, integration: &Integration) -> Option<&SessionSecret> {
        let mut names = integration.provider.token_variables_at(&integration.instance_url);
        names.find_map(|name| self.named(name))
    }
}

/// What a person typed, pasted or piped: of one line without the line break behind it; of several, as in a key file, with
/// the line breaks of Unix.
pub fn typed_value(text: &str) -> Secret<String> {
    let text = text.replace("\r\n", "\n");
    let line = text.trim_end_matches('\n');
    Secret::from(if line.contains('\n') { text.as_str() } else { line })
}

/// The identity under which a secret's value is sealed.
pub(crate) fn secret_identity(id: &SecretId, generation: i64) -> Identity {
    Identity::new("secret", id.as_str(), generation)
}

impl Integrations {
    /// Keeps a secret, in place of its owner's of the same name if there is one. Sessions that start from now on get it.
    ///
    /// # Errors
    /// As [`SecretOwner::require_set_by`]; `invalid_input` for a value that no variable can have, `conflict` for more than
    /// one owner may keep.
    pub async fn set_secret(&self, by: &Actor, owner: &SecretOwner, new: NewSecret) -> Result<SavedSecret, Problem> {
        owner.require_set_by(by)?;
        self.require_owner(owner).await?;
        check_name(&new.name)?;
        check_description(new.description.as_deref().unwrap_or_default())?;
        let bytes = check_value(&new.value)?;
        let kept = self.store.secrets_kept(owner, &new.name).await?;
        if kept.count >= MOST_SECRETS || kept.bytes + bytes > MOST_BYTES {
            let detail = format!("There is room for {MOST_SECRETS} secrets, and for 256 KiB of values together.");
            return Err(Problem::new(ProblemCode::Conflict, detail).remedy("Delete one that is not needed any more."));
        }
        let (secret, sealed) = loop {
            // Somebody else set it at the same moment: theirs is replaced.
            match self.put_secret(by, owner, &new).await {
                Err(StoreError::Stale(_) | StoreError::Conflict(_)) => {}
                done => break done?,
            }
        };
        self.settle_secret(&secret, &new.value, &sealed).await?;
        tracing::info!(secret = %secret.id, generation = secret.generation, "secret set");
        Ok(SavedSecret { secret, too_short: is_short(&new.value) })
    }

    async fn put_secret(
        &self,
        by: &Actor,
        owner: &SecretOwner,
        new: &NewSecret,
    ) -> Result<(SecretRecord, Sealed), StoreError> {
        let now = self.clock.now();
        let known = self.store.secret(owner, &new.name).await?;
        let is_new = known.is_none();
        let mut secret = known.unwrap_or_else(|| SecretRecord {
            id: SecretId::new(now, &*self.entropy),
            owner: owner.clone(),
            name: new.name.clone(),
            description: String::new(),
            created_by: by.user.clone(),
            created_at: now,
            updated_at: now,
            generation: 0,
        });
        secret.generation += 1;
        secret.updated_at = now;
        if let Some(description) = &new.description {
            description.trim().clone_into(&mut secret.description);
        }
        let sealed = self.sealer.seal(&secret_identity(&secret.id, secret.generation), &new.value);
        if is_new {
            self.store.insert_secret(&secret, sealed.as_bytes()).await?;
        } else {
            self.store.replace_secret(&secret, sealed.as_bytes()).await?;
        }
        Ok((secret, sealed))
    }

    /// Seals what was just stored once more if the master key was rotated in between.
    async fn settle_secret(
        &self,
        secret: &SecretRecord,
        value: &Secret<String>,
        sealed: &Sealed,
    ) -> Result<(), Problem> {
        if self.sealer.is_current(sealed).map_err(|e| seal_problem(&e))? {
            return Ok(());
        }
        let again = self.sealer.seal(&secret_identity(&secret.id, secret.generation), value);
        self.store.rewrap(&secret.id, secret.generation, sealed.as_bytes(), again.as_bytes()).await?;
        Ok(())
    }

    /// Up to `limit` secrets of an owner by name, from the one after `after`; without their values.
    ///
    /// # Errors
    /// As [`SecretOwner::require_seen_by`].
    pub async fn secrets(
        &self,
        by: &Actor,
        owner: &SecretOwner,
        limit: u32,
        after: Option<&SecretName>,
    ) -> Result<Vec<SecretRecord>, Problem> {
        owner.require_seen_by(by)?;
        self.require_owner(owner).await?;
        Ok(self.store.secrets_page(owner, limit, after).await?)
    }

    /// One secret, without its value.
    ///
    /// # Errors
    /// As [`SecretOwner::require_seen_by`]; `not_found`.
    pub async fn secret(&self, by: &Actor, owner: &SecretOwner, name: &SecretName) -> Result<SecretRecord, Problem> {
        owner.require_seen_by(by)?;
        self.store.secret(owner, name).await?.ok_or_else(no_such_secret)
    }

    /// Erases a secret. Sessions that run keep what they were given.
    ///
    /// # Errors
    /// As [`SecretOwner::require_set_by`]; `not_found`.
    pub async fn delete_secret(&self, by: &Actor, owner: &SecretOwner, name: &SecretName) -> Result<(), Problem> {
        owner.require_set_by(by)?;
        if !self.store.delete_secret(owner, name).await? {
            return Err(no_such_secret());
        }
        tracing::info!("secret deleted");
        Ok(())
    }

    /// What a session of this person in this project is given: the project's, if they are a member of it, and their own,
    /// which win where both have a name.
    ///
    /// # Errors
    /// `seal_broken` when one does not open: a session never goes without one silently.
    pub async fn secrets_for_session(&self, person: &UserId, project: &ProjectName) -> Result<SessionSecrets, Problem> {
        let all = self.sealed_for_session(person, project).await?;
        all.into_iter()
            .map(|(secret, stored)| self.open_secret(secret, stored))
            .collect::<Result<_, _>>()
            .map(SessionSecrets)
    }

    /// The same, for a session that begins: each is recorded before it is given.
    ///
    /// # Errors
    /// As [`secrets_for_session`](Self::secrets_for_session); when what is given can't be recorded.
    pub async fn give_secrets(&self, to: &Session) -> Result<SessionSecrets, Problem> {
        let given = self.secrets_for_session(&to.owner, &to.project).await?;
        self.record_secrets(&to.id, given.iter().map(|secret| &secret.id)).await?;
        Ok(given)
    }

    /// What the agent of a session gets now in place of an integration's token.
    pub(crate) async fn standing_in(
        &self,
        session: &Session,
        integration: &Integration,
    ) -> Result<Option<SessionSecret>, Problem> {
        let mut all = self.sealed_for_session(&session.owner, &session.project).await?;
        let mut names = integration.provider.token_variables_at(&integration.instance_url);
        let chosen = names.find_map(|name| all.iter().position(|(secret, _)| secret.name.as_str() == name));
        let Some((secret, stored)) = chosen.map(|at| all.swap_remove(at)) else { return Ok(None) };
        self.open_secret(secret, stored).map(Some)
    }

    async fn sealed_for_session(
        &self,
        person: &UserId,
        project: &ProjectName,
    ) -> Result<Vec<(SecretRecord, StoredCredential)>, Problem> {
        let shared = self.actor(person).await?.is(Role::Member, project).then_some(project);
        let mut chosen = BTreeMap::new();
        for (secret, stored) in self.store.secrets_of_session(person, shared).await? {
            match chosen.entry(secret.name.clone()) {
                Entry::Vacant(free) => drop(free.insert((secret, stored))),
                Entry::Occupied(mut taken) if matches!(secret.owner, SecretOwner::Person(_)) => {
                    taken.insert((secret, stored));
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(chosen.into_values().collect())
    }

    fn open_secret(&self, secret: SecretRecord, stored: StoredCredential) -> Result<SessionSecret, Problem> {
        let SecretRecord { id, owner, name, .. } = secret;
        let sealed = Sealed::from_bytes(stored.sealed);
        let value = self.sealer.open(&secret_identity(&id, stored.generation), &sealed).map_err(|error| {
            tracing::error!(secret = %id, %error, "a stored secret does not open");
            let whose = match &owner {
                SecretOwner::Person(_) => "your own".to_owned(),
                SecretOwner::Project(project) => format!("of the project '{project}'"),
            };
            let detail = format!("The secret {name} ({whose}) can't be given to the session: {error}.");
            Problem { detail, ..seal_problem(&error) }
        })?;
        Ok(SessionSecret { id, name, owner, value })
    }

    /// Whoever administers the instance has a role in every project, also in one that there is not.
    async fn require_owner(&self, owner: &SecretOwner) -> Result<(), Problem> {
        match owner {
            SecretOwner::Project(project) if !self.store.project_exists(project).await? => {
                Err(Actor::no_project(project))
            }
            _ => Ok(()),
        }
    }
}

fn no_such_secret() -> Problem {
    Problem::new(ProblemCode::NotFound, "There is no secret of this name.")
        .remedy("`valetkey secrets list` shows the names.")
}

/// Refuses what can't be the value of a variable; else says how many bytes it has.
#[expect(clippy::disallowed_methods, reason = "a value is looked at before it is sealed")]
fn check_value(value: &Secret<String>) -> Result<u64, Problem> {
    let invalid = |detail: &str| Err(Problem::new(ProblemCode::InvalidInput, detail));
    let value = value.expose();
    if value.is_empty() {
        return invalid("The value is empty. Delete the secret instead, if it is not needed any more.");
    }
    if value.len() > LONGEST_VALUE {
        return invalid("The value is longer than 64 KiB. Keep it where the agent can fetch it, and its key here.");
    }
    if value.contains('\0') {
        return invalid("The value holds a NUL, which no environment variable can. Encode it, say in base64.");
    }
    Ok(value.len() as u64)
}

/// Names are shown. One that has the form of a provider's token was meant to be the value.
fn check_name(name: &SecretName) -> Result<(), Problem> {
    if Redactor::new().redact(name.as_str()) == name.as_str() {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::InvalidInput, "The name looks like a token. Names are shown; values are not.")
        .remedy("Put the token into the value, under a name such as NPM_TOKEN."))
}

fn check_description(text: &str) -> Result<(), Problem> {
    if text.trim().chars().count() > LONGEST_DESCRIPTION || text.trim().chars().any(is_deceptive) {
        let detail = format!("The description must be one line of at most {LONGEST_DESCRIPTION} visible characters.");
        return Err(Problem::new(ProblemCode::InvalidInput, detail));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long a value is decides whether it can be hidden")]
fn is_short(value: &Secret<String>) -> bool {
    is_too_short(value.expose())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look inside")]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_loses_the_line_break_behind_one_line_and_keeps_a_file_s() {
        for (typed, kept) in [
            ("token", "token"),
            ("token\n", "token"),
            ("token\r\n", "token"),
            (" spaces stay ", " spaces stay "),
            ("-----BEGIN-----\r\nabc\r\n-----END-----\r\n", "-----BEGIN-----\nabc\n-----END-----\n"),
            ("a\nb", "a\nb"),
            ("\n", ""),
        ] {
            assert_eq!(typed_value(typed).expose(), kept, "{typed:?}");
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_the_value() {
        for value in ["", "canary\0", &"canary".repeat(20_000)] {
            let problem = check_value(&Secret::from(value)).unwrap_err();
            assert!(!format!("{problem:?}").contains("canary"), "{problem:?}");
        }
        assert!(check_value(&Secret::from("ä\n\t\u{1b}\u{202e}".repeat(100).as_str())).is_ok(), "any text otherwise");
    }

    #[test]
    fn a_token_is_no_name_and_is_not_repeated() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
        let problem = check_name(&token.parse().unwrap()).unwrap_err();
        assert!(
            problem.detail.contains("looks like a token") && !format!("{problem:?}").contains("a1B2"),
            "{problem:?}"
        );
        for good in ["NPM_TOKEN", "glpat", "ghp_", "DATABASE_URL"] {
            assert!(check_name(&good.parse().unwrap()).is_ok(), "{good}");
        }
    }

    #[test]
    fn descriptions_are_one_plain_line() {
        assert!(check_description("For npm publish").is_ok());
        for bad in ["a\nb", "a\u{202e}b", &"x".repeat(201)] {
            assert!(check_description(bad).is_err(), "{bad:?}");
        }
    }
}
