//! The two looks at a credential: when it is put on a request, and when an answer is searched for it.

use http::HeaderValue;
use valetkey_integrations::Lent;
use valetkey_model::{InstanceUrl, Problem};

/// What goes to `instance` in the `Authorization` header.
pub(crate) fn header(lent: &Lent, instance: &InstanceUrl) -> Result<HeaderValue, Problem> {
    lent.credential.git_header(&lent.auth).map_err(|e| e.into_problem(lent.provider, instance))
}

/// Foreign words without hidden characters.
pub(crate) fn plain(said: &[u8]) -> String {
    String::from_utf8_lossy(said).chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// [Plain](plain) words without the credential, in either of the forms that the upstream knows.
#[expect(clippy::disallowed_methods, reason = "an answer is searched for the credential so that it is not passed on")]
pub(crate) fn strike_out(lent: &Lent, instance: &InstanceUrl, said: &[u8]) -> String {
    const GONE: &str = "***";
    // Before the search: a token with a hidden character in it would not be found, and be whole again without it.
    let said = plain(said).replace(lent.credential.token.expose().as_str(), GONE);
    let header = header(lent, instance).ok();
    // Without the scheme: what follows it is the secret.
    match header.as_ref().and_then(|value| value.to_str().ok()?.split_once(' ')) {
        Some((_, encoded)) => said.replace(encoded.trim_end_matches('='), GONE),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use valetkey_model::{ProviderKind, PushPolicy};
    use valetkey_providers::{Credential, GitAuth};

    const TOKEN: &str = "glpat-abcdefghijklmnopqrstu";

    fn lent() -> Lent {
        Lent {
            credential: Credential::pat(TOKEN.into()),
            auth: GitAuth::Basic { user: "oauth2".to_owned() },
            provider: ProviderKind::GitLab,
            integration: "018f0000-0000-7000-8000-000000000001".parse().unwrap(),
            push: PushPolicy { branch: "feature/x".parse().unwrap(), allow_force: false },
        }
    }

    fn instance() -> InstanceUrl {
        "https://gitlab.com".parse().unwrap()
    }

    #[test]
    fn the_header_is_not_shown() {
        assert_eq!(format!("{:?}", header(&lent(), &instance()).unwrap()), "Sensitive");
    }

    #[test]
    fn an_answer_is_passed_on_without_the_credential() {
        let header = header(&lent(), &instance()).unwrap();
        let header = header.to_str().unwrap();
        let unpadded = header.trim_end_matches('=');
        assert_ne!(header, unpadded, "this token's pair has padding");
        for (said, passed_on) in [
            (format!("bad token {TOKEN}!"), "bad token ***!"),
            (format!("you sent\nAuthorization: {header}\n"), "you sent\nAuthorization: Basic ***==\n"),
            (format!("you sent {unpadded}"), "you sent Basic ***"),
            (format!("glpat-\u{1b}{}", &TOKEN[6..]), "***"),
            ("\u{7}Wait a minute.\r\n".to_owned(), "Wait a minute.\n"),
        ] {
            assert_eq!(strike_out(&lent(), &instance(), said.as_bytes()), passed_on, "{said:?}");
        }
    }
}
