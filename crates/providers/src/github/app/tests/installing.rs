use super::*;

#[tokio::test]
async fn an_installation_is_found_by_its_number_and_by_a_repository() {
    let github = github(|seen| match seen.line.as_str() {
        "GET /api/v3/app/installations/3" => {
            let suspended = json!({ "suspended_at": "2026-01-01T00:00:00Z", "repository_selection": "all" });
            answer_json(200, "", &installation(3, suspended).to_string())
        }
        "GET /api/v3/repos/acme/app/installation" => answer_json(200, "", &installation(4, json!({})).to_string()),
        "GET /api/v3/repos/acme/old/installation" => {
            answer_json(301, "Location: /api/v3/repositories/1/installation", r#"{"message":"Moved Permanently"}"#)
        }
        _ => answer_json(404, "", r#"{"message":"Not Found"}"#),
    })
    .await;
    let app = client(&github);
    let by_number = app.installation(3).await.unwrap();
    assert_eq!((by_number.id, by_number.account.as_str(), by_number.all_repositories), (3, "acme", true));
    assert_eq!(by_number.state, InstallationState::Suspended);
    assert_eq!(app.installation(4).await, Err(AppError::Removed { page: page(&github) }.into()));

    let found = app.installation_for(&github.server.repo("acme/app")).await.unwrap().unwrap();
    assert_eq!((found.id, found.state, found.all_repositories), (4, InstallationState::Active, false));
    assert_eq!(found.permissions["contents"], "write");
    assert_eq!(app.installation_for(&github.server.repo("acme/none")).await, Ok(None));
    let moved = app.installation_for(&github.server.repo("acme/old")).await;
    assert_eq!(moved, Err(ProviderError::RepositoryMoved { path: "acme/old".into() }));
}

#[tokio::test]
async fn a_persons_requests_wait_for_an_owner() {
    let github = github(|seen| {
        assert_eq!(seen.line, "GET /api/v3/app/installation-requests?per_page=100&page=1");
        let all = json!([
            { "id": 11, "account": { "login": "acme" }, "requester": { "id": 5, "login": "john" } },
            { "id": 12, "account": { "login": "other" }, "requester": { "id": 6, "login": "jane" } },
        ]);
        answer_json(200, "", &all.to_string())
    })
    .await;
    let pending = client(&github).pending_for(5).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].account.as_str(), pending[0].state), ("acme", InstallationState::PendingApproval));
    assert_eq!(client(&refusing(404, "Not Found").await).pending_for(5).await, Ok(vec![]));
}

#[tokio::test]
async fn a_person_sees_every_page_of_installations_with_their_repositories() {
    let github = github(|seen| match seen.line.as_str() {
        "GET /api/v3/user/installations?per_page=100&page=1" => {
            let all = json!({ "total_count": 4, "installations": [
                installation(1, json!({})),
                installation(2, json!({ "account": { "login": "asleep" }, "suspended_at": "2026-01-01T00:00:00Z" })),
            ]});
            answer_json(200, "Link: <http://x.test/?page=2>; rel=\"next\"", &all.to_string())
        }
        "GET /api/v3/user/installations?per_page=100&page=2" => {
            let all = json!({ "total_count": 4, "installations": [
                installation(3, json!({ "account": { "login": "strict" } })),
                installation(4, json!({ "account": { "slug": "big-co" }, "repository_selection": "all" })),
            ]});
            answer_json(200, "", &all.to_string())
        }
        "GET /api/v3/user/installations/1/repositories?per_page=100&page=1" => {
            let all = json!({ "total_count": 200, "repositories": [{ "full_name": "acme/app" }, { "full_name": "acme/lib" }] });
            answer_json(200, "", &all.to_string())
        }
        "GET /api/v3/user/installations/3/repositories?per_page=100&page=1" => {
            answer_json(403, "X-GitHub-SSO: required; url=https://x.test", r#"{"message":"Resource protected by organization SAML enforcement."}"#)
        }
        "GET /api/v3/user/installations/4/repositories?per_page=100&page=1" => {
            answer_json(200, "", r#"{"total_count":0,"repositories":[]}"#)
        }
        other => panic!("{other}"),
    })
    .await;
    let all = installations_of_user(github.at()).await.unwrap();
    let accounts: Vec<_> = all.iter().map(|one| (one.id, one.account.as_str(), one.all_repositories)).collect();
    assert_eq!(accounts, [(1, "acme", false), (2, "asleep", false), (3, "strict", false), (4, "big-co", true)]);
    assert_eq!(all[0].repositories, ["acme/app", "acme/lib"]);
    assert_eq!(all[1].state, InstallationState::Suspended);
}

#[tokio::test]
async fn a_limit_is_not_taken_for_an_installation_without_repositories() {
    let github = github(|seen| match seen.line.as_str() {
        "GET /api/v3/user/installations?per_page=100&page=1" => {
            answer_json(200, "", &json!({ "installations": [installation(1, json!({}))] }).to_string())
        }
        _ => answer_json(403, "retry-after: 9", r#"{"message":"You have exceeded a secondary rate limit."}"#),
    })
    .await;
    let limited = ProviderError::RateLimited { retry_after_seconds: Some(9) };
    assert_eq!(installations_of_user(github.at()).await, Err(limited));
}

#[test]
fn an_app_is_installed_from_its_page() {
    let at = |instance: &str| install_url(&instance.parse().unwrap(), "valetkey-acme", Some("s t"));
    assert_eq!(at("https://github.com"), "https://github.com/apps/valetkey-acme/installations/new?state=s+t");
    let own = "https://github.corp.test/github-apps/valetkey-acme/installations/new?state=s+t";
    assert_eq!(at("https://github.corp.test"), own);
}
