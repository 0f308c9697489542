use serde_json::{Value, json};
use valetkey_model::{Problem, ProblemCode};

use super::Fixture;
use crate::{
    oidc::{IssuerUrl, OidcError},
    testing::now,
};

#[test]
fn an_issuer_is_an_address_with_tls() {
    for right in [
        "https://accounts.google.com",
        "https://id.example.com/realms/team",
        "https://id.example.com:8443/",
        "http://127.0.0.1:8080",
        "http://localhost/realms/x",
        "http://[::1]:3000",
    ] {
        assert_eq!(right.parse::<IssuerUrl>().unwrap().as_str(), right);
    }
    for wrong in [
        "",
        "id.example.com",
        "http://id.example.com",
        "http://localhost.evil.test",
        "https://user@id.example.com",
        "https://user:pw@id.example.com",
        "https://id.example.com?x=1",
        "https://id.example.com#x",
        "ftp://id.example.com",
        "https://id.example.com /x",
        "file:///etc/passwd",
        "data:,x",
    ] {
        assert!(wrong.parse::<IssuerUrl>().is_err(), "{wrong}");
    }
}

#[test]
fn its_configuration_is_below_its_path() {
    for (issuer, path) in [
        ("https://id.example.com", "https://id.example.com/.well-known/openid-configuration"),
        ("https://id.example.com/", "https://id.example.com/.well-known/openid-configuration"),
        ("https://id.example.com/realms/x", "https://id.example.com/realms/x/.well-known/openid-configuration"),
    ] {
        assert_eq!(issuer.parse::<IssuerUrl>().unwrap().metadata_url().as_str(), path);
    }
}

#[tokio::test]
async fn what_describes_itself_wrongly_is_not_believed() {
    for (name, value) in [
        ("issuer", json!("https://evil.test")),
        ("issuer", json!("ORIGIN/")),
        ("issuer", Value::Null),
        ("token_endpoint", json!("http://evil.test/token")),
        ("jwks_uri", json!("http://id.example.com/jwks")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("authorization_endpoint", Value::Null),
        ("userinfo_endpoint", json!("http://evil.test/userinfo")),
    ] {
        let it = Fixture::new().await;
        it.set(|answers| answers.metadata[name] = value.clone());
        let error = it.authorize(now()).await.unwrap_err();
        assert!(matches!(error, OidcError::NotAProvider { .. } | OidcError::OtherIssuer { .. }), "{name}: {error}");
        assert_eq!(Problem::from(error).code, ProblemCode::NotTheProvider);
    }
    for keys in [Value::Null, json!([]), json!({ "keys": 1 })] {
        let it = Fixture::new().await;
        it.set(|answers| answers.jwks = keys);
        assert!(matches!(it.authorize(now()).await, Err(OidcError::NotAProvider { .. })));
    }
}

#[tokio::test]
async fn a_client_without_a_secret_names_itself_only() {
    let it = Fixture::new().await;
    let public = Fixture::party(it.issuer().as_str(), None);
    it.gives("no token");
    #[expect(clippy::disallowed_methods, reason = "the issuer repeats the state")]
    let query = format!("code=c0de&state={}", it.secrets.state.expose());
    public.finish(super::REDIRECT, &query, &it.secrets, now()).await.unwrap_err();
    let exchange = it.server.requests().into_iter().find(|seen| seen.line == "POST /token").unwrap();
    assert!(!exchange.head.contains("authorization"), "{}", exchange.head);
    assert!(String::from_utf8(exchange.body).unwrap().contains("client_id=valetkey"));
}
