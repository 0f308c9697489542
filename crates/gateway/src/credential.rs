//! The two looks at a credential: when it is put on a request, and when an answer is searched for it.

use http::HeaderValue;
use valetkey_integrations::Authorized;
use valetkey_model::Problem;

/// What goes upstream in the `Authorization` header.
pub(crate) fn header(authorized: &Authorized) -> Result<HeaderValue, Problem> {
    let Authorized { credential, auth, provider, repository, .. } = authorized;
    credential.git_header(auth).map_err(|e| e.into_problem(*provider, repository.url.instance()))
}

/// Foreign words without the credential, in either of the forms that the upstream knows, and without hidden characters.
#[expect(clippy::disallowed_methods, reason = "an answer is searched for the credential so that it is not passed on")]
pub(crate) fn strike_out(authorized: &Authorized, said: &[u8]) -> String {
    const GONE: &str = "***";
    let said = String::from_utf8_lossy(said);
    // Before the search: a token with a hidden character in it would not be found, and be whole again without it.
    let said: String = said.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let said = said.replace(authorized.credential.token.expose().as_str(), GONE);
    let header = header(authorized).ok();
    // Without the scheme: what follows it is the secret.
    match header.as_ref().and_then(|value| value.to_str().ok()?.split_once(' ')) {
        Some((_, encoded)) => said.replace(encoded.trim_end_matches('='), GONE),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use valetkey_model::{GrantedRepository, ProviderKind, PushPolicy};
    use valetkey_providers::{Credential, GitAuth};

    const TOKEN: &str = "glpat-abcdefghijklmnopqrstu";

    fn authorized() -> Authorized {
        let id = "018f0000-0000-7000-8000-000000000001";
        let push = PushPolicy { branch: "feature/x".parse().unwrap(), allow_force: false };
        Authorized {
            credential: Credential::pat(TOKEN.into()),
            auth: GitAuth::Basic { user: "oauth2".to_owned() },
            provider: ProviderKind::GitLab,
            repository: GrantedRepository {
                url: "https://gitlab.com/team/app".parse().unwrap(),
                integration: id.parse().unwrap(),
                push,
            },
            session: id.parse().unwrap(),
        }
    }

    #[test]
    fn the_header_is_not_shown() {
        assert_eq!(format!("{:?}", header(&authorized()).unwrap()), "Sensitive");
    }

    #[test]
    fn an_answer_is_passed_on_without_the_credential() {
        let header = header(&authorized()).unwrap();
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
            assert_eq!(strike_out(&authorized(), said.as_bytes()), passed_on, "{said:?}");
        }
    }
}
