use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Integration, OwnerScope, Problem, ProblemCode, ProjectName, UserId, ids::NameError};

/// What somebody may do in a project. Each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees the project: its repositories, integrations, assistants, sessions and their logs.
    Viewer,
    /// Starts sessions, and with that uses the project's integrations; connects integrations of their own in it.
    Member,
    /// Decides on members, repositories, the project's integrations, secrets, assistants and webhooks.
    Admin,
}

impl Role {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Member, Self::Admin];

    /// The word in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| NameError::new("role", "must be viewer, member or admin"))
    }
}

/// Somebody who asks for something, with all that decides what they may do. Made anew for each request from what is
/// stored, so that a role that was taken away is gone with the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub user: UserId,
    /// The address that they ask from, over the network.
    pub from: Option<IpAddr>,
    administrator: bool,
    roles: BTreeMap<ProjectName, Role>,
    limits: Limits,
}

/// What an API token may do less than the person whom it speaks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Only in this project.
    pub project: Option<ProjectName>,
    /// Only look.
    pub read_only: bool,
}

/// The projects that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projects<'a> {
    /// All that there are.
    All,
    /// These.
    These(Vec<&'a ProjectName>),
}

impl Actor {
    /// A person with their roles. An administrator of the instance has every role in every project.
    pub fn new(user: UserId, administrator: bool, roles: BTreeMap<ProjectName, Role>) -> Self {
        Self { user, from: None, administrator, roles, limits: Limits::default() }
    }

    /// The built-in administrator.
    pub fn admin() -> Self {
        Self::new(UserId::admin(), true, BTreeMap::new())
    }

    /// The same person, by a token that may do less.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// What the token that they came with may not do.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether they administer the instance. A token for one project does not.
    pub fn is_administrator(&self) -> bool {
        self.administrator && self.limits.project.is_none()
    }

    /// Their role in a project; none if the project does not concern them.
    pub fn role(&self, project: &ProjectName) -> Option<Role> {
        if self.limits.project.as_ref().is_some_and(|only| only != project) {
            return None;
        }
        if self.administrator { Some(Role::Admin) } else { self.roles.get(project).copied() }
    }

    /// Whether they have `role`, or a greater one, in the project.
    pub fn is(&self, role: Role, project: &ProjectName) -> bool {
        self.role(project).is_some_and(|own| own >= role)
    }

    /// Refuses somebody without `role` in `project`.
    ///
    /// # Errors
    /// `not_found` for a project that is none of their business, in the words for one that does not exist; `forbidden`
    /// for too small a role.
    pub fn require(&self, role: Role, project: &ProjectName) -> Result<(), Problem> {
        match self.role(project) {
            None => Err(Self::no_project(project)),
            Some(own) if own < role => Err(Problem::new(
                ProblemCode::Forbidden,
                format!("This takes the role {role} in the project '{project}'; yours is {own}."),
            )
            .remedy("An admin of the project can give you another role.")),
            Some(_) => Ok(()),
        }
    }

    /// Whether they administer the instance, or a project.
    pub fn administers(&self) -> bool {
        self.is_administrator() || self.administered().is_some()
    }

    /// The projects of which they were made an admin.
    pub fn admin_of(&self) -> impl Iterator<Item = &ProjectName> {
        self.roles.keys().filter(|project| self.is(Role::Admin, project))
    }

    /// Refuses whoever does not administer the instance.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require_administrator(&self) -> Result<(), Problem> {
        if self.is_administrator() {
            return Ok(());
        }
        Err(Problem::new(ProblemCode::Forbidden, "Only an administrator may do this."))
    }

    /// What is said of a project that does not exist, or does not concern who asks.
    pub fn no_project(project: &ProjectName) -> Problem {
        Problem::new(ProblemCode::NotFound, format!("There is no project '{project}'."))
            .remedy("`valetkey projects list` shows those that you are in.")
    }

    /// Whether they may know of an integration.
    pub fn sees(&self, integration: &Integration) -> bool {
        match &integration.scope {
            OwnerScope::Project(project) => self.role(project).is_some(),
            OwnerScope::User(project) => self.owns(integration) && self.reaches(project),
            OwnerScope::UserGlobal => self.owns(integration),
        }
    }

    /// Whether they may change an integration, or take it away.
    pub fn manages(&self, integration: &Integration) -> bool {
        match &integration.scope {
            OwnerScope::Project(project) => self.is(Role::Admin, project),
            OwnerScope::User(project) => self.owns(integration) && self.reaches(project),
            OwnerScope::UserGlobal => self.owns(integration) && self.limits.project.is_none(),
        }
    }

    /// Whether their sessions in `project` may use an integration.
    pub fn uses(&self, integration: &Integration, project: &ProjectName) -> bool {
        self.is(Role::Member, project)
            && match &integration.scope {
                OwnerScope::Project(bound) => bound == project,
                OwnerScope::User(bound) => self.owns(integration) && bound == project,
                OwnerScope::UserGlobal => self.owns(integration),
            }
    }

    /// Refuses somebody who may not make an integration of this scope.
    ///
    /// # Errors
    /// As [`require`](Self::require).
    pub fn require_to_connect(&self, scope: &OwnerScope) -> Result<(), Problem> {
        match scope {
            OwnerScope::Project(project) => self.require(Role::Admin, project),
            OwnerScope::User(project) => self.require(Role::Member, project),
            OwnerScope::UserGlobal => match &self.limits.project {
                None => Ok(()),
                Some(only) => Err(Problem::new(
                    ProblemCode::Forbidden,
                    format!(
                        "This token is for the project '{only}' alone; it can't connect a User Global integration."
                    ),
                )),
            },
        }
    }

    /// Refuses somebody whose sessions in `project` can't use an integration.
    ///
    /// # Errors
    /// `integration_unusable`, as said of one that does not exist.
    pub fn require_use(&self, integration: &Integration, project: &ProjectName) -> Result<(), Problem> {
        if self.uses(integration, project) {
            return Ok(());
        }
        Err(Problem::new(
            ProblemCode::IntegrationUnusable,
            format!(
                "{} may not use the integration '{}' in the project '{project}' any more.",
                self.user, integration.alias
            ),
        ))
    }

    /// A project whose admin they are, if there is one: for the administrator of the instance the one that always exists.
    pub fn administered(&self) -> Option<ProjectName> {
        let any = ProjectName::default_project();
        let first = self.roles.keys().find(|project| self.is(Role::Admin, project)).cloned();
        first.or_else(|| self.is(Role::Admin, &any).then_some(any))
    }

    /// The projects whose integrations, sessions and assistants they see.
    pub fn projects(&self) -> Projects<'_> {
        match &self.limits.project {
            Some(only) if self.role(only).is_some() => Projects::These(vec![only]),
            Some(_) => Projects::These(Vec::new()),
            None if self.administrator => Projects::All,
            None => Projects::These(self.roles.keys().collect()),
        }
    }

    fn owns(&self, integration: &Integration) -> bool {
        integration.owner == self.user
    }

    /// Whether a token's limits leave the project within reach; what is theirs stays theirs without a role.
    fn reaches(&self, project: &ProjectName) -> bool {
        self.limits.project.as_ref().is_none_or(|only| only == project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::tests::integration;

    fn project(name: &str) -> ProjectName {
        name.parse().unwrap()
    }

    fn eve(roles: &[(&str, Role)]) -> Actor {
        let roles = roles.iter().map(|(name, role)| (project(name), *role)).collect();
        Actor::new("eve".parse().unwrap(), false, roles)
    }

    fn only(name: &str) -> Limits {
        Limits { project: Some(project(name)), read_only: false }
    }

    #[test]
    fn a_role_holds_in_its_project_and_an_administrator_has_all() {
        let eve = eve(&[("p", Role::Member)]);
        assert!(eve.require(Role::Viewer, &project("p")).is_ok());
        assert_eq!(eve.require(Role::Admin, &project("p")).unwrap_err().code, ProblemCode::Forbidden);
        assert_eq!(eve.require(Role::Viewer, &project("q")).unwrap_err().code, ProblemCode::NotFound);
        assert!(Actor::admin().require(Role::Admin, &project("q")).is_ok());
    }

    #[test]
    fn a_token_for_one_project_reaches_no_other_and_administers_nothing() {
        let token = Actor::admin().limited(only("p"));
        assert!(token.is(Role::Admin, &project("p")));
        assert_eq!(token.role(&project("q")), None);
        assert!(!token.is_administrator());
        assert!(token.require_to_connect(&OwnerScope::UserGlobal).is_err());
    }

    #[test]
    fn what_a_project_owns_is_seen_by_its_viewers_used_by_its_members_and_managed_by_its_admins() {
        let mut it = integration(1, "https://gitlab.com");
        it.scope = OwnerScope::Project(project("p"));
        for (role, used, managed) in
            [(Role::Viewer, false, false), (Role::Member, true, false), (Role::Admin, true, true)]
        {
            let eve = eve(&[("p", role)]);
            assert!(eve.sees(&it));
            assert_eq!((eve.uses(&it, &project("p")), eve.manages(&it)), (used, managed), "{role}");
        }
        let outsider = eve(&[("q", Role::Admin)]);
        assert!(!outsider.sees(&it) && !outsider.manages(&it) && !outsider.uses(&it, &project("q")));
    }

    #[test]
    fn nobody_but_the_owner_has_anything_of_a_private_one_not_even_an_administrator() {
        for scope in [OwnerScope::UserGlobal, OwnerScope::User(project("p"))] {
            let mut it = integration(1, "https://gitlab.com");
            it.owner = "eve".parse().unwrap();
            it.scope = scope;
            let admin = Actor::admin();
            assert!(!admin.sees(&it) && !admin.manages(&it) && !admin.uses(&it, &project("p")));
            let gone = eve(&[]);
            assert!(gone.sees(&it) && gone.manages(&it), "still theirs to take away");
            assert!(!gone.uses(&it, &project("p")), "but not used in a project that they left");
        }
    }
}
