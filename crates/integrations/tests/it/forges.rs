//! Every forge, from connecting to disconnecting, as each behaves by its documents.

use valetkey_integrations::{Disconnected, Portion};
use valetkey_model::{Actor, Clock as _, IntegrationRef, ProjectName, Status};
use valetkey_providers::PullRequestDraft;
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{Forge, Repository};

const FORGES: [Forge; 7] = [
    Forge::GitHub,
    Forge::GitLab,
    Forge::Bitbucket,
    Forge::BitbucketDataCenter,
    Forge::Gitea,
    Forge::Forgejo,
    Forge::AzureDevOps,
];

#[tokio::test]
async fn is_connected_shown_asked_and_disconnected() {
    for kind in FORGES {
        let forge = ForgeBed::start(kind).await;
        let bed = Testbed::new(&[&forge]).await;
        let it = bed.connect(&forge).await;
        assert_eq!(it.status(bed.clock.now()), (Status::Connected, None), "{kind:?}");
        assert_eq!(it.provider, forge.kind());

        let access = bed.integrations.repository(&it, &forge.url()).await.unwrap();
        assert_eq!(access.why_not_push, None, "{kind:?}");
        assert_eq!(access.default_branch.as_deref(), Some("main"), "{kind:?}");
        let (owner, project) = (Actor::admin(), ProjectName::default_project());
        let branches = bed.integrations.branches(&owner, &project, &forge.url()).await.unwrap();
        assert_eq!(branches.iter().map(|b| (&*b.name, b.default)).collect::<Vec<_>>(), [("main", true)], "{kind:?}");
        let found =
            bed.integrations.search(&owner, &project, None, None, "app", Portion { skip: 0, limit: 10 }).await.unwrap();
        assert!(found.failures.is_empty(), "{kind:?}: {:?}", found.failures);
        let urls: Vec<_> = found.repositories.iter().map(|(_, repository)| repository.url.clone()).collect();
        assert!(urls.contains(&same_case(&forge)), "{kind:?}: {urls:?}");

        let which = IntegrationRef::Id(it.id.clone());
        let gone = bed.integrations.disconnect(&owner, &which, false).await.unwrap();
        assert!(matches!(gone, Disconnected::Erased(_)), "{kind:?}");
        assert!(bed.integrations.own(&owner, None).await.unwrap().is_empty(), "{kind:?}");
    }
}

/// Bitbucket Data Center lists clone URLs with the project's key in lower case.
fn same_case(forge: &ForgeBed) -> valetkey_model::RepoUrl {
    match forge.twin.forge() {
        Forge::BitbucketDataCenter => forge.url_of("scm/team/app"),
        _ => forge.url(),
    }
}

#[tokio::test]
async fn a_pull_request_that_is_open_gets_the_new_words() {
    for kind in FORGES {
        let forge = ForgeBed::start(kind).await;
        let path = format!("{}2", forge.path);
        let repository = Repository::new().private().file("a", "1").branch("feature/x");
        forge.twin.repository(&path, repository.member(&forge.john, valetkey_twins::AccessLevel::Developer));
        forge.twin.commit(&path, "feature/x", "b", "2");
        let bed = Testbed::new(&[&forge]).await;
        let it = bed.connect(&forge).await;
        let draft = |title: &str| PullRequestDraft {
            head: "feature/x".into(),
            base: "main".into(),
            title: title.into(),
            body: "Body".into(),
        };
        let url = forge.url_of(&path);
        let first = bed.integrations.open_pull_request(&it, &url, &draft("First")).await.unwrap();
        let again = bed.integrations.open_pull_request(&it, &url, &draft("Second")).await.unwrap();
        assert!(first.created, "{kind:?}");
        assert_eq!(first.url, again.url, "{kind:?}");
        let open = forge.twin.pull_requests(&path);
        assert_eq!(open.iter().map(|request| &*request.title).collect::<Vec<_>>(), ["Second"], "{kind:?}");
    }
}

#[tokio::test]
async fn nothing_is_lost_or_repeated_past_a_page() {
    const MANY: usize = 251;
    for kind in FORGES {
        let forge = ForgeBed::start(kind).await;
        let path = format!("{}2", forge.path);
        let names: Vec<String> = (1..MANY).map(|n| format!("b{n:03}")).collect();
        let repository = names.iter().fold(Repository::new().private().file("a", "1"), |made, name| made.branch(name));
        forge.twin.repository(&path, repository.member(&forge.john, valetkey_twins::AccessLevel::Developer));
        let bed = Testbed::new(&[&forge]).await;
        bed.connect(&forge).await;
        let (owner, project) = (Actor::admin(), ProjectName::default_project());
        let branches = bed.integrations.branches(&owner, &project, &forge.url_of(&path)).await.unwrap();
        let mut found: Vec<_> = branches.into_iter().map(|branch| branch.name).collect();
        found.sort_unstable();
        let mut all = names.clone();
        all.push("main".into());
        assert_eq!(found, all, "{kind:?}");
    }
}

#[tokio::test]
async fn a_bad_token_is_sent_to_one_host_only() {
    for kind in FORGES {
        let forge = ForgeBed::start(kind).await;
        let others: Vec<ForgeBed> = [ForgeBed::gitlab().await, ForgeBed::github().await].into();
        let bed = Testbed::new(&[&forge]).await;
        let mut token = forge.token.clone();
        let last = token.pop().unwrap();
        token.push(if last == 'a' { 'b' } else { 'a' });
        bed.try_connect(&forge, &token).await.expect_err("the token is not known");
        for other in &others {
            assert_eq!(other.twin.journal().len(), 0, "{kind:?}");
        }
    }
}
