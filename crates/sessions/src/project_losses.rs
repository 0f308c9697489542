//! What is lost with a project that is deleted, as people are told before they are asked.

use valetkey_model::{Actor, OwnerScope, Problem, ProjectName, Role, SecretOwner};
use valetkey_store::{AssistantFilter, ProjectContents, SessionFilter};

use crate::{Engine, projects::deletable, publish::title};

/// How many of a kind are named.
const NAMED: usize = 5;

/// Things of one kind that are lost with a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Of which kind.
    pub kind: LossKind,
    /// How many there are; at least one.
    pub count: i64,
    /// What the first few are called; nothing for what people have for themselves.
    pub names: Vec<String>,
}

/// What a project holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossKind {
    /// Its integrations.
    Integrations,
    /// Integrations that people connected for themselves in it.
    PrivateIntegrations,
    /// Its secrets.
    Secrets,
    /// Its webhooks.
    Webhooks,
    /// Its assistants.
    Assistants,
    /// Its sessions that are over.
    Sessions,
    /// API tokens that are good for it alone.
    Tokens,
    /// Its repositories.
    Repositories,
    /// Its members.
    Members,
}

impl LossKind {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Integrations => "integrations",
            Self::PrivateIntegrations => "private_integrations",
            Self::Secrets => "secrets",
            Self::Webhooks => "webhooks",
            Self::Assistants => "assistants",
            Self::Sessions => "sessions",
            Self::Tokens => "tokens",
            Self::Repositories => "repositories",
            Self::Members => "members",
        }
    }

    /// Whether it can't be had again by adding it to another project, so that it goes only if that is said.
    pub fn is_for_good(self) -> bool {
        !matches!(self, Self::Repositories | Self::Members)
    }

    /// One of the kind, and several.
    fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Self::Integrations => ("integration of the project", "integrations of the project"),
            Self::PrivateIntegrations => (
                "integration that a member connected for themselves in it",
                "integrations that members connected for themselves in it",
            ),
            Self::Secrets => ("secret", "secrets"),
            Self::Webhooks => ("webhook", "webhooks"),
            Self::Assistants => ("assistant", "assistants"),
            Self::Sessions => ("session with its log and workspace", "sessions with their logs and workspaces"),
            Self::Tokens => ("API token for this project alone", "API tokens for this project alone"),
            Self::Repositories => {
                ("repository, which stays at its provider", "repositories, which stay at their providers")
            }
            Self::Members => ("member", "members"),
        }
    }
}

impl Loss {
    /// How many of what: `2 secrets`.
    pub fn words(&self) -> String {
        let (one, several) = self.kind.nouns();
        format!("{} {}", self.count, if self.count == 1 { one } else { several })
    }

    /// The names in a line: `DEPLOY_KEY, NPM_TOKEN and 3 more`; empty where there are none.
    pub fn named(&self) -> String {
        let unnamed = self.count - i64::try_from(self.names.len()).unwrap_or_default();
        let more = if unnamed > 0 && !self.names.is_empty() { format!(" and {unnamed} more") } else { String::new() };
        format!("{}{more}", self.names.join(", "))
    }
}

/// What would be lost, without names; kinds of which there is nothing are left out.
pub(crate) fn losses(contents: &ProjectContents) -> Vec<Loss> {
    [
        (LossKind::Integrations, contents.integrations),
        (LossKind::PrivateIntegrations, contents.private_integrations),
        (LossKind::Secrets, contents.secrets),
        (LossKind::Webhooks, contents.webhooks),
        (LossKind::Assistants, contents.assistants),
        (LossKind::Sessions, contents.sessions),
        (LossKind::Tokens, contents.tokens),
        (LossKind::Repositories, contents.repositories),
        (LossKind::Members, contents.members),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(kind, count)| Loss { kind, count, names: Vec::new() })
    .collect()
}

impl Engine {
    /// What would be lost with a project, for whoever is about to delete it.
    ///
    /// # Errors
    /// `not_found`, `forbidden`; `conflict` where it can't be deleted, whatever may be lost.
    pub async fn project_losses(&self, by: &Actor, name: &ProjectName) -> Result<Vec<Loss>, Problem> {
        by.require(Role::Admin, name)?;
        if !self.parts.store.project_exists(name).await? {
            return Err(Actor::no_project(name));
        }
        let contents = self.parts.store.project_contents(name).await?;
        deletable(name, &contents, true)?;
        let mut losses = losses(&contents);
        for loss in &mut losses {
            loss.names = self.names_of(loss.kind, by, name).await?;
            loss.names.truncate(NAMED);
        }
        Ok(losses)
    }

    /// What at least the first few of a kind are called.
    async fn names_of(&self, kind: LossKind, by: &Actor, name: &ProjectName) -> Result<Vec<String>, Problem> {
        let (store, few) = (&self.parts.store, NAMED as u32);
        Ok(match kind {
            LossKind::Integrations => {
                let mut all = store.integrations_in(name).await?;
                all.retain(|it| matches!(it.scope, OwnerScope::Project(_)));
                all.iter().map(|it| it.alias.to_string()).collect()
            }
            LossKind::Secrets => {
                let owner = SecretOwner::Project(name.clone());
                store.secrets_page(&owner, few, None).await?.iter().map(|it| it.name.to_string()).collect()
            }
            LossKind::Webhooks => store.webhooks(name).await?.iter().map(|it| it.url.receiver().authority()).collect(),
            LossKind::Assistants => {
                let filter = AssistantFilter { project: Some(name), text: None };
                store.assistants_page(by, &filter, None, few).await?.iter().map(|it| it.name.to_string()).collect()
            }
            LossKind::Sessions => {
                let filter = SessionFilter { project: Some(name), ..Default::default() };
                self.sessions(by, &filter, few, None).await?.iter().map(|it| title(&it.spec.task)).collect()
            }
            LossKind::Repositories => {
                let found = store.repositories_page(name, None, None, few).await?;
                found.iter().map(|it| it.url.path().to_owned()).collect()
            }
            LossKind::Members => {
                let found = store.members_page(name, None, few).await?;
                found.into_iter().map(|it| it.person.unwrap_or_else(|| it.member.name.parts().1.to_owned())).collect()
            }
            LossKind::PrivateIntegrations | LossKind::Tokens => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_says_how_many_there_are_and_what_the_first_are_called() {
        let all = losses(&ProjectContents { secrets: 7, members: 1, tokens: 2, ..Default::default() });
        let kinds: Vec<_> = all.iter().map(|loss| loss.kind.as_str()).collect();
        assert_eq!(kinds, ["secrets", "tokens", "members"]);
        assert_eq!(all[1].words(), "2 API tokens for this project alone");
        assert_eq!(all[2].words(), "1 member");
        assert_eq!((all[1].named(), all[2].kind.is_for_good()), (String::new(), false));
        let some = Loss { names: vec!["A".into(), "B".into()], ..all[0].clone() };
        assert_eq!(some.named(), "A, B and 5 more");
        assert_eq!(Loss { count: 2, ..some }.named(), "A, B");
    }
}
