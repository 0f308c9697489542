use super::*;

fn form(instance: &str, organisation: Option<&str>) -> (String, Value) {
    let ManifestForm { post_url, json } = manifest(Manifest {
        instance: &instance.parse().unwrap(),
        organisation,
        public_url: &"https://keys.test/base/".parse().unwrap(),
        name: "Valetkey at a place with a very long name",
        state: "s&t",
    });
    (post_url, serde_json::from_str(&json).unwrap())
}

#[test]
fn the_manifest_asks_for_what_sessions_need() {
    let (_, manifest) = form("https://github.com", None);
    let wanted = json!({
        "name": "Valetkey at a place with a very lo",
        "url": "https://keys.test/base",
        "redirect_url": "https://keys.test/base/oauth/github/manifest",
        "callback_urls": ["https://keys.test/base/oauth/callback"],
        "setup_url": "https://keys.test/base/oauth/github/installed",
        "setup_on_update": true,
        "public": false,
        "request_oauth_on_install": false,
        "default_events": [],
        "default_permissions": {
            "contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write", "workflows": "write",
        },
    });
    assert_eq!(manifest, wanted);
}

#[test]
fn the_form_goes_to_whoever_will_own_the_app() {
    let to = |organisation| form("https://github.corp.test", organisation).0;
    assert_eq!(to(None), "https://github.corp.test/settings/apps/new?state=s%26t");
    assert_eq!(to(Some("acme")), "https://github.corp.test/organizations/acme/settings/apps/new?state=s%26t");
    let hostile = to(Some("a/../../b?c"));
    assert_eq!(hostile, "https://github.corp.test/organizations/a%2F..%2F..%2Fb%3Fc/settings/apps/new?state=s%26t");
}

async fn convert(github: &Fixture, code: &str) -> Result<RegisteredGitHubApp, ProviderError> {
    convert_manifest(&github.http, &github.server.instance, now(), &code.into()).await
}

fn converted() -> String {
    json!({
        "id": 77, "slug": "valetkey-acme", "name": "Valetkey acme", "client_id": CLIENT_ID,
        "client_secret": "canary-secret", "webhook_secret": null, "pem": "canary-pem", "owner": { "login": "acme" },
    })
    .to_string()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test looks at made-up secrets")]
async fn the_code_is_exchanged_for_the_app() {
    let github = github(|_| answer_json(201, "", &converted())).await;
    let app = convert(&github, "a180b1a3d263c81bc6441d7b990bae27d4c10679").await.unwrap();
    assert_eq!((app.app_id, app.slug.as_str(), app.name.as_str()), (77, "valetkey-acme", "Valetkey acme"));
    assert_eq!((app.client_id.as_str(), app.client_secret.expose().as_str()), (CLIENT_ID, "canary-secret"));
    assert_eq!((app.private_key.expose().as_str(), app.webhook_secret.is_none()), ("canary-pem", true));
    assert!(!format!("{app:?}").contains("canary"));
    let seen = &github.server.requests()[0];
    assert_eq!(seen.line, "POST /api/v3/app-manifests/a180b1a3d263c81bc6441d7b990bae27d4c10679/conversions");
    assert!(!seen.head.contains("authorization") && seen.head.contains("content-length: 0"));
    assert_eq!(seen.body, b"");
}

#[tokio::test]
async fn a_code_works_once_and_only_if_it_can_be_one() {
    for status in [404, 422] {
        assert_eq!(
            convert(&refusing(status, "Not Found").await, "abc").await.unwrap_err(),
            AppError::CodeUnknown.into()
        );
    }
    let untouched = github(|_| panic!("nothing is sent")).await;
    for code in ["", "../../user", "a/b", "a?b", "a b", "a%2fb", &"a".repeat(257)] {
        assert_eq!(convert(&untouched, code).await.unwrap_err(), AppError::CodeUnknown.into(), "{code}");
    }
}
