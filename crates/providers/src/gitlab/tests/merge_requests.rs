use valetkey_model::{ProblemCode, ProviderKind};

use super::{GitLab, forge, refusing};
use crate::{
    Forge, ProviderError, PullRequest, PullRequestDraft,
    testing::{FOREIGN_PAGES, Fixture, Seen, json},
};

fn draft() -> PullRequestDraft {
    PullRequestDraft {
        head: "feature/x".into(),
        base: "main".into(),
        title: "Add \"x\"".into(),
        body: "Line 1\nLine 2".into(),
    }
}

fn request(number: u64, page: &str) -> String {
    serde_json::json!({ "iid": number, "web_url": page }).to_string()
}

const DUPLICATE: &str = r#"{"message":["Another open merge request already exists for this source branch: !5"]}"#;

async fn open(forge: &Fixture) -> Result<PullRequest, ProviderError> {
    GitLab.open_pull_request(forge.at(), &forge.server.repo("team/repo"), &draft()).await
}

#[tokio::test]
async fn are_opened() {
    let stated = |seen: &Seen| request(6, &seen.fill_in("ORIGIN/team/renamed/-/merge_requests/6"));
    let forge = forge(move |seen| json(201, "", &stated(seen))).await;
    let url = format!("{}/team/renamed/-/merge_requests/6", forge.server.instance);
    assert_eq!(open(&forge).await, Ok(PullRequest { url, created: true }));
    let seen = &forge.server.requests()[0];
    assert_eq!(seen.line, "POST /api/v4/projects/team%2Frepo/merge_requests");
    let wanted = serde_json::json!({
        "source_branch": "feature/x", "target_branch": "main", "title": "Add \"x\"", "description": "Line 1\nLine 2"
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap(), wanted);
}

const OPEN: &str = r#"[{"iid":4,"web_url":"fork","source_project_id":8,"target_project_id":9},
    {"iid":5,"web_url":"own","source_project_id":9,"target_project_id":9}]"#;

/// A GitLab with an open merge request of the same branches, which answers a change so.
async fn already_open(change: Vec<u8>) -> Fixture {
    forge(move |seen| match seen.line.as_str() {
        "POST /api/v4/projects/team%2Frepo/merge_requests" => json(409, "", DUPLICATE),
        "GET /api/v4/projects/team%2Frepo/merge_requests?state=opened&source_branch=feature%2Fx&target_branch=main" => {
            json(200, "", OPEN)
        }
        "PUT /api/v4/projects/team%2Frepo/merge_requests/5" => change.clone(),
        other => panic!("{other}"),
    })
    .await
}

#[tokio::test]
async fn get_the_new_words_if_open_already() {
    let forge = already_open(json(200, "", &request(5, "own"))).await;
    let url = format!("{}/team/repo/-/merge_requests/5", forge.server.instance);
    assert_eq!(open(&forge).await, Ok(PullRequest { url, created: false }));
    let change: serde_json::Value = serde_json::from_slice(&forge.server.requests()[2].body).unwrap();
    assert_eq!(change, serde_json::json!({ "title": "Add \"x\"", "description": "Line 1\nLine 2" }));
}

#[tokio::test]
async fn that_can_not_be_changed_say_why() {
    let forge = already_open(json(422, "", r#"{"message":{"title":["is too long"]}}"#)).await;
    let said = r#"{"title":["is too long"]}"#.to_owned();
    assert_eq!(open(&forge).await, Err(ProviderError::PullRequestRefused { said }));
}

#[tokio::test]
async fn of_forks_alone_do_not_count() {
    let forge = forge(|seen| match seen.line.split(' ').next() {
        Some("POST") => json(409, "", DUPLICATE),
        _ => json(200, "", r#"[{"iid":4,"web_url":"fork","source_project_id":8,"target_project_id":9}]"#),
    })
    .await;
    let said = r#"["Another open merge request already exists for this source branch: !5"]"#.to_owned();
    assert_eq!(open(&forge).await, Err(ProviderError::PullRequestRefused { said }));
}

#[tokio::test]
async fn lead_to_a_page_of_this_gitlab_whatever_it_says() {
    for stated in FOREIGN_PAGES {
        let forge = forge(|seen| json(201, "", &request(6, &seen.fill_in(stated)))).await;
        let url = format!("{}/team/repo/-/merge_requests/6", forge.server.instance);
        assert_eq!(open(&forge).await, Ok(PullRequest { url, created: true }), "{stated:?}");
    }
}

#[tokio::test]
async fn are_refused_in_the_providers_words() {
    let forge = refusing(json(400, "", r#"{"message":{"target_branch":["does not exist"]}}"#)).await;
    let error = open(&forge).await.unwrap_err();
    let problem = error.into_problem(ProviderKind::GitLab, &forge.server.instance);
    assert_eq!(problem.detail, r#"GitLab refused the merge request: "{"target_branch":["does not exist"]}""#);
    assert_eq!(problem.code, ProblemCode::Conflict);
}

#[tokio::test]
async fn need_api() {
    let forge =
        refusing(json(403, "", r#"{"error":"insufficient_scope","error_description":"…","scope":"api"}"#)).await;
    assert_eq!(open(&forge).await, Err(ProviderError::InsufficientScope { missing: vec!["api".into()] }));
}
