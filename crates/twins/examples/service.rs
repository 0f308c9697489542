//! Runs a service without git, with a fixed set of data, until standard input closes:
//! `cargo run -p valetkey-twins --example service -- slack [--tls] [--listen 127.0.0.1:8930] [--redirect URL]`.
//!
//! The first line of output is JSON that says where the service is and which tokens it knows.

use std::io::{self, Write as _};

use serde_json::{Value, json};
use valetkey_twins::{
    Consent, Endpoint, Google, JiraCloud, JiraDataCenter, OAuthApp, Provider, Service, Slack, Token, TokenState, User,
    Wants,
};

/// Where apps send browsers back to, unless another address is given.
const BACK: &str = "http://127.0.0.1/callback";
const DRIVE: &str = "https://www.googleapis.com/auth/drive.readonly";
const SLACK_SCOPES: [&str; 4] = ["chat:write", "channels:read", "channels:history", "users:read"];

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("jira") => run(&arguments, jira).await,
        Some("jira-data-center") => run(&arguments, jira_data_center).await,
        Some("google") => run(&arguments, google).await,
        Some("slack") => run(&arguments, slack).await,
        Some("endpoint") => run(&arguments, endpoint).await,
        _ => {
            let usage =
                "usage: service jira|jira-data-center|google|slack|endpoint [--tls] [--listen ADDR] [--redirect URL]";
            Err(io::Error::new(io::ErrorKind::InvalidInput, usage))
        }
    }
}

/// Starts a service, fills it, says what is in it, and serves until the input ends.
async fn run<P: Provider>(arguments: &[String], furnish: fn(&Service<P>, &str) -> Value) -> io::Result<()> {
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1).map(String::as_str);
    let service = Service::<P>::builder()
        .tls(arguments.iter().any(|argument| argument == "--tls"))
        .listen(after("--listen").unwrap_or("127.0.0.1:0"))
        .start()
        .await?;
    let mut facts = furnish(&service, after("--redirect").unwrap_or(BACK));
    facts["url"] = json!(service.url());
    facts["caPem"] = json!(service.ca_pem());
    writeln!(io::stdout(), "{facts}")?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}

fn client(app: &OAuthApp, back: &str) -> Value {
    json!({"id": app.client_id(), "secret": app.client_secret(), "redirect": back})
}

fn jira(jira: &Service<JiraCloud>, back: &str) -> Value {
    let john = jira.user(User::new("john").name("John Doe").email("john@example.test"));
    let site = jira.first_site();
    jira.project(&site, "PROJ", "Project");
    for number in 1..=250 {
        jira.issue(&site, "PROJ", &format!("Issue {number}"));
    }
    jira.oauth().consent_always(Consent::approve(&john));
    let scopes = ["read:jira-user", "read:jira-work", "write:jira-work"];
    json!({
        "email": "john@example.test",
        "name": "John Doe",
        "token": jira.api_token(&john, Token::generated()),
        "scopedToken": jira.api_token(&john, Token::generated().scopes(scopes)),
        "cloudId": site.cloud_id,
        "issues": 250,
        "app": client(&jira.oauth().register(OAuthApp::confidential(back)), back),
    })
}

fn jira_data_center(jira: &Service<JiraDataCenter>, _: &str) -> Value {
    let john = jira.user(User::new("john").name("John Doe").email("john@example.test"), "password");
    jira.project("PROJ", "Project");
    for number in 1..=250 {
        jira.issue("PROJ", &format!("Issue {number}"));
    }
    let token = jira.token(&john, "laptop", Some("2027-01-31T00:00:00.000+0000"));
    json!({"username": "john", "name": "John Doe", "token": token.value, "issues": 250})
}

fn google(google: &Service<Google>, back: &str) -> Value {
    let john = google.user(User::new("john").name("John Doe"));
    for number in 1..=250 {
        google.file(&john, &format!("File {number}"));
    }
    google.oauth().consent_always(Consent::approve(&john));
    let app = google.oauth().register(OAuthApp::confidential(back));
    let tokens = google.oauth().grant(&app, &john, [DRIVE]);
    google.oauth().expire(&tokens.access);
    json!({
        "email": "john@example.test",
        "expiredToken": tokens.access,
        "refreshToken": tokens.refresh,
        "scopes": [DRIVE],
        "files": 250,
        "app": client(&app, back),
    })
}

fn slack(slack: &Service<Slack>, back: &str) -> Value {
    let ann = slack.user(User::new("ann").name("Ann"));
    let channels: Vec<_> = (1..=250).map(|number| slack.channel(&format!("channel-{number}"))).collect();
    slack.oauth().consent_always(Consent::approve(&ann));
    json!({
        "token": slack.bot_token(Token::generated().scopes(SLACK_SCOPES)),
        "revokedToken": slack.bot_token(Token::generated().state(TokenState::Revoked)),
        "readOnlyToken": slack.bot_token(Token::generated().scopes(["channels:read"])),
        "scopes": SLACK_SCOPES,
        "channel": channels[0],
        "channels": channels.len(),
        "app": client(&slack.oauth().register(OAuthApp::confidential(back)), back),
    })
}

fn endpoint(endpoint: &Service<Endpoint>, _: &str) -> Value {
    endpoint.want(Wants::Bearer("endpoint-secret".to_owned()));
    json!({"bearer": "endpoint-secret", "mcp": "/mcp"})
}
