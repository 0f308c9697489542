//! The repositories of a project: the page that a project begins with.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, Problem, ProblemCode, Project, ProjectName, RepoUrl, UserId};
use valetkey_store::ProjectRepository;

use super::{
    PAGE, back,
    create::wrong,
    frame,
    head::{Head, Tab},
    query,
};
use crate::{
    App,
    api::projects::known,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
        words::{Badge, Moment, Tone},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct RepositoriesView {
    head: Head,
    q: String,
    items: Vec<Item>,
    /// The query of the page that follows.
    next: Option<String>,
    first: bool,
    /// Why a repository could not be asked for.
    problem: Option<ProblemView>,
}

impl View for RepositoriesView {
    const TEMPLATE: &'static str = "project.html";
}

#[derive(Debug, Serialize)]
struct Item {
    url: String,
    path: String,
    host: String,
    slug: &'static str,
    provider: &'static str,
    default_branch: Option<String>,
    access: Badge,
    why: Option<String>,
    checked: Moment,
    /// Whose account was asked.
    by: String,
    query: String,
}

impl Item {
    fn new(repository: &ProjectRepository, by: String, now: Timestamp) -> Self {
        let checked = &repository.checked;
        let (access, why) = match (checked.refusal, &checked.why_not_push) {
            (Some(refusal), _) => (Badge::new("Not shown", Tone::Bad), Some(words(refusal).to_owned())),
            (None, Some(why)) if checked.archived => (Badge::new("Archived", Tone::Warn), Some(why.clone())),
            (None, Some(why)) => (Badge::new("Read only", Tone::Warn), Some(why.clone())),
            (None, None) => (Badge::new("Can push", Tone::Good), None),
        };
        let url = repository.url.to_string();
        Self {
            path: repository.url.path().to_owned(),
            host: repository.url.instance().authority(),
            slug: checked.provider.slug(),
            provider: checked.provider.name(),
            default_branch: checked.default_branch.as_ref().map(ToString::to_string),
            access,
            why,
            checked: Moment::past(now, checked.at),
            by,
            query: query(&[("url", &url)]),
            url,
        }
    }
}

/// Why a provider did not show a repository, as half a sentence.
fn words(refusal: ProblemCode) -> &'static str {
    match refusal {
        ProblemCode::InsufficientScope => "the token lacks a permission for it",
        ProblemCode::SsoRequired => "the organisation wants single sign-on for the token first",
        _ => "it does not exist there any more, or the account can't see it",
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    after: Option<RepoUrl>,
    did: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(wanted): Params<Wanted>,
) -> Answer<Response> {
    let project = known(&app, &project).await?;
    let view = view(&app, &caller.actor, &project, &wanted).await?;
    Ok(Page::new(frame(&app, &caller, project.name.as_str()).after(wanted.did.as_deref()), view).into_response())
}

async fn view(app: &App, by: &Actor, project: &Project, wanted: &Wanted) -> Answer<RepositoriesView> {
    let Wanted { q, after, .. } = wanted;
    let page = app.store.repositories_page(&project.name, Some(q), after.as_ref(), PAGE as u32 + 1);
    let mut found = page.await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more).map(|repository| repository.url.to_string());
    let names = names(app, found.iter().map(|repository| &repository.checked.by)).await?;
    let item = |repository: &ProjectRepository| {
        let by = names.get(&repository.checked.by).cloned().unwrap_or_default();
        Item::new(repository, by, app.now())
    };
    Ok(RepositoriesView {
        head: Head::new(project, by, Tab::Repositories),
        q: q.trim().to_owned(),
        items: found.iter().map(item).collect(),
        next: last.map(|after| query(&[("q", q.trim()), ("after", &after)])),
        first: after.is_none(),
        problem: None,
    })
}

/// The names of people, by their ids.
async fn names(app: &App, ids: impl Iterator<Item = &UserId>) -> Result<BTreeMap<UserId, String>, Problem> {
    let mut names = BTreeMap::new();
    for id in ids {
        if !names.contains_key(id) {
            let name = app.store.user(id).await?.map_or_else(|| id.to_string(), |person| person.name);
            names.insert(id.clone(), name);
        }
    }
    Ok(names)
}

/// The repository that a form, or an address, names.
pub(super) fn repository(text: &str) -> Result<RepoUrl, Problem> {
    text.parse::<RepoUrl>().map_err(|error| wrong(&error))
}

pub(super) async fn check(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Response> {
    let url = repository(form.get("url"))?;
    let Err(problem) = app.integrations.recheck_repository(&caller.actor, &project, &url, None).await else {
        return Ok(back(&project, "", "tested").into_response());
    };
    let project = known(&app, &project).await?;
    let mut view = view(&app, &caller.actor, &project, &Wanted::default()).await?;
    view.problem = Some((&problem).into());
    Ok(Page::new(frame(&app, &caller, project.name.as_str()), view).with_status(refused(&problem)).into_response())
}

#[derive(Debug, Serialize)]
struct RemoveView {
    project: String,
    url: String,
    path: String,
}

impl View for RemoveView {
    const TEMPLATE: &'static str = "project_repository_remove.html";
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    url: RepoUrl,
}

pub(super) async fn show_remove(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Which { url }): Params<Which>,
) -> Answer<impl IntoResponse> {
    known(&app, &project).await?;
    let view = RemoveView { project: project.to_string(), url: url.to_string(), path: url.path().to_owned() };
    Ok(Page::new(frame(&app, &caller, "Remove a repository"), view))
}

pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Redirect> {
    app.integrations.remove_repository(&caller.actor, &project, &repository(form.get("url"))?).await?;
    Ok(back(&project, "", "repository-removed"))
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::SignedDuration;
    use valetkey_model::{ProviderKind, Role};
    use valetkey_store::RepositoryCheck;

    use super::{
        super::tests::{ann, now, project},
        *,
    };
    use crate::pages::render::tests::html;

    fn shown(url: &str, provider: ProviderKind, why_not_push: Option<&str>) -> ProjectRepository {
        let (at, by) = (now() - SignedDuration::from_mins(12), UserId::admin());
        ProjectRepository {
            url: url.parse().unwrap(),
            checked: RepositoryCheck {
                provider,
                integration: None,
                default_branch: Some("main".parse().unwrap()),
                archived: false,
                why_not_push: why_not_push.map(str::to_owned),
                refusal: None,
                at,
                by: by.clone(),
            },
            added_at: at,
            added_by: by,
        }
    }

    fn page(role: Role, items: &[ProjectRepository], problem: Option<ProblemView>) -> String {
        let shop = project("web-shop", "The shop, its API and its design tokens.");
        html(RepositoriesView {
            head: Head::new(&shop, &ann(role), Tab::Repositories),
            q: String::new(),
            items: items.iter().map(|it| Item::new(it, "Ann <Ng>".into(), now())).collect(),
            next: (items.len() > 2).then(|| "q=&after=x".to_owned()),
            first: true,
            problem,
        })
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let reporter = "the account's role is Reporter; pushing needs Developer or higher";
        let mut gone = shown("https://gitea.example.com/acme/legacy", ProviderKind::Gitea, None);
        gone.checked.refusal = Some(ProblemCode::RepositoryNotFound);
        gone.checked.default_branch = None;
        let all = [
            shown("https://github.com/acme/design-tokens", ProviderKind::GitHub, None),
            shown("https://gitlab.com/acme/web/shop", ProviderKind::GitLab, Some(reporter)),
            gone,
        ];
        let problem = Problem::new(ProblemCode::ProviderUnreachable, "Connecting to gitlab.com timed out.");
        let remove = RemoveView {
            project: "web-shop".into(),
            url: "https://gitlab.com/acme/web/shop".into(),
            path: "acme/web/shop".into(),
        };
        vec![
            ("project", page(Role::Admin, &all, None)),
            ("project_viewed", page(Role::Viewer, &all[..2], None)),
            ("project_empty", page(Role::Admin, &[], None)),
            ("project_not_answered", page(Role::Admin, &all[..1], Some((&problem).into()))),
            ("project_repository_remove", html(remove)),
        ]
    }

    #[test]
    fn only_an_admin_is_offered_what_only_an_admin_may() {
        let all = [shown("https://github.com/acme/design-tokens", ProviderKind::GitHub, None)];
        for (role, offered) in [(Role::Viewer, false), (Role::Member, false), (Role::Admin, true)] {
            let page = page(role, &all, None);
            for part in ["repositories/add", "repositories/check", "repositories/remove", "/web-shop/settings"] {
                assert_eq!(page.contains(part), offered, "{role} {part}");
            }
            assert_eq!(page.contains("/web-shop/members"), role >= Role::Member, "{role}");
        }
    }
}
