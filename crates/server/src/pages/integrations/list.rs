use axum::{extract::State, response::IntoResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use valetkey_model::{Integration, ProviderKind};

use super::card::Card;
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        frame::{Frame, Section},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct ListView {
    providers: Vec<Provider>,
    any: bool,
}

impl View for ListView {
    const TEMPLATE: &'static str = "integrations.html";
}

#[derive(Debug, Serialize)]
struct Provider {
    slug: &'static str,
    name: &'static str,
    what: &'static str,
    cards: Vec<Card>,
}

impl ListView {
    fn new(all: Vec<Integration>, now: Timestamp) -> Self {
        let any = !all.is_empty();
        let mut all = all;
        let mut section = |kind: ProviderKind| {
            let own = all.extract_if(.., |integration| integration.provider == kind);
            let cards = own.map(|integration| Card::new(integration, now)).collect();
            Provider { slug: kind.slug(), name: kind.name(), what: what(kind), cards }
        };
        Self { providers: ProviderKind::ALL.into_iter().map(&mut section).collect(), any }
    }
}

fn what(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::GitHub => "github.com and GitHub Enterprise Server",
        ProviderKind::GitLab => "gitlab.com and self-managed GitLab",
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Did {
    did: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let all = app.integrations.list(&caller.user, None).await?;
    let frame = Frame::new(&app, &caller, Section::Integrations, "Integrations").after(did.as_deref());
    Ok(Page::new(frame, ListView::new(all, app.now())))
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
        vec![
            ("integrations", html(ListView::new(all, tests::now()))),
            ("integrations_empty", html(ListView::new(Vec::new(), tests::now()))),
        ]
    }

    #[test]
    fn what_the_provider_calls_itself_is_escaped() {
        let mut hostile = tests::integration(1, ProviderKind::GitHub);
        hostile.alias = "<script>alert(1)</script>\"'".parse().unwrap();
        hostile.account.name = Some("</h3><img src=x onerror=alert(1)>\u{202e}".to_owned());
        let page = html(ListView::new(vec![hostile], tests::now()));
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains('\u{202e}'));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("⟨U+202E⟩"), "{page}");
    }

    #[test]
    fn every_provider_has_its_section_even_when_empty() {
        let view = ListView::new(Vec::new(), tests::now());
        assert_eq!(view.providers.len(), ProviderKind::ALL.len());
        assert!(!view.any);
    }
}
