//! Connected accounts.

use axum::{Json, extract::State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_integrations::{Connect, Disconnected, RevokedAtProvider, Rotation};
use valetkey_model::{
    Alias, AssistantId, AssistantName, AuthMethod, InstanceUrl, Integration, IntegrationChoice, IntegrationId,
    IntegrationRef, IntegrationView, Level, OwnerScope, Problem, ProblemCode, ProjectName, ProviderKind, Reason,
    RepoUrl, Role, SessionId, Status,
};
use valetkey_providers::Credential;
use valetkey_seal::Secret;
use valetkey_store::IntegrationFilter;

use crate::{
    App,
    api::{
        optional_token_schema,
        paging::{Page, Paging},
        token_schema,
    },
    auth::Caller,
    extract::{Body, Id, OptionalBody, Params},
    problem::{Answer, Failure, ProblemDocument},
    route::{Right, Row},
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
            .operation(
                TAG,
                "listIntegrations",
                "The integrations that the caller may know of, their own and their projects', oldest first",
            )
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
            .integration(Right::See)
            .operation(TAG, "getIntegration", "One integration, by id or alias")
            .answers::<IntegrationView>()
            .fails(&missing),
        Row::patch(ONE, change)
            .integration(Right::Manage)
            .operation(TAG, "changeIntegration", "Renames an integration, or marks it as the default")
            .body::<Change>()
            .answers::<IntegrationView>()
            .fails(&[ProblemCode::NotFound, ProblemCode::Conflict]),
        Row::delete(ONE, disconnect)
            .integration(Right::Manage)
            .operation(TAG, "disconnectIntegration", "Removes an integration and its credential")
            .parameters::<When>()
            .answers::<Removed>()
            .fails(&missing),
        Row::post("/api/v1/integrations/{id}/test", test)
            .integration(Right::Use)
            .operation(TAG, "testIntegration", "Asks the provider now; what it says is the new status")
            .answers::<IntegrationView>()
            .fails(&missing),
        Row::post("/api/v1/integrations/{id}/rotate", rotate)
            .integration(Right::Manage)
            .operation(
                TAG,
                "rotateIntegration",
                "Replaces the token: by the one that is given, else by one the provider makes",
            )
            .optional_body::<NewCredential>()
            .answers::<IntegrationView>()
            .fails(&missing)
            .fails(&REFUSED_TOKEN),
        Row::get("/api/v1/integrations/{id}/usage", usage)
            .integration(Right::See)
            .operation(TAG, "getIntegrationUsage", "What uses an integration: sessions now, assistants, repositories")
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
    /// Only those of this level.
    scope: Option<Level>,
    /// Only those bound to this project.
    project: Option<ProjectName>,
    /// Only those in this state.
    status: Option<Status>,
    /// Only those with this in their alias, account or address.
    q: Option<String>,
    /// At most this many items; 1 to 200, 50 if not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(Listing { provider, scope: level, project, status, q, limit, cursor }): Params<Listing>,
) -> Answer<Json<Page<IntegrationView>>> {
    let paging = Paging { limit, cursor };
    let (fetch, after) = (paging.to_fetch()?, paging.after::<IntegrationId>()?);
    let filter = IntegrationFilter {
        provider,
        level,
        project: project.as_ref(),
        status,
        text: q.as_deref(),
        ..Default::default()
    };
    let seen = app.integrations.page(&caller.actor, &filter, after.as_ref(), fetch).await?;
    let page = Page::cut(seen, fetch, |integration| integration.id.clone());
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
    /// With a token by itself.
    Pat {
        /// The token.
        #[schemars(schema_with = "token_schema")]
        token: Secret<String>,
    },
    /// With a token that goes with a user name or e-mail address.
    Basic {
        /// The user name or e-mail address.
        username: String,
        /// The token.
        #[schemars(schema_with = "token_schema")]
        token: Secret<String>,
    },
    /// With a secret in a header of its own.
    Header {
        /// The name of the header.
        username: String,
        /// The secret.
        #[schemars(schema_with = "token_schema")]
        token: Secret<String>,
    },
}

impl From<Auth> for Credential {
    fn from(auth: Auth) -> Self {
        let (method, login, token) = match auth {
            Auth::Pat { token } => (AuthMethod::Pat, None, token),
            Auth::Basic { username, token } => (AuthMethod::Basic, Some(username), token),
            Auth::Header { username, token } => (AuthMethod::Header, Some(username), token),
        };
        Self { login, method, ..Self::pat(token) }
    }
}

/// Who may use an integration, and where, from the two members that say it.
pub(crate) fn owner_scope(scope: Scope, project: Option<ProjectName>) -> Answer<OwnerScope> {
    match (scope, project) {
        (Scope::UserGlobal, None) => Ok(OwnerScope::UserGlobal),
        (Scope::User, Some(project)) => Ok(OwnerScope::User(project)),
        (Scope::Project, Some(project)) => Ok(OwnerScope::Project(project)),
        (Scope::UserGlobal, Some(_)) => Err(Failure::invalid("project: only the scopes user and project have one")),
        (Scope::User | Scope::Project, None) => Err(Failure::invalid("project: this scope needs one")),
    }
}

async fn connect(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewIntegration>,
) -> Answer<(StatusCode, Json<IntegrationView>)> {
    let scope = owner_scope(new.scope, new.project)?;
    let wanted = Connect {
        provider: new.provider,
        scope,
        by: caller.actor,
        alias: new.alias,
        instance_url: new.instance_url,
        credential: new.auth.into(),
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
    /// What was chosen: an integration by its id or alias, or `none`.
    #[schemars(with = "Option<String>")]
    integration: Option<IntegrationChoice>,
}

/// The integration that serves it.
#[derive(Debug, Serialize, JsonSchema)]
struct Resolved {
    /// Which; absent where it was chosen that none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    integration: Option<IntegrationView>,
    /// Why this one, or none.
    reason: String,
    /// How it was found, level by level.
    steps: Vec<String>,
    /// All that were considered.
    candidates: Vec<IntegrationId>,
}

impl Resolved {
    fn nothing() -> Self {
        let reason = Reason::NO_INTEGRATION.to_owned();
        Self { integration: None, reason, steps: Vec::new(), candidates: Vec::new() }
    }
}

async fn resolve(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Answer<Json<Resolved>> {
    let instance = wanted.url.as_deref().map(instance_of).transpose()?;
    let project = wanted.project.unwrap_or_else(ProjectName::default_project);
    caller.actor.require(Role::Member, &project)?;
    let chosen = match &wanted.integration {
        Some(IntegrationChoice::NoIntegration) => return Ok(Json(Resolved::nothing())),
        Some(IntegrationChoice::Integration(which)) => Some(which),
        None => None,
    };
    let by = &caller.actor;
    let resolved = app.integrations.resolve(by, &project, wanted.provider, instance.as_ref(), chosen).await?;
    let (integration, reason) = (Some(resolved.integration.view(app.now())), resolved.told());
    let valetkey_integrations::Resolved { steps, candidates, .. } = resolved;
    Ok(Json(Resolved { integration, reason, steps, candidates }))
}

fn instance_of(url: &str) -> Answer<InstanceUrl> {
    if let Ok(instance) = url.parse() {
        return Ok(instance);
    }
    let repository = url.parse::<RepoUrl>().map_err(|error| Failure::invalid(format!("url: {error}")))?;
    Ok(repository.instance().clone())
}

async fn show(State(app): State<App>, caller: Caller, Id(which): Id<IntegrationRef>) -> Answer<Json<IntegrationView>> {
    let integration = app.integrations.get(&caller.actor, &which).await?;
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
    let mut integration = app.integrations.get(&caller.actor, &which).await?;
    let which = IntegrationRef::Id(integration.id.clone());
    if let Some(alias) = &change.alias {
        integration = app.integrations.rename(&caller.actor, &which, alias).await?;
    }
    if let Some(default) = change.is_default {
        integration = app.integrations.set_default(&caller.actor, &which, default).await?;
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
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Removed {
    /// Whether the credential is erased already.
    erased: bool,
    /// The sessions that still use it; it is erased when the last of them ends.
    sessions: Vec<SessionId>,
    /// What became of it at the provider, once it is erased here.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<RevokedThere>,
    /// Where its owner deletes it at the provider, if that is still to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// Why the provider did not revoke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

/// What became of a credential at its provider.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RevokedAtProvider")]
enum RevokedThere {
    /// The provider says that it works no more.
    Yes,
    /// The provider did not know it any more.
    NotKnown,
    /// The provider has no way to revoke it.
    NotOffered,
    /// It may still work there.
    Failed,
}

impl From<RevokedAtProvider> for Removed {
    fn from(revoked: RevokedAtProvider) -> Self {
        let (revoked, page, problem) = match revoked {
            RevokedAtProvider::Yes => (RevokedThere::Yes, None, None),
            RevokedAtProvider::NotKnown => (RevokedThere::NotKnown, None, None),
            RevokedAtProvider::NotOffered { page } => (RevokedThere::NotOffered, Some(page), None),
            RevokedAtProvider::Failed { problem, page } => {
                (RevokedThere::Failed, Some(page), Some(Failure::from(problem).into()))
            }
        };
        Self { erased: true, sessions: Vec::new(), revoked: Some(revoked), page, problem }
    }
}

async fn disconnect(
    State(app): State<App>,
    caller: Caller,
    Id(which): Id<IntegrationRef>,
    Params(when): Params<When>,
) -> Answer<Json<Removed>> {
    Ok(Json(match app.integrations.disconnect(&caller.actor, &which, when.now).await? {
        Disconnected::Erased(revoked) => revoked.into(),
        Disconnected::UntilSessionsEnd(sessions) => Removed { sessions, ..Removed::default() },
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
    let integration = app.integrations.get(&caller.actor, &which).await?;
    if test.instance_url.is_some_and(|url| url != integration.instance_url) {
        return Err(Failure::invalid(
            "instanceUrl: a stored credential is sent to its own instance only; connect the other one with its token",
        ));
    }
    let integration = app.integrations.test(&caller.actor, &IntegrationRef::Id(integration.id)).await?;
    view(&app, &integration)
}

/// A new credential; without a token the provider is asked for one, where it can make one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewCredential {
    /// The new token.
    #[schemars(schema_with = "optional_token_schema")]
    token: Option<Secret<String>>,
    /// The user name, e-mail address or header that goes with it, if that is another one now.
    username: Option<String>,
}

async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Id(which): Id<IntegrationRef>,
    OptionalBody(new): OptionalBody<NewCredential>,
) -> Answer<Json<IntegrationView>> {
    let integration = match (new.token, new.username) {
        (Some(token), username) => app.integrations.replace_as(&caller.actor, &which, token, username).await?,
        (None, Some(_)) => return Err(Failure::invalid("token: it goes with username")),
        (None, None) => match app.integrations.rotate(&caller.actor, &which).await? {
            Rotation::Done(integration) => *integration,
            Rotation::ByHand { page } => {
                let integration = app.integrations.get(&caller.actor, &which).await?;
                return Err(by_hand(&integration, &page).into());
            }
        },
    };
    view(&app, &integration)
}

fn by_hand(integration: &Integration, page: &str) -> Problem {
    let what_to_do = match integration.auth_method {
        AuthMethod::OAuth | AuthMethod::App => "Consent again: the same account takes its place.".to_owned(),
        AuthMethod::Pat | AuthMethod::Basic | AuthMethod::Header => {
            format!("Create one at {page}, then give it here as the new token.")
        }
    };
    let detail = format!("{} makes no new credential in place of this one.", integration.provider);
    Problem::new(ProblemCode::Conflict, detail).remedy(what_to_do).by(integration.provider)
}

/// What uses an integration now.
#[derive(Debug, Serialize, JsonSchema)]
struct Usage {
    /// The sessions that hold it.
    sessions: Vec<SessionId>,
    /// The assistants that are pinned to it.
    assistants: Vec<PinnedAssistant>,
    /// The projects' repositories whose provider was asked with it the last time.
    repositories: Vec<AskedRepository>,
}

/// An assistant that is pinned to an integration.
#[derive(Debug, Serialize, JsonSchema)]
struct PinnedAssistant {
    id: AssistantId,
    project: ProjectName,
    name: AssistantName,
}

/// A repository of a project.
#[derive(Debug, Serialize, JsonSchema)]
struct AskedRepository {
    project: ProjectName,
    url: RepoUrl,
}

async fn usage(State(app): State<App>, caller: Caller, Id(which): Id<IntegrationRef>) -> Answer<Json<Usage>> {
    let valetkey_integrations::Usage { sessions, assistants, repositories } =
        app.integrations.used_by(&caller.actor, &which).await?;
    let assistants = assistants.into_iter().map(|(id, project, name)| PinnedAssistant { id, project, name });
    let repositories = repositories.into_iter().map(|(project, url)| AskedRepository { project, url });
    Ok(Json(Usage { sessions, assistants: assistants.collect(), repositories: repositories.collect() }))
}

fn view(app: &App, integration: &Integration) -> Answer<Json<IntegrationView>> {
    Ok(Json(integration.view(app.now())))
}
