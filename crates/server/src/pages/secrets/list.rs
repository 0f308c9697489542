use axum::{extract::State, response::IntoResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use valetkey_model::{Problem, SecretName};
use valetkey_store::SecretRecord;

use super::Whose;
use crate::{
    App,
    api::projects::known,
    extract::Params,
    pages::{
        projects::head::{Head, Tab},
        render::{Page, View},
        words::Moment,
    },
    problem::Answer,
};

/// How many secrets a page shows.
const PAGE: usize = 40;
/// More than anybody may keep.
const ALL: u32 = 1_000;

#[derive(Debug, Serialize)]
struct SecretsView {
    path: String,
    /// The project whose they are; none of one's own.
    head: Option<Head>,
    may_set: bool,
    /// The one that was just set and is too short to be hidden.
    too_short: Option<String>,
    search: String,
    /// Whether there is none at all.
    empty: bool,
    secrets: Vec<SecretRow>,
    /// The first page, from a later one.
    first: Option<String>,
    next: Option<String>,
}

impl View for SecretsView {
    const TEMPLATE: &'static str = "secrets.html";
}

#[derive(Debug, Serialize)]
struct SecretRow {
    name: String,
    description: String,
    /// The provider in whose token's place agents get it.
    provider: Option<Overridden>,
    updated: Moment,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Overridden {
    slug: &'static str,
    name: &'static str,
}

impl Overridden {
    pub(super) fn by(name: &SecretName) -> Option<Self> {
        name.overrides().map(|kind| Self { slug: kind.slug(), name: kind.name() })
    }
}

/// What part of the list is wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    did: Option<String>,
    #[serde(default)]
    q: String,
    after: Option<SecretName>,
    short: Option<SecretName>,
}

impl SecretsView {
    fn new(whose: &Whose, head: Option<Head>, mut all: Vec<SecretRecord>, wanted: &Wanted, now: Timestamp) -> Self {
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let search = wanted.q.trim().to_owned();
        let folded = search.to_lowercase();
        let found = |secret: &&SecretRecord| {
            secret.name.as_str().to_lowercase().contains(&folded) || secret.description.to_lowercase().contains(&folded)
        };
        let behind = |secret: &&SecretRecord| wanted.after.as_ref().is_none_or(|after| secret.name > *after);
        let known = |name: &&SecretName| all.iter().any(|secret| secret.name == **name);
        let mut shown: Vec<&SecretRecord> = all.iter().filter(found).filter(behind).take(PAGE + 1).collect();
        let more = shown.len() > PAGE;
        shown.truncate(PAGE);
        let row = |secret: &&SecretRecord| SecretRow {
            name: secret.name.to_string(),
            description: secret.description.clone(),
            provider: Overridden::by(&secret.name),
            updated: Moment::past(now, secret.updated_at),
        };
        Self {
            path: whose.path(),
            head,
            may_set: may_set(whose),
            // Only what is there is named, whatever the address says.
            too_short: wanted.short.as_ref().filter(known).map(ToString::to_string),
            empty: all.is_empty(),
            first: wanted.after.as_ref().map(|_| address(&whose.path(), &search, None)),
            next: shown.last().filter(|_| more).map(|last| address(&whose.path(), &search, Some(&last.name))),
            secrets: shown.iter().map(row).collect(),
            search,
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    whose: Whose,
    Params(wanted): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    let all = app.integrations.secrets(&whose.caller.actor, &whose.owner, ALL, None).await?;
    let project = match whose.project() {
        Some(project) => Some(known(&app, project).await?),
        None => None,
    };
    let head = project.map(|project| Head::new(&project, &whose.caller.actor, Tab::Secrets));
    let frame = whose.frame(&app, "Secrets").after(wanted.did.as_deref());
    Ok(Page::new(frame, SecretsView::new(&whose, head, all, &wanted, app.now())))
}

/// A page of the list, from the secret after `after`.
fn address(path: &str, search: &str, after: Option<&SecretName>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !search.is_empty() {
        query.append_pair("q", search);
    }
    if let Some(after) = after {
        query.append_pair("after", after.as_str());
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Whether they get a button for it.
fn may_set(whose: &Whose) -> bool {
    let allowed: Result<(), Problem> = whose.owner.require_set_by(&whose.caller.actor);
    allowed.is_ok()
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{Role, SecretOwner, UserId};

    use super::*;
    use crate::{
        auth::Caller,
        pages::{
            projects::tests::{ann, project},
            render::tests::html,
        },
    };

    pub(in crate::pages::secrets) fn whose(project: Option<&str>) -> Whose {
        let owner = match project {
            Some(project) => SecretOwner::Project(project.parse().unwrap()),
            None => SecretOwner::Person(UserId::admin()),
        };
        Whose { caller: Caller::admin(), owner }
    }

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    pub(in crate::pages::secrets) fn secret(name: &str, description: &str) -> SecretRecord {
        SecretRecord {
            id: "018f0000-0000-7000-8000-000000000001".parse().unwrap(),
            owner: SecretOwner::Person(UserId::admin()),
            name: name.parse().unwrap(),
            description: description.to_owned(),
            created_by: UserId::admin(),
            created_at: now(),
            updated_at: "2026-11-18T09:00:00Z".parse().unwrap(),
            generation: 1,
        }
    }

    fn some() -> Vec<SecretRecord> {
        vec![
            secret("GITHUB_TOKEN", "Reads only; for agents"),
            secret("NPM_TOKEN", "Publishing <the> packages"),
            secret("PIN", ""),
            secret("SIGNING_KEY", "The release key, from the vault"),
        ]
    }

    /// One's own, or those of a project in which one has this role.
    fn view(role: Option<Role>, all: Vec<SecretRecord>, wanted: &Wanted) -> SecretsView {
        let Some(role) = role else { return SecretsView::new(&whose(None), None, all, wanted, now()) };
        let shop = project("web-shop", "The shop, its API and its design tokens.");
        let mut whose = whose(Some("web-shop"));
        whose.caller.actor = ann(role);
        let head = Head::new(&shop, &whose.caller.actor, Tab::Secrets);
        SecretsView::new(&whose, Some(head), all, wanted, now())
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let short = Wanted { short: Some("PIN".parse().unwrap()), ..Wanted::default() };
        let search = Wanted { q: "nothing like it".to_owned(), ..Wanted::default() };
        let usual = Wanted::default();
        let many = (0..60).map(|n| secret(&format!("SECRET_{n:02}"), "One of many")).collect();
        vec![
            ("secrets", html(view(None, some(), &short))),
            ("secrets_empty", html(view(None, Vec::new(), &usual))),
            ("secrets_of_project", html(view(Some(Role::Admin), some(), &usual))),
            ("secrets_of_project_member", html(view(Some(Role::Member), some(), &usual))),
            ("secrets_of_project_empty", html(view(Some(Role::Member), Vec::new(), &usual))),
            ("secrets_none_found", html(view(None, some(), &search))),
            ("secrets_many", html(view(None, many, &usual))),
        ]
    }

    #[test]
    fn a_member_sees_the_names_and_no_buttons() {
        let page = html(view(Some(Role::Member), some(), &Wanted::default()));
        assert!(page.contains("NPM_TOKEN") && page.contains("Publishing &lt;the&gt; packages"), "{page}");
        assert!(!page.contains("/secrets/set") && !page.contains("/delete"), "{page}");
    }

    #[test]
    fn it_is_said_whose_token_one_takes_the_place_of() {
        let page = html(view(None, some(), &Wanted::default()));
        assert_eq!(page.matches("in place of").count(), 1, "{page}");
        assert!(page.contains("in place of the GitHub token"), "{page}");
    }

    #[test]
    fn an_address_names_only_what_is_there() {
        let warned = |name: &str| {
            let wanted = Wanted { short: Some(name.parse().unwrap()), ..Wanted::default() };
            html(view(None, some(), &wanted)).contains("too short")
        };
        assert!(warned("PIN") && !warned("YOUR_ACCOUNT_WAS_SUSPENDED"));
    }

    #[test]
    fn a_search_looks_at_names_and_descriptions_and_long_lists_have_pages() {
        let names = |wanted: &Wanted, all| {
            let view = view(None, all, wanted);
            (view.secrets.into_iter().map(|secret| secret.name).collect::<Vec<_>>(), view.next)
        };
        let search = |q: &str| names(&Wanted { q: q.to_owned(), ..Wanted::default() }, some()).0;
        assert_eq!(search("token"), ["GITHUB_TOKEN", "NPM_TOKEN"]);
        assert_eq!(search(" VAULT "), ["SIGNING_KEY"]);

        let many = || (0..60).map(|n| secret(&format!("S{n:02}"), "")).collect::<Vec<_>>();
        let (first, next) = names(&Wanted::default(), many());
        assert_eq!((first.len(), next.as_deref()), (PAGE, Some("/secrets?after=S39")));
        let (rest, next) = names(&Wanted { after: Some("S39".parse().unwrap()), ..Wanted::default() }, many());
        assert_eq!((rest.len(), rest[0].as_str(), next), (20, "S40", None));
    }
}
