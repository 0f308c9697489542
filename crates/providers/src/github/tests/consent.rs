use valetkey_model::InstallationState;

use super::*;
use crate::{
    Consent,
    oauth::{Revocation, Revoked, Rotation},
};

/// What consent in the browser leaves.
async fn consented(token: &str, asked: &[&str], answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    let mut github = Fixture::new(token, answers).await;
    let asked = asked.iter().map(|scope| (*scope).to_owned()).collect();
    github.credential = Credential {
        method: AuthMethod::OAuth,
        consent: Some(Consent { redirect_uri: "https://keys.test/oauth/callback".into(), asked, at: None }),
        ..github.credential
    };
    github
}

const OAUTH: &str = "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";
const APP_USER: &str = "ghu_ikPvgG6nj44mj0XI9MiNMBh6o5AOso1ZSjq4";

#[test]
fn is_asked_for_where_github_does() {
    let on = |instance: &str| GitHub.oauth(&instance.parse().unwrap()).unwrap();
    let public = on("https://github.com");
    assert_eq!(public.authorize_url.as_str(), "https://github.com/login/oauth/authorize");
    assert_eq!(public.token_url.as_str(), "https://github.com/login/oauth/access_token");
    assert_eq!(public.device_url.unwrap().as_str(), "https://github.com/login/device/code");
    let url = "https://api.github.com/applications".parse().unwrap();
    assert_eq!(public.revocation, Some(Revocation::GitHubGrant { url }));
    assert!(public.device_without_secret && public.rotation == Rotation::KillsAccess);
    let own = on("https://github.corp.test:8443");
    assert_eq!(own.token_url.as_str(), "https://github.corp.test:8443/login/oauth/access_token");
    let url = "https://github.corp.test:8443/api/v3/applications".parse().unwrap();
    assert_eq!(own.revocation, Some(Revocation::GitHubGrant { url }));
}

#[tokio::test]
async fn to_an_oauth_app_has_scopes_some_of_them_withheld() {
    let github =
        consented(OAUTH, &["repo", "read:org", "workflow"], |_| json(200, "X-OAuth-Scopes: repo, write:org", USER))
            .await;
    let checked = GitHub.check(github.at()).await.unwrap();
    assert_eq!(checked.granted_scopes, ["repo", "write:org"]);
    assert_eq!(checked.details.withheld_scopes, ["workflow"]);
    assert!(checked.missing_scopes.is_empty() && checked.details.installations.is_empty());
}

fn app_answers(seen: &Seen) -> Vec<u8> {
    match seen.line.as_str() {
        "GET /api/v3/user" => json(200, "", USER),
        "GET /api/v3/user/installations?per_page=100&page=1" => json(
            200,
            "",
            r#"{"installations":[{"id":1,"account":{"login":"acme"},"repository_selection":"all","suspended_at":null},
                {"id":2,"account":{"login":"asleep"},"suspended_at":"2026-01-01T00:00:00Z"}]}"#,
        ),
        "GET /api/v3/user/installations/1/repositories?per_page=100&page=1" => {
            json(200, "", r#"{"repositories":[{"full_name":"acme/app","private":true},{"full_name":"acme/lib"}]}"#)
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn to_a_github_app_has_installations() {
    let by_link = consented(APP_USER, &["repo"], app_answers).await;
    let mut by_app = Fixture::new(APP_USER, app_answers).await;
    by_app.credential.method = AuthMethod::App;
    let pasted = Fixture::new(APP_USER, app_answers).await;
    for github in [by_link, by_app, pasted] {
        let checked = GitHub.check(github.at()).await.unwrap();
        assert!(checked.granted_scopes.is_empty() && checked.missing_scopes.is_empty());
        let states: Vec<_> =
            checked.details.installations.iter().map(|one| (one.account.as_str(), one.state)).collect();
        assert_eq!(states, [("acme", InstallationState::Active), ("asleep", InstallationState::Suspended)]);
        assert_eq!(checked.details.installations[0].repositories, ["acme/app", "acme/lib"]);
        assert_eq!(
            checked.details.notes,
            ["The installation on asleep is suspended: no session can use its repositories until an owner lifts that."]
        );
    }
}

#[tokio::test]
async fn to_an_app_that_is_installed_nowhere_says_where_to_install_it() {
    let mut github = consented(APP_USER, &[], |seen| {
        // GitHub may say that there are no scopes instead of saying nothing.
        if seen.line.ends_with("/user") {
            json(200, "X-OAuth-Scopes:", USER)
        } else {
            json(200, "", r#"{"installations":[]}"#)
        }
    })
    .await;
    let note = async |github: &Fixture| GitHub.check(github.at()).await.unwrap().details.notes.remove(0);
    let nowhere = "The app is installed nowhere yet that this account can see; install it";
    assert_eq!(note(&github).await, format!("{nowhere} from its page."));
    github.credential.login = Some("valetkey-acme".into());
    let page = format!("{}/github-apps/valetkey-acme/installations/new", github.server.instance);
    assert_eq!(note(&github).await, format!("{nowhere} at {page}."));
}

#[tokio::test]
async fn whose_app_github_does_not_speak_of_is_still_one() {
    let refused = r#"{"message":"You must authenticate with an access token authorized to a GitHub App"}"#;
    let github =
        consented(
            OAUTH,
            &[],
            move |seen| {
                if seen.line.ends_with("/user") { json(200, "", USER) } else { json(403, "", refused) }
            },
        )
        .await;
    let checked = GitHub.check(github.at()).await.unwrap();
    assert!(checked.details.installations.is_empty());
    assert!(checked.details.notes[0].starts_with("GitHub does not list where the app is installed: "));
}

#[tokio::test]
async fn of_an_app_needs_no_scope_to_push() {
    let repository = r#"{"full_name":"acme/app","private":true,"default_branch":"main","permissions":{"push":true}}"#;
    let github = consented(APP_USER, &[], move |_| json(200, "X-OAuth-Scopes:", repository)).await;
    let repository = GitHub.repository(github.at(), &github.server.repo("acme/app")).await.unwrap();
    assert_eq!(repository.why_not_push, None);
}

#[tokio::test]
async fn organisations_that_want_single_sign_on_are_told() {
    let github = forge(|seen| match seen.line.as_str() {
        "GET /api/v3/user" => json(200, "X-OAuth-Scopes: repo", USER),
        "GET /api/v3/user/repos?per_page=1" => {
            json(200, "X-GitHub-SSO: partial-results; organizations=21955855,20582480,<b>", "[]")
        }
        other => panic!("{other}"),
    })
    .await;
    let checked = GitHub.check(github.at()).await.unwrap();
    let wanted = format!(
        "Organisations hide their repositories from this token until it is authorised for them by single sign-on, at \
         {}/settings/tokens; their numbers: 21955855, 20582480.",
        github.server.instance
    );
    assert_eq!(checked.details.notes, [wanted]);
}

mod ends {
    use super::*;

    async fn revoke(token: &str, bytes: Vec<u8>) -> (Result<Revoked, ProviderError>, Seen) {
        let github = Fixture::new(token, move |_| bytes.clone()).await;
        let revoked = GitHub.revoke(github.at()).await;
        (revoked, github.server.requests().remove(0))
    }

    #[tokio::test]
    async fn by_anybody_who_knows_the_token() {
        let (revoked, seen) = revoke(TOKEN, json(202, "", "{}")).await;
        assert_eq!(revoked, Ok(Revoked::Done));
        assert_eq!(seen.line, "POST /api/v3/credentials/revoke");
        assert_eq!(String::from_utf8(seen.body).unwrap(), format!(r#"{{"credentials":["{TOKEN}"]}}"#));
        assert!(!seen.head.contains("authorization"));
    }

    #[tokio::test]
    async fn unless_the_server_has_no_such_thing() {
        for status in [401, 404] {
            let (revoked, _) = revoke(TOKEN, json(status, "", r#"{"message":"Not Found"}"#)).await;
            assert_eq!(revoked, Ok(Revoked::NotOffered));
        }
        let (limited, _) = revoke(TOKEN, json(403, "retry-after: 3", r#"{"message":"API rate limit exceeded"}"#)).await;
        assert_eq!(limited, Err(ProviderError::RateLimited { retry_after_seconds: Some(3) }));
        let (elsewhere, _) = revoke(TOKEN, answer(404, "Content-Type: text/html", "<html>")).await;
        assert_eq!(elsewhere.unwrap_err().code(), ProblemCode::NotTheProvider);
    }

    #[tokio::test]
    async fn at_an_installations_own_word() {
        let (revoked, seen) = revoke("ghs_16C7e42F292c6912E7710c838347Ae178B4a", answer(204, "", "")).await;
        assert_eq!((revoked, seen.line.as_str()), (Ok(Revoked::Done), "DELETE /api/v3/installation/token"));
    }
}
