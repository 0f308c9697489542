use serde::Serialize;
use valetkey_model::{InstanceUrl, OwnerScope};
use valetkey_providers::{Field, ScopeSet};

use super::{ground::Ground, read::Wrong};
use crate::pages::{
    form::{Form, ProblemView},
    render::View,
};

#[derive(Debug, Serialize)]
pub(super) struct ConnectView {
    slug: &'static str,
    name: &'static str,
    method: &'static str,
    help: String,
    tabs: Vec<Tab>,
    way: Way,
    known: Option<Known>,
    default_instance: String,
    token_page: Option<TokenPage>,
    fields: Vec<FieldView>,
    instances: Vec<Instance>,
    choices: Vec<Choice>,
    levels: Vec<Level>,
    level_problem: Option<ProblemView>,
    alias: FieldView,
    device: bool,
    /// Whether people run such a service of their own, so that there may be more instances.
    self_hosted: bool,
    scope_sets: Vec<ScopeSet>,
    /// The form that needs it: then who may use it is given.
    wanted_by: Option<Needing>,
    /// A refusal that is about no field in particular.
    problem: Option<ProblemView>,
}

impl View for ConnectView {
    const TEMPLATE: &'static str = "connect.html";
}

/// What the form can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// Take a secret.
    Secret,
    /// Send the person to the provider.
    Consent,
    /// Nothing before an administrator has registered an app.
    AppMissing,
}

/// Another form, in which what is connected here is chosen.
#[derive(Debug, Serialize)]
struct Needing {
    project: String,
    back: String,
    /// What its links here have in common.
    query: String,
}

/// One of the provider's methods.
#[derive(Debug, Serialize)]
struct Tab {
    method: &'static str,
    label: String,
    current: bool,
}

/// The integration that is connected again.
#[derive(Debug, Serialize)]
struct Known {
    id: String,
    alias: String,
    username: String,
    host: String,
}

/// Where a secret is created: a whole address, as far as it is known before the person has named an instance.
#[derive(Debug, Serialize)]
struct TokenPage {
    href: Option<String>,
    /// What comes after the address of the instance.
    path: Option<String>,
}

/// A field with what was typed into it and what is wrong with that. What was typed into a secret one is never sent back.
#[derive(Debug, Serialize)]
struct FieldView {
    name: String,
    label: String,
    help: String,
    secret: bool,
    required: bool,
    placeholder: String,
    value: String,
    problem: Option<ProblemView>,
}

/// Where an app is registered.
#[derive(Debug, Serialize)]
struct Instance {
    url: String,
    host: String,
    chosen: bool,
}

/// A scope that may be left out.
#[derive(Debug, Serialize)]
struct Choice {
    name: String,
    label: String,
    why: String,
    chosen: bool,
}

/// Who may use the integration.
#[derive(Debug, Serialize)]
struct Level {
    value: String,
    words: String,
    chosen: bool,
}

impl ConnectView {
    pub(super) fn new(ground: &Ground) -> Self {
        let Ground { kind, catalogue, method, instances, .. } = ground;
        let default_instance = catalogue.default_instance.as_ref().map(InstanceUrl::to_string).unwrap_or_default();
        let way = match method.method.is_by_consent() {
            false => Way::Secret,
            true if instances.is_empty() => Way::AppMissing,
            true => Way::Consent,
        };
        let fields = method.fields.iter().map(|field| FieldView::new(field, &default_instance));
        Self {
            slug: kind.slug(),
            name: kind.name(),
            method: method.method.as_str(),
            help: method.help.clone(),
            tabs: tabs(ground),
            way,
            known: ground.reconnect.as_ref().map(|known| Known {
                id: known.id.to_string(),
                alias: known.alias.to_string(),
                username: known.account.username.clone(),
                host: known.instance_url.authority(),
            }),
            token_page: method.token_page.as_deref().map(|page| TokenPage::new(page, &default_instance)),
            fields: fields.filter(|field| way == Way::Secret || field.name != "instanceUrl").collect(),
            instances: instances.iter().enumerate().map(|(n, url)| Instance::new(url, n == 0)).collect(),
            choices: choices(ground),
            levels: levels(ground),
            level_problem: None,
            alias: FieldView::alias(),
            device: method.device,
            self_hosted: catalogue.git && method.fields.iter().any(|field| field.name == "instanceUrl"),
            scope_sets: method.required_scopes.clone(),
            wanted_by: ground.wanted_by.as_ref().map(|form| Needing {
                project: form.project.to_string(),
                back: form.back.to_string(),
                query: form.query(),
            }),
            default_instance,
            problem: None,
        }
    }

    /// The form with what a link filled in.
    pub(super) fn preset(mut self, level: Option<&str>, instance: Option<&str>) -> Self {
        if let Some(wanted) = level.filter(|wanted| self.levels.iter().any(|level| level.value == *wanted)) {
            for level in &mut self.levels {
                level.chosen = level.value == wanted;
            }
        }
        if let (Some(instance), Some(field)) = (instance, self.fields.iter_mut().find(|it| it.name == "instanceUrl")) {
            instance.clone_into(&mut field.value);
        }
        self
    }

    /// The form again, with what was typed and what is wrong with it.
    pub(super) fn again(ground: &Ground, form: &Form, wrong: &Wrong) -> Self {
        let mut view = Self::new(ground);
        for field in view.fields.iter_mut().chain([&mut view.alias]).filter(|field| !field.secret) {
            form.get(&field.name).clone_into(&mut field.value);
        }
        for level in &mut view.levels {
            level.chosen = level.value == form.get("level");
        }
        for instance in &mut view.instances {
            instance.chosen = instance.url == form.get("instanceUrl");
        }
        for choice in &mut view.choices {
            choice.chosen = form.all("choice").any(|name| name == choice.name);
        }
        let problem = Some(ProblemView::from(&wrong.problem));
        let mut fields = view.fields.iter_mut().chain(std::iter::once(&mut view.alias));
        match fields.find(|field| Some(&*field.name) == wrong.field) {
            Some(field) => field.problem = problem,
            None if wrong.field == Some("level") => view.level_problem = problem,
            None => view.problem = problem,
        }
        view
    }
}

/// One for each method, if there are several and the person may choose.
fn tabs(ground: &Ground) -> Vec<Tab> {
    let methods = &ground.catalogue.methods;
    if methods.len() < 2 || ground.reconnect.is_some() {
        return Vec::new();
    }
    let tab = |offered: &valetkey_providers::ConnectMethod| Tab {
        method: offered.method.as_str(),
        label: offered.label.clone(),
        current: offered.method == ground.method.method,
    };
    methods.iter().map(tab).collect()
}

/// What was granted before is chosen again; for a new account, what the catalogue recommends.
fn choices(ground: &Ground) -> Vec<Choice> {
    let before = ground.reconnect.as_ref();
    let choice = |choice: &valetkey_providers::ScopeChoice| Choice {
        name: choice.name.clone(),
        label: choice.label.clone(),
        why: choice.why.clone(),
        chosen: before.map_or(choice.preselected, |known| {
            known.granted_scopes.contains(&choice.name) || known.details.withheld_scopes.contains(&choice.name)
        }),
    };
    ground.method.choices.iter().map(choice).collect()
}

/// The first is chosen, or the one that a link asked for.
fn levels(ground: &Ground) -> Vec<Level> {
    let level = |scope: &OwnerScope| {
        let words = match scope {
            OwnerScope::UserGlobal => "You, everywhere".to_owned(),
            OwnerScope::User(project) => format!("You, in {project}"),
            OwnerScope::Project(project) => format!("Everybody in {project}"),
        };
        Level { value: level_value(scope), words, chosen: false }
    };
    let mut levels: Vec<Level> = ground.levels.iter().map(level).collect();
    if let Some(first) = levels.first_mut() {
        first.chosen = true;
    }
    levels
}

/// A level as forms and links name it: `user_global`, `user:p`, `project:p`.
pub(in crate::pages) fn level_value(scope: &OwnerScope) -> String {
    match scope.project() {
        Some(project) => format!("{}:{project}", scope.as_str()),
        None => scope.as_str().to_owned(),
    }
}

impl TokenPage {
    fn new(page: &str, default_instance: &str) -> Self {
        if !page.starts_with('/') {
            return Self { href: Some(page.to_owned()), path: None };
        }
        let href = (!default_instance.is_empty()).then(|| format!("{default_instance}{page}"));
        Self { href, path: Some(page.to_owned()) }
    }
}

impl Instance {
    fn new(url: &InstanceUrl, chosen: bool) -> Self {
        Self { url: url.to_string(), host: url.authority(), chosen }
    }
}

impl FieldView {
    fn new(field: &Field, default_instance: &str) -> Self {
        let placeholder = match field.name.as_str() {
            "instanceUrl" if field.placeholder.is_empty() => default_instance.to_owned(),
            _ => field.placeholder.clone(),
        };
        Self {
            name: field.name.clone(),
            label: field.label.clone(),
            help: field.help.clone(),
            secret: field.secret,
            required: field.required,
            placeholder,
            value: String::new(),
            problem: None,
        }
    }

    fn alias() -> Self {
        Self {
            name: "alias".to_owned(),
            label: "Alias".to_owned(),
            help: "A name to tell accounts apart.".to_owned(),
            secret: false,
            required: false,
            placeholder: "name@host".to_owned(),
            value: String::new(),
            problem: None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{Problem, ProblemCode, ProviderKind};

    use super::{
        super::{
            super::card::tests::consented,
            ground::{Back, WantedBy},
        },
        *,
    };
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let refusal =
            Problem::new(ProblemCode::InsufficientScope, "The GitLab token lacks the scope 'write_repository'.")
                .remedy("Create a token with the missing scopes and connect again.");
        let gitlab = |method, instances| Ground::sample(ProviderKind::GitLab, method, instances);
        let again = Ground {
            reconnect: Some(consented(1)),
            ..Ground::sample(ProviderKind::Google, "oauth", &["https://x.test"])
        };
        vec![
            ("connect", html(ConnectView::new(&Ground::sample(ProviderKind::GitHub, "", &[])))),
            ("connect_refused", html(ConnectView::again(&gitlab("pat", &[]), &form(), &refusal.into()))),
            ("connect_consent", html(ConnectView::new(&gitlab("oauth", &["https://gitlab.com", "https://g.test"])))),
            ("connect_no_app", html(ConnectView::new(&gitlab("oauth", &[])))),
            ("connect_again", html(ConnectView::new(&again))),
            ("connect_for_a_form", html(ConnectView::new(&for_a_form("pat")))),
            ("connect_consent_for_a_form", html(ConnectView::new(&for_a_form("oauth")))),
        ]
    }

    fn for_a_form(method: &str) -> Ground {
        let ground = Ground::sample(ProviderKind::GitLab, method, &["https://gitlab.com"]);
        let back = Back::try_from("/projects/default/assistants/new".to_owned()).unwrap();
        ground.wanted_by(Some(WantedBy { project: valetkey_model::ProjectName::default_project(), back }))
    }

    #[test]
    fn for_another_form_the_project_is_given_and_one_comes_back() {
        let page = html(ConnectView::new(&for_a_form("pat")));
        assert!(page.contains(r#"<input type="hidden" name="level" value="user:default">"#), "{page}");
        assert!(page.contains(r#"name="return" value="/projects/default/assistants/new""#), "{page}");
        assert!(
            page.contains("?method=oauth&amp;project=default&amp;return=/projects/default/assistants/new"),
            "{page}"
        );
        assert!(!page.contains("user_global") && !page.contains(r#"href="/integrations" data-close"#), "{page}");
    }

    fn form() -> Form {
        Form::of("instanceUrl=https%3A%2F%2Fg.test&token=glpat-canary&alias=Work&level=project%3Adefault")
    }

    #[test]
    fn all_that_was_typed_is_kept_but_the_secret() {
        let refusal = Problem::new(ProblemCode::TokenInvalid, "GitLab does not accept this token.");
        let ground = Ground::sample(ProviderKind::GitLab, "pat", &[]);
        let page = html(ConnectView::again(&ground, &form(), &refusal.into()));
        assert!(page.contains("https://g.test") && page.contains("Work"), "{page}");
        assert!(page.contains(r#"value="project:default" selected"#), "{page}");
        assert!(page.contains("GitLab does not accept this token."));
        assert!(!page.contains("canary"));
    }

    #[test]
    fn every_method_of_every_provider_has_a_form() {
        for kind in ProviderKind::ALL {
            for method in valetkey_providers::provider(kind).catalogue().methods {
                let ground = Ground::sample(kind, method.method.as_str(), &["https://one.test"]);
                let page = html(ConnectView::new(&ground));
                assert!(page.contains(&format!(r#"name="method" value="{}""#, method.method.as_str())), "{kind}");
                for choice in method.choices {
                    assert!(page.contains(&format!(r#"name="choice" value="{}""#, choice.name)), "{kind}");
                }
            }
        }
    }

    #[test]
    fn without_an_app_one_is_told_what_works_and_what_to_ask_for() {
        let page = html(ConnectView::new(&Ground::sample(ProviderKind::GitLab, "oauth", &[])));
        assert!(page.contains("/settings/apps/gitlab") && page.contains("?method=pat"), "{page}");
        assert!(!page.contains("<form method=\"post\" action=\"/integrations/connect"), "{page}");
    }

    #[test]
    fn no_link_leads_to_this_server_for_a_token_of_another() {
        let page = html(ConnectView::new(&Ground::sample(ProviderKind::BitbucketDataCenter, "pat", &[])));
        assert!(page.contains("data-token-path=\"/plugins") && !page.contains("href=\"/plugins"), "{page}");
    }
}
