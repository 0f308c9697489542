use std::fmt::Write as _;

use crate::{
    Actor, InstanceUrl, Integration, IntegrationId, IntegrationRef, OwnerScope, Problem, ProblemCode, ProjectName,
    ProviderKind,
};

/// What an integration is wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Who asks.
    pub caller: &'a Actor,
    /// In which project.
    pub project: &'a ProjectName,
    /// The one they chose, if they chose one.
    pub explicit: Option<&'a IntegrationRef>,
    /// The provider, where only that is known.
    pub provider: Option<ProviderKind>,
    /// The instance that the credential would be sent to.
    pub instance: Option<&'a InstanceUrl>,
}

/// The integration that serves a [`Query`].
#[derive(Debug, Clone)]
pub struct Resolution<'a> {
    /// Which.
    pub integration: &'a Integration,
    /// Why this one.
    pub reason: Reason,
    /// How the answer was found, a sentence for each level that was looked at, in their order.
    pub steps: Vec<String>,
    /// All that were considered, the chosen one included.
    pub candidates: Vec<IntegrationId>,
}

/// Why an integration serves something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Somebody named it.
    Chosen,
    /// An assistant is pinned to it.
    Pinned,
    /// It is the only one that fits on the first level that has one.
    Only,
    /// It is marked default among so many that fit on that level.
    Default {
        /// How many.
        among: usize,
    },
}

impl Reason {
    /// Why nothing serves a repository that was chosen to go without.
    pub const NO_INTEGRATION: &str =
        "No integration was chosen: it is read as anybody may read it, and nothing is pushed.";

    /// The reason as a sentence, for who may use `integration`.
    pub fn told(self, integration: &Integration) -> String {
        self.of(&format!("'{}'", integration.alias), integration)
    }

    /// The reason for everybody who may see what it serves: without the name that somebody gave to what is theirs alone.
    pub fn told_to_all(self, integration: &Integration) -> String {
        match integration.scope {
            OwnerScope::Project(_) => self.told(integration),
            _ => self.of(&format!("The account {}", integration.account.username), integration),
        }
    }

    fn of(self, name: &str, integration: &Integration) -> String {
        let level = RUNGS[rung_of(&integration.scope)];
        match self {
            Self::Chosen => format!("{name} was chosen explicitly."),
            Self::Pinned => format!("{name} is pinned by the assistant."),
            Self::Only => format!("{name} is the only {level} for {}.", integration.instance_url),
            Self::Default { among } => format!("{name} is marked default among {among} of the level {level}."),
        }
    }
}

/// Decides which of `all` integrations serves `query`.
///
/// A chosen one is taken or is an error. Without a choice the rungs are tried in order: User of this project, User
/// Global, Project. In the first rung that has a fitting integration the default-marked one is taken, else the only one.
///
/// # Errors
/// `integration_missing`, `integration_ambiguous` (names the candidates) or `integration_unusable` (the chosen one
/// belongs elsewhere). The texts tell nothing of integrations that the caller may not use.
pub fn resolve<'a>(all: &'a [Integration], query: Query<'_>) -> Result<Resolution<'a>, Problem> {
    let usable: Vec<&Integration> = all.iter().filter(|i| !i.removing && rung(i, &query).is_some()).collect();
    match query.explicit {
        Some(wanted) => explicit(&usable, wanted, &query),
        None => by_rungs(&usable, &query),
    }
}

const RUNGS: [&str; 3] = ["User integration of this project", "User Global integration", "Project integration"];

/// The rung on which the caller may use it in this project, if they may.
fn rung(integration: &Integration, query: &Query<'_>) -> Option<usize> {
    query.caller.uses(integration, query.project).then(|| rung_of(&integration.scope))
}

fn rung_of(scope: &OwnerScope) -> usize {
    match scope {
        OwnerScope::User(_) => 0,
        OwnerScope::UserGlobal => 1,
        OwnerScope::Project(_) => 2,
    }
}

fn fits(integration: &Integration, query: &Query<'_>) -> bool {
    // Without a provider it is a repository's host that is asked for.
    query.provider.map_or(integration.provider.is_forge(), |p| p == integration.provider)
        && query.instance.is_none_or(|i| *i == integration.instance_url)
}

fn explicit<'a>(
    usable: &[&'a Integration],
    wanted: &IntegrationRef,
    query: &Query<'_>,
) -> Result<Resolution<'a>, Problem> {
    let mut named: Vec<&Integration> = match wanted {
        IntegrationRef::Id(id) => usable.iter().filter(|i| i.id == *id).copied().collect(),
        IntegrationRef::Alias(alias) => usable.iter().filter(|i| i.alias == *alias).copied().collect(),
    };
    named.sort_by_key(|i| rung(i, query));
    let Some(first) = named.first() else {
        return Err(Problem::new(
            ProblemCode::IntegrationUnusable,
            format!("There is no integration '{wanted}' that you can use here."),
        )
        .remedy("List yours with `valetkey integrations list`."));
    };
    // An alias may name one integration per rung; of those that fit, the nearest rung wins.
    let Some(chosen) = named.iter().find(|i| fits(i, query)) else {
        let target = query.instance.map_or_else(String::new, ToString::to_string);
        let detail = format!(
            "The chosen integration '{}' belongs to {} at {}; its credential is not sent to {target}.",
            first.alias, first.provider, first.instance_url,
        );
        return Err(Problem::new(ProblemCode::IntegrationUnusable, detail)
            .remedy("Choose an integration of the repository's own host, or leave the choice out."));
    };
    Ok(Resolution {
        integration: chosen,
        reason: Reason::Chosen,
        steps: vec![format!("'{}' was chosen, so nothing else was looked at.", chosen.alias)],
        candidates: vec![chosen.id.clone()],
    })
}

fn by_rungs<'a>(usable: &[&'a Integration], query: &Query<'_>) -> Result<Resolution<'a>, Problem> {
    let mut steps = Vec::new();
    for (level, name) in RUNGS.iter().enumerate() {
        let here: Vec<&Integration> =
            usable.iter().filter(|i| rung(i, query) == Some(level) && fits(i, query)).copied().collect();
        let candidates = here.iter().map(|i| i.id.clone()).collect();
        let taken = match here.as_slice() {
            [] => {
                steps.push(format!("{name}: none{}.", for_whom(query)));
                continue;
            }
            [only] => Some((*only, Reason::Only)),
            several => several.iter().find(|i| i.is_default).map(|i| (*i, Reason::Default { among: several.len() })),
        };
        return match taken {
            Some((integration, reason)) => {
                steps.push(format!("{name}: {}", reason.told(integration)));
                Ok(Resolution { integration, reason, steps, candidates })
            }
            None => Err(ambiguous(&here, name)),
        };
    }
    Err(missing(query))
}

/// What was looked for on a level that has none of it.
fn for_whom(query: &Query<'_>) -> String {
    match (query.provider, query.instance) {
        (_, Some(instance)) => format!(" for {instance}"),
        (Some(kind), None) => format!(" for {kind}"),
        (None, None) => String::new(),
    }
}

fn ambiguous(candidates: &[&Integration], level: &str) -> Problem {
    let mut list = String::new();
    for candidate in candidates {
        let _ = write!(
            list,
            "\n  {}  '{}'  {} at {}",
            candidate.id, candidate.alias, candidate.account.username, candidate.instance_url
        );
    }
    Problem::new(
        ProblemCode::IntegrationAmbiguous,
        format!("Several integrations of the level {level} would do:{list}"),
    )
    .remedy("Name one with --integration, or mark one with `valetkey integrations default ID`.")
}

fn missing(query: &Query<'_>) -> Problem {
    let kind = query.provider.or_else(|| query.instance.and_then(|i| ProviderKind::guess(i.host())));
    let (whose, connect) = match (kind, query.instance) {
        (Some(kind), Some(instance)) if kind.is_public(instance) => (kind.to_string(), kind.connect_command(instance)),
        (Some(kind), Some(instance)) => (format!("{kind} at {instance}"), kind.connect_command(instance)),
        (Some(kind), None) => (kind.to_string(), format!("valetkey connect {}", kind.slug())),
        (None, Some(instance)) => (instance.to_string(), format!("valetkey connect PROVIDER --instance {instance}")),
        (None, None) => ("this".to_owned(), "valetkey connect PROVIDER".to_owned()),
    };
    let problem = Problem::new(ProblemCode::IntegrationMissing, format!("No integration is connected for {whose}."))
        .remedy(format!("Connect one: `{connect}`, or on the Integrations page."));
    match kind {
        Some(kind) => problem.by(kind),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, integration::tests::integration};
    use proptest::prelude::*;

    const HERE: &str = "https://gitlab.com";

    fn project(name: &str) -> ProjectName {
        name.parse().unwrap()
    }

    fn ask<'a>(all: &'a [Integration], caller: &Actor, explicit: Option<&str>) -> Result<Resolution<'a>, Problem> {
        let instance = HERE.parse().unwrap();
        let explicit = explicit.map(|text| text.parse::<IntegrationRef>().unwrap());
        let query = Query {
            caller,
            project: &project("p"),
            explicit: explicit.as_ref(),
            provider: None,
            instance: Some(&instance),
        };
        resolve(all, query)
    }

    #[test]
    fn the_rungs_in_order() {
        let me = Actor::admin();
        let mut all: Vec<_> = (1..=3).map(|n| integration(n, HERE)).collect();
        all[0].scope = OwnerScope::Project(project("p"));
        all[1].scope = OwnerScope::UserGlobal;
        all[2].scope = OwnerScope::User(project("p"));
        assert_eq!(ask(&all, &me, None).unwrap().integration.id, all[2].id);
        let last = ask(&all[..1], &me, None).unwrap();
        assert_eq!(
            last.steps,
            [
                "User integration of this project: none for https://gitlab.com.",
                "User Global integration: none for https://gitlab.com.",
                "Project integration: 'alias 1' is the only Project integration for https://gitlab.com.",
            ]
        );
        assert_eq!(ask(&all[..2], &me, None).unwrap().integration.id, all[1].id);
        assert_eq!(ask(&all[..1], &me, None).unwrap().integration.id, all[0].id);
        assert_eq!(ask(&[], &me, None).unwrap_err().code, ProblemCode::IntegrationMissing);
    }

    #[test]
    fn a_reason_tells_all_only_what_is_not_private() {
        let mut it = integration(1, HERE);
        for reason in [Reason::Chosen, Reason::Pinned, Reason::Only, Reason::Default { among: 2 }] {
            it.scope = OwnerScope::UserGlobal;
            assert!(reason.told(&it).starts_with("'alias 1' "));
            let told = reason.told_to_all(&it);
            assert!(told.starts_with(&format!("The account {} ", it.account.username)) && !told.contains("alias 1"));
            it.scope = OwnerScope::Project(project("p"));
            assert_eq!(reason.told_to_all(&it), reason.told(&it));
        }
    }

    #[test]
    fn several_need_a_default() {
        let me = Actor::admin();
        let mut all: Vec<_> = (1..=2).map(|n| integration(n, HERE)).collect();
        let error = ask(&all, &me, None).unwrap_err();
        assert_eq!(error.code, ProblemCode::IntegrationAmbiguous);
        assert!(all.iter().all(|i| error.detail.contains(i.id.as_str())), "{error}");
        all[1].is_default = true;
        assert_eq!(ask(&all, &me, None).unwrap().integration.id, all[1].id);
    }

    #[test]
    fn an_explicit_choice_is_taken_or_is_an_error() {
        let me = Actor::admin();
        let all = vec![integration(1, HERE), integration(2, "https://elsewhere.test")];
        assert_eq!(ask(&all, &me, Some("ALIAS 1")).unwrap().integration.id, all[0].id);
        assert_eq!(ask(&all, &me, Some("alias 2")).unwrap_err().code, ProblemCode::IntegrationUnusable);
        assert_eq!(ask(&all, &me, Some(all[1].id.as_str())).unwrap_err().code, ProblemCode::IntegrationUnusable);
        assert_eq!(ask(&all, &me, Some("no such")).unwrap_err().code, ProblemCode::IntegrationUnusable);
    }

    #[test]
    fn others_and_disconnected_ones_are_never_taken_nor_told_of() {
        let me = Actor::new("eve".parse().unwrap(), false, [(project("p"), Role::Member)].into());
        let mut all = vec![integration(1, HERE)];
        assert_eq!(ask(&all, &me, None).unwrap_err().code, ProblemCode::IntegrationMissing);
        let foreign = ask(&all, &me, Some(all[0].id.as_str())).unwrap_err();
        let unknown = ask(&[], &me, Some(all[0].id.as_str())).unwrap_err();
        assert_eq!(foreign, unknown);
        all[0].removing = true;
        assert_eq!(ask(&all, &Actor::admin(), None).unwrap_err().code, ProblemCode::IntegrationMissing);
    }

    #[test]
    fn a_repository_is_served_by_a_forge() {
        let me = Actor::admin();
        let mut all = vec![integration(1, HERE), integration(2, HERE)];
        all[0].provider = ProviderKind::Http;
        assert_eq!(ask(&all, &me, None).unwrap().integration.id, all[1].id);
        assert_eq!(ask(&all[..1], &me, None).unwrap_err().code, ProblemCode::IntegrationMissing);
    }

    #[test]
    fn look_alike_hosts_get_nothing() {
        let me = Actor::admin();
        let all = vec![integration(1, HERE)];
        for other in
            ["https://gitlab.com.evil.test", "https://gitlab.com:8443", "https://evil.test", "http://127.0.0.1"]
        {
            let instance = other.parse().unwrap();
            let query = Query {
                caller: &me,
                project: &project("p"),
                explicit: None,
                provider: None,
                instance: Some(&instance),
            };
            assert!(resolve(&all, query).is_err(), "{other}");
        }
    }

    /// What the generator below makes of an owner's number.
    fn person(n: u8) -> Actor {
        let roles = [(project("p"), Role::Member)].into_iter().take(usize::from(n < 2)).collect();
        Actor::new(format!("person-{n}").parse().unwrap(), false, roles)
    }

    prop_compose! {
        fn anybodys()(
            all in prop::collection::vec((0..4u8, 0..5u8, 0..2u8, any::<bool>(), any::<bool>()), 0..12),
        ) -> Vec<Integration> {
            all.into_iter().zip(1u8..).map(|((owner, scope, instance, is_default, removing), n)| {
                let mut it = integration(n, ["https://gitlab.com", "https://other.test"][usize::from(instance)]);
                it.owner = person(owner).user;
                it.scope = match scope {
                    0 => OwnerScope::UserGlobal,
                    1 => OwnerScope::User(project("p")),
                    2 => OwnerScope::User(project("q")),
                    3 => OwnerScope::Project(project("p")),
                    _ => OwnerScope::Project(project("q")),
                };
                it.is_default = is_default;
                it.removing = removing;
                it
            }).collect()
        }
    }

    proptest! {
        #[test]
        fn no_answer_ever_belongs_to_somebody_else(all in anybodys(), asking in 0..4u8, named in 0..14u8) {
            let by = person(asking);
            let explicit = (named < 12).then(|| format!("alias {named}"));
            match ask(&all, &by, explicit.as_deref()) {
                Ok(found) => {
                    let it = found.integration;
                    prop_assert!(by.uses(it, &project("p")) && !it.removing, "{it:?}");
                    prop_assert_eq!(it.instance_url.to_string(), HERE);
                    prop_assert!(found.candidates.iter().all(|id| all.iter().any(|it| it.id == *id && by.uses(it, &project("p")))));
                }
                Err(problem) => {
                    for it in all.iter().filter(|it| !by.sees(it)) {
                        prop_assert!(!problem.to_string().contains(it.id.as_str()), "{problem}");
                    }
                }
            }
        }

        #[test]
        fn what_the_caller_may_not_use_changes_nothing(all in anybodys(), asking in 0..4u8, named in 0..14u8) {
            let by = person(asking);
            let explicit = (named < 12).then(|| format!("alias {named}"));
            let told = |answer: Result<Resolution<'_>, Problem>| {
                answer.map(|found| (found.integration.id.clone(), found.reason, found.steps)).map_err(|p| (p.code, p.detail))
            };
            let usable: Vec<_> = all.iter().filter(|it| by.uses(it, &project("p"))).cloned().collect();
            prop_assert_eq!(told(ask(&all, &by, explicit.as_deref())), told(ask(&usable, &by, explicit.as_deref())));
        }

        #[test]
        fn an_unrelated_integration_changes_nothing(
            scopes in prop::collection::vec((0..3u8, any::<bool>()), 0..6),
            kind in 0..3u8,
        ) {
            let me = Actor::admin();
            let scope = |n: u8| match n {
                0 => OwnerScope::User(project("p")),
                1 => OwnerScope::UserGlobal,
                _ => OwnerScope::Project(project("p")),
            };
            let all: Vec<_> = scopes.iter().zip(1u8..).map(|((s, default), n)| {
                let mut it = integration(n, HERE);
                it.scope = scope(*s);
                it.is_default = *default;
                it
            }).collect();
            let before = ask(&all, &me, None).map(|r| (r.integration.id.clone(), r.reason));
            let mut unrelated = integration(100, HERE);
            match kind {
                0 => unrelated.instance_url = "https://other.test".parse().unwrap(),
                1 => unrelated.owner = "someone".parse().unwrap(),
                _ => unrelated.scope = OwnerScope::Project(project("q")),
            }
            let with = [all.as_slice(), &[unrelated]].concat();
            let after = ask(&with, &me, None).map(|r| (r.integration.id.clone(), r.reason));
            prop_assert_eq!(before, after);
        }
    }
}
