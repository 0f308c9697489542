//! Jira Cloud: two doors, two kinds of token, and rotating refresh.

use serde_json::{Value, json};
use valetkey_twins::{Account, Consent, JiraCloud, JiraSite, OAuthApp, Switch, Token, TokenState, User};

use crate::services::{BACK, Fixture, sent, text};
use crate::support::Answer;

const EMAIL: &str = "john@example.test";
const SCOPES: &str = "read:jira-work read:jira-user write:jira-work offline_access";

struct Jira {
    fixture: Fixture<JiraCloud>,
    site: JiraSite,
    john: Account,
    token: String,
}

impl Jira {
    async fn new() -> Self {
        let fixture = Fixture::<JiraCloud>::new().await;
        let site = fixture.twin.first_site();
        let john = fixture.twin.user(User::new("john").name("John Doe").email(EMAIL));
        let token = fixture.twin.api_token(&john, Token::generated());
        fixture.twin.project(&site, "PROJ", "Project");
        Self { fixture, site, john, token }
    }

    /// An answer to e-mail and API token.
    async fn basic(&self, token: &str, path: &str) -> Answer {
        sent(self.fixture.get(path).basic_auth(EMAIL, Some(token))).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.basic(&self.token, path).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        sent(self.fixture.post(path).basic_auth(EMAIL, Some(&self.token)).json(body)).await
    }

    fn gateway(&self, path: &str) -> String {
        format!("/ex/jira/{}{path}", self.site.cloud_id)
    }

    fn app(&self) -> OAuthApp {
        self.fixture.twin.oauth().consent_always(Consent::approve(&self.john));
        self.fixture.twin.oauth().register(OAuthApp::confidential(BACK))
    }

    async fn token(&self, app: &OAuthApp, mut body: Value) -> Answer {
        body["client_id"] = json!(app.client_id());
        body["client_secret"] = json!(app.client_secret());
        sent(self.fixture.post("/oauth/token").json(&body)).await
    }

    async fn connect(&self, app: &OAuthApp, scope: &str) -> Value {
        let asked = [("audience", "api.atlassian.com"), ("scope", scope), ("prompt", "consent")];
        let code = self.fixture.authorize("/authorize", app, &asked).await["code"].clone();
        let body = json!({"grant_type": "authorization_code", "code": code, "redirect_uri": BACK});
        let answer = self.token(app, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn refresh(&self, app: &OAuthApp, token: &Value) -> Answer {
        self.token(app, json!({"grant_type": "refresh_token", "refresh_token": token})).await
    }
}

#[tokio::test]
async fn a_token_without_scopes_is_for_the_site_and_one_with_scopes_for_the_gateway() {
    let jira = Jira::new().await;
    let scoped = jira.fixture.twin.api_token(&jira.john, Token::generated().scopes(["read:jira-user"]));
    let (site, gateway) = ("/rest/api/3/myself", jira.gateway("/rest/api/3/myself"));
    let me = jira.get(site).await.json();
    assert_eq!((&me["emailAddress"], &me["displayName"]), (&json!(EMAIL), &json!("John Doe")));
    assert_eq!(jira.basic(&scoped, &gateway).await.json()["accountId"], me["accountId"]);
    assert_eq!(jira.basic(&scoped, site).await.status, 401);
    assert_eq!(jira.basic(&jira.token, &gateway).await.status, 401);
    let lacking = jira.basic(&scoped, &jira.gateway("/rest/api/3/project/search")).await;
    assert_eq!((lacking.status, lacking.json()["message"].as_str()), (401, Some("Unauthorized; scope does not match")));
}

#[tokio::test]
async fn an_api_token_has_its_checksum_and_belongs_to_an_address() {
    let jira = Jira::new().await;
    assert!(jira.token.starts_with("ATATT3xFfGF0") && jira.token.len() == 192, "{}", jira.token);
    assert_eq!(jira.token.rsplit('=').next().unwrap().len(), 8);
    let other = jira.fixture.get("/rest/api/3/myself").basic_auth("ann@example.test", Some(&jira.token));
    let refused = sent(other).await;
    assert_eq!((refused.status, refused.header("x-seraph-loginreason")), (401, Some("AUTHENTICATED_FAILED")));
    jira.fixture.twin.set_token_state(&jira.token, TokenState::Revoked);
    assert_eq!(jira.get("/rest/api/3/myself").await.status, 401);
}

#[tokio::test]
async fn a_bad_token_is_nobody_on_a_public_site() {
    let jira = Jira::new().await;
    assert_eq!(jira.basic("bad", "/rest/api/3/project/search").await.status, 401);
    jira.fixture.twin.open_to_everybody(&jira.site);
    let nobody = jira.basic("bad", "/rest/api/3/project/search").await;
    assert_eq!((nobody.status, nobody.header("x-seraph-loginreason")), (200, Some("AUTHENTICATED_FAILED")));
    let fine = jira.get("/rest/api/3/project/search").await;
    assert_eq!((fine.status, fine.header("x-seraph-loginreason")), (200, None));
    assert_eq!(jira.basic("bad", "/rest/api/3/myself").await.status, 401);
}

#[tokio::test]
async fn sites_are_told_apart_and_named_without_a_sign_in() {
    let jira = Jira::new().await;
    let other = jira.fixture.twin.site("other");
    for site in [&jira.site, &other] {
        let info = sent(jira.fixture.get(&format!("{}/_edge/tenant_info", site.path))).await.json();
        assert_eq!(info["cloudId"], site.cloud_id.as_str());
    }
    let path = format!("{}/rest/api/3/project/search", other.path);
    assert_eq!(jira.get(&path).await.json()["total"], 0);
    let info = sent(jira.fixture.get("/rest/api/3/serverInfo")).await.json();
    assert_eq!(info["deploymentType"], "Cloud");
}

#[tokio::test]
async fn the_search_pages_by_token_and_shows_ids_unless_asked() {
    let jira = Jira::new().await;
    let keys: Vec<_> = (0..25).map(|n| jira.fixture.twin.issue(&jira.site, "PROJ", &format!("Issue {n}"))).collect();
    let bare = jira.get("/rest/api/3/search/jql?jql=project%3DPROJ&maxResults=2").await.json();
    assert_eq!(bare["issues"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id"]);
    assert_eq!((&bare["isLast"], &bare["total"]), (&json!(false), &Value::Null));

    let (mut seen, mut token) = (Vec::new(), Value::Null);
    loop {
        let body = json!({"jql": "project = PROJ ORDER BY created", "maxResults": 10, "fields": ["summary"],
            "nextPageToken": token});
        let page = jira.post("/rest/api/3/search/jql", &body).await.json();
        seen.extend(page["issues"].as_array().unwrap().iter().map(|issue| text(&issue["key"])));
        assert_eq!(page["issues"][0]["fields"].as_object().unwrap().len(), 1);
        token = page["nextPageToken"].clone();
        if page["isLast"] == true {
            break;
        }
    }
    assert_eq!(seen, keys);
    assert_eq!(jira.get("/rest/api/3/search/jql?jql=ORDER%20BY%20created").await.status, 400);
    let gone = jira.get("/rest/api/3/search?jql=project%3DPROJ").await;
    assert_eq!(gone.status, 410);
    assert!(gone.text.contains("/rest/api/3/search/jql"));
}

#[tokio::test]
async fn an_issue_is_created_commented_and_moved() {
    let jira = Jira::new().await;
    let document = |text: &str| {
        json!({"type": "doc", "version": 1, "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": text}]},
        ]})
    };
    let fields = json!({"project": {"key": "PROJ"}, "issuetype": {"name": "Bug"}, "summary": "Broken",
        "description": document("It is broken.")});
    let created = jira.post("/rest/api/3/issue", &json!({"fields": fields})).await;
    assert_eq!((created.status, created.json()["key"].as_str()), (201, Some("PROJ-1")));
    assert_eq!(jira.post("/rest/api/3/issue/PROJ-1/comment", &json!({"body": document("Why?")})).await.status, 201);
    assert_eq!(jira.fixture.twin.comments(&jira.site, "PROJ-1"), ["Why?"]);

    let ways = jira.get("/rest/api/3/issue/PROJ-1/transitions").await.json();
    let done = json!({"transition": {"id": ways["transitions"][2]["id"]}});
    assert_eq!(jira.post("/rest/api/3/issue/PROJ-1/transitions", &done).await.status, 204);
    let issue = jira.get("/rest/api/2/issue/PROJ-1").await.json();
    assert_eq!(issue["fields"]["status"]["name"], "Done");
    assert_eq!(issue["fields"]["description"], "It is broken.", "version 2 speaks in plain text");
}

#[tokio::test]
async fn a_wrong_issue_is_refused_by_field() {
    let jira = Jira::new().await;
    let fields = |description: &str| {
        json!({"fields": {"project": {"key": "PROJ"}, "issuetype": {"name": "Bug"}, "summary": "S",
            "description": description}})
    };
    let plain = jira.post("/rest/api/3/issue", &fields("text")).await;
    assert_eq!(plain.status, 400);
    assert!(plain.json()["errors"]["description"].as_str().unwrap().contains("Atlassian Document"));
    assert_eq!(jira.post("/rest/api/2/issue", &fields("text")).await.status, 201);
    let nowhere = jira.post("/rest/api/3/issue", &json!({"fields": {"summary": "S"}})).await;
    assert!(nowhere.json()["errors"]["project"].is_string());
}

#[tokio::test]
async fn projects_come_in_pages() {
    let jira = Jira::new().await;
    for number in 0..24 {
        jira.fixture.twin.project(&jira.site, &format!("P{number}"), "More");
    }
    let mut seen = 0;
    loop {
        let page = jira.get(&format!("/rest/api/3/project/search?startAt={seen}&maxResults=10")).await.json();
        seen += page["values"].as_array().unwrap().len();
        if page["isLast"] == true {
            assert_eq!((seen, &page["total"]), (25, &json!(25)));
            break;
        }
    }
}

#[tokio::test]
async fn an_app_reaches_the_sites_of_who_consented() {
    let jira = Jira::new().await;
    let app = jira.app();
    let access = text(&jira.connect(&app, SCOPES).await["access_token"]);
    let resources = jira.fixture.get_as(&access, "/oauth/token/accessible-resources").await.json();
    assert_eq!((&resources[0]["id"], &resources[0]["name"]), (&json!(jira.site.cloud_id), &json!("acme")));
    assert_eq!(resources[0]["scopes"], json!(["read:jira-work", "read:jira-user", "write:jira-work"]));
    assert_eq!(jira.fixture.get_as(&access, &jira.gateway("/rest/api/3/myself")).await.status, 200);
    assert_eq!(jira.fixture.get_as(&access, "/rest/api/3/myself").await.status, 403);

    jira.fixture.twin.shut_out(&jira.john, &jira.site);
    assert_eq!(jira.fixture.get_as(&access, "/oauth/token/accessible-resources").await.json(), json!([]));
    assert_eq!(jira.fixture.get_as(&access, &jira.gateway("/rest/api/3/myself")).await.status, 403);
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_dead_one_is_refused_in_either_wording() {
    let jira = Jira::new().await;
    let app = jira.app();
    assert_eq!(jira.connect(&app, "read:jira-work").await["refresh_token"], Value::Null);
    let tokens = jira.connect(&app, SCOPES).await;
    let renewed = jira.refresh(&app, &tokens["refresh_token"]).await.json();
    assert_ne!(renewed["refresh_token"], tokens["refresh_token"]);

    let dead = jira.refresh(&app, &tokens["refresh_token"]).await;
    let wanted = json!({"error": "unauthorized_client", "error_description": "refresh_token is invalid"});
    assert_eq!((dead.status, dead.json()), (403, wanted));
    jira.fixture.twin.call_dead_refresh_tokens_invalid_grant(true);
    let dead = jira.refresh(&app, &tokens["refresh_token"]).await;
    assert_eq!((dead.status, dead.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(jira.refresh(&app, &renewed["refresh_token"]).await.status, 200);
}

#[tokio::test]
async fn a_limit_names_its_reason() {
    let jira = Jira::new().await;
    for (switch, reason) in [
        (Switch::RateLimited { retry_after: Some(5) }, "jira-burst-based"),
        (Switch::SecondaryRateLimited { retry_after: Some(5) }, "jira-quota-tenant-based"),
    ] {
        jira.fixture.twin.switch(switch);
        let limited = jira.get("/rest/api/3/myself").await;
        assert_eq!((limited.status, limited.header("retry-after")), (429, Some("5")));
        assert_eq!(limited.header("ratelimit-reason"), Some(reason));
        assert!(limited.header("x-ratelimit-reset").unwrap().ends_with('Z'));
        jira.fixture.twin.heal();
    }
}
