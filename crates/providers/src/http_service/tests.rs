use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind};

use super::HttpService;
use crate::{
    CallError, Checked, Credential, Provider, ProviderError, Why,
    testing::{Fixture, Seen, answer, json},
};

const SECRET: &str = "canary-secret/1";
const NOT_FOUND: &str = r#"{"error":"not found"}"#;

fn origin() -> InstanceUrl {
    "https://api.example.com:8443".parse().unwrap()
}

fn by(method: AuthMethod, login: Option<&str>) -> Credential {
    Credential { method, login: login.map(str::to_owned), ..Credential::pat(SECRET.into()) }
}

fn bearer() -> Credential {
    by(AuthMethod::Pat, None)
}

async fn service(credential: Credential, answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture { credential, ..Fixture::new(SECRET, answers).await }
}

/// A service with this first page and this answer to MCP.
async fn check(page: Vec<u8>, mcp: Vec<u8>) -> Result<Checked, ProviderError> {
    let service = service(bearer(), move |seen| match seen.line.as_str() {
        "GET /" => page.clone(),
        "POST /mcp" => mcp.clone(),
        other => panic!("{other}"),
    });
    HttpService.check(service.await.at()).await
}

mod form {
    use super::*;

    fn of(credential: &Credential) -> Result<(), ProviderError> {
        HttpService.check_form(&origin(), credential)
    }

    #[test]
    fn of_any_plain_text() {
        for (fine, method) in
            [(SECRET, AuthMethod::Pat), ("Token abc def", AuthMethod::Header), ("pass word", AuthMethod::Basic)]
        {
            let login = (method != AuthMethod::Pat).then_some("X-API-Key");
            let credential = Credential { token: fine.into(), ..by(method, login) };
            assert_eq!(of(&credential), Ok(()), "{fine}");
        }
        for wrong in ["", " a", "a ", "a\nb", "a\u{e9}", "two words", &"a".repeat(8193)] {
            let credential = Credential { token: wrong.into(), ..bearer() };
            assert_eq!(of(&credential), Err(ProviderError::TokenMalformed), "{wrong:?}");
        }
    }

    #[test]
    fn a_header_is_one_that_may_carry_a_secret() {
        for fine in ["X-API-Key", "authorization", "x-auth-token", "PRIVATE-TOKEN"] {
            assert_eq!(of(&by(AuthMethod::Header, Some(fine))), Ok(()), "{fine}");
        }
        for wrong in [
            "",
            "X API Key",
            "X-Key:",
            "X-Key\r\nHost",
            "Host",
            "Content-Length",
            "transfer-encoding",
            "Connection",
            "Cookie",
            "Proxy-Authorization",
            "Mcp-Method",
            "X-Forwarded-User",
            "Sec-Fetch-Site",
            "Accept",
            "Origin",
        ] {
            let refused = of(&by(AuthMethod::Header, Some(wrong)));
            assert!(matches!(refused, Err(ProviderError::Unsuitable { .. })), "{wrong:?}");
        }
        assert!(of(&by(AuthMethod::Header, None)).is_err());
    }

    #[test]
    fn a_user_name_has_no_colon() {
        assert_eq!(of(&by(AuthMethod::Basic, Some("jo"))), Ok(()));
        for wrong in [None, Some(""), Some("j:o"), Some("j\no")] {
            assert!(matches!(of(&by(AuthMethod::Basic, wrong)), Err(ProviderError::Unsuitable { .. })), "{wrong:?}");
        }
    }
}

mod checks {
    use super::*;

    #[tokio::test]
    async fn claim_nothing_but_that_it_answers() {
        let fixture = service(bearer(), |_| json(404, "", NOT_FOUND)).await;
        let checked = HttpService.check(fixture.at()).await.unwrap();
        let instance = &fixture.server.instance;
        assert_eq!((checked.account.id, checked.account.username), (instance.to_string(), instance.authority()));
        assert_eq!((checked.account.name, checked.account.email), (None, None));
        assert!(checked.granted_scopes.is_empty() && checked.missing_scopes.is_empty());
        assert_eq!((checked.expires_at, checked.details.version), (None, None));
        assert_eq!(checked.details.notes.len(), 1);
    }

    #[tokio::test]
    async fn take_any_answer_for_one() {
        for page in [
            json(200, "", "{}"),
            answer(200, "Content-Type: text/html", "<html>"),
            answer(302, "Location: https://elsewhere.test/", ""),
            answer(500, "", "broken"),
            answer(405, "", ""),
        ] {
            assert!(check(page, json(404, "", NOT_FOUND)).await.is_ok());
        }
    }

    #[tokio::test]
    async fn send_the_secret_as_it_was_said() {
        for (credential, header) in [
            (bearer(), format!("authorization: Bearer {SECRET}\n")),
            (by(AuthMethod::Header, Some("X-API-Key")), format!("x-api-key: {SECRET}\n")),
            (by(AuthMethod::Basic, Some("jo")), "authorization: Basic am86Y2FuYXJ5LXNlY3JldC8x\n".to_owned()),
        ] {
            let service = service(credential, |_| json(404, "", NOT_FOUND)).await;
            HttpService.check(service.at()).await.unwrap();
            let requests = service.server.requests();
            assert_eq!(requests.len(), 2);
            for seen in requests {
                assert!(seen.head.contains(&header), "{}", seen.head);
                assert!(!seen.line.contains(SECRET) && !String::from_utf8(seen.body).unwrap().contains(SECRET));
            }
        }
    }

    #[tokio::test]
    async fn tell_two_user_names_apart() {
        let service = service(by(AuthMethod::Basic, Some("jo")), |_| json(200, "", "{}")).await;
        let account = HttpService.check(service.at()).await.unwrap().account;
        assert_eq!((account.id, account.username), (format!("jo@{}", service.server.instance), "jo".to_owned()));
    }
}

mod mcp {
    use super::*;

    fn discovered(more: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","supportedVersions":["2025-11-25","2026-07-28"],
            "capabilities":{{}},"ttlMs":1,"cacheScope":"private"{more}}}}}"#
        )
    }

    async fn version(mcp: Vec<u8>) -> Option<String> {
        check(json(404, "", NOT_FOUND), mcp).await.unwrap().details.version
    }

    #[tokio::test]
    async fn says_its_revision_and_name() {
        let named = r#","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"echo\u202e","version":"1"}}"#;
        assert_eq!(version(json(200, "", &discovered(named))).await.as_deref(), Some("MCP 2026-07-28, echo"));
        assert_eq!(version(json(200, "", &discovered(""))).await.as_deref(), Some("MCP 2026-07-28"));
        let line = discovered("").replace('\n', " ");
        let stream = answer(200, "Content-Type: text/event-stream", &format!("event: message\ndata: {line}\n\n"));
        assert_eq!(version(stream).await.as_deref(), Some("MCP 2026-07-28"));
    }

    #[tokio::test]
    async fn of_an_older_revision_refuses_the_question_and_is_known_by_it() {
        for status in [200, 400, 404] {
            let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
            assert_eq!(version(json(status, "", refused)).await.as_deref(), Some("MCP server"));
        }
    }

    #[tokio::test]
    async fn is_no_matter_to_other_services() {
        for bytes in
            [json(200, "", "{}"), json(200, "", "[]"), answer(200, "", "hello"), answer(403, "", ""), Vec::new()]
        {
            assert_eq!(version(bytes).await, None);
        }
    }

    #[tokio::test]
    async fn is_asked_as_its_revision_wants_it() {
        let service = service(bearer(), |_| json(404, "", NOT_FOUND)).await;
        HttpService.check(service.at()).await.unwrap();
        let requests = service.server.requests();
        let asked = requests.iter().find(|seen| seen.line == "POST /mcp").unwrap();
        for header in [
            "mcp-protocol-version: 2026-07-28\n",
            "mcp-method: server/discover\n",
            "accept: application/json, text/event-stream\n",
            "content-type: application/json\n",
        ] {
            assert!(asked.head.contains(header), "{}", asked.head);
        }
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        let meta = &body["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        assert!(meta["io.modelcontextprotocol/clientCapabilities"].is_object());
    }

    #[tokio::test]
    async fn that_lets_the_secret_in_counts_more_than_the_first_page() {
        let checked = check(json(403, "", "{}"), json(200, "", &discovered(""))).await;
        assert_eq!(checked.unwrap().details.version.as_deref(), Some("MCP 2026-07-28"));
        let shut = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Unauthorized"}}"#;
        assert_eq!(check(json(200, "", "{}"), json(401, "", shut)).await, Err(ProviderError::TokenInvalid));
    }
}

mod refusals {
    use super::*;

    async fn of(page: Vec<u8>) -> ProviderError {
        check(page, json(404, "", NOT_FOUND)).await.unwrap_err()
    }

    #[tokio::test]
    async fn of_the_secret() {
        assert_eq!(of(json(401, "", r#"{"error":"unauthorized"}"#)).await, ProviderError::TokenInvalid);
        let said = "this key is suspended".to_owned();
        let forbidden = of(json(403, "", r#"{"error":"this key is suspended"}"#)).await;
        assert_eq!(forbidden, ProviderError::Forbidden { said });
    }

    #[tokio::test]
    async fn for_now() {
        let limited = of(answer(429, "Retry-After: 30", "slow down")).await;
        assert_eq!(limited, ProviderError::RateLimited { retry_after_seconds: Some(30) });
        for status in [502, 503, 504] {
            assert_eq!(of(answer(status, "", "")).await, ProviderError::Failed { status, said: String::new() });
        }
    }

    #[tokio::test]
    async fn by_silence() {
        let error = of(Vec::new()).await;
        assert_eq!(error, CallError::Unreachable { host: "127.0.0.1".to_owned(), why: Why::Broken }.into());
    }

    #[tokio::test]
    async fn never_repeat_the_secret() {
        for status in [200, 401, 403, 500, 503] {
            let body =
                format!(r#"{{"jsonrpc":"2.0","error":"{SECRET}","result":{{"supportedVersions":["{SECRET}"]}}}}"#);
            let result = check(json(status, "", &body), json(status, "", &body)).await;
            assert!(!format!("{result:?}").contains("canary"), "{result:?}");
        }
    }
}

#[test]
fn the_catalogue_wants_an_origin_and_hides_secrets() {
    let entry = HttpService.catalogue();
    assert_eq!((entry.provider, entry.default_instance), (ProviderKind::Http, None));
    for method in &entry.methods {
        let instance = &method.fields[0];
        assert!(instance.name == "instanceUrl" && instance.required, "{method:?}");
        assert_eq!(method.fields.iter().filter(|field| field.secret).count(), 1, "{method:?}");
    }
}
