use std::io::{self, Read as _};

use valetkey_git::credential::{CredentialError, Request, Response};
use valetkey_integrations::GitCredential;
use valetkey_model::{Actor, InstanceUrl, Problem, ProblemCode, ProjectName};
use valetkey_providers::GitAuth;

use crate::{
    cli::{CredentialOperation, GitCredentialArgs},
    context::Context,
    output,
    wiring::Foundation,
};

/// More than git writes.
const LONGEST: u64 = 1 << 20;

/// Answers git. No answer, without an error, sends git on to its next helper or to the person.
pub(crate) async fn answer(context: &Context, args: &GitCredentialArgs) -> Result<(), Problem> {
    match args.operation {
        CredentialOperation::Get => get(context).await,
        CredentialOperation::Store | CredentialOperation::Erase => Ok(()),
    }
}

async fn get(context: &Context) -> Result<(), Problem> {
    context.only_here("git-credential")?;
    let mut input = Vec::new();
    io::stdin().lock().take(LONGEST).read_to_end(&mut input).map_err(|e| refused(&e))?;
    let request = Request::parse(&input).map_err(|e| refused(&e))?;
    // Not a place where a credential can be: another protocol, or http beyond this machine.
    let Some(instance) = request.instance() else { return Ok(()) };

    let foundation = Foundation::lay(context.settings()?).await?;
    let (owner, project) = (Actor::admin(), ProjectName::default_project());
    let account = request.username.as_deref();
    let found = foundation.integrations.credential_for(&owner, &project, &instance, account).await;
    foundation.store.close().await;
    match found {
        Ok(found) if found.auth == GitAuth::Bearer && !request.can("authtype") => Err(needs_bearer(&instance)),
        Ok(found) => output::say(&encoded(&found).map_err(|e| refused(&e))?),
        Err(problem) if problem.code == ProblemCode::IntegrationMissing => Ok(()),
        Err(problem) => Err(problem),
    }
}

#[expect(clippy::disallowed_methods, reason = "git asked for the credential, to put it on its requests to that host")]
fn encoded(found: &GitCredential) -> Result<String, CredentialError> {
    let username = match &found.auth {
        GitAuth::Basic { user } => Some(user.as_str()),
        GitAuth::Bearer => None,
    };
    let password_expiry_utc = found.expires_at.map(jiff::Timestamp::as_second);
    Response { username, password: found.credential.token.expose(), password_expiry_utc }.encode()
}

fn needs_bearer(instance: &InstanceUrl) -> Problem {
    let detail = format!("{instance} takes this token as a bearer token only, which this git can't send.");
    Problem::new(ProblemCode::IntegrationUnusable, detail).remedy("Use git 2.46 or newer, or `valetkey run`.")
}

fn refused(error: &dyn std::error::Error) -> Problem {
    Problem::new(ProblemCode::InvalidInput, format!("Git's request was refused: {error}."))
}
