use valetkey_model::{Account, Details, ProblemCode, ProviderKind};

use super::{Gitea, TOKEN, USER, consent, forge, refusing};
use crate::{
    Checked, Provider, ProviderError,
    testing::{Fixture, Seen, answer, json},
};

const VERSION: &str = r#"{"version":"1.26.0"}"#;
const FORGEJO: &str = r#"{"version":"12.0.3+gitea-1.22.0"}"#;

/// A refusal for want of a scope, as Gitea words it since it names the token's own.
fn lacks(required: &str, own: &str) -> Vec<u8> {
    let text =
        format!("token does not have at least one of required scope(s), required=[{required}], token scope={own}");
    refused(&text)
}

/// The same in older servers and in Forgejo.
fn lacks_tersely(required: &str) -> Vec<u8> {
    refused(&format!("token does not have at least one of required scope(s): [{required}]"))
}

fn refused(message: &str) -> Vec<u8> {
    json(403, "", &format!(r#"{{"message":"{message}","url":"https://forge.test/api/swagger"}}"#))
}

fn nowhere() -> Vec<u8> {
    json(404, "", r#"{"errors":["user redirect does not exist [name: -]"],"message":"GetUserByName","url":"x"}"#)
}

struct Answers {
    user: Vec<u8>,
    version: Vec<u8>,
    notifications: Vec<u8>,
    pulls: Vec<u8>,
}

impl Answers {
    /// With all scopes.
    fn all() -> Self {
        Self {
            user: json(200, "", USER),
            version: json(200, "", VERSION),
            notifications: json(200, "", "[]"),
            pulls: nowhere(),
        }
    }

    fn stating(own: &str) -> Self {
        Self { notifications: lacks("read:notification", own), ..Self::all() }
    }

    fn terse() -> Self {
        Self { notifications: lacks_tersely("read:notification"), version: json(200, "", FORGEJO), ..Self::all() }
    }

    async fn forge(self) -> Fixture {
        forge(move |seen: &Seen| match seen.line.as_str() {
            "GET /api/v1/user" => self.user.clone(),
            "GET /api/v1/version" => self.version.clone(),
            "GET /api/v1/notifications?limit=1" => self.notifications.clone(),
            "POST /api/v1/repos/-/-/pulls" => self.pulls.clone(),
            other => panic!("{other}"),
        })
        .await
    }

    async fn check(self) -> Result<Checked, ProviderError> {
        Gitea.check(self.forge().await.at()).await
    }
}

#[tokio::test]
async fn says_who_with_which_scopes_and_where() {
    let checked = Answers::stating("write:repository,read:user").check().await.unwrap();
    let wanted = Checked {
        account: Account {
            id: "42".into(),
            username: "john".into(),
            name: Some("John Doe".into()),
            email: Some("john@example.test".into()),
        },
        granted_scopes: vec!["write:repository".into(), "read:user".into()],
        expires_at: None,
        missing_scopes: vec![],
        details: Details { version: Some("Gitea 1.26.0".into()), ..Details::default() },
    };
    assert_eq!(checked, wanted);
}

#[tokio::test]
async fn sends_the_token_in_its_header_only_and_writes_nothing_where_the_scopes_are_stated() {
    let forge = Answers::stating("write:repository,read:user").forge().await;
    Gitea.check(forge.at()).await.unwrap();
    let requests = forge.server.requests();
    assert_eq!(requests.len(), 3);
    for seen in requests {
        assert!(seen.line.starts_with("GET ") && !seen.line.contains(TOKEN));
        assert_eq!(seen.head.matches(TOKEN).count(), 1);
        assert!(seen.head.contains(&format!("authorization: token {TOKEN}\n")), "{}", seen.head);
    }
}

#[tokio::test]
async fn names_exactly_the_scopes_that_are_missing() {
    for (own, missing) in [
        ("all", &[][..]),
        ("write:repository,write:user", &[]),
        ("read:user,read:repository", &["write:repository"]),
        ("read:user", &["write:repository"]),
        ("read:user,write:issue", &["write:repository"]),
    ] {
        let checked = Answers::stating(own).check().await.unwrap();
        assert_eq!(checked.missing_scopes, missing, "{own}");
    }
}

#[tokio::test]
async fn a_token_that_may_see_notifications_is_asked_for_what_matters() {
    let pulls = lacks("write:repository", "read:notification,read:user");
    let checked = Answers { pulls, ..Answers::all() }.check().await.unwrap();
    assert_eq!(checked.granted_scopes, ["read:notification", "read:user"]);
    assert_eq!(checked.missing_scopes, ["write:repository"]);
}

#[tokio::test]
async fn a_token_that_is_refused_nothing_lacks_nothing() {
    let checked = Answers::all().check().await.unwrap();
    assert!(checked.missing_scopes.is_empty() && checked.granted_scopes.is_empty());
    assert_eq!(
        checked.details.notes,
        ["This server does not say which scopes the token has. Those that are needed are among them."]
    );
}

#[tokio::test]
async fn a_server_that_names_no_scopes_still_tells_whether_it_takes_pushes() {
    let checked = Answers::terse().check().await.unwrap();
    assert_eq!((checked.missing_scopes.len(), checked.details.notes.len()), (0, 1));
    assert_eq!(checked.details.version.as_deref(), Some("Forgejo 12.0.3+gitea-1.22.0"));
    let checked = Answers { pulls: lacks_tersely("write:repository"), ..Answers::terse() }.check().await.unwrap();
    assert_eq!(checked.missing_scopes, ["write:repository"]);
    assert!(checked.details.notes.is_empty());
}

#[tokio::test]
async fn a_token_for_public_repositories_is_noted() {
    let checked = Answers::stating("public-only,write:repository,read:user").check().await.unwrap();
    assert_eq!(checked.details.notes, ["This token reaches public repositories only."]);
}

#[tokio::test]
async fn a_version_that_nobody_says_is_no_matter() {
    for version in [json(404, "", r#"{"message":"not found"}"#), answer(200, "", "<html>"), answer(502, "", "")] {
        let checked = Answers { version, ..Answers::stating("all") }.check().await.unwrap();
        assert_eq!(checked.details.version, None);
    }
}

mod hidden_accounts {
    use super::*;

    /// A token of Forgejo for chosen repositories: it can't have `read:user`.
    fn chosen() -> Answers {
        Answers { user: lacks_tersely("read:user"), ..Answers::terse() }
    }

    #[tokio::test]
    async fn are_fine_where_tokens_for_chosen_repositories_have_them() {
        let checked = chosen().check().await.unwrap();
        assert!(checked.missing_scopes.is_empty());
        assert_eq!(checked.account.name.as_deref(), Some("Access token"));
        assert!(checked.account.username.starts_with("access-token-"));
        assert!(!checked.account.username.contains(&TOKEN[..6]));
        assert!(checked.details.notes[0].contains("chosen repositories"));
    }

    #[tokio::test]
    async fn are_told_apart_by_their_tokens() {
        let id = |checked: Checked| checked.account.id;
        let one = id(chosen().check().await.unwrap());
        assert_eq!(one, id(chosen().check().await.unwrap()));
        let other = chosen().forge().await;
        let other = Fixture { credential: crate::Credential::pat(TOKEN.replace('0', "9").as_str().into()), ..other };
        assert_ne!(one, id(Gitea.check(other.at()).await.unwrap()));
    }

    #[tokio::test]
    async fn need_the_scope_elsewhere() {
        let own = "write:repository";
        let gitea = Answers { user: lacks("read:user", own), ..Answers::stating(own) };
        assert_eq!(gitea.check().await, Err(missing(&["read:user"])));
        let useless = Answers { pulls: lacks_tersely("write:repository"), ..chosen() };
        assert_eq!(useless.check().await, Err(missing(&["read:user", "write:repository"])));
    }

    fn missing(scopes: &[&str]) -> ProviderError {
        ProviderError::InsufficientScope { missing: scopes.iter().map(|scope| (*scope).to_owned()).collect() }
    }
}

mod consents {
    use super::*;

    async fn check(answers: Answers) -> Checked {
        let forge = Fixture { credential: consent(), ..answers.forge().await };
        let checked = Gitea.check(forge.at()).await.unwrap();
        for seen in forge.server.requests() {
            assert!(seen.head.contains("authorization: Bearer eyJ"), "{}", seen.head);
        }
        checked
    }

    #[tokio::test]
    async fn with_what_was_asked_for_lack_nothing() {
        let checked = check(Answers::stating("write:repository,read:user")).await;
        assert!(checked.details.withheld_scopes.is_empty() && checked.details.notes.is_empty());
    }

    #[tokio::test]
    async fn of_before_with_less_say_what_was_withheld() {
        let checked = check(Answers::stating("read:repository,read:user")).await;
        assert_eq!(checked.details.withheld_scopes, ["write:repository"]);
        assert_eq!(checked.missing_scopes, ["write:repository"]);
    }

    #[tokio::test]
    async fn of_old_servers_may_be_for_everything() {
        let checked = check(Answers::all()).await;
        assert!(checked.details.withheld_scopes.is_empty());
        assert!(checked.details.notes[0].contains("before 1.23"));
    }
}

mod refusals {
    use super::*;

    async fn of(bytes: Vec<u8>) -> ProviderError {
        let forge = refusing(bytes).await;
        Gitea.check(forge.at()).await.unwrap_err()
    }

    #[tokio::test]
    async fn unknown() {
        for message in ["invalid username, password or token", "user does not exist [uid: 0, name: ]"] {
            let error = of(json(401, "", &format!(r#"{{"message":"{message}","url":"x"}}"#))).await;
            assert_eq!(error, ProviderError::TokenInvalid);
            let problem = error.into_problem(ProviderKind::Gitea, &"https://codeberg.org".parse().unwrap());
            assert_eq!(problem.code, ProblemCode::TokenInvalid);
            let remedy = "Create a new token at https://codeberg.org/user/settings/applications, then reconnect: \
                          valetkey connect gitea --instance https://codeberg.org";
            assert_eq!(problem.remediation.as_deref(), Some(remedy));
        }
    }

    #[tokio::test]
    async fn blocked() {
        let error = of(refused("This account is prohibited from signing in.")).await;
        assert_eq!(error, ProviderError::Forbidden { said: "This account is prohibited from signing in.".into() });
    }

    #[tokio::test]
    async fn limited_by_a_proxy() {
        let error = of(answer(429, "Retry-After: 30", "Too Many Requests\n")).await;
        assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: Some(30) });
        let text = error.into_problem(ProviderKind::Gitea, &"https://gitea.com".parse().unwrap()).detail;
        assert!(text.ends_with("Gitea itself sets no limit, but a proxy before it may. Retry in 30 s."), "{text}");
    }

    #[tokio::test]
    async fn of_the_probe_alone_are_not_taken_for_scopes() {
        let limited = Answers { notifications: answer(429, "Retry-After: 9", ""), ..Answers::all() };
        assert_eq!(limited.check().await, Err(ProviderError::RateLimited { retry_after_seconds: Some(9) }));
        let failing = Answers { pulls: answer(503, "", ""), ..Answers::terse() };
        assert_eq!(failing.check().await, Err(ProviderError::Failed { status: 503, said: String::new() }));
    }

    #[tokio::test]
    async fn not_a_gitea() {
        for bytes in [
            answer(200, "Content-Type: text/html", "<html>Sign in</html>"),
            answer(404, "", "404 page not found\n"),
            answer(302, "Location: https://sso.corp.test/login", ""),
            json(200, "", r#"{"hello":"world"}"#),
        ] {
            assert!(matches!(of(bytes).await, ProviderError::NotTheProvider { .. }));
        }
    }

    #[tokio::test]
    async fn hold_no_words_that_are_no_scopes() {
        let own = "read:user,<script>,SELECT,\\u001b[2J,a b";
        let checked = Answers::stating(own).check().await.unwrap();
        assert_eq!(checked.granted_scopes, ["read:user"]);
    }
}
