//! Checks what Valetkey needs here. It changes nothing, except that an older database is brought up to date.

use std::{
    io,
    net::TcpListener,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::json;
use valetkey_git::{Git, GitError};
use valetkey_model::{Problem, Status};
use valetkey_providers::ProxySettings;
use valetkey_store::Everybodys;

use crate::{
    context::Context,
    output::{self, Style},
    settings::Settings,
    wiring::{self, Foundation},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What was looked at, what was found, and what to do about it.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, detail: detail.into(), remedy: None }
    }
    fn warn(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, detail: detail.into(), remedy: Some(remedy.into()) }
    }
    fn fail(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, detail: detail.into(), remedy: Some(remedy.into()) }
    }
}

/// Whether people could sign in by what `[oidc]` names.
async fn identity_provider(settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "sign-in";
    let table = settings.oidc.as_ref()?;
    let asked = async {
        let provider = table.identity_provider(settings)?;
        provider.party.check(wiring::now()).await?;
        Ok::<_, Problem>(provider.party.issuer().to_string())
    };
    Some(match asked.await {
        Ok(issuer) => Finding::ok(CHECK, format!("{issuer} is an OpenID provider")),
        Err(problem) => Finding::fail(CHECK, problem.detail, problem.remediation.unwrap_or_default()),
    })
}

/// Runs all checks; the exit code is 1 if one fails.
pub(crate) async fn doctor(context: &Context) -> Result<u8, Problem> {
    context.only_here("doctor")?;
    let settings = context.settings()?;
    let mut findings = vec![
        git().await,
        data_dir(&settings.data_dir),
        master_key(&settings),
        extra_ca(&settings),
        proxy(),
        port(&settings),
        agent(&settings),
    ];
    findings.extend(identity_provider(&settings).await);
    let stored = stored(&settings, &findings).await;
    findings.splice(3..3, stored);

    let healthy = findings.iter().all(|finding| finding.verdict != Verdict::Fail);
    output::print(context.format, &json!({ "healthy": healthy, "findings": findings }), || worded(&findings))?;
    Ok(u8::from(!healthy))
}

fn worded(findings: &[Finding]) -> String {
    let style = Style::of(&io::stdout());
    let mut lines = Vec::new();
    for Finding { check, verdict, detail, remedy } in findings {
        let mark = match verdict {
            Verdict::Ok => style.green("ok  "),
            Verdict::Warn => style.yellow("warn"),
            Verdict::Fail => style.red("fail"),
        };
        lines.push(format!("{mark}  {check:14}  {}", output::one_line(detail)));
        lines.extend(remedy.iter().map(|remedy| format!("{:22}{}", "", output::one_line(remedy))));
    }
    lines.join("\n")
}

async fn git() -> Finding {
    const CHECK: &str = "git";
    let asked = async {
        let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
        let git = Git::new(scratch.path()).map_err(|e| e.to_string())?;
        git.version().await.map_err(|e: GitError| e.to_string())
    };
    match asked.await {
        Ok(version) => Finding::ok(CHECK, version.to_string()),
        Err(why) => Finding::fail(CHECK, why, "Install a current git and see that it is on PATH."),
    }
}

fn data_dir(folder: &Path) -> Finding {
    const CHECK: &str = "data directory";
    let shown = folder.display();
    let Ok(found) = folder.metadata() else {
        return Finding::ok(CHECK, format!("{shown} is made on the first start"));
    };
    if !found.is_dir() {
        return Finding::fail(CHECK, format!("{shown} is not a folder"), "Set data_dir to a folder.");
    }
    if let Err(why) = tempfile::tempfile_in(folder) {
        return Finding::fail(
            CHECK,
            format!("{shown} can't be written: {why}"),
            "Give it to the user who runs Valetkey.",
        );
    }
    if found.mode() & 0o077 != 0 {
        let detail = format!("{shown} may be read by others (mode {:o})", found.mode() & 0o777);
        return Finding::warn(CHECK, detail, format!("chmod 700 {shown}"));
    }
    Finding::ok(CHECK, format!("{shown}, writable and private"))
}

fn master_key(settings: &Settings) -> Finding {
    const CHECK: &str = "master key";
    let file = &settings.master_key_file;
    let shown = file.display();
    match file.metadata() {
        Err(_) if settings.database_url.file().is_some_and(Path::exists) => Finding::fail(
            CHECK,
            format!("{shown} is missing, but there is a database"),
            "Restore the file from your backup; a new key opens none of the stored credentials.",
        ),
        Err(_) => Finding::ok(CHECK, format!("{shown} is made on the first start")),
        Ok(found) if found.mode() & 0o077 != 0 => {
            Finding::fail(CHECK, format!("{shown} may be read by others"), format!("chmod 600 {shown}"))
        }
        Ok(_) => match std::fs::File::open(file) {
            Ok(_) => Finding::ok(CHECK, format!("{shown}, readable and private")),
            Err(why) => {
                Finding::fail(CHECK, format!("{shown} can't be read: {why}"), "Give it to the user who runs Valetkey.")
            }
        },
    }
}

/// The database and the credentials in it, if there are any and nothing that they need is broken.
async fn stored(settings: &Settings, before: &[Finding]) -> Vec<Finding> {
    const DATABASE: &str = "database";
    if settings.database_url.file().is_some_and(|file| !file.exists()) {
        return vec![Finding::ok(DATABASE, "is made on the first start")];
    }
    if before.iter().any(|finding| finding.verdict == Verdict::Fail && finding.check != "git") {
        return vec![Finding::warn(DATABASE, "not looked at", "Put the other things right first.")];
    }
    let foundation = match Foundation::lay(settings.clone()).await {
        Ok(foundation) => foundation,
        Err(problem) => {
            let remedy = problem.remediation.unwrap_or_else(|| "See the log above for the cause.".to_owned());
            return vec![Finding::fail(DATABASE, problem.detail, remedy)];
        }
    };
    let mut findings = vec![Finding::ok(DATABASE, "opens")];
    let looked = [
        ("credentials", credentials(&foundation).await),
        ("provider apps", provider_apps(&foundation).await),
        ("integrations", integrations(&foundation).await),
    ];
    foundation.store.close().await;
    for (check, found) in looked {
        let failed = |problem: Problem| vec![Finding::fail(check, problem.detail, "See the log above for the cause.")];
        findings.extend(found.unwrap_or_else(failed));
    }
    findings
}

/// Whether everything sealed opens with the master key at hand: credentials, provider apps' secrets, sessions' secrets.
async fn credentials(foundation: &Foundation) -> Result<Vec<Finding>, Problem> {
    const CHECK: &str = "credentials";
    let broken = foundation.integrations.unopenable().await?;
    if broken.is_empty() {
        return Ok(vec![Finding::ok(CHECK, "all open")]);
    }
    let detail = format!("{} don't open: {}", broken.len(), broken.join(", "));
    let remedy =
        "Restore the master key file; or connect these accounts, register these apps and set these secrets again.";
    Ok(vec![Finding::fail(CHECK, detail, remedy)])
}

/// Whether the secrets of the settings file's apps are where it says.
async fn provider_apps(foundation: &Foundation) -> Result<Vec<Finding>, Problem> {
    const CHECK: &str = "provider apps";
    if let Err(problem) = foundation.read_apps() {
        return Ok(vec![Finding::fail(CHECK, problem.detail, "The server does not start so; see [[provider_app]].")]);
    }
    let (in_file, stored) =
        (foundation.settings.provider_apps.len(), foundation.integrations.registered_apps().await?.len());
    Ok(vec![Finding::ok(CHECK, format!("{stored} registered, {in_file} in the settings file"))])
}

/// The integrations that need a person, now or soon. No provider is asked.
async fn integrations(foundation: &Foundation) -> Result<Vec<Finding>, Problem> {
    const CHECK: &str = "integrations";
    let all = foundation.store.integrations(Everybodys::default()).await?;
    let mut findings = Vec::new();
    for it in &all {
        let (status, reason) = it.status(wiring::now());
        let remedy = match status {
            Status::Connected => continue,
            Status::Expiring | Status::Disconnected | Status::InsufficientScope => {
                format!("Connect it again: {}", it.provider.connect_command(&it.instance_url))
            }
            Status::Unreachable => "It is asked again by itself while the server runs.".to_owned(),
        };
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        findings.push(Finding::warn(CHECK, format!("'{}' is {}{reason}", it.alias, status.as_str()), remedy));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{} connected", all.len())));
    }
    Ok(findings)
}

/// The way out. With a proxy, what a name leads to is the proxy's to decide.
fn proxy() -> Finding {
    const CHECK: &str = "proxy";
    match ProxySettings::from_environment(|name| std::env::var(name).ok()) {
        Ok(None) => Finding::ok(CHECK, "none; providers are called directly"),
        Ok(Some(_)) => Finding::ok(CHECK, "providers are called through that of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"),
        Err(error) => Finding::fail(CHECK, error.to_string(), "Correct the variable, or unset it."),
    }
}

fn extra_ca(settings: &Settings) -> Finding {
    const CHECK: &str = "certificates";
    match (wiring::outbound(settings), &settings.extra_ca_file) {
        (Ok(_), None) => Finding::ok(CHECK, "the system's"),
        (Ok(_), Some(file)) => Finding::ok(CHECK, format!("the system's and {}", file.display())),
        (Err(problem), _) => {
            Finding::fail(CHECK, problem.detail, "Set extra_ca_file to a PEM bundle, or leave it out.")
        }
    }
}

fn port(settings: &Settings) -> Finding {
    const CHECK: &str = "port";
    match TcpListener::bind(settings.listen) {
        Ok(_) => Finding::ok(CHECK, format!("{} is free", settings.listen)),
        Err(why) if why.kind() == io::ErrorKind::AddrInUse => Finding::warn(
            CHECK,
            format!("something listens on {} already", settings.listen),
            "Fine if it is this Valetkey's server; otherwise set listen.",
        ),
        Err(why) => {
            Finding::fail(CHECK, format!("{}: {why}", settings.listen), "Set listen to an address of this machine.")
        }
    }
}

fn agent(settings: &Settings) -> Finding {
    const CHECK: &str = "agent";
    let program = settings.agent.first().map_or("", String::as_str);
    match on_path(program) {
        Some(path) => Finding::ok(CHECK, path.display().to_string()),
        None => Finding::warn(
            CHECK,
            format!("'{program}' is not on PATH"),
            "Install it, set agent, or name one with `run --agent`.",
        ),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(runs);
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(runs)
}
