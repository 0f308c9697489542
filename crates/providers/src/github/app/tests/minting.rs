use super::*;

const TOKEN: &str = "ghs_1234_eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJhcGkifQ.c2lnbmF0dXJl-_";

fn minted(repositories: &Value) -> Vec<u8> {
    let body = json!({
        "token": TOKEN, "expires_at": "2026-11-20T13:00:00Z", "permissions": { "contents": "write", "metadata": "read" },
        "repository_selection": "selected", "repositories": repositories,
    });
    answer_json(201, "", &body.to_string())
}

async fn mint(github: &Fixture, paths: &[&str]) -> Result<Minted, ProviderError> {
    let repos: Vec<RepoUrl> = paths.iter().map(|path| github.server.repo(path)).collect();
    client(github).mint(7, &repos, Permissions::PUSH).await
}

async fn refused(github: &Fixture, paths: &[&str]) -> ProviderError {
    mint(github, paths).await.unwrap_err()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test looks at a made-up token")]
async fn a_token_is_kept_to_repositories_and_permissions() {
    let github = github(|_| minted(&json!([{ "full_name": "Acme/App" }, { "full_name": "acme/lib" }]))).await;
    let minted = mint(&github, &["acme/app", "acme/lib"]).await.unwrap();
    assert_eq!(minted.token.expose(), TOKEN);
    assert_eq!(minted.expires_at, "2026-11-20T13:00:00Z".parse().unwrap());
    assert_eq!(minted.repositories, ["Acme/App", "acme/lib"]);
    assert_eq!(minted.permissions["contents"], "write");
    assert!(!format!("{minted:?}").contains("ghs_"));

    let seen = &github.server.requests()[0];
    assert_eq!(seen.line, "POST /api/v3/app/installations/7/access_tokens");
    let wanted = json!({ "repositories": ["app", "lib"], "permissions": { "contents": "write", "metadata": "read" } });
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), wanted);
}

#[tokio::test]
async fn a_token_is_for_one_owners_repositories_and_for_some() {
    let github = github(|_| panic!("nothing is sent")).await;
    let many: Vec<String> = (0..501).map(|n| format!("acme/r{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for paths in [&[][..], &["acme/app", "other/app"], &many] {
        assert_eq!(refused(&github, paths).await, AppError::OneOwner.into());
    }
    let elsewhere: RepoUrl = "https://github.com/acme/app".parse().unwrap();
    let asked = client(&github).mint(7, &[elsewhere], Permissions::READ).await;
    assert_eq!(asked.unwrap_err(), ProviderError::OtherInstance { repository: InstanceUrl::github_com() });
}

#[tokio::test]
async fn another_owners_repository_of_the_same_name_is_not_taken_for_it() {
    for reached in [
        json!([{ "full_name": "victim/app" }]),
        json!([]),
        json!([{ "full_name": "acme/app" }, { "full_name": "acme/more" }]),
    ] {
        let github = github(move |_| minted(&reached)).await;
        let wanted = AppError::NotCovered { repositories: vec!["acme/app".into()], page: page(&github) };
        assert_eq!(refused(&github, &["acme/app"]).await, wanted.into());
    }
    let silent = github(|_| minted(&Value::Null)).await;
    assert_eq!(refused(&silent, &["acme/app"]).await.code(), ProblemCode::NotTheProvider);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let of = async |status, message: &str| {
        let github = refusing(status, message).await;
        (refused(&github, &["acme/app"]).await, page(&github))
    };
    let (error, _) = of(401, "A JSON web token could not be decoded").await;
    assert_eq!(error, AppError::KeyRejected { said: "A JSON web token could not be decoded".into() }.into());
    let (error, page) = of(403, "This installation has been suspended").await;
    assert_eq!(error, AppError::Suspended { page }.into());
    let (error, page) = of(404, "Not Found").await;
    assert_eq!(error, AppError::Removed { page }.into());
    let not_there =
        "There is at least one repository that does not exist or is not accessible to the parent installation.";
    let (error, page) = of(422, not_there).await;
    assert_eq!(error, AppError::NotCovered { repositories: vec!["acme/app".into()], page }.into());
    let (error, page) = of(422, "The permissions requested are not granted to this installation.").await;
    let permissions = vec!["contents=write".into(), "metadata=read".into()];
    assert_eq!(error, AppError::NotGranted { permissions, page }.into());
    let (error, _) = of(422, "Too many repositories for the requested permissions").await;
    let said = "Too many repositories for the requested permissions".into();
    assert_eq!(error, AppError::TooComplex { said }.into());
    let (error, _) = of(403, "You have exceeded a secondary rate limit").await;
    assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: Some(60) });
    assert_eq!(of(502, "Server Error").await.0.code(), ProblemCode::ProviderUnreachable);
}

#[tokio::test]
async fn of_several_repositories_those_not_covered_are_named() {
    let github = github(|seen| match seen.line.as_str() {
        "POST /api/v3/app/installations/7/access_tokens" => answer_json(
            422,
            "",
            r#"{"message":"There is at least one repository that does not exist or is not accessible"}"#,
        ),
        "GET /api/v3/repos/acme/app/installation" => answer_json(200, "", &installation(7, json!({})).to_string()),
        "GET /api/v3/repos/acme/lib/installation" => answer_json(404, "", r#"{"message":"Not Found"}"#),
        "GET /api/v3/repos/acme/web/installation" => answer_json(200, "", &installation(8, json!({})).to_string()),
        other => panic!("{other}"),
    })
    .await;
    let repositories = vec!["acme/lib".into(), "acme/web".into()];
    let wanted = AppError::NotCovered { repositories, page: page(&github) };
    assert_eq!(refused(&github, &["acme/app", "acme/lib", "acme/web"]).await, wanted.into());
}

#[test]
fn permissions_are_never_more_than_the_installation_has() {
    let granted = |all: &[(&str, &str)]| {
        let all = all.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
        Permissions::SESSION.within(&all)
    };
    assert_eq!(granted(&[]), Permissions::PUSH);
    let some = granted(&[("pull_requests", "write"), ("issues", "read"), ("workflows", "read")]);
    let wanted = Permissions { pull_requests: Some(Level::Write), issues: Some(Level::Read), ..Permissions::PUSH };
    assert_eq!(some, wanted);
    assert_eq!(
        Permissions::SESSION.named().into_iter().collect::<Vec<_>>(),
        [
            ("contents", "write"),
            ("issues", "write"),
            ("metadata", "read"),
            ("pull_requests", "write"),
            ("workflows", "write")
        ]
    );
    assert_eq!(Permissions::READ.named().into_iter().collect::<Vec<_>>(), [("contents", "read"), ("metadata", "read")]);
}

#[tokio::test]
async fn a_token_can_be_given_back() {
    for (bytes, wanted) in [
        (answer(204, "", ""), Revoked::Done),
        (answer_json(401, "", r#"{"message":"Bad credentials"}"#), Revoked::NotKnown),
    ] {
        let github = github(move |_| bytes.clone()).await;
        assert_eq!(revoke_installation_token(github.at()).await, Ok(wanted));
        let seen = &github.server.requests()[0];
        assert_eq!(seen.line, "DELETE /api/v3/installation/token");
        assert!(bearer(seen).starts_with("ghu_"));
    }
}
