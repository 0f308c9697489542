use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    CLIENT, Fixture, REDIRECT,
    keys::{Ed25519, P256, RSA, Rsa, Signer},
};
use crate::{
    oauth::Pkce,
    oidc::{OidcError, TokenFault},
    testing::now,
};

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests look inside")]
async fn a_browser_is_sent_with_state_nonce_and_challenge() {
    let it = Fixture::new().await;
    let url = it.authorize(now()).await.unwrap();
    assert!(url.as_str().starts_with(&format!("{}/authorize?tenant=1&", it.issuer())), "{url}");
    let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let pkce = Pkce::of(it.secrets.verifier.clone());
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("scope", "openid profile"),
        ("state", it.secrets.state.expose()),
        ("nonce", it.secrets.nonce.expose()),
        ("code_challenge", pkce.challenge().as_str()),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    assert!(!url.as_str().contains(it.secrets.verifier.expose()));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests look inside")]
async fn whoever_signs_in_is_who_the_issuer_says() {
    let it = Fixture::new().await;
    let claims = it.sign_in(&it.id_claims()).await.unwrap();
    assert_eq!((claims.issuer(), claims.subject()), (it.issuer().as_str(), "anna-1"));
    assert_eq!((claims.shown_name(), claims.email()), ("Anna", Some("anna@example.com")));
    assert_eq!(claims.groups().iter().collect::<Vec<_>>(), ["dev"]);

    let requests = it.server.requests();
    let exchange = requests.iter().find(|seen| seen.line == "POST /token").unwrap();
    let form: BTreeMap<_, _> = url::form_urlencoded::parse(&exchange.body).into_owned().collect();
    assert_eq!(form["code_verifier"], *it.secrets.verifier.expose());
    assert_eq!((&*form["code"], &*form["redirect_uri"]), ("c0de", REDIRECT));
    assert!(exchange.head.contains("authorization: Basic "), "{}", exchange.head);
    assert!(!it.server.lines().contains(&"GET /userinfo".to_owned()), "nothing was missing");
}

#[tokio::test]
async fn every_asymmetric_algorithm_counts() {
    let it = Fixture::new().await;
    let (p256, ed25519) = (P256::new(), Ed25519::new());
    let mut pss = Rsa::new("rsa-2");
    pss.algorithm = "PS256";
    // Keys of unknown kinds, and those for something else, are in the way of nothing.
    let odd =
        [json!({ "kty": "AKP", "kid": "pq" }), json!({ "kty": "EC", "crv": "secp256k1", "x": "", "y": "" }), json!(7)];
    let mut keys = vec![RSA.jwk(), p256.jwk(), ed25519.jwk(), pss.jwk()];
    keys.splice(0..0, odd);
    it.set(|answers| answers.jwks = json!({ "keys": keys }));
    for signer in [&*RSA as &dyn Signer, &p256, &ed25519, &pss] {
        it.gives(&signer.sign(&it.id_claims()));
        it.finish().await.unwrap();
        // An issuer with one key need not name it.
        it.gives(&signer.sign_with(&json!({ "alg": signer.algorithm() }), &it.id_claims()));
        it.finish().await.unwrap();
    }
    let mut encryption = RSA.jwk();
    encryption["use"] = json!("enc");
    let other = Fixture::new().await;
    other.set(|answers| answers.jwks = json!({ "keys": [encryption] }));
    assert_eq!(other.sign_in(&other.id_claims()).await, Err(TokenFault::UnknownKey.into()));
}

#[tokio::test]
async fn an_unverified_address_is_none() {
    let it = Fixture::new().await;
    for (verified, counts) in
        [(json!(true), true), (json!("true"), true), (json!(false), false), (json!(1), false), (Value::Null, false)]
    {
        let mut claims = it.id_claims();
        claims["email_verified"] = verified.clone();
        it.set(|answers| answers.userinfo = json!({ "sub": "anna-1" }));
        let email = it.sign_in(&claims).await.unwrap().email().map(str::to_owned);
        assert_eq!(email.is_some(), counts, "{verified}");
    }
}

#[tokio::test]
async fn userinfo_tells_what_the_token_leaves_out_and_changes_nothing() {
    let it = Fixture::new().await;
    let mut claims = it.id_claims();
    for name in ["email", "email_verified", "groups"] {
        claims.as_object_mut().unwrap().remove(name);
    }
    let userinfo = json!({
        "sub": "anna-1", "name": "Somebody Else", "email": "anna@example.com", "email_verified": true, "groups": "ops",
    });
    it.set(|answers| answers.userinfo = userinfo.clone());
    let said = it.sign_in(&claims).await.unwrap();
    assert_eq!((said.shown_name(), said.email()), ("Anna", Some("anna@example.com")));
    assert_eq!(said.groups().iter().collect::<Vec<_>>(), ["ops"]);
    let asked = it.server.requests().into_iter().find(|seen| seen.line == "GET /userinfo").unwrap();
    assert!(asked.head.contains("authorization: Bearer access-1"));

    // That an address is verified is said of this address only.
    claims["email"] = json!("boss@example.com");
    assert_eq!(it.sign_in(&claims).await.unwrap().email(), None);
    claims.as_object_mut().unwrap().remove("email");
    claims["email_verified"] = json!(true);
    it.set(|answers| answers.userinfo = json!({ "sub": "anna-1", "email": "boss@example.com" }));
    assert_eq!(it.sign_in(&claims).await.unwrap().email(), None);

    for stranger in [json!({ "sub": "bob-1" }), json!({})] {
        it.set(|answers| answers.userinfo = stranger);
        assert_eq!(it.sign_in(&claims).await, Err(TokenFault::Subject.into()));
    }
}

#[tokio::test]
async fn groups_may_be_deep_down() {
    let it = Fixture::new().await;
    let party = |claim: &str| {
        super::super::claims::read(
            it.issuer(),
            json!({ "sub": "1", "a.b": ["exact"], "a": { "b": ["deep"], "c": { "d": ["deeper", 7] } } })
                .as_object()
                .unwrap(),
            claim,
        )
    };
    for (claim, groups) in
        [("a.b", vec!["exact"]), ("a.c.d", vec!["deeper"]), ("a.x", vec![]), ("", vec![]), ("sub.x", vec![])]
    {
        assert_eq!(party(claim).unwrap().groups().iter().collect::<Vec<_>>(), groups, "{claim}");
    }
}

#[tokio::test]
async fn new_keys_are_found_and_not_asked_for_all_the_time() {
    let it = Fixture::new().await;
    it.sign_in(&it.id_claims()).await.unwrap();
    let fetched = || it.server.lines().iter().filter(|line| *line == "GET /jwks").count();
    assert_eq!(fetched(), 1);

    let new = Rsa::new("rsa-new");
    it.set(|answers| answers.jwks = json!({ "keys": [new.jwk()] }));
    let mut claims = it.id_claims();
    claims["exp"] = json!(now().as_second() + 10_000);
    it.gives(&new.sign(&claims));
    for _ in 0..3 {
        assert_eq!(it.finish().await, Err(TokenFault::UnknownKey.into()), "too soon after the last time");
    }
    assert_eq!(fetched(), 1);
    let later = |seconds| now() + SignedDuration::from_secs(seconds);
    #[expect(clippy::disallowed_methods, reason = "the issuer repeats the state")]
    let query = format!("code=c0de&state={}", it.secrets.state.expose());
    it.party.finish(REDIRECT, &query, &it.secrets, later(60)).await.unwrap();
    assert_eq!(fetched(), 2);
    // The old key is gone with its set.
    it.gives(&RSA.sign(&claims));
    let answer = it.party.finish(REDIRECT, &query, &it.secrets, later(61)).await;
    assert_eq!(answer, Err(TokenFault::UnknownKey.into()));
    // What was found is looked at again after an hour.
    it.authorize(later(3599)).await.unwrap();
    assert_eq!(fetched(), 2);
    it.authorize(later(3600)).await.unwrap();
    assert_eq!(fetched(), 3);
}

#[tokio::test]
async fn an_issuer_that_fails_is_given_a_moment() {
    let it = Fixture::new().await;
    let right = it.answers.lock().unwrap().metadata.clone();
    it.set(|answers| answers.metadata = Value::Null);
    for _ in 0..3 {
        assert!(matches!(it.authorize(now()).await, Err(OidcError::NotAProvider { .. })));
    }
    assert_eq!(it.server.lines().len(), 1);
    it.set(|answers| answers.metadata = right);
    it.authorize(now() + SignedDuration::from_secs(5)).await.unwrap();
}
