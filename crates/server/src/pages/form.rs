//! What a form sent.

use axum::extract::{FromRequest, RawForm, Request, rejection::RawFormRejection};
use axum::response::IntoResponse as _;
use http::StatusCode;
use valetkey_model::{Problem, ProblemCode};

use crate::problem::Failure;

/// The fields of a form in the order in which they were sent; a name may come several times.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The first value of a field without surrounding space; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The first value of a field as it was sent; empty if there is none. Browsers send line breaks as CR and LF.
    pub(crate) fn as_sent(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The values of a field that comes several times.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// Whether a box was ticked or a button pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        RawForm::from_request(request, state).await.map(|RawForm(bytes)| Self::parse(&bytes)).map_err(unread)
    }
}

fn unread(rejection: RawFormRejection) -> Failure {
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::new(ProblemCode::TooLarge, "What was sent is larger than 1 MiB.");
    }
    Failure::invalid("this is not what the form sends")
}

/// A problem as pages show it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct ProblemView {
    detail: String,
    remediation: Option<String>,
}

impl From<&Problem> for ProblemView {
    fn from(problem: &Problem) -> Self {
        Self { detail: problem.detail.clone(), remediation: problem.remediation.clone() }
    }
}

/// The status under which a form with a refused entry is shown again.
pub(crate) fn refused(problem: &Problem) -> StatusCode {
    Failure::from(problem.clone()).status
}

#[cfg(test)]
impl Form {
    pub(crate) fn of(text: &str) -> Self {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_in_their_order() {
        let form = Form::of("a=1&b=x+y%21&a=2&c=");
        assert_eq!(form.get("b"), "x y!");
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert!(form.has("c") && !form.has("d"));
        assert_eq!(form.get("d"), "");
        let form = Form::of("a=+x%0D%0A");
        assert_eq!((form.get("a"), form.as_sent("a"), form.as_sent("b")), ("x", " x\r\n", ""));
    }
}
