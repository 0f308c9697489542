use super::{GitLab, forge, refusing};
use crate::{BranchInfo, Forge, ProviderError, RepositoryInfo, testing::json};

#[tokio::test]
async fn branches_are_listed_page_by_page() {
    let forge = forge(|seen| match seen.line.as_str() {
        "GET /api/v4/projects/team%2Frepo/repository/branches?per_page=100&page=1" => json(
            200,
            "x-page: 1\nx-next-page: 2\nLink: <http://evil.test/?page=2>; rel=\"next\"",
            r#"[{"name":"main","commit":{"id":"aa"},"protected":true,"default":true}]"#,
        ),
        "GET /api/v4/projects/team%2Frepo/repository/branches?per_page=100&page=2" => json(
            200,
            "x-page: 2\nx-next-page: ",
            r#"[{"name":"feature/x","commit":{"id":"bb"},"protected":false,"default":false}]"#,
        ),
        other => panic!("{other}"),
    })
    .await;
    let branches = GitLab.branches(forge.at(), &forge.server.repo("team/repo")).await.unwrap();
    let branch = |name: &str, commit: &str, main| BranchInfo {
        name: name.into(),
        commit: commit.into(),
        protected: main,
        default: main,
    };
    assert_eq!(branches, [branch("main", "aa", true), branch("feature/x", "bb", false)]);
}

#[tokio::test]
async fn branches_of_a_missing_project_are_not_found() {
    let forge = refusing(json(404, "", r#"{"message":"404 Project Not Found"}"#)).await;
    let error = GitLab.branches(forge.at(), &forge.server.repo("team/repo")).await.unwrap_err();
    assert_eq!(error, ProviderError::RepositoryNotFound { path: "team/repo".into() });
}

const FOUND: &str = r#"[{"id":9,"path_with_namespace":"team/app","default_branch":"main","visibility":"private","archived":true},
    {"id":10,"path_with_namespace":"team/empty-app","default_branch":null,"visibility":"public"},
    {"id":11,"path_with_namespace":"../app","default_branch":"main","visibility":"public"}]"#;

#[tokio::test]
async fn a_search_names_what_the_account_is_a_member_of() {
    let forge = refusing(json(200, "x-next-page: 2", FOUND)).await;
    let found = GitLab.search(forge.at(), "app & co", 2).await.unwrap();
    let repository = |path: &str, default_branch: Option<&str>, archived| RepositoryInfo {
        url: forge.server.repo(path),
        path: path.to_owned(),
        default_branch: default_branch.map(str::to_owned),
        private: archived,
        archived,
    };
    assert_eq!(found, [repository("team/app", Some("main"), true), repository("team/empty-app", None, false)]);
    let line = "GET /api/v4/projects?membership=true&search=app+%26+co&order_by=last_activity_at&per_page=2&page=1";
    assert_eq!(forge.server.lines(), [line]);
}

#[tokio::test]
async fn a_search_goes_on_over_pages_until_it_has_enough() {
    let page = |first: usize, count: usize| {
        let all =
            (first..first + count).map(|id| serde_json::json!({ "id": id, "path_with_namespace": format!("t/p{id}") }));
        serde_json::Value::Array(all.collect()).to_string()
    };
    let forge = forge(move |seen| match seen.line.rsplit('=').next() {
        Some("1") => json(200, "x-next-page: 2", &page(0, 100)),
        Some("2") => json(200, "x-next-page: 3", &page(100, 100)),
        other => panic!("{other:?}"),
    })
    .await;
    let found = GitLab.search(forge.at(), "", 150).await.unwrap();
    let paths: Vec<_> = found.into_iter().map(|one| one.path).collect();
    assert_eq!(paths, (0..150).map(|id| format!("t/p{id}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refused_search_says_why() {
    let forge = refusing(json(401, "", r#"{"message":"401 Unauthorized"}"#)).await;
    assert_eq!(GitLab.search(forge.at(), "", 10).await, Err(ProviderError::TokenInvalid));
}
