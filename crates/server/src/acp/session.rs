//! `/api/projects/{p}/agentic-sessions/{s}/credentials/…`: what a session's own processes may ask for, with the token in
//! their `VALETKEY_SESSION_TOKEN`. It is good for the session's granted accounts, for as long as the session runs. Where a
//! secret stands in for a provider's token in the agent's environment, it does here too: else asking would get around it.

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_integrations::SessionCredential;
use valetkey_model::{
    AuthMethod, InstanceUrl, Integration, Problem, ProblemCode, ProjectName, ProviderKind, SessionId,
};

use super::{TAG, jira::site_of};
use crate::{
    App,
    auth::SessionToken,
    client::ClientAddress,
    extract::Ids,
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    let refused = [ProblemCode::Forbidden, ProblemCode::NotFound, ProblemCode::TokenRevoked];
    let described = |row: Row, id, summary| row.for_sessions().operation(TAG, id, summary).fails(&refused);
    vec![
        described(
            Row::get("/api/projects/{project}/agentic-sessions/{session}/credentials/github", github),
            "ambientGithubCredential",
            "The session's GitHub credential, for the session itself",
        )
        .answers::<GitHubCredential>(),
        described(
            Row::get("/api/projects/{project}/agentic-sessions/{session}/credentials/gitlab", gitlab),
            "ambientGitlabCredential",
            "The session's GitLab credential, for the session itself",
        )
        .answers::<GitLabCredential>(),
        described(
            Row::get("/api/projects/{project}/agentic-sessions/{session}/credentials/jira", jira),
            "ambientJiraCredential",
            "The session's Jira credential, for the session itself",
        )
        .answers::<JiraCredential>(),
        described(
            Row::get("/api/projects/{project}/agentic-sessions/{session}/credentials/google", google),
            "ambientGoogleCredential",
            "The session's Google credential, for the session itself",
        )
        .answers::<GoogleCredential>(),
    ]
}

/// Which session's credential is asked for, and by whom.
type Asked = Ids<ProjectName, SessionId>;

/// The session's present credential of a provider; `missing` is what is said where it has none.
async fn granted(
    app: &App,
    (token, from): (&SessionToken, ClientAddress),
    Ids(project, session): Asked,
    kind: ProviderKind,
    missing: &str,
) -> Answer<SessionCredential> {
    let granted = app.integrations.session_credential(token.as_str(), &session, kind, from.0).await?;
    let known = app.store.session(&session).await?;
    if known.is_none_or(|known| known.project != project) {
        return Err(Failure::new(ProblemCode::NotFound, "Session not found"));
    }
    let granted = granted.ok_or_else(|| Failure::new(ProblemCode::NotFound, missing))?;
    // It may be another than the one that the session began with.
    app.engine.hide(&session, &granted.given.credential.token);
    Ok(granted)
}

#[expect(clippy::disallowed_methods, reason = "the session is given the credential that it was granted")]
fn plain(granted: &SessionCredential) -> String {
    granted.given.credential.token.expose().clone()
}

/// When a token ends that is the integration's own; of one that stands in for it nothing is known.
fn end_of(granted: &SessionCredential) -> Option<Timestamp> {
    granted.given.integration.expires_at.filter(|_| !granted.overridden)
}

fn email(integration: &Integration) -> String {
    integration.account.email.clone().unwrap_or_default()
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGithubCredential")]
struct GitHubCredential {
    token: String,
    user_name: String,
    email: String,
    /// `github`.
    provider: ProviderKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

async fn github(
    State(app): State<App>,
    token: SessionToken,
    from: ClientAddress,
    asked: Asked,
) -> Answer<Json<GitHubCredential>> {
    let missing = "no GitHub credentials available. Connect GitHub on the Integrations page";
    let granted = granted(&app, (&token, from), asked, ProviderKind::GitHub, missing).await?;
    let integration = &granted.given.integration;
    Ok(Json(GitHubCredential {
        token: plain(&granted),
        email: email(integration),
        user_name: integration.account.username.clone(),
        provider: ProviderKind::GitHub,
        // Of a token that an app made, another moment is known: its consent's.
        expires_at: end_of(&granted).filter(|_| integration.auth_method != AuthMethod::App),
    }))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGitlabCredential")]
struct GitLabCredential {
    token: String,
    instance_url: InstanceUrl,
    user_name: String,
    email: String,
    /// `gitlab`.
    provider: ProviderKind,
}

async fn gitlab(
    State(app): State<App>,
    token: SessionToken,
    from: ClientAddress,
    asked: Asked,
) -> Answer<Json<GitLabCredential>> {
    let missing = "GitLab credentials not configured";
    let granted = granted(&app, (&token, from), asked, ProviderKind::GitLab, missing).await?;
    Ok(Json(GitLabCredential {
        token: plain(&granted),
        email: email(&granted.given.integration),
        instance_url: granted.given.integration.instance_url,
        user_name: granted.given.integration.account.username,
        provider: ProviderKind::GitLab,
    }))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientJiraCredential")]
struct JiraCredential {
    url: String,
    email: String,
    api_token: String,
}

async fn jira(
    State(app): State<App>,
    token: SessionToken,
    from: ClientAddress,
    asked: Asked,
) -> Answer<Json<JiraCredential>> {
    let missing = "Jira credentials not configured";
    let granted = granted(&app, (&token, from), asked, ProviderKind::Jira, missing).await?;
    let login = granted.given.credential.login.clone();
    Ok(Json(JiraCredential {
        url: site_of(&granted.given.integration),
        email: login.unwrap_or_else(|| email(&granted.given.integration)),
        api_token: plain(&granted),
    }))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGoogleCredential")]
struct GoogleCredential {
    access_token: String,
    email: String,
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

async fn google(
    State(app): State<App>,
    token: SessionToken,
    from: ClientAddress,
    asked: Asked,
) -> Answer<Json<GoogleCredential>> {
    let missing = "Google credentials not configured";
    let granted = granted(&app, (&token, from), asked, ProviderKind::Google, missing).await.map_err(consent_is_over)?;
    Ok(Json(GoogleCredential {
        access_token: plain(&granted),
        email: email(&granted.given.integration),
        expires_at: end_of(&granted),
        scopes: if granted.overridden { Vec::new() } else { granted.given.integration.granted_scopes },
    }))
}

fn consent_is_over(failure: Failure) -> Failure {
    if !matches!(
        failure.problem.code,
        ProblemCode::TokenExpired | ProblemCode::TokenRevoked | ProblemCode::TokenInvalid
    ) {
        return failure;
    }
    let detail = "Google token expired and refresh failed. Please re-authenticate.";
    Problem { code: ProblemCode::Unauthenticated, detail: detail.to_owned(), ..failure.problem }.into()
}
