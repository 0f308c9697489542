use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use valetkey_model::{InstallationState, ProblemCode, ProviderKind, RepoUrl};
use valetkey_seal::Secret;

use super::*;
use crate::{
    ProviderError,
    oauth::Revoked,
    testing::{Fixture, NOW, Seen, answer, json as answer_json, now},
};

mod installing;
mod minting;
mod registering;

const CLIENT_ID: &str = "Iv23liAbCdEfGhIjKlMn";

struct Key {
    pair: KeyPair,
    pem: Secret<String>,
    pkcs8: Secret<String>,
}

/// A key as GitHub gives it, and the same as other tools want it.
static KEY: LazyLock<Key> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.as_der().unwrap();
    // Of a key of this size, what PKCS#8 wraps begins here.
    let (pem, pkcs8) = (pem("RSA PRIVATE KEY", &der.as_ref()[26..]), pem("PRIVATE KEY", der.as_ref()));
    Key { pem, pkcs8, pair }
});

fn pem(label: &str, der: &[u8]) -> Secret<String> {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    Secret::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")))
}

fn client(github: &Fixture) -> AppClient<'_> {
    AppClient {
        http: &github.http,
        instance: &github.server.instance,
        key: AppKey { client_id: CLIENT_ID, private_key: &KEY.pem },
        slug: Some("valetkey-acme"),
        now: now(),
    }
}

async fn github(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture::new("ghu_16C7e42F292c6912E7710c838347Ae178B4a", answers).await
}

async fn refusing(status: u16, message: &str) -> Fixture {
    let body = json!({ "message": message, "status": status.to_string() }).to_string();
    github(move |_| answer_json(status, "", &body)).await
}

fn installation(id: u64, more: Value) -> Value {
    let mut all = json!({
        "id": id, "account": { "login": "acme", "id": 9 }, "repository_selection": "selected", "app_id": 1,
        "permissions": { "contents": "write", "metadata": "read" }, "suspended_at": null,
    });
    let Value::Object(more) = more else { panic!("an object") };
    all.as_object_mut().unwrap().extend(more);
    all
}

/// The page of the app that all these errors lead to.
fn page(github: &Fixture) -> String {
    format!("{}/github-apps/valetkey-acme/installations/new", github.server.instance)
}

fn bearer(seen: &Seen) -> &str {
    seen.head.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap()
}

fn part(jwt: &str, number: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwt.split('.').nth(number).unwrap()).unwrap()
}

#[tokio::test]
async fn an_app_proves_itself_by_a_jwt_of_some_minutes() {
    let github = github(|_| answer_json(200, "", &installation(3, json!({})).to_string())).await;
    for private_key in [&KEY.pem, &KEY.pkcs8] {
        let key = AppKey { client_id: CLIENT_ID, private_key };
        AppClient { key, ..client(&github) }.installation(3).await.unwrap();
    }
    for seen in github.server.requests() {
        let jwt = bearer(&seen);
        let (signed, _) = jwt.rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, KEY.pair.public_key().as_ref())
            .verify(signed.as_bytes(), &part(jwt, 2))
            .unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&part(jwt, 0)).unwrap(), json!({ "alg": "RS256", "typ": "JWT" }));
        let claims = json!({ "iss": CLIENT_ID, "iat": NOW - 60, "exp": NOW + 540 });
        assert_eq!(serde_json::from_slice::<Value>(&part(jwt, 1)).unwrap(), claims);
    }
}

#[tokio::test]
async fn what_is_no_key_signs_nothing() {
    let github = github(|_| panic!("nothing is sent")).await;
    for text in ["", "hello", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
        let private_key = Secret::from(text);
        let key = AppKey { client_id: CLIENT_ID, private_key: &private_key };
        assert_eq!(key.check(), Err(AppError::KeyUnreadable));
        let asked = AppClient { key, ..client(&github) }.installation(3).await;
        assert_eq!(asked, Err(AppError::KeyUnreadable.into()), "{text}");
    }
    assert_eq!(client(&github).key.check(), Ok(()));
}

#[test]
fn every_refusal_says_what_to_do() {
    let (said, page) = (String::from("its words"), String::from("https://github.com/apps/x/installations/new"));
    let named = || vec![String::from("acme/app")];
    for refused in [
        AppError::KeyUnreadable,
        AppError::KeyRejected { said: said.clone() },
        AppError::CodeUnknown,
        AppError::Suspended { page: page.clone() },
        AppError::Removed { page: page.clone() },
        AppError::NotCovered { repositories: named(), page: page.clone() },
        AppError::NotGranted { permissions: named(), page },
        AppError::OneOwner,
        AppError::TooComplex { said },
    ] {
        let problem =
            ProviderError::from(refused.clone()).into_problem(ProviderKind::GitHub, &InstanceUrl::github_com());
        assert_eq!(problem.code, refused.code());
        assert!(problem.detail.ends_with('.') && problem.detail.starts_with(char::is_uppercase), "{}", problem.detail);
        let remedy = problem.remediation.unwrap();
        assert!(remedy.ends_with('.') && !remedy.contains("  "), "{remedy}");
    }
}
