//! The main job at every forge, and what happens to a credential while it runs.

use valetkey_integrations::{AppFacts, AppSecrets, ConsentRequest, NewApp};
use valetkey_model::{Actor, AuthMethod, Integration, IntegrationRef, OwnerScope};
use valetkey_providers::UpstreamBody;
use valetkey_seal::TokenHash;
use valetkey_store::AppOrigin;
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{Consent, Forge, Install, OAuthApp};

use crate::bench::Bench;

const REDIRECT: &str = "http://127.0.0.1:8080/oauth/callback";

#[tokio::test]
async fn clones_and_pushes_and_says_where() {
    for kind in [
        Forge::GitHub,
        Forge::GitLab,
        Forge::Bitbucket,
        Forge::BitbucketDataCenter,
        Forge::Gitea,
        Forge::Forgejo,
        Forge::AzureDevOps,
    ] {
        let bench = Bench::with(ForgeBed::start(kind).await).await;
        let ended = bench.run("echo two >> src/main.txt && git fetch -q origin && echo done").await.completed();
        let pushed = bench.forge.twin.file_at(bench.forge.path, "feature/x", "src/main.txt");
        assert_eq!(pushed.as_deref(), Some("one\ntwo\n"), "{kind:?}");
        let provider = bench.forge.kind();
        let page = bench.forge.url().branch_url(provider, &"feature/x".parse().unwrap());
        let notice =
            format!("AgenticSession completed successfully!\nView changes in {}:\n{page}", provider.short_name());
        assert_eq!(ended.session.message.as_deref(), Some(notice.as_str()), "{kind:?}");
        assert!(!ended.log().contains(&bench.forge.token), "{kind:?}");
    }
}

#[tokio::test]
async fn a_token_that_ends_while_the_agent_works_is_replaced() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let app = forge.twin.oauth().register(OAuthApp::confidential(REDIRECT));
    let secrets = AppSecrets { client_secret: Some(app.client_secret().into()), ..AppSecrets::default() };
    register(&bed, &forge, app.client_id(), secrets, AppFacts::default()).await;
    connect(&bed, &forge, AuthMethod::OAuth).await;
    let bench = Bench::on(bed, forge, &[]).await;

    let go = bench.bed.folder.path().join("go");
    let script = format!(
        "echo ready; while [ ! -e {go} ]; do sleep 0.05; done; git fetch -q origin && echo two >> src/main.txt",
        go = go.display()
    );
    let id = bench.start(&script).await;
    bench.wait_for_output(&id, "ready").await;
    let before = bench.forge.twin.oauth().refreshes();
    // Its two hours are over: the provider ends it, and our clock says so too.
    bench.bed.clock.advance(jiff::SignedDuration::from_mins(119));
    std::fs::write(go, "").unwrap();
    bench.end_of(&id).await.completed();
    assert_eq!(bench.forge.twin.oauth().refreshes(), before + 1);
    let pushed = bench.forge.twin.file_at(bench.forge.path, "feature/x", "src/main.txt");
    assert_eq!(pushed.as_deref(), Some("one\ntwo\n"));
}

#[tokio::test]
async fn an_installed_app_gives_tokens_for_the_sessions_repository_only() {
    let forge = ForgeBed::github().await;
    forge.repository("team/other");
    let bed = Testbed::new(&[&forge]).await;
    let apps = forge.twin.github_apps();
    let permissions = [("contents", "write"), ("pull_requests", "write"), ("metadata", "read")];
    let app = apps.register("Valetkey", permissions, REDIRECT, REDIRECT);
    let installation = apps.install(app.id, Install::on("team"));
    let secrets = AppSecrets {
        client_secret: Some(app.client_secret.as_str().into()),
        private_key: Some(app.pem.as_str().into()),
        webhook_secret: None,
    };
    let facts = AppFacts { slug: Some(app.slug.clone()), ..AppFacts::default() };
    register(&bed, &forge, &app.client_id, secrets, facts).await;
    let connected = connect(&bed, &forge, AuthMethod::App).await;
    assert_eq!(connected.details.installations.iter().map(|one| one.id).collect::<Vec<_>>(), [installation]);
    let bench = Bench::on(bed, forge, &[]).await;

    let own = bench.forge.url();
    let other = bench.forge.url_of("team/other");
    let script = format!(
        "test ${{#GITHUB_TOKEN}} -gt 100 && echo two >> src/main.txt; \
         ask() {{ git -c http.extraHeader=\"Authorization: Basic $(printf x:$GITHUB_TOKEN | base64 -w0)\" ls-remote \"$1\"; }}; \
         ask {} >/dev/null && echo own; ask {} >/dev/null 2>&1 || echo not-other",
        own.clone_url(),
        other.clone_url()
    );
    let ended = bench.run(&script).await.completed();
    assert_eq!(ended.output(), "own\nnot-other\n");
    let pushed = bench.forge.twin.file_at(bench.forge.path, "feature/x", "src/main.txt");
    assert_eq!(pushed.as_deref(), Some("one\ntwo\n"));
    // One token served the whole session.
    let tokens = bench.forge.twin.github_apps().tokens(installation);
    assert_eq!(tokens.len(), 1);
    assert!(opens(&bench, &tokens[0]).await);
    let which = IntegrationRef::Id(connected.id);
    bench.bed.integrations.disconnect(&Actor::admin(), &which, true).await.unwrap();
    assert!(!opens(&bench, &tokens[0]).await, "what a session's processes still have ends too");
}

/// Whether a token reaches the session's repository.
async fn opens(bench: &Bench, token: &str) -> bool {
    let url = format!("{}/api/v3/repos/{}", bench.forge.twin.url(), bench.forge.path);
    let ask = http::Request::builder().uri(url).header("authorization", format!("Bearer {token}"));
    let instance = bench.forge.twin.url().parse().unwrap();
    let answer = bench.bed.http.stream(&instance, ask.body(UpstreamBody::default()).unwrap()).await.unwrap();
    answer.status().is_success()
}

async fn register(bed: &Testbed, forge: &ForgeBed, client_id: &str, secrets: AppSecrets, facts: AppFacts) {
    let instance_url = Some(forge.twin.url().parse().unwrap());
    let new = NewApp { provider: forge.kind(), instance_url, client_id: client_id.to_owned(), secrets, facts };
    bed.integrations.register_app(new, AppOrigin::Ui).await.unwrap();
}

/// John consents in his browser.
async fn connect(bed: &Testbed, forge: &ForgeBed, method: AuthMethod) -> Integration {
    forge.twin.oauth().consent(Consent::approve(&forge.john));
    let browser = TokenHash::of("johns-browser");
    let request = ConsentRequest {
        provider: forge.kind(),
        method,
        instance_url: Some(forge.twin.url().parse().unwrap()),
        scope: OwnerScope::UserGlobal,
        by: Actor::admin(),
        alias: None,
        choices: None,
        reconnect: None,
        redirect_uri: REDIRECT.to_owned(),
    };
    let begun = bed.integrations.begin_consent(request, &browser).await.unwrap();
    let ask = http::Request::builder().uri(begun.authorize_url.as_str()).body(UpstreamBody::default()).unwrap();
    let answer = bed.http.stream(&forge.twin.url().parse().unwrap(), ask).await.unwrap();
    let location: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let finished = bed.integrations.finish_consent(location.query().unwrap(), &[browser]).await.unwrap();
    finished.result.unwrap()
}
