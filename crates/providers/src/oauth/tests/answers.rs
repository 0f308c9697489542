use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

fn standard(body: &str) -> Result<Tokens, OAuthError> {
    Tokens::read(TokenAnswer::Standard, StatusCode::OK, body, now())
}

fn slack(body: &str) -> Result<Tokens, OAuthError> {
    Tokens::read(TokenAnswer::Slack, StatusCode::OK, body, now())
}

fn seconds(at: Option<Timestamp>) -> Option<i64> {
    at.map(|at| at.duration_since(now()).as_secs())
}

/// What was understood, on one line.
fn told(tokens: &Tokens) -> String {
    let refresh = tokens.refresh.as_ref().map_or("-", |token| open(token));
    let scopes = tokens.scopes.as_ref().map_or("not said".to_owned(), |scopes| scopes.join("|"));
    let ends = (seconds(tokens.expires_at), seconds(tokens.refresh_expires_at));
    format!("{} {refresh} {ends:?} {scopes}", open(&tokens.access))
}

#[test]
fn each_provider_s_answer_is_understood() {
    let cases = [
        (
            // GitHub, a GitHub App's user token.
            r#"{"access_token":"ghu_16C7e42F292c6912E7710c838347Ae178B4a","expires_in":28800,"refresh_token":"ghr_1B4a2e77838347a7E420ce178F2E7c6912E169246c34E1ccbF66C46812d16D5B1A9Dc86A1498","refresh_token_expires_in":15811200,"scope":"","token_type":"bearer"}"#,
            "ghu_16C7e42F292c6912E7710c838347Ae178B4a ghr_1B4a2e77838347a7E420ce178F2E7c6912E169246c34E1ccbF66C46812d16D5B1A9Dc86A1498 (Some(28800), Some(15811200)) ",
        ),
        (
            // GitHub, an OAuth app's; its tokens do not end, and it puts commas between scopes.
            r#"{"access_token":"gho_16C7e42F292c6912E7710c838347Ae178B4a","scope":"repo,gist","token_type":"bearer"}"#,
            "gho_16C7e42F292c6912E7710c838347Ae178B4a - (None, None) repo|gist",
        ),
        (
            // GitHub, to who does not ask for JSON.
            "access_token=gho_16C7e42F292c6912E7710c838347Ae178B4a&scope=repo%2Cgist&token_type=bearer",
            "gho_16C7e42F292c6912E7710c838347Ae178B4a - (None, None) repo|gist",
        ),
        (
            // GitLab.
            r#"{"access_token":"de6780bc506a0446309bd9362820ba8aed28aa506c71eedbe1c5c4f9dd350e54","token_type":"bearer","expires_in":7200,"refresh_token":"8257e65c97202ed1726cf9571600918f3bffb2544b26e00a61df9897668c33a1","created_at":1607635748}"#,
            "de6780bc506a0446309bd9362820ba8aed28aa506c71eedbe1c5c4f9dd350e54 8257e65c97202ed1726cf9571600918f3bffb2544b26e00a61df9897668c33a1 (Some(7200), None) not said",
        ),
        (
            // Bitbucket Cloud says `scopes`.
            r#"{"access_token":"at","scopes":"account repository:write","token_type":"bearer","expires_in":7200,"refresh_token":"rt"}"#,
            "at rt (Some(7200), None) account|repository:write",
        ),
        (
            // Atlassian.
            r#"{"access_token":"eyJ.a.b","expires_in":3600,"token_type":"Bearer","refresh_token":"eyJ.r","scope":"read:jira-work offline_access"}"#,
            "eyJ.a.b eyJ.r (Some(3600), None) read:jira-work|offline_access",
        ),
        (
            // Google, where the person limited the time.
            r#"{"access_token":"ya29.a","expires_in":3599,"refresh_token":"1//r","refresh_token_expires_in":604799,"scope":"https://www.googleapis.com/auth/drive.file openid","token_type":"Bearer","id_token":"e.y.J"}"#,
            "ya29.a 1//r (Some(3599), Some(604799)) https://www.googleapis.com/auth/drive.file|openid",
        ),
        (
            // Gitea.
            r#"{"access_token":"eyJ.a.c","token_type":"bearer","expires_in":3600,"refresh_token":"eyJ.r"}"#,
            "eyJ.a.c eyJ.r (Some(3600), None) not said",
        ),
        (r#" {"access_token":"a","expires_in":"3600","scope":["x","y z"]} "#, "a - (Some(3600), None) x|y|z"),
        (r#"{"access_token":"a","refresh_token":null,"expires_in":null,"scope":null}"#, "a - (None, None) not said"),
        (r#"{"access_token":"a","refresh_token":"","expires_in":0}"#, "a - (None, None) not said"),
        (r#"{"access_token":"a","expires_in":3599.7}"#, "a - (Some(3599), None) not said"),
        (r#"{"access_token":"a","expires_in":-1}"#, "a - (None, None) not said"),
        (r#"{"access_token":"a","expires_in":1e300}"#, "a - (None, None) not said"),
        (r#"{"access_token":"a","expires_in":"soon"}"#, "a - (None, None) not said"),
    ];
    for (body, wanted) in cases {
        assert_eq!(told(&standard(body).unwrap()), wanted, "{body}");
    }
}

#[test]
fn slack_s_bot_is_found_with_its_workspace() {
    // docs.slack.dev, oauth.v2.access.
    let body = r#"{"ok":true,"access_token":"xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzzqgy","token_type":"bot","scope":"commands,incoming-webhook","bot_user_id":"U0KRQLJ9H","app_id":"A0KRD7HC3","expires_in":43200,"refresh_token":"xoxe-1-abcdefg","team":{"name":"Slack Pickleball Team","id":"T9TK3CUKW"},"enterprise":{"name":"slack-pickleball","id":"E12345678"},"authed_user":{"id":"U1234","scope":"chat:write","access_token":"xoxe.xoxp-1234","expires_in":43201,"refresh_token":"xoxe-1-user","token_type":"user"}}"#;
    let tokens = slack(body).unwrap();
    assert_eq!(
        told(&tokens),
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzzqgy xoxe-1-abcdefg (Some(43200), None) commands|incoming-webhook"
    );
    assert!(!format!("{tokens:?}").contains("xox"));
}

#[test]
fn slack_s_person_is_found_where_there_is_no_bot() {
    let body = r#"{"ok":true,"app_id":"A1","authed_user":{"id":"U1","scope":"search:read","access_token":"xoxp-1","token_type":"user"},"team":{"id":"T1"},"enterprise":null}"#;
    let tokens = slack(body).unwrap();
    assert_eq!(told(&tokens), "xoxp-1 - (None, None) search:read");
}

#[test]
fn what_holds_no_token_is_no_oauth_answer_and_its_outcome_is_unknown() {
    let cases = [
        "",
        "{",
        "[]",
        "null",
        "hello",
        "<html>access_token=a</html>",
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":7}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a\nb"}"#,
        r#"{"access_token":"é"}"#,
        r#"{"access_token":"a","refresh_token":["r"]}"#,
        r#"{"access_token":"a","token_type":"DPoP"}"#,
        "scope=a&token_type=bearer",
        r#"{"access_token":"a","expires_in":3600"#,
    ];
    for body in cases {
        let error = standard(body).unwrap_err();
        assert!(matches!(error, OAuthError::NotOAuth { status: 200, .. }), "{body}: {error}");
        assert_eq!(error.outcome(), crate::Delivery::Unknown, "{body}");
    }
    for body in [r#"{"ok":false}"#, r#"{"ok":true}"#, r#"{"ok":true,"authed_user":{"id":"U1"}}"#] {
        assert!(matches!(slack(body).unwrap_err(), OAuthError::NotOAuth { .. }), "{body}");
    }
}

proptest! {
    #[test]
    fn no_answer_is_too_strange_to_be_read(status in 100_u16..600, body in "\\PC*", members in prop::collection::vec(
        ("(access_token|refresh_token|expires_in|scope|error|ok|authed_user)", "(\"\\PC{0,9}\"|-?[0-9]{0,30}|null|\\{\\}|\\[\"a\"\\])"), 0..6,
    )) {
        let json = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",");
        for body in [body, format!("{{{json}}}")] {
            for form in [TokenAnswer::Standard, TokenAnswer::Slack] {
                if let Ok(tokens) = Tokens::read(form, StatusCode::from_u16(status).unwrap(), &body, now()) {
                    prop_assert!(open(&tokens.access).bytes().all(|byte| byte.is_ascii_graphic()));
                    prop_assert!(tokens.expires_at.is_none_or(|at| at.duration_since(now()) > SignedDuration::ZERO));
                }
            }
        }
    }
}
