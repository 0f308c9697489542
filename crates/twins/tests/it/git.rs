//! Real git against a twin.

use valetkey_twins::{AccessLevel, Forge, Repository, Token, TokenState, Twin, User};

use crate::support::{Fixture, PROJECT, git_in, http_client};

#[tokio::test]
async fn a_clone_has_the_first_commit_and_a_push_arrives() {
    for forge in [Forge::GitLab, Forge::GitHub] {
        let fixture = Fixture::new(forge).await;
        let clone = fixture.clone_with_change(b"new").await;
        assert_eq!(std::fs::read_to_string(clone.join("README.md")).unwrap(), "# Project\n");

        git_in(&clone, &["push", "origin", "HEAD:feature/x"]).await.succeeded();

        let newest = fixture.twin.commits(PROJECT, "feature/x").remove(0);
        assert_eq!(Some(newest.id.clone()), fixture.twin.head(PROJECT, "feature/x"));
        assert_eq!((newest.author_name.as_str(), newest.author_email.as_str()), ("Ann", "ann@example.test"));
        assert_eq!(newest.message, "Change something");
        assert_eq!(fixture.twin.file_at(PROJECT, "feature/x", "change.bin").as_deref(), Some("new"));
        assert!(fixture.twin.refs(PROJECT).contains_key("refs/heads/feature/x"));
    }
}

#[tokio::test]
async fn git_speaks_protocol_version_two() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.git(&["clone", "--quiet", &fixture.url(), "clone"]).await.succeeded();
    let journal = fixture.twin.journal();
    let fetches: Vec<_> = journal.iter().filter(|request| request.path.ends_with("/git-upload-pack")).collect();
    assert_eq!(fetches.len(), 2, "ls-refs and fetch");
    assert!(fetches.iter().all(|request| request.header("git-protocol") == Some("version=2")));
    assert!(fetches.iter().all(|request| request.authenticated_as.as_deref() == Some("john")));
    assert!(fetches.iter().all(|request| request.mentions(&fixture.token) && request.body_bytes > 0));
}

#[tokio::test]
async fn a_twin_with_tls_is_trusted_through_its_own_authority_only() {
    let twin = Twin::builder(Forge::GitLab).tls(true).name("gitlab.internal.test").start().await.unwrap();
    let john = twin.user(User::new("john"));
    let token = twin.token(&john, Token::generated().scopes(["api"]));
    twin.repository("a/b/c", Repository::new().file("x", "y").member(&john, AccessLevel::Developer));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), twin.ca_pem()).unwrap();
    let url = twin.clone_url("a/b/c").replacen("://", &format!("://oauth2:{token}@"), 1);

    let refused = git_in(folder.path(), &["ls-remote", &url]).await.failed();
    assert!(refused.contains("certificate"), "{refused}");
    let trusting = ["-c", "http.sslCAInfo=ca.pem", "ls-remote", &url, "HEAD"];
    assert!(git_in(folder.path(), &trusting).await.succeeded().contains("HEAD"));

    let http = http_client(&twin);
    let named = twin.url().replacen("127.0.0.1", "localhost", 1);
    assert_eq!(http.get(format!("{named}/a/b/c")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_twin_listens_on_ipv6_too() {
    let twin = Twin::builder(Forge::GitLab).listen("[::1]:0").start().await.unwrap();
    twin.repository("a/b", Repository::new().public());
    let folder = tempfile::tempdir().unwrap();
    assert!(twin.url().starts_with("http://[::1]:"));
    git_in(folder.path(), &["ls-remote", &twin.clone_url("a/b")]).await.succeeded();
}

#[tokio::test]
async fn a_protected_branch_refuses_a_developer_and_takes_a_maintainers_push() {
    let fixture = Fixture::with(Forge::GitLab, |repository| repository.protected_branch("main")).await;
    let clone = fixture.clone_with_change(b"new").await;

    let refused = git_in(&clone, &["push", "origin", "main"]).await.failed();
    assert!(
        refused.contains("remote: GitLab: You are not allowed to push code to protected branches on this project.")
    );
    assert!(refused.contains("! [remote rejected] main -> main (pre-receive hook declined)"));
    git_in(&clone, &["push", "origin", "main:elsewhere"]).await.succeeded();

    let ann = fixture.twin.user(User::new("ann"));
    let token = fixture.twin.token(&ann, Token::generated().scopes(["api"]));
    let owned = Repository::new().protected_branch("main").member(&ann, AccessLevel::Maintainer);
    fixture.twin.repository("other/project", owned);
    let url = fixture.twin.clone_url("other/project").replacen("://", &format!("://x:{token}@"), 1);
    git_in(&clone, &["push", "--force", &url, "main"]).await.succeeded();
}

#[tokio::test]
async fn github_names_the_protected_branch() {
    let fixture = Fixture::with(Forge::GitHub, |repository| repository.protected_branch("main")).await;
    let clone = fixture.clone_with_change(b"new").await;
    let refused = git_in(&clone, &["push", "origin", "main"]).await.failed();
    assert!(refused.contains("GH006: Protected branch update failed for refs/heads/main."), "{refused}");
}

#[tokio::test]
async fn gitlab_refuses_in_its_own_words() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let clone = fixture.clone_with_change(b"new").await;
    let (twin, john) = (&fixture.twin, &fixture.john);
    let stranger = twin.token(&twin.user(User::new("stranger")), Token::generated().scopes(["api"]));
    let read_only = twin.token(john, Token::generated().scopes(["read_repository"]));
    let api_only = twin.token(john, Token::generated().scopes(["read_api"]));
    let expired = twin.token(john, Token::generated().scopes(["api"]).state(TokenState::Expired));
    let unseen = "remote: The project you were looking for could not be found or you don't have permission to view it.";

    for (token, expected) in [
        ("glpat-unknown", "remote: HTTP Basic: Access denied."),
        (&expired, "remote: HTTP Basic: Access denied."),
        (&stranger, unseen),
        (&api_only, "remote: You are not allowed to download code."),
    ] {
        let complaint = fixture.git(&["ls-remote", &fixture.url_with(token)]).await.failed();
        assert!(complaint.contains(expected), "{expected} is not in {complaint}");
    }
    let refused = git_in(&clone, &["push", &fixture.url_with(&read_only), "main"]).await.failed();
    assert!(refused.contains("remote: You are not allowed to upload code."), "{refused}");
    assert!(refused.contains("The requested URL returned error: 403"), "{refused}");

    twin.repository("team/open", Repository::new().public());
    let open = twin.clone_url("team/open").replacen("://", &format!("://x:{}@", fixture.token), 1);
    fixture.git(&["ls-remote", &open]).await.succeeded();
    let refused = git_in(&clone, &["push", &open, "main"]).await.failed();
    assert!(refused.contains("remote: You are not allowed to push code to this project."), "{refused}");
}

#[tokio::test]
async fn github_refuses_in_its_own_words() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let clone = fixture.clone_with_change(b"new").await;
    let (twin, john) = (&fixture.twin, &fixture.john);
    let stranger = twin.token(&twin.user(User::new("stranger")), Token::generated().scopes(["repo"]));
    let read_only = twin.token(john, Token::generated().fine_grained([("contents", "read")]));
    let behind_sso = twin.token(john, Token::generated().scopes(["repo"]).state(TokenState::SsoRequired));

    for (token, expected) in [
        ("ghp_unknown", "remote: Invalid username or token."),
        (&stranger, "remote: Repository not found."),
        (&behind_sso, "remote: The 'group' organization has enabled or enforced SAML SSO."),
    ] {
        let complaint = fixture.git(&["ls-remote", &fixture.url_with(token)]).await.failed();
        assert!(complaint.contains(expected), "{expected} is not in {complaint}");
    }
    let refused = git_in(&clone, &["push", &fixture.url_with(&read_only), "main"]).await.failed();
    assert!(refused.contains("remote: Write access to repository not granted."), "{refused}");

    twin.repository("team/open", Repository::new().public());
    let open = twin.clone_url("team/open").replacen("://", &format!("://x:{}@", fixture.token), 1);
    let refused = git_in(&clone, &["push", &open, "main"]).await.failed();
    assert!(refused.contains("remote: Permission to team/open.git denied to john."), "{refused}");
}

#[tokio::test]
async fn an_anonymous_request_is_asked_for_a_password() {
    for (forge, realm) in [(Forge::GitLab, "Basic realm=\"GitLab\""), (Forge::GitHub, "Basic realm=\"GitHub\"")] {
        let fixture = Fixture::new(forge).await;
        for repository in [PROJECT, "group/unknown"] {
            let url = format!("{}/info/refs?service=git-upload-pack", fixture.twin.clone_url(repository));
            let answer = fixture.http.get(url).send().await.unwrap();
            assert_eq!(answer.status(), 401);
            assert_eq!(answer.headers()["www-authenticate"], realm);
        }
    }
}

#[tokio::test]
async fn gitlab_sends_a_url_without_its_suffix_to_the_one_with_it() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let bare = fixture.url().replace(".git", "");
    fixture.git(&["ls-remote", &bare]).await.succeeded();
    let refused = fixture.git(&["-c", "http.followRedirects=false", "ls-remote", &bare]).await.failed();
    assert!(refused.contains("301"), "{refused}");
}

#[tokio::test]
async fn a_push_beyond_the_post_buffer_is_chunked_after_a_probe() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let mut content = vec![0; 3 << 20];
    let mut state = 1u32;
    content.fill_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let clone = fixture.clone_with_change(&content).await;

    git_in(&clone, &["push", "origin", "HEAD:large"]).await.succeeded();

    assert_eq!(
        fixture.twin.head(PROJECT, "large"),
        Some(git_in(&clone, &["rev-parse", "HEAD"]).await.succeeded().trim().to_owned())
    );
    let journal = fixture.twin.journal();
    let pushes: Vec<_> = journal.iter().filter(|request| request.path.ends_with("/git-receive-pack")).collect();
    let [probe, push] = pushes[..] else { panic!("a probe and a push expected: {pushes:?}") };
    assert_eq!((probe.body_bytes, probe.status), (4, Some(200)));
    assert_eq!(push.header("transfer-encoding"), Some("chunked"));
    assert!(push.body_bytes > 3 << 20, "{}", push.body_bytes);
}

#[tokio::test]
async fn a_large_fetch_request_comes_compressed_and_is_understood() {
    let fixture = Fixture::with(Forge::GitLab, |repository| {
        (0..40).fold(repository, |repository, number| repository.branch(&format!("b{number}")))
    })
    .await;
    for number in 0..40 {
        fixture.twin.commit(PROJECT, &format!("b{number}"), "file", &number.to_string());
    }
    fixture.git(&["clone", "--quiet", &fixture.url(), "clone"]).await.succeeded();
    let journal = fixture.twin.journal();
    let encodings: Vec<_> = journal.iter().filter_map(|request| request.header("content-encoding")).collect();
    assert_eq!(encodings, ["gzip"]);
}

#[tokio::test]
async fn an_empty_repository_takes_its_first_push() {
    let fixture = Fixture::with(Forge::GitLab, Repository::empty).await;
    assert!(fixture.twin.refs(PROJECT).is_empty());
    let clone = fixture.clone_with_change(b"first").await;
    git_in(&clone, &["push", "origin", "HEAD:main"]).await.succeeded();
    assert_eq!(fixture.twin.commits(PROJECT, "main").len(), 1);
}

#[tokio::test]
async fn somebody_elses_commit_makes_a_push_stale() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let clone = fixture.clone_with_change(b"mine").await;
    let theirs = fixture.twin.commit(PROJECT, "main", "theirs", "first");
    let refused = git_in(&clone, &["push", "origin", "main"]).await.failed();
    assert!(refused.contains("[rejected]"), "{refused}");
    assert_eq!(fixture.twin.head(PROJECT, "main"), Some(theirs));
}

#[tokio::test]
async fn generated_files_have_the_size_asked_for_and_an_existing_repository_is_served_in_place() {
    let fixture = Fixture::with(Forge::GitLab, |repository| repository.files_generated(2_500_000)).await;
    fixture.git(&["clone", "--quiet", "--mirror", &fixture.url(), "mirror"]).await.succeeded();

    fixture.twin.repository("group/mirror", Repository::new().public().from_path(fixture.path("mirror")));
    let mirrored = fixture.twin.clone_url("group/mirror");
    fixture.git(&["clone", "--quiet", &mirrored, "copy"]).await.succeeded();
    let files = std::fs::read_dir(fixture.path("copy").join("generated")).unwrap();
    assert_eq!(files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>(), 2_500_000);
}

#[tokio::test]
async fn links_and_programs_of_a_hostile_repository_arrive_as_they_are() {
    let fixture = Fixture::with(Forge::GitLab, |repository| {
        repository.symlink("escape", "/etc/passwd").executable("run.sh", "#!/bin/sh\n")
    })
    .await;
    let clone = fixture.clone_with_change(b"").await;
    let listing = git_in(&clone, &["ls-tree", "HEAD"]).await.succeeded();
    assert!(listing.contains("120000 blob") && listing.contains("100755 blob"), "{listing}");
}

#[tokio::test]
async fn a_dropped_twin_answers_no_more() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let (url, http) = (fixture.twin.url().to_owned(), fixture.http.clone());
    assert!(http.get(&url).send().await.is_ok());
    drop(fixture);
    assert!(http.get(&url).send().await.is_err());
}
