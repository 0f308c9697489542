use jiff::SignedDuration;
use serde_json::{Value, json};
use valetkey_seal::Secret;

use super::{
    CLIENT, Fixture, REDIRECT,
    keys::{P256, PublicKeyAsSecret, RSA, Rsa, Signer, encoded},
    random,
};
use crate::{
    oauth::OAuthError,
    oidc::{AttemptSecrets, OidcError, TokenFault},
    testing::now,
};

/// The claims with one member changed, or without it.
fn but(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name)
    } else {
        members.insert(name.to_owned(), value)
    };
    claims
}

#[tokio::test]
async fn claims_of_another_sign_in_do_not_count() {
    let it = Fixture::new().await;
    let honest = it.id_claims();
    let at = |seconds: i64| json!(now().as_second() + seconds);
    for (name, value, fault) in [
        ("iss", json!("https://evil.test"), TokenFault::Issuer),
        ("iss", json!(format!("{}/", it.issuer())), TokenFault::Issuer),
        ("iss", json!([it.issuer().as_str()]), TokenFault::Issuer),
        ("iss", Value::Null, TokenFault::Issuer),
        ("aud", json!("another"), TokenFault::Audience),
        ("aud", json!(["another"]), TokenFault::Audience),
        ("aud", json!([]), TokenFault::Audience),
        ("aud", Value::Null, TokenFault::Audience),
        ("aud", json!([CLIENT, "another"]), TokenFault::AuthorizedParty),
        ("azp", json!("another"), TokenFault::AuthorizedParty),
        ("nonce", json!("another"), TokenFault::Nonce),
        ("nonce", json!(""), TokenFault::Nonce),
        ("nonce", Value::Null, TokenFault::Nonce),
        ("exp", at(-60), TokenFault::Expired),
        ("exp", json!("never"), TokenFault::Expired),
        ("exp", Value::Null, TokenFault::Expired),
        ("iat", at(61), TokenFault::NotYet),
        ("iat", Value::Null, TokenFault::Malformed),
        ("nbf", at(61), TokenFault::NotYet),
        ("sub", Value::Null, TokenFault::Subject),
        ("sub", json!(""), TokenFault::Subject),
        ("sub", json!("x".repeat(256)), TokenFault::Subject),
        ("sub", json!("anna-1\u{0}"), TokenFault::Subject),
        ("sub", json!(1), TokenFault::Subject),
    ] {
        let claims = but(&honest, name, value);
        assert_eq!(it.sign_in(&claims).await, Err(fault.into()), "{claims}");
    }
    let several = but(&but(&honest, "aud", json!([CLIENT, "another"])), "azp", json!(CLIENT));
    for fine in [honest.clone(), several, but(&honest, "exp", at(-59)), but(&honest, "iat", at(60))] {
        it.sign_in(&fine).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_issuer_s_keys_did_not_sign_does_not_count() {
    let it = Fixture::new().await;
    let claims = it.id_claims();
    let honest = RSA.sign(&claims);
    let [header, body, signature] = honest.split('.').collect::<Vec<_>>()[..] else { unreachable!() };
    let other_body = encoded(but(&claims, "sub", json!("bob-1")).to_string());
    let none = encoded(json!({ "alg": "none", "kid": "rsa-1" }).to_string());
    let hmac = |key: Vec<u8>| PublicKeyAsSecret(key).sign(&claims);
    let modulus = RSA.jwk()["n"].as_str().unwrap().as_bytes().to_vec();
    let header_of = |more: Value| {
        let mut header = RSA.header();
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        header
    };
    let stranger = Rsa::new("rsa-1");
    for (token, fault) in [
        (format!("{none}.{body}."), TokenFault::Malformed),
        (format!("{none}.{body}.{signature}"), TokenFault::Malformed),
        (hmac(RSA.public_der()), TokenFault::Algorithm),
        (hmac(modulus), TokenFault::Algorithm),
        (hmac(Vec::new()), TokenFault::Algorithm),
        (stranger.sign(&claims), TokenFault::Signature),
        // A key of its own in the header counts for nothing.
        (stranger.sign_with(&header_of(json!({ "jwk": stranger.jwk() })), &claims), TokenFault::Signature),
        (format!("{header}.{other_body}.{signature}"), TokenFault::Signature),
        (format!("{header}.{body}."), TokenFault::Signature),
        (format!("{header}.{body}.{}", &signature[4..]), TokenFault::Signature),
        (RSA.sign_with(&header_of(json!({ "alg": "PS256" })), &claims), TokenFault::Signature),
        (RSA.sign_with(&header_of(json!({ "alg": "ES256" })), &claims), TokenFault::UnknownKey),
        (RSA.sign_with(&header_of(json!({ "crit": ["exp"] })), &claims), TokenFault::Malformed),
        (RSA.sign_with(&header_of(json!({ "kid": "../../rsa-1" })), &claims), TokenFault::UnknownKey),
        (P256::new().sign(&claims), TokenFault::UnknownKey),
        (format!("{header}.{body}"), TokenFault::Malformed),
        (format!("{honest}.{signature}"), TokenFault::Malformed),
        ("no token".to_owned(), TokenFault::Malformed),
        (format!("{header}.{}.{signature}", "A".repeat(70_000)), TokenFault::Malformed),
    ] {
        it.gives(&token);
        assert_eq!(it.finish().await, Err(fault.into()), "{token:.300}");
    }
    it.gives(&honest);
    it.finish().await.unwrap();
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the issuer repeats the state")]
async fn an_answer_to_another_browser_s_question_is_not_exchanged() {
    let it = Fixture::new().await;
    it.gives(&RSA.sign(&it.id_claims()));
    let state = it.secrets.state.expose();
    for query in [
        "code=c0de".to_owned(),
        "code=c0de&state=".to_owned(),
        "code=c0de&state=forged".to_owned(),
        format!("code=c0de&state={}", random().expose()),
        format!("code=c0de&state={state}x"),
        format!("code=c0de&state={state}&state={state}"),
        format!("state={state}"),
        "error=access_denied&error_description=Call+0900-EVIL".to_owned(),
        "error=access_denied&state=forged".to_owned(),
        String::new(),
    ] {
        let answer = it.party.finish(REDIRECT, &query, &it.secrets, now()).await;
        assert_eq!(answer, Err(OidcError::OtherAttempt), "{query}");
    }
    assert!(it.server.lines().is_empty(), "nobody was asked: {:?}", it.server.lines());

    let denied = format!("error=access_denied&state={state}");
    let answer = it.party.finish(REDIRECT, &denied, &it.secrets, now()).await;
    assert_eq!(answer, Err(OidcError::OAuth(OAuthError::Denied)));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the issuer repeats the state")]
async fn an_answer_of_another_issuer_is_not_exchanged() {
    let it = Fixture::new().await;
    it.set(|answers| answers.metadata["authorization_response_iss_parameter_supported"] = json!(true));
    it.gives(&RSA.sign(&it.id_claims()));
    let query = format!("code=c0de&state={}", it.secrets.state.expose());
    for iss in ["", "&iss=https://evil.test"] {
        let answer = it.party.finish(REDIRECT, &format!("{query}{iss}"), &it.secrets, now()).await;
        assert_eq!(answer, Err(OidcError::OAuth(OAuthError::WrongIssuer)));
    }
    it.party.finish(REDIRECT, &format!("{query}&iss={}", it.issuer()), &it.secrets, now()).await.unwrap();
}

#[tokio::test]
async fn only_access_tokens_for_us_count_as_such() {
    let it = Fixture::new().await;
    let access = but(&it.id_claims(), "nonce", Value::Null);
    let judged = async |claims: &Value| {
        let token = Secret::new(RSA.sign(claims));
        it.party.subject_of(&token, now()).await
    };
    let (claims, end) = judged(&access).await.unwrap();
    assert_eq!((claims.subject(), end), ("anna-1", now() + SignedDuration::from_secs(300)));
    judged(&but(&access, "aud", json!(["account", CLIENT]))).await.unwrap();
    for (claims, fault) in [
        (it.id_claims(), TokenFault::NoAccessToken),
        (but(&access, "at_hash", json!("x")), TokenFault::NoAccessToken),
        (but(&access, "aud", json!("account")), TokenFault::Audience),
        (but(&access, "iss", json!("https://evil.test")), TokenFault::Issuer),
        (but(&access, "exp", json!(now().as_second() - 60)), TokenFault::Expired),
    ] {
        assert_eq!(judged(&claims).await.unwrap_err(), fault.into(), "{claims}");
    }
    for kind in ["id_token+jwt", "logout+jwt", "dpop+jwt"] {
        let header = json!({ "alg": "RS256", "kid": "rsa-1", "typ": kind });
        let token = Secret::new(RSA.sign_with(&header, &access));
        assert_eq!(it.party.subject_of(&token, now()).await.unwrap_err(), TokenFault::NoAccessToken.into(), "{kind}");
    }
    let header = json!({ "alg": "RS256", "kid": "rsa-1", "typ": "at+jwt" });
    it.party.subject_of(&Secret::new(RSA.sign_with(&header, &access)), now()).await.unwrap();
}

#[tokio::test]
async fn an_error_repeats_no_secret() {
    let it = Fixture::new().await;
    it.set(|answers| answers.tokens = json!({ "error": "invalid_grant", "error_description": "c0de a secret" }));
    let error = it.finish().await.unwrap_err();
    assert!(!format!("{error}{error:?}").contains("a secret"), "{error:?}");
    assert!(!format!("{error}").contains("c0de"), "{error}");
    let AttemptSecrets { state, nonce, verifier } = &it.secrets;
    assert!(!format!("{:?}{:?}", it.party, (state, nonce, verifier)).contains("a secret"));
}
