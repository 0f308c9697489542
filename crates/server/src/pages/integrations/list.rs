use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use valetkey_integrations::RegisteredApp;
use valetkey_model::{Actor, Integration, IntegrationId, Problem, ProjectName, ProviderKind, Status};
use valetkey_providers::{github_app, provider};
use valetkey_store::{IntegrationFilter, Owner};

use super::card::Card;
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        frame::{Frame, Section},
        live::{self, Mark, Seen, Shown},
        render::{Page, View},
        words::Badge,
    },
    problem::Answer,
};

/// Which integrations are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    tab: Tab,
    /// Empty, as forms send it, or left out, stands for all; so with the others.
    provider: Option<String>,
    project: Option<String>,
    status: Option<String>,
    q: Option<String>,
    after: Option<IntegrationId>,
    did: Option<String>,
}

/// Whose integrations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tab {
    /// One's own.
    #[default]
    User,
    /// Those of the projects that one is in.
    Project,
}

/// How many a page shows.
const PAGE: u32 = 50;

#[derive(Debug, Serialize)]
struct ListView {
    tab: Tab,
    groups: Vec<Group>,
    /// Whether any is shown.
    any: bool,
    /// Whether some may not be shown.
    narrowed: bool,
    text: String,
    providers: Vec<Choice>,
    projects: Vec<Choice>,
    statuses: Vec<Choice>,
    /// What follows `?` to show more.
    next: Option<String>,
    /// Where the list is followed.
    live: String,
}

/// An entry of a filter.
#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

impl Choice {
    fn new(value: impl Into<String>, words: impl Into<String>, wanted: Option<&str>) -> Self {
        let value = value.into();
        Self { chosen: wanted == Some(&*value), value, words: words.into() }
    }
}

impl Wanted {
    /// Whether fewer are shown than there are.
    fn narrows(&self) -> bool {
        let set = |field: &Option<String>| field.as_deref().is_some_and(|text| !text.trim().is_empty());
        [&self.provider, &self.project, &self.status, &self.q].into_iter().any(set) || self.after.is_some()
    }

    /// The address that shows what follows.
    fn behind(&self, last: &IntegrationId) -> String {
        let fields =
            [("provider", &self.provider), ("project", &self.project), ("status", &self.status), ("q", &self.q)];
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.tab == Tab::Project {
            query.append_pair("tab", "project");
        }
        for (name, value) in fields {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        query.append_pair("after", last.as_str()).finish()
    }
}

impl View for ListView {
    const TEMPLATE: &'static str = "integrations.html";
}

/// Providers for one purpose: those with accounts in full, the others as a short offer.
#[derive(Debug, Serialize)]
struct Group {
    id: &'static str,
    name: &'static str,
    connected: Vec<Provider>,
    offered: Vec<Provider>,
}

#[derive(Debug, Serialize)]
struct Provider {
    slug: &'static str,
    name: &'static str,
    what: String,
    cards: Vec<Card>,
}

/// What a provider is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Code,
    Documents,
    Chat,
    Other,
}

const GROUPS: [(Purpose, &str, &str); 4] = [
    (Purpose::Code, "code", "Code"),
    (Purpose::Documents, "documents", "Issues and documents"),
    (Purpose::Chat, "chat", "Chat"),
    (Purpose::Other, "other", "Other services"),
];

fn purpose(kind: ProviderKind) -> Purpose {
    match kind {
        ProviderKind::Jira | ProviderKind::Google => Purpose::Documents,
        ProviderKind::Slack => Purpose::Chat,
        ProviderKind::Http => Purpose::Other,
        ProviderKind::GitHub
        | ProviderKind::GitLab
        | ProviderKind::Bitbucket
        | ProviderKind::BitbucketDataCenter
        | ProviderKind::Gitea
        | ProviderKind::AzureDevOps => Purpose::Code,
    }
}

impl ListView {
    fn new(wanted: &Wanted, mut shown: Vec<Integration>, around: &Around<'_>) -> Self {
        let live = live::address("/integrations/live", &mark(&shown, around.now));
        let (any, narrowed) = (!shown.is_empty(), wanted.narrows());
        let next = (shown.len() > PAGE as usize).then(|| wanted.behind(&shown[PAGE as usize - 1].id));
        shown.truncate(PAGE as usize);
        let mut provider = |kind: ProviderKind| {
            let own = shown.extract_if(.., |integration| integration.provider == kind);
            let cards = own.map(|integration| {
                let install = install_page(&integration, around.apps);
                Card::new(integration, install, around.by, around.now)
            });
            let (slug, name, cards) = (kind.slug(), kind.name(), cards.collect());
            Provider { slug, name, what: provider(kind).catalogue().summary, cards }
        };
        let groups = GROUPS.map(|(wanted, id, name)| {
            let kinds = ProviderKind::ALL.into_iter().filter(|kind| purpose(*kind) == wanted);
            let (connected, mut offered): (Vec<_>, Vec<_>) =
                kinds.map(&mut provider).partition(|provider: &Provider| !provider.cards.is_empty());
            if narrowed {
                offered.clear();
            }
            Group { id, name, connected, offered }
        });
        let project = wanted.project.as_deref();
        Self {
            tab: wanted.tab,
            groups: groups.into_iter().filter(|it| !it.connected.is_empty() || !it.offered.is_empty()).collect(),
            any,
            narrowed,
            text: wanted.q.clone().unwrap_or_default(),
            providers: ProviderKind::ALL
                .map(|kind| Choice::new(kind.slug(), kind.name(), wanted.provider.as_deref()))
                .into(),
            projects: around.projects.iter().map(|it| Choice::new(it.as_str(), it.as_str(), project)).collect(),
            statuses: STATUSES
                .map(|status| Choice::new(status.as_str(), Badge::from(status).word(), wanted.status.as_deref()))
                .into(),
            next,
            live,
        }
    }
}

const STATUSES: [Status; 5] =
    [Status::Connected, Status::Expiring, Status::InsufficientScope, Status::Disconnected, Status::Unreachable];

/// What a list is drawn with.
struct Around<'a> {
    by: &'a Actor,
    apps: &'a [RegisteredApp],
    /// Those that the person is in.
    projects: &'a [ProjectName],
    now: Timestamp,
}

/// Where the app that an integration was connected by is installed on more accounts.
fn install_page(of: &Integration, apps: &[RegisteredApp]) -> Option<String> {
    let app = apps.iter().find(|app| app.provider == of.provider && app.instance_url == of.instance_url)?;
    let slug = app.facts.slug.as_ref()?;
    Some(github_app::install_url(&of.instance_url, slug, None))
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    let by = &caller.actor;
    let mut projects = app.store.projects().await?;
    projects.retain(|project| by.role(project).is_some());
    let shown = wanted.of(&app, by).await?;
    let apps = app.integrations.registered_apps().await?;
    let around = Around { by, apps: &apps, projects: &projects, now: app.now() };
    let frame = Frame::new(&app, &caller, Section::Integrations, "Integrations").after(wanted.did.as_deref());
    Ok(Page::new(frame, ListView::new(&wanted, shown, &around)))
}

/// Tells when the list has changed.
pub(super) async fn follow(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    seen: Seen,
) -> Answer<Response> {
    live::follow(app, caller, seen, wanted).await
}

impl Wanted {
    /// A page of those that somebody may know of, and one more if there are more.
    async fn of(&self, app: &App, by: &Actor) -> Result<Vec<Integration>, Problem> {
        let named = self.project.as_deref().and_then(|name| name.parse().ok());
        let filter = IntegrationFilter {
            owner: Some(if self.tab == Tab::User { Owner::Themselves } else { Owner::Project }),
            provider: self.provider.as_deref().and_then(|slug| slug.parse().ok()),
            project: named.as_ref().filter(|project| by.role(project).is_some()),
            status: self.status.as_deref().and_then(|word| STATUSES.into_iter().find(|it| it.as_str() == word)),
            text: self.q.as_deref(),
            ..Default::default()
        };
        app.integrations.page(by, &filter, self.after.as_ref(), PAGE + 1).await
    }
}

impl Shown for Wanted {
    async fn mark(&self, app: &App, by: &Actor) -> Result<Mark, Problem> {
        Ok(mark(&self.of(app, by).await?, app.now()))
    }
}

fn mark(shown: &[Integration], now: Timestamp) -> Mark {
    Mark::of(&shown.iter().map(|it| it.view(now)).collect::<Vec<_>>())
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{OwnerScope, Role};

    use super::{super::card::tests, *};
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let mut all = vec![tests::integration(1, ProviderKind::GitLab), tests::revoked(2)];
        all.push(Integration {
            unreachable: Some("Connecting to gitlab.intern timed out.".into()),
            alias: "Hardware group".parse().unwrap(),
            instance_url: "https://gitlab.intern".parse().unwrap(),
            is_default: false,
            ..tests::integration(3, ProviderKind::GitLab)
        });
        all.extend([tests::installed(4), tests::consented(5)]);
        vec![
            ("integrations", page(all)),
            ("integrations_empty", page(Vec::new())),
            ("integrations_project", of_a_project(Role::Admin)),
        ]
    }

    fn view(wanted: &Wanted, shown: Vec<Integration>, by: &Actor) -> ListView {
        let projects = [ProjectName::default_project()];
        ListView::new(wanted, shown, &Around { by, apps: &[tests::app()], projects: &projects, now: tests::now() })
    }

    fn page(all: Vec<Integration>) -> String {
        html(view(&Wanted::default(), all, &Actor::admin()))
    }

    /// What somebody else connected for a project, as a person with this role sees it.
    fn of_a_project(role: Role) -> String {
        let project = ProjectName::default_project();
        let mut shared = tests::integration(6, ProviderKind::GitLab);
        shared.scope = OwnerScope::Project(project.clone());
        let by = Actor::new("eve".parse().unwrap(), false, [(project, role)].into());
        html(view(&Wanted { tab: Tab::Project, ..Wanted::default() }, vec![shared], &by))
    }

    #[test]
    fn what_somebody_may_not_do_is_not_offered() {
        for (role, tested, managed) in
            [(Role::Viewer, false, false), (Role::Member, true, false), (Role::Admin, true, true)]
        {
            let page = of_a_project(role);
            assert_eq!((page.contains("/test\""), page.contains("/disconnect\"")), (tested, managed), "{role}");
        }
    }

    #[test]
    fn a_long_list_goes_on_where_it_ended_with_the_same_filters() {
        let many: Vec<_> =
            (0..=PAGE).map(|n| tests::integration(u8::try_from(n).unwrap(), ProviderKind::GitLab)).collect();
        let last = many[PAGE as usize - 1].id.clone();
        let wanted = Wanted { q: Some("a&b".into()), status: Some(String::new()), ..Wanted::default() };
        let shown = view(&wanted, many, &Actor::admin());
        assert_eq!(shown.next, Some(format!("q=a%26b&after={last}")));
        assert!(shown.narrowed && shown.groups.iter().all(|group| group.offered.is_empty()));
        let none = view(&wanted, Vec::new(), &Actor::admin());
        assert!(html(none).contains("Nothing here matches"));
    }

    #[test]
    fn what_the_provider_calls_itself_is_escaped() {
        let mut hostile = tests::installed(1);
        hostile.alias = "<script>alert(1)</script>\"'".parse().unwrap();
        hostile.account.name = Some("</h3><img src=x onerror=alert(1)>\u{202e}".to_owned());
        hostile.details.notes = vec!["<img src=x>".to_owned()];
        hostile.details.installations[0].account = "<img src=x>".to_owned();
        let page = page(vec![hostile]);
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains('\u{202e}'));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("⟨U+202E⟩"), "{page}");
    }

    #[test]
    fn every_provider_has_its_place_even_when_empty() {
        let view = view(&Wanted::default(), Vec::new(), &Actor::admin());
        let offered: usize = view.groups.iter().map(|group| group.offered.len()).sum();
        assert_eq!(offered, ProviderKind::ALL.len());
        assert!(!view.any);
    }

    #[test]
    fn installations_say_how_they_stand_and_where_to_add_more() {
        let page = page(vec![tests::installed(1)]);
        for words in
            ["Suspended", "Waiting for approval", "Removed", "https://github.com/apps/valetkey-acme/installations/new"]
        {
            assert!(page.contains(words), "{words} in {page}");
        }
    }

    #[test]
    fn scopes_that_were_withheld_are_told_apart() {
        let page = page(vec![tests::consented(1)]);
        assert!(page.contains("Not granted") && page.contains("gmail.send"), "{page}");
        assert!(page.contains("until you connect again") && page.contains("Connect again"), "{page}");
    }
}
