use axum::{extract::State, response::IntoResponse};
use jiff::Timestamp;
use serde::Serialize;
use valetkey_integrations::RegisteredApp;
use valetkey_model::{Integration, ProviderKind};
use valetkey_providers::{github_app, provider};

use super::card::Card;
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        frame::{Did, Frame, Section},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct ListView {
    groups: Vec<Group>,
    any: bool,
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
    fn new(mut all: Vec<Integration>, apps: &[RegisteredApp], now: Timestamp) -> Self {
        let any = !all.is_empty();
        let mut provider = |kind: ProviderKind| {
            let own = all.extract_if(.., |integration| integration.provider == kind);
            let cards = own.map(|integration| {
                let install = install_page(&integration, apps);
                Card::new(integration, install, now)
            });
            let (slug, name, cards) = (kind.slug(), kind.name(), cards.collect());
            Provider { slug, name, what: provider(kind).catalogue().summary, cards }
        };
        let groups = GROUPS.map(|(wanted, id, name)| {
            let kinds = ProviderKind::ALL.into_iter().filter(|kind| purpose(*kind) == wanted);
            let (connected, offered) =
                kinds.map(&mut provider).partition(|provider: &Provider| !provider.cards.is_empty());
            Group { id, name, connected, offered }
        });
        Self { groups: groups.into(), any }
    }
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
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let all = app.integrations.list(&caller.user, None).await?;
    let apps = app.integrations.registered_apps().await?;
    let frame = Frame::new(&app, &caller, Section::Integrations, "Integrations").after(did.as_deref());
    Ok(Page::new(frame, ListView::new(all, &apps, app.now())))
}

#[cfg(test)]
pub(super) mod tests {
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
            ("integrations", html(ListView::new(all, &[tests::app()], tests::now()))),
            ("integrations_empty", html(ListView::new(Vec::new(), &[], tests::now()))),
        ]
    }

    fn page(all: Vec<Integration>) -> String {
        html(ListView::new(all, &[tests::app()], tests::now()))
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
        let view = ListView::new(Vec::new(), &[], tests::now());
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
