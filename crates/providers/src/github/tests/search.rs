use super::*;

fn listed(paths: &[&str]) -> String {
    let all: Vec<_> = paths.iter().map(|path| serde_json::json!({ "full_name": path, "private": true })).collect();
    serde_json::Value::from(all).to_string()
}

async fn search(github: &Fixture, text: &str, limit: usize) -> Vec<String> {
    let found = GitHub.search(github.at(), text, limit).await.unwrap();
    found.into_iter().map(|repository| repository.path).collect()
}

const NEXT: &str = "Link: <http://x.test/?page=9>; rel=\"next\"";

#[tokio::test]
async fn goes_through_the_latest_repositories_until_enough_are_found() {
    let github = forge(|seen| match seen.line.as_str() {
        "GET /api/v3/user/repos?sort=pushed&per_page=100&page=1" => json(200, NEXT, &listed(&["octo/app", "acme/web"])),
        "GET /api/v3/user/repos?sort=pushed&per_page=100&page=2" => json(200, NEXT, &listed(&["acme/App-2", "octo/x"])),
        other => panic!("{other}"),
    })
    .await;
    assert_eq!(search(&github, "APP", 2).await, ["octo/app", "acme/App-2"]);
    assert_eq!(search(&github, " web ", 1).await, ["acme/web"]);
    assert_eq!(github.server.requests().len(), 3);
}

#[tokio::test]
async fn without_a_text_is_one_small_page() {
    let github = forge(|seen| match seen.line.as_str() {
        "GET /api/v3/user/repos?sort=pushed&per_page=20&page=1" => json(200, NEXT, &listed(&["octo/app"; 20])),
        other => panic!("{other}"),
    })
    .await;
    assert_eq!(search(&github, "", 20).await, ["octo/app"]);
}

#[tokio::test]
async fn for_a_whole_path_asks_for_that_repository() {
    let github = forge(|seen| match seen.line.as_str() {
        "GET /api/v3/repos/acme/old" => json(200, "", r#"{"full_name":"acme/old","default_branch":"main"}"#),
        "GET /api/v3/repos/acme/none" => json(404, "", r#"{"message":"Not Found"}"#),
        _ => json(200, "", &listed(&["Acme/Old", "acme/old-2"])),
    })
    .await;
    assert_eq!(search(&github, "acme/old", 5).await, ["acme/old", "acme/old-2"]);
    assert_eq!(search(&github, "acme/none", 5).await, [""; 0]);
}

#[tokio::test]
async fn is_given_up_in_a_listing_without_end() {
    let github = forge(|_| json(200, NEXT, &listed(&["octo/app"]))).await;
    assert_eq!(search(&github, "none", 5).await, [""; 0]);
    assert_eq!(github.server.requests().len(), 20);
}

#[tokio::test]
async fn by_an_app_is_among_what_it_is_installed_on() {
    let mut github = forge(|seen| match seen.line.as_str() {
        "GET /api/v3/user/installations?per_page=100&page=1" => json(
            200,
            "",
            r#"{"installations":[{"id":1,"suspended_at":null},{"id":2,"suspended_at":"2026-01-01T00:00:00Z"},
                {"id":3,"suspended_at":null},{"id":4,"suspended_at":null}]}"#,
        ),
        "GET /api/v3/user/installations/1/repositories?per_page=100&page=1" => {
            json(200, "", &format!(r#"{{"repositories":{}}}"#, listed(&["acme/app", "acme/web"])))
        }
        "GET /api/v3/user/installations/3/repositories?per_page=100&page=1" => {
            json(403, "", r#"{"message":"Although you appear to have the correct authorization credentials, …"}"#)
        }
        "GET /api/v3/user/installations/4/repositories?per_page=100&page=1" => {
            json(200, "", &format!(r#"{{"repositories":{}}}"#, listed(&["more/app"])))
        }
        other => panic!("{other}"),
    })
    .await;
    github.credential.method = AuthMethod::App;
    assert_eq!(search(&github, "app", 5).await, ["acme/app", "more/app"]);
    assert_eq!(search(&github, "app", 1).await, ["acme/app"]);
}
