//! The pages behind the links that a session prints.

use serde_json::json;
use valetkey_twins::{Forge, Repository};

use crate::support::{Answer, Fixture, PROJECT};

async fn page(fixture: &Fixture, path: &str) -> Answer {
    Answer::of(fixture.http.get(format!("{}/{path}", fixture.twin.url())).send().await.unwrap()).await
}

#[tokio::test]
async fn a_branch_link_shows_the_branchs_files_and_its_last_change() {
    for (forge, path) in [(Forge::GitLab, "/-/tree/feature/x"), (Forge::GitHub, "/tree/feature/x")] {
        let fixture = Fixture::with(forge, |repository| repository.branch("feature/x")).await;
        fixture.twin.commit(PROJECT, "feature/x", "<b>.html", "<script>alert(1)</script>");
        let shown = page(&fixture, &format!("{PROJECT}{path}")).await;
        assert_eq!(shown.status, 200);
        assert!(shown.text.contains("README.md") && shown.text.contains("&lt;b&gt;.html"));
        assert!(shown.text.contains("+&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(!shown.text.contains("<script>"));
        assert_eq!(page(&fixture, &format!("{PROJECT}{path}/none")).await.status, 404);
    }
}

#[tokio::test]
async fn a_repository_and_a_merge_request_have_pages_too() {
    let fixture = Fixture::with(Forge::GitLab, |repository| repository.branch("topic")).await;
    let new = json!({"source_branch": "topic", "target_branch": "main", "title": "Add <X>"});
    let opened = fixture.post("/api/v4/projects/group%2Fproject/merge_requests", new).await;
    let link = opened.json()["web_url"].as_str().unwrap().to_owned();
    let shown = Answer::of(fixture.http.get(link).send().await.unwrap()).await;
    assert!(shown.text.contains("Add &lt;X&gt;"), "{}", shown.text);

    fixture.twin.repository("group/empty", Repository::new().empty());
    assert!(page(&fixture, "group/empty").await.text.contains("This repository is empty."));
    assert_eq!(page(&fixture, "group/none").await.status, 404);
}
