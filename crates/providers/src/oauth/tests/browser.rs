use proptest::prelude::*;
use valetkey_model::Entropy;
use valetkey_seal::{SystemEntropy, TokenHash};

use super::*;

fn profile() -> OAuthProfile {
    OAuthProfile::new("https://forge.test/authorize".parse().unwrap(), "https://forge.test/token".parse().unwrap())
}

fn app() -> OAuthApp<'static> {
    OAuthApp { client_id: "an id", client_secret: None, redirect_uri: REDIRECT }
}

/// Every byte is the same.
struct Constant(u8);

impl Entropy for Constant {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

#[test]
fn the_challenge_is_that_of_the_documented_pairs() {
    let pairs = [
        // RFC 7636, appendix B.
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        // GitLab, doc/api/oauth2.md.
        ("ks02i3jdikdo2k0dkfodf3m39rjfjsdk0wk349rj3jrhf", "2i0WFA-0AerkjQm4X4oDEhqA17QIAKNjXpagHBXmO_U"),
    ];
    for (verifier, challenge) in pairs {
        assert_eq!(Pkce::of(verifier.into()).challenge().as_str(), challenge);
    }
}

#[test]
fn verifier_and_state_are_as_long_as_the_standard_wants_and_never_shown() {
    let (pkce, state) = (Pkce::new(&SystemEntropy), State::new(&SystemEntropy));
    let verifier = open(pkce.verifier());
    assert!(
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    );
    assert_ne!(verifier, open(Pkce::new(&SystemEntropy).verifier()));
    assert!(!format!("{pkce:?}").contains(verifier) && !format!("{state:?}").contains(state.parameter()));
    assert_eq!(state.hash(), TokenHash::of(state.parameter()));
}

#[test]
fn an_authorization_page_s_address_has_what_the_standard_wants() {
    let (state, pkce) = (State::new(&Constant(0)), Pkce::of("v".into()));
    let url = profile().authorization_url(app(), &["read:a", "write:b"], &state, pkce.challenge());
    let zeros = "A".repeat(43);
    assert_eq!(
        url.as_str(),
        format!(
            "https://forge.test/authorize?response_type=code&client_id=an%20id\
             &redirect_uri=https%3A%2F%2Fkeys.test%2Foauth%2Fcallback&scope=read%3Aa%20write%3Ab&state={zeros}\
             &code_challenge={}&code_challenge_method=S256",
            pkce.challenge().as_str()
        )
    );
}

#[test]
fn an_authorization_page_s_address_follows_the_profile() {
    let profile = OAuthProfile {
        scope_separator: ',',
        pkce: PkceUse::Unsupported,
        authorize_extra: &[("audience", "api.atlassian.com"), ("prompt", "consent")],
        ..OAuthProfile::new(
            "https://forge.test/a?tenant=1#top".parse().unwrap(),
            "https://forge.test/t".parse().unwrap(),
        )
    };
    let (state, pkce) = (State::new(&Constant(0)), Pkce::of("v".into()));
    let url = profile.authorization_url(app(), &["a", "b"], &state, pkce.challenge());
    let names: Vec<_> = query(&url).into_iter().map(|(name, _)| name).collect();
    let wanted = ["tenant", "response_type", "client_id", "redirect_uri", "scope", "state", "audience", "prompt"];
    assert_eq!(names, wanted);
    assert!(query(&url).contains(&("scope".to_owned(), "a,b".to_owned())));
    assert_eq!(url.fragment(), None);
    let without = profile.authorization_url(app(), &[], &state, pkce.challenge());
    assert!(!without.as_str().contains("scope"));
}

proptest! {
    #[test]
    fn whatever_the_parameters_are_they_arrive_whole_and_once(
        id in "\\PC{1,20}", redirect in "\\PC{0,40}", scopes in prop::collection::vec("[!-~]{1,12}", 0..5), bytes: u8,
    ) {
        let (state, pkce) = (State::new(&Constant(bytes)), Pkce::new(&Constant(bytes)));
        let app = OAuthApp { client_id: &id, client_secret: None, redirect_uri: &redirect };
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let url = profile().authorization_url(app, &scopes, &state, pkce.challenge());
        prop_assert!(url.as_str().starts_with("https://forge.test/authorize?"));
        prop_assert!(!url.as_str().contains(open(pkce.verifier())) || open(pkce.verifier()) == state.parameter());
        let mut wanted = vec![("response_type", "code"), ("client_id", &id), ("redirect_uri", &redirect)];
        let scope = scopes.join(" ");
        wanted.extend((!scopes.is_empty()).then_some(("scope", scope.as_str())));
        wanted.extend([("state", state.parameter()), ("code_challenge", pkce.challenge().as_str())]);
        wanted.push(("code_challenge_method", "S256"));
        let found = query(&url);
        prop_assert_eq!(found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn a_challenge_says_nothing_of_its_verifier_and_is_always_the_same(verifier in "[A-Za-z0-9._~-]{43,128}") {
        let (one, two) = (Pkce::of(verifier.as_str().into()), Pkce::of(verifier.as_str().into()));
        prop_assert_eq!(one.challenge(), two.challenge());
        prop_assert_eq!(one.challenge().as_str().len(), 43);
        prop_assert_ne!(one.challenge().as_str(), &verifier);
    }

    #[test]
    fn no_query_is_too_strange_to_be_read(query in "\\PC*") {
        let _ = Callback::parse(&query);
    }
}

fn read(query: &str) -> String {
    match Callback::parse(query) {
        Callback::Code { code, state, iss } => format!("code {} state {state} iss {iss:?}", open(&code)),
        Callback::Refused { error, description, state } => format!("refused {error}: {description} state {state:?}"),
        Callback::Malformed => "malformed".to_owned(),
    }
}

#[test]
fn a_callback_brings_a_code_or_a_reason() {
    let cases = [
        ("code=4%2F0Ab&state=s&scope=a+b&authuser=0&prompt=consent", "code 4/0Ab state s iss None"),
        ("state=s&code=c&iss=https%3A%2F%2Fforge.test", r#"code c state s iss Some("https://forge.test")"#),
        (
            "error=access_denied&error_description=The+user+has+denied+your+application+access&state=s",
            r#"refused access_denied: The user has denied your application access state Some("s")"#,
        ),
        ("error=access_denied&state=", "refused access_denied:  state None"),
        ("error=x&error_description=%1b%5b2Ja%0Ab&state=s", r#"refused x: [2Ja b state Some("s")"#),
    ];
    for (query, wanted) in cases {
        assert_eq!(read(query), wanted);
    }
}

#[test]
fn what_no_server_sends_is_malformed() {
    let long = format!("code=c&state={}", "s".repeat(16 << 10));
    let cases = [
        "",
        "code=c",
        "code=&state=s",
        "state=s",
        "code=c&state=",
        "code=c&code=c&state=s",
        "code=c&state=s&state=t",
        "code=c&state=s&x=1&x=2",
        "code=c&error=access_denied&state=s",
        "code=a%20b&state=s",
        "code=c%0d%0a&state=s",
        "code=c&state=%00",
        "code=%ff&state=s",
        "code=c&state=s&iss=a%20b",
        "error=x&state=a%20b",
        &long,
    ];
    for query in cases {
        assert_eq!(read(query), "malformed", "{query}");
    }
}

#[test]
fn a_refused_callback_says_whose_matter_it_is() {
    let refusal = |word: &str| Callback::refusal(word, "words");
    let said = || "words".to_owned();
    assert_eq!(refusal("access_denied"), OAuthError::Denied);
    assert_eq!(refusal("invalid_scope"), OAuthError::ScopeRejected { said: said() });
    for word in ["unauthorized_client", "redirect_uri_mismatch", "application_suspended"] {
        assert_eq!(refusal(word), OAuthError::ClientRejected { said: said() });
    }
    assert_eq!(refusal("temporarily_unavailable"), OAuthError::Unavailable { retry_after_seconds: None });
    assert_eq!(refusal("whatever"), OAuthError::Refused { status: None, said: said() });
    assert_eq!(Callback::refusal("whatever", ""), OAuthError::Refused { status: None, said: "whatever".to_owned() });
}

#[test]
fn an_answer_of_another_server_is_recognised() {
    let stating = |always_stated| {
        let issuer = Some(Issuer { name: "https://forge.test".to_owned(), always_stated });
        OAuthProfile { issuer, ..profile() }
    };
    let (right, wrong) = (Some("https://forge.test"), Err(OAuthError::WrongIssuer));
    assert_eq!(profile().check_issuer(Some("https://evil.test")), Ok(()));
    for always in [true, false] {
        assert_eq!(stating(always).check_issuer(right), Ok(()));
        assert_eq!(stating(always).check_issuer(Some("https://evil.test")), wrong);
        assert_eq!(stating(always).check_issuer(Some("https://forge.test/")), wrong);
    }
    assert_eq!(stating(true).check_issuer(None), wrong);
    assert_eq!(stating(false).check_issuer(None), Ok(()));
}
