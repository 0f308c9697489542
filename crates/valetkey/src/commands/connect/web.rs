use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;
use valetkey_model::{OAuthAttemptId, Problem, ProblemCode};

use super::{Consent, browser};
use crate::{
    client::Client,
    commands::{
        serve::{Serving, listen},
        with_client,
    },
    context::Context,
    output,
    wiring::{Foundation, House},
};

const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Has a person consent in their browser, and waits for what comes of it.
pub(super) async fn connect(context: &Context, body: &Value, no_browser: bool) -> Result<Value, Problem> {
    if context.server()?.is_some() {
        return with_client(context, async |client| consent(client, body, no_browser).await).await;
    }
    // The provider sends the browser back to this process, which serves for just as long.
    let settings = context.settings()?;
    let (listener, address) = listen(settings.listen).await.map_err(|problem| taken(&problem))?;
    let house = House::build(Foundation::lay(settings).await?, address).await?;
    let serving = Serving::start(listener, &house);
    let consented = consent(&Client::inside(house.clone()), body, no_browser).await;
    serving.stop(&house).await;
    consented
}

fn taken(problem: &Problem) -> Problem {
    Problem::new(ProblemCode::Conflict, format!("{} The provider sends the browser back to it.", problem.detail))
        .remedy("If a Valetkey server listens there, connect through it: --server URL, with VALETKEY_TOKEN set.")
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    authorize_url: String,
    attempt: OAuthAttemptId,
}

async fn consent(client: &Client, body: &Value, no_browser: bool) -> Result<Value, Problem> {
    let Begun { authorize_url, attempt } = client.post("/api/v1/oauth/authorize", body).await?;
    output::note(&format!("Open this address in your browser, within ten minutes:\n  {authorize_url}"));
    if !no_browser {
        browser::open(&authorize_url);
    }
    let path = format!("/api/v1/oauth/attempts/{attempt}");
    loop {
        match client.get(&path).await? {
            Consent::Pending { .. } => sleep(LOOK_AGAIN).await,
            Consent::Connected { integration } => return Ok(integration),
            Consent::Failed { problem } => return Err(problem),
        }
    }
}
