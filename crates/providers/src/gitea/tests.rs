mod check;
mod repositories;

use valetkey_model::{AuthMethod, InstanceUrl};

use super::Gitea;
use crate::{
    Consent, Credential, Forge, GitAuth, Provider, ProviderError,
    oauth::{PkceUse, Rotation},
    testing::{Fixture, Seen},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

const USER: &str = r#"{"id":42,"login":"john","login_name":"","full_name":"John Doe","email":"john@example.test",
    "is_admin":false,"active":true,"username":"john"}"#;

fn instance() -> InstanceUrl {
    "https://forge.example.com".parse().unwrap()
}

async fn forge(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture::new(TOKEN, answers).await
}

/// A Gitea that answers these bytes to everything.
async fn refusing(bytes: Vec<u8>) -> Fixture {
    forge(move |_| bytes.clone()).await
}

fn consent() -> Credential {
    let asked = vec!["read:user".to_owned(), "write:repository".to_owned()];
    Credential {
        method: AuthMethod::OAuth,
        consent: Some(Consent { redirect_uri: "https://valetkey.test/oauth/callback".into(), asked, at: None }),
        ..Credential::pat("eyJhbGciOiJSUzI1NiJ9.eyJnbnQiOjEyMzQ1Njc4OTAxMn0.c2lnbmF0dXJl".into())
    }
}

#[test]
fn a_token_has_40_hexadecimal_digits() {
    let check = |token: &str| Gitea.check_form(&instance(), &Credential::pat(token.into()));
    for fine in [TOKEN, "0123456789ABCDEF0123456789abcdef01234567"] {
        assert_eq!(check(fine), Ok(()), "{fine}");
    }
    for wrong in ["", &TOKEN[1..], &format!("{TOKEN}0"), &TOKEN.replace('a', "g"), &TOKEN.replace('a', "\n")] {
        assert_eq!(check(wrong), Err(ProviderError::TokenMalformed), "{wrong:?}");
    }
}

#[test]
fn an_applications_secret_is_told_from_a_token() {
    let secret = Credential::pat("gto_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst".into());
    assert!(matches!(Gitea.check_form(&instance(), &secret), Err(ProviderError::Unsuitable { .. })));
}

#[test]
fn a_consents_token_is_a_web_token() {
    assert_eq!(Gitea.check_form(&instance(), &consent()), Ok(()));
    let broken = Credential { token: "eyJh bGci.OiJSUzI1NiJ9.signature".into(), ..consent() };
    assert_eq!(Gitea.check_form(&instance(), &broken), Err(ProviderError::TokenMalformed));
}

#[test]
fn consent_goes_to_the_instance_alone() {
    let profile = Gitea.oauth(&instance()).unwrap();
    let at = |path: &str| format!("https://forge.example.com/login/oauth/{path}").parse().unwrap();
    assert_eq!((profile.authorize_url, profile.token_url), (at("authorize"), at("access_token")));
    assert_eq!((profile.pkce, profile.rotation), (PkceUse::S256, Rotation::None));
    assert_eq!((profile.device_url, profile.revocation), (None, None));
    assert_eq!(profile.dead_grant_words, ["unauthorized_client"]);
}

#[test]
fn consent_asks_for_what_is_needed() {
    let catalogue = Gitea.catalogue();
    let asked = &catalogue.method(AuthMethod::OAuth).unwrap().required_scopes[0].scopes;
    let names: Vec<_> = asked.iter().map(|scope| &*scope.name).collect();
    assert_eq!(names, ["read:user", "write:repository"]);
}

#[test]
fn git_names_no_account() {
    assert_eq!(Gitea.git_auth(&consent()), GitAuth::Basic { user: "x-access-token".to_owned() });
}
