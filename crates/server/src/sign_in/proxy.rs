//! People behind a reverse proxy that asks them to sign in and then names them in headers.
//!
//! A header proves nothing by being there. It counts only beside a secret that the proxy and we share, which the proxy sends
//! with every request and nobody else knows.

use http::{HeaderMap, HeaderName};
use valetkey_model::{Admission, Claims, Problem, UserId};
use valetkey_seal::{Secret, is_same};

use crate::App;

/// Where the proxy puts the secret.
const SECRET: HeaderName = HeaderName::from_static("x-valetkey-proxy-secret");

/// What people who come so have for an issuer. It is no address, so that no identity provider can be called so.
const ISSUER: &str = "trusted-proxy";

/// A reverse proxy, as an administrator set it.
#[derive(Debug)]
pub struct TrustedProxy {
    /// What it proves itself by.
    pub secret: Secret<String>,
    /// The header that says who it is; always the same for one person, and never another's.
    pub user: HeaderName,
    /// The header with their e-mail address, which the proxy vouches for.
    pub email: Option<HeaderName>,
    /// The header with their name.
    pub name: Option<HeaderName>,
    /// The header with their groups, separated by commas.
    pub groups: Option<HeaderName>,
    /// Whom to let in.
    pub admission: Admission,
}

/// The person whom the trusted proxy names; none where none is set, where the request did not come through it, or where it
/// names nobody.
///
/// # Errors
/// `forbidden` for somebody who is not let in; when the store fails.
pub(crate) async fn person_behind(app: &App, headers: &HeaderMap) -> Result<Option<UserId>, Problem> {
    let Some(proxy) = &app.sign_in.proxy else { return Ok(None) };
    let Some(claims) = proxy.named(headers) else { return Ok(None) };
    proxy.admission.admit(&claims)?;
    let (now, administrator) = (app.now(), proxy.admission.makes_administrator(&claims));
    let person = app.store.recognise(&UserId::new(now, &*app.entropy), &claims, administrator, now).await?;
    Ok(Some(person.id))
}

impl TrustedProxy {
    fn named(&self, headers: &HeaderMap) -> Option<Claims> {
        if !is_same(&self.secret, single(headers, &SECRET)?) {
            return None;
        }
        let claims = Claims::new(ISSUER, single(headers, &self.user)?.trim())?;
        let said = |name: &Option<HeaderName>| name.as_ref().and_then(|name| single(headers, name));
        let groups = said(&self.groups).unwrap_or_default().split(',').map(str::trim);
        Some(claims.named(said(&self.name)).verified_email(said(&self.email)).in_groups(groups))
    }
}

/// A header that is there once. Where it is there twice, one may be the client's own, passed on by the proxy.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    std::str::from_utf8(value.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy() -> TrustedProxy {
        TrustedProxy {
            secret: Secret::from("the proxy's secret"),
            user: HeaderName::from_static("x-forwarded-user"),
            email: Some(HeaderName::from_static("x-forwarded-email")),
            name: None,
            groups: Some(HeaderName::from_static("x-forwarded-groups")),
            admission: Admission::everybody(),
        }
    }

    fn named(pairs: &[(&'static str, &str)]) -> Option<Claims> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        proxy().named(&headers)
    }

    #[test]
    fn headers_count_beside_the_secret_only() {
        const SECRET: (&str, &str) = ("x-valetkey-proxy-secret", "the proxy's secret");
        const USER: (&str, &str) = ("x-forwarded-user", "anna");
        for refused in [
            vec![USER],
            vec![USER, ("x-valetkey-proxy-secret", "")],
            vec![USER, ("x-valetkey-proxy-secret", "the proxy's secre")],
            vec![USER, ("x-valetkey-proxy-secret", "the proxy's secret.")],
            vec![USER, SECRET, SECRET],
            vec![USER, SECRET, ("x-valetkey-proxy-secret", "guess")],
            vec![USER, ("x-forwarded-user", "victim"), SECRET],
            vec![SECRET],
            vec![SECRET, ("x-forwarded-user", " ")],
            vec![SECRET, ("x-forwarded-email", "anna@example.com")],
        ] {
            assert_eq!(named(&refused), None, "{refused:?}");
        }
        let more = [("x-forwarded-email", "Anna@example.com"), ("x-forwarded-groups", "dev, ops,")];
        let anna = named(&[USER, SECRET, more[0], more[1]]).unwrap();
        assert_eq!((anna.subject(), anna.email()), ("anna", Some("anna@example.com")));
        assert_eq!(anna.groups().iter().collect::<Vec<_>>(), ["dev", "ops"]);
        // What is said twice is not said.
        assert_eq!(named(&[USER, SECRET, more[0], more[0]]).unwrap().email(), None);
    }
}
