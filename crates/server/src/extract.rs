//! What a request holds, taken out of it with refusals as problem documents. Texts never repeat values that were sent: one
//! of them may be a token in the wrong place.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;
use valetkey_model::ProblemCode;

use crate::problem::Failure;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body that may be left out.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

/// The query parameters.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

/// The one part of the path that varies.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

/// The two parts of the path that vary.
#[derive(Debug)]
pub(crate) struct Ids<A, B>(pub(crate) A, pub(crate) B);

/// The three parts of the path that vary.
#[derive(Debug)]
pub(crate) struct Trio<A, B, C>(pub(crate) A, pub(crate) B, pub(crate) C);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        check_media_type(request.headers())?;
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unread(&e))?;
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let typed = check_media_type(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unread(&e))?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        typed?;
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        let deserializer = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(deserializer).map(Self).map_err(|error| {
            let path = error.path().to_string();
            Failure::invalid(explain(&path, &error.into_inner().to_string()))
        })
    }
}

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| nothing_there())?;
        named(&text).map(Self)
    }
}

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for Ids<A, B> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((first, second)) = path.map_err(|_| nothing_there())?;
        Ok(Self(named(&first)?, named(&second)?))
    }
}

impl<S: Send + Sync, A: FromStr, B: FromStr, C: FromStr> FromRequestParts<S> for Trio<A, B, C> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((first, second, third)) = path.map_err(|_| nothing_there())?;
        Ok(Self(named(&first)?, named(&second)?, named(&third)?))
    }
}

/// What can't be an id or a name is the name of nothing.
fn named<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| nothing_there())
}

fn nothing_there() -> Failure {
    Failure::new(ProblemCode::NotFound, "There is nothing at this address.")
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Failure> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let failure = Failure::invalid("the body must be JSON, with the header Content-Type: application/json");
    Err(failure.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

fn unread(rejection: &BytesRejection) -> Failure {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::new(ProblemCode::TooLarge, "The body is larger than 1 MiB.");
    }
    Failure::invalid("the body could not be read to its end")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // Serde would take the members one by one from an array; the API's document knows objects only.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Failure::invalid("expected an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            return Failure::invalid(explain(&path, &inner.to_string()));
        }
        Failure::invalid(format!("not JSON at line {}, column {}", inner.line(), inner.column()))
    })?;
    deserializer.end().map_err(|_| Failure::invalid("something follows the JSON"))?;
    Ok(value)
}

/// Serde's words without the values that they quote.
fn explain(path: &str, said: &str) -> String {
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    let quotes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    let what = if quotes.iter().any(|start| said.starts_with(start)) {
        // The value may hold anything; what was expected comes from us and is last.
        said.rsplit_once("expected ")
            .map_or_else(|| "not of the right type".to_owned(), |(_, e)| format!("expected {}", named_plainly(e)))
    } else if said.starts_with("unknown field ") {
        unknown_field(said)
    } else {
        said.to_owned()
    };
    match path {
        "." | "" | "?" => what,
        _ if what.starts_with("unknown field") => what,
        _ => format!("{path}: {what}"),
    }
}

/// Our own names of things say nothing to whoever wrote the body.
fn named_plainly(expected: &str) -> &str {
    if expected.starts_with("struct ") { "an object" } else { expected }
}

/// A name is repeated only if it can't be a token.
fn unknown_field(said: &str) -> String {
    let name = said.split('`').nth(1).unwrap_or_default();
    let harmless = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    let known = said.rsplit_once("expected ").map_or("", |(_, expected)| expected);
    if harmless {
        format!("unknown field `{name}`, expected {known}")
    } else {
        format!("unknown field, expected {known}")
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Outer {
        inner: Inner,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Inner {
        count: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
        Two,
    }

    fn refusal(json: &str) -> String {
        parse::<Outer>(json.as_bytes()).unwrap_err().problem.detail
    }

    #[test]
    fn a_refusal_says_where_and_what_was_expected() {
        assert_eq!(refusal(r#"{"inner": {"count": -1}}"#), "Invalid input: inner.count: expected u32");
        assert_eq!(refusal(r#"{"inner": {}}"#), "Invalid input: inner: missing field `count`");
        assert_eq!(refusal(r#"{"x": 1}"#), "Invalid input: unknown field `x`, expected `inner` or `kind`");
        assert_eq!(refusal("{"), "Invalid input: not JSON at line 1, column 1");
        assert_eq!(refusal(r#"{"inner": 1}"#), "Invalid input: inner: expected an object");
        for other in ["[{\"count\": 1}, null]", " [", "1", "null"] {
            assert_eq!(refusal(other), "Invalid input: expected an object", "{other}");
        }
        assert_eq!(refusal(r#"{"inner": {"count": 1}} x"#), "Invalid input: something follows the JSON");
    }

    #[test]
    fn a_refusal_repeats_no_value() {
        for json in [
            r#"{"inner": "glpat-canary, expected canary"}"#,
            r#"{"inner": {"count": "glpat-canary"}}"#,
            r#"{"inner": {"count": 1}, "kind": "glpat-canary"}"#,
            r#"{"glpat-canary": 1}"#,
            r#""glpat-canary""#,
        ] {
            let refusal = refusal(json);
            assert!(!refusal.contains("canary"), "{refusal}");
        }
    }
}
