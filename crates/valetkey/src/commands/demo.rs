//! Everything at once, on this machine alone: a forge, a server, a connected account, a session.

use std::path::Path;

use serde_json::{Value, json};
use valetkey_model::{IntegrationView, Problem, ProblemCode, ProjectName};
use valetkey_twins::{AccessLevel, Forge, Repository, Token, Twin, User};

use super::{
    follow,
    serve::{Serving, listen},
    session_view::SessionView,
    typed,
};
use crate::{
    cli::DemoArgs,
    client::Client,
    context::Context,
    output,
    settings::Settings,
    signals::Interrupts,
    wiring::{Foundation, House},
};

const REPOSITORY: &str = "team/hello";
const BRANCH: &str = "feature/greetings";
const TASK: &str = "Greet in three languages";
/// Stands in for a coding agent: it reads the task, works in the clone, and never sees how a push would sign in.
const AGENT: &str = r#"
echo "My task: $VALETKEY_TASK"
for greeting in "Hello, world!" "Bonjour, le monde !" "¡Hola, mundo!"; do
    echo "- $greeting" >> README.md
    echo "Wrote: $greeting"
done
echo "The token is in my environment, and hidden in this log: $GITLAB_TOKEN"
"#;

/// Shows one session from connecting to the pushed branch.
pub(crate) async fn demo(context: &Context, args: &DemoArgs) -> Result<u8, Problem> {
    let mut interrupts = Interrupts::catch()?;
    let folder = tempfile::Builder::new()
        .prefix("valetkey-demo-")
        .tempdir()
        .map_err(|e| Problem::new(ProblemCode::Internal, format!("No temporary folder can be made: {e}.")))?;
    output::say("Valetkey demo. Everything below happens on this machine, offline, and is removed at the end.\n\n")?;
    let (twin, token) = forge().await?;
    output::say(&format!("1. A GitLab-like forge is up at {} with the repository {REPOSITORY}.", twin.url()))?;
    let (house, server) = private_server(folder.path()).await?;
    let client = Client::inside(house.clone());

    let shown = show(context, &client, &twin, &token, &house, &mut interrupts).await;
    if matches!(shown, Ok(0)) && !args.once {
        output::say("\nCtrl-C ends the demo.")?;
        interrupts.next().await;
    }
    server.stop(&house).await;
    shown
}

async fn show(
    context: &Context,
    client: &Client,
    twin: &Twin,
    token: &str,
    house: &House,
    interrupts: &mut Interrupts,
) -> Result<u8, Problem> {
    let wanted = json!({
        "provider": "gitlab",
        "scope": "user_global",
        "instanceUrl": twin.url(),
        "auth": { "method": "pat", "token": token },
    });
    let view: IntegrationView = client.post("/api/v1/integrations", &wanted).await?;
    let who = output::one_line(&view.account.username);
    output::say(&format!("3. Connected {} as {who} with a personal access token.", view.provider))?;

    output::say(&format!("4. A session: \"{TASK}\" in {REPOSITORY}, to be pushed to {BRANCH}.\n\n"))?;
    let session = json!({
        "task": TASK,
        "repositories": [{ "url": twin.clone_url(REPOSITORY), "pushBranch": BRANCH }],
        "agent": { "command": ["sh", "-c", AGENT] },
        "timeoutSeconds": 60,
    });
    let record: Value = follow::carry_out(client, &ProjectName::default_project(), &session, interrupts).await?;
    let view: SessionView = typed(&record)?;
    if let Some(problem) = &view.failure {
        output::fail(context.format, problem);
        return Ok(view.exit_code());
    }
    let link = house.app.sign_in_link().await?;
    output::say(&format!(
        "\n{}\n\nLook around:\n  Valetkey  {link}\n            signs your browser in, once\n  Forge     {}/{REPOSITORY}",
        view.message.unwrap_or_default(),
        twin.url()
    ))?;
    Ok(0)
}

/// A forge with one user, one token and one repository.
async fn forge() -> Result<(Twin, String), Problem> {
    let twin = Twin::builder(Forge::GitLab).start().await.map_err(|e| {
        Problem::new(ProblemCode::Internal, format!("The demo's forge can't start: {e}."))
            .remedy("It needs git with its http-backend, which comes with every full git.")
    })?;
    let ada = twin.user(User::new("ada").name("Ada Lovelace").email("ada@example.com"));
    let token = twin.token(&ada, Token::generated().scopes(["api"]));
    let readme = "# Hello\n\nA repository to try Valetkey on.\n";
    twin.repository(REPOSITORY, Repository::new().member(&ada, AccessLevel::Developer).file("README.md", readme));
    Ok((twin, token))
}

/// A server of its own: nothing of the person's data directory or settings is touched.
async fn private_server(folder: &Path) -> Result<(House, Serving), Problem> {
    let wrong = |e: crate::settings::SettingsError| Problem::new(ProblemCode::Internal, format!("{e}."));
    let settings = Settings::private(&folder.join("data")).map_err(wrong)?;
    let (listener, address) = listen(settings.listen).await?;
    let house = House::build(Foundation::lay(settings).await?, address).await?;
    let server = Serving::start(listener, &house);
    output::say(&format!("2. Valetkey is up at http://{address}."))?;
    Ok((house, server))
}
