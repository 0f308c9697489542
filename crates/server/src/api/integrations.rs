//! Connected accounts.

use axum::{Json, extract::State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_integrations::{Connect, Disconnected};
use valetkey_model::{
    Alias, InstanceUrl, Integration, IntegrationId, IntegrationRef, IntegrationView, OwnerScope, ProblemCode,
    ProjectName, ProviderKind, RepoUrl, SessionId,
};
use valetkey_seal::Secret;

use crate::{
    App,
    api::{
        paging::{Page, Paging},
        token_schema,
    },
    auth::Caller,
    extract::{Body, Id, OptionalBody, Params},
    problem::{Answer, Failure},
    route::Row,
};

/// How the provider may refuse a token.
const REFUSED_TOKEN: [ProblemCode; 8] = [
    ProblemCode::TokenMalformed,
    ProblemCode::TokenInvalid,
    ProblemCode::InsufficientScope,
    ProblemCode::NotTheProvider,
    ProblemCode::AddressRefused,
    ProblemCode::RateLimited,
    ProblemCode::ProviderUnreachable,
    ProblemCode::Conflict,
];

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Integrations";
    const ALL: &str = "/api/v1/integrations";
    const ONE: &str = "/api/v1/integrations/{id}";
    let missing = [ProblemCode::NotFound, ProblemCode::IntegrationAmbiguous];
    vec![
        Row::get(ALL, list)
            .operation(TAG, "listIntegrations", "The caller's integrations, oldest first")
            .parameters::<Listing>()
            .answers::<Page<IntegrationView>>(),
        Row::post(ALL, connect)
            .operation(TAG, "connectIntegration", "Connects an account, once the provider has accepted the token")
            .body::<NewIntegration>()
            .success(StatusCode::CREATED)
            .answers::<IntegrationView>()
            .fails(&REFUSED_TOKEN),
        Row::get("/api/v1/integrations/resolve", resolve)
            .operation(TAG, "resolveIntegration", "Which integration a session would use for a repository, and why")
            .parameters::<Wanted>()
            .answers::<Resolved>()
            .fails(&[
                ProblemCode::IntegrationMissing,
                ProblemCode::IntegrationAmbiguous,
                ProblemCode::IntegrationUnusable,
            ]),
        Row::get(ONE, show)
            .operation(TAG, "getIntegration", "One integration, by id or alias")
            .answers::<IntegrationView>()
            .fails(&missing),
        Row::patch(ONE, change)
            .operation(TAG, "changeIntegration", "Renames an integration, or marks it as the default")
            .body::<Change>()
            .answers::<IntegrationView>()
            .fails(&[ProblemCode::NotFound, ProblemCode::Conflict]),
        Row::delete(ONE, disconnect)
            .operation(TAG, "disconnectIntegration", "Removes an integration and its credential")
            .parameters::<When>()
            .answers::<Removed>()
            .fails(&missing),
        Row::post("/api/v1/integrations/{id}/test", test)
            .operation(TAG, "testIntegration", "Asks the provider now; what it says is the new status")
            .answers::<IntegrationView>()
            .fails(&missing),
        Row::post("/api/v1/integrations/{id}/rotate", rotate)
            .operation(TAG, "rotateIntegration", "Replaces the token by a new one of the same account")
            .body::<NewCredential>()
            .answers::<IntegrationView>()
            .fails(&missing)
            .fails(&REFUSED_TOKEN),
        Row::get("/api/v1/integrations/{id}/usage", usage)
            .operation(TAG, "getIntegrationUsage", "The sessions that use an integration now")
            .answers::<Usage>()
            .fails(&missing),
    ]
}

/// Which integrations to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// Only those of this provider.
    provider: Option<ProviderKind>,
    /// At most this many items; 1 to 200, 50 if not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(Listing { provider, limit, cursor }): Params<Listing>,
) -> Answer<Json<Page<IntegrationView>>> {
    let paging = Paging { limit, cursor };
    let (fetch, after) = (paging.to_fetch()?, paging.after::<IntegrationId>()?);
    let mut own = app.integrations.list(&caller.user, provider).await?;
    own.retain(|integration| after.as_ref().is_none_or(|after| integration.id > *after));
    let page = Page::cut(own, fetch, |integration| integration.id.clone());
    Ok(Json(page.map(|integration| integration.view(app.now()))))
}

/// An account to connect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewIntegration {
    /// The kind of service.
    pub(crate) provider: ProviderKind,
    /// Who may use it, and where.
    #[serde(default)]
    pub(crate) scope: Scope,
    /// The project, for scopes that are bound to one.
    pub(crate) project: Option<ProjectName>,
    /// Its name; made of account and host if none is given.
    pub(crate) alias: Option<Alias>,
    /// Where the provider lives; its public service if not given.
    pub(crate) instance_url: Option<InstanceUrl>,
    /// How to connect.
    pub(crate) auth: Auth,
}

/// Who may use an integration, and where.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// The caller, in one project.
    User,
    /// The caller, everywhere.
    #[default]
    UserGlobal,
    /// Every member of one project.
    Project,
}

/// How to connect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Auth {
    /// With a personal access token.
    Pat {
        /// The token.
        #[schemars(schema_with = "token_schema")]
        token: Secret<String>,
    },
}

impl NewIntegration {
    fn owner_scope(&self) -> Answer<OwnerScope> {
        match (self.scope, &self.project) {
            (Scope::UserGlobal, None) => Ok(OwnerScope::UserGlobal),
            (Scope::User, Some(project)) => Ok(OwnerScope::User(project.clone())),
            (Scope::Project, Some(project)) => Ok(OwnerScope::Project(project.clone())),
            (Scope::UserGlobal, Some(_)) => Err(Failure::invalid("project: only the scopes user and project have one")),
            (Scope::User | Scope::Project, None) => Err(Failure::invalid("project: this scope needs one")),
        }
    }
}

async fn connect(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewIntegration>,
) -> Answer<(StatusCode, Json<IntegrationView>)> {
    let scope = new.owner_scope()?;
    let Auth::Pat { token } = new.auth;
    let wanted = Connect {
        provider: new.provider,
        scope,
        owner: caller.user,
        alias: new.alias,
        instance_url: new.instance_url,
        token,
    };
    let integration = app.integrations.connect(wanted).await?;
    Ok((StatusCode::CREATED, Json(integration.view(app.now()))))
}

/// What an integration is wanted for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The kind of service, where only that is known.
    provider: Option<ProviderKind>,
    /// The project; `default` if not given.
    project: Option<ProjectName>,
    /// A repository, or the instance alone.
    url: Option<String>,
    /// The integration that was chosen, by id or alias.
    #[schemars(with = "Option<String>")]
    integration: Option<IntegrationRef>,
}

/// The integration that serves it.
#[derive(Debug, Serialize, JsonSchema)]
struct Resolved {
    /// Which.
    integration: IntegrationView,
    /// Why this one.
    reason: String,
    /// All that were considered.
    candidates: Vec<IntegrationId>,
}

async fn resolve(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Answer<Json<Resolved>> {
    let instance = wanted.url.as_deref().map(instance_of).transpose()?;
    let project = wanted.project.unwrap_or_else(ProjectName::default_project);
    let (provider, chosen) = (wanted.provider, wanted.integration.as_ref());
    let resolved = app.integrations.resolve(&caller.user, &project, provider, instance.as_ref(), chosen).await?;
    let integration = resolved.integration.view(app.now());
    Ok(Json(Resolved { integration, reason: resolved.reason, candidates: resolved.candidates }))
}

fn instance_of(url: &str) -> Answer<InstanceUrl> {
    if let Ok(instance) = url.parse() {
        return Ok(instance);
    }
    let repository = url.parse::<RepoUrl>().map_err(|error| Failure::invalid(format!("url: {error}")))?;
    Ok(repository.instance().clone())
}

async fn show(State(app): State<App>, caller: Caller, Id(which): Id<IntegrationRef>) -> Answer<Json<IntegrationView>> {
    let integration = app.integrations.get(&caller.user, &which).await?;
    view(&app, &integration)
}

/// What to change. The URL is not among it: a credential belongs to one place, and goes to another only if it is given again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    /// A new name.
    alias: Option<Alias>,
    /// Whether it is the one to take where several would do.
    is_default: Option<bool>,
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(which): Id<IntegrationRef>,
    Body(change): Body<Change>,
) -> Answer<Json<IntegrationView>> {
    let mut integration = app.integrations.get(&caller.user, &which).await?;
    let which = IntegrationRef::Id(integration.id.clone());
    if let Some(alias) = &change.alias {
        integration = app.integrations.rename(&caller.user, &which, alias).await?;
    }
    if let Some(default) = change.is_default {
        integration = app.integrations.set_default(&caller.user, &which, default).await?;
    }
    view(&app, &integration)
}

/// When the credential goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct When {
    /// At once, also for the sessions that use it; otherwise they keep it until they end.
    #[serde(default)]
    now: bool,
}

/// What became of a disconnected integration.
#[derive(Debug, Serialize, JsonSchema)]
struct Removed {
    /// Whether the credential is erased already.
    erased: bool,
    /// The sessions that still use it; it is erased when the last of them ends.
    sessions: Vec<SessionId>,
}

async fn disconnect(
    State(app): State<App>,
    caller: Caller,
    Id(which): Id<IntegrationRef>,
    Params(when): Params<When>,
) -> Answer<Json<Removed>> {
    Ok(Json(match app.integrations.disconnect(&caller.user, &which, when.now).await? {
        Disconnected::Erased => Removed { erased: true, sessions: Vec::new() },
        Disconnected::UntilSessionsEnd(sessions) => Removed { erased: false, sessions },
    }))
}

/// Where the caller believes the integration to be.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Test {
    instance_url: Option<InstanceUrl>,
}

async fn test(
    State(app): State<App>,
    caller: Caller,
    Id(which): Id<IntegrationRef>,
    OptionalBody(test): OptionalBody<Test>,
) -> Answer<Json<IntegrationView>> {
    let integration = app.integrations.get(&caller.user, &which).await?;
    if test.instance_url.is_some_and(|url| url != integration.instance_url) {
        return Err(Failure::invalid(
            "instanceUrl: a stored credential is sent to its own instance only; connect the other one with its token",
        ));
    }
    let integration = app.integrations.test(&caller.user, &IntegrationRef::Id(integration.id)).await?;
    view(&app, &integration)
}

/// A new credential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewCredential {
    /// The new token.
    #[schemars(schema_with = "token_schema")]
    token: Secret<String>,
}

async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Id(which): Id<IntegrationRef>,
    Body(new): Body<NewCredential>,
) -> Answer<Json<IntegrationView>> {
    let integration = app.integrations.rotate(&caller.user, &which, &new.token).await?;
    view(&app, &integration)
}

/// What uses an integration now.
#[derive(Debug, Serialize, JsonSchema)]
struct Usage {
    /// The sessions that hold it.
    sessions: Vec<SessionId>,
}

async fn usage(State(app): State<App>, caller: Caller, Id(which): Id<IntegrationRef>) -> Answer<Json<Usage>> {
    let sessions = app.integrations.used_by(&caller.user, &which).await?;
    Ok(Json(Usage { sessions }))
}

fn view(app: &App, integration: &Integration) -> Answer<Json<IntegrationView>> {
    Ok(Json(integration.view(app.now())))
}
