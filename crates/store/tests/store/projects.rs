//! Projects, who is in them, their repositories, and their end.

use valetkey_model::{
    Actor, Assistant, Limits, OwnerScope, ProblemCode, Project, ProjectName, ProjectSettings, ProviderKind, Role,
    SecretOwner, UserId,
};
use valetkey_store::{
    LastAdmin, Member, MemberName, ProjectContents, ProjectRepository, RepositoryCheck, Store, StoreError, UserRecord,
    Webhook,
};

use crate::{
    assistants::assistant,
    secrets::secret,
    support::{at, connected, finish, integration, session, store, token, user},
    webhooks::webhook,
};

fn name(text: &str) -> ProjectName {
    text.parse().unwrap()
}

fn project(text: &str, description: &str) -> Project {
    Project {
        name: name(text),
        description: description.parse().unwrap(),
        settings: ProjectSettings::default(),
        created_at: at(100),
    }
}

fn person(id: &str) -> MemberName {
    MemberName::Person(user(id))
}

fn member(name: MemberName, role: Role) -> Member {
    Member { name, role, added_at: at(200) }
}

async fn known(store: &Store, id: &str, disabled: bool) {
    let person = UserRecord {
        id: user(id),
        identity: None,
        name: format!("{id} the person"),
        email: Some(format!("{id}@example.com")),
        administrator: false,
        disabled,
        created_at: at(1),
        last_seen_at: None,
    };
    store.insert_user(&person).await.unwrap();
}

async fn made(store: &Store, text: &str) -> ProjectName {
    store.create_project(&project(text, ""), &member(person("admin"), Role::Admin)).await.unwrap();
    name(text)
}

fn repository(url: &str) -> ProjectRepository {
    ProjectRepository {
        url: url.parse().unwrap(),
        checked: RepositoryCheck {
            provider: ProviderKind::GitLab,
            integration: None,
            default_branch: Some("main".parse().unwrap()),
            archived: false,
            why_not_push: Some("the account may only read it".into()),
            refusal: None,
            at: at(300),
            by: UserId::admin(),
        },
        added_at: at(300),
        added_by: UserId::admin(),
    }
}

#[tokio::test]
async fn a_project_is_made_changed_and_found_by_those_who_are_in_it() {
    let (_database, store) = store().await;
    let new = project("shop", "The Shop_Front");
    store.create_project(&new, &member(person("admin"), Role::Admin)).await.unwrap();
    assert_eq!(store.project(&new.name).await.unwrap(), Some(new.clone()));
    let taken = store.create_project(&new, &member(person("eve"), Role::Admin)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))));
    assert_eq!(store.member(&new.name, &person("eve")).await.unwrap(), None, "nothing of a refused one is stored");

    let changed = store.change_project(&new.name, |it| it.settings.push_pattern = "a/{session}".parse().ok()).await;
    let changed = changed.unwrap();
    assert_eq!(store.project(&new.name).await.unwrap(), Some(changed));
    assert!(matches!(store.change_project(&name("nowhere"), |_| {}).await, Err(StoreError::NotFound(_))));

    let eve = Actor::new(user("eve"), false, [(name("shop"), Role::Viewer)].into());
    let find = async |by: &Actor, text: Option<&str>| -> Vec<String> {
        let found = store.projects_page(by, text, None, 10).await.unwrap();
        found.into_iter().map(|it| it.name.to_string()).collect()
    };
    assert_eq!(find(&Actor::admin(), None).await, ["default", "shop"]);
    assert_eq!(find(&eve, None).await, ["shop"]);
    assert_eq!(find(&eve, Some(" shop_front ")).await, ["shop"]);
    assert!(find(&eve, Some("shop%front")).await.is_empty(), "what is looked for is no pattern");
    let limited = Actor::admin().limited(Limits { project: Some(name("default")), read_only: false });
    assert_eq!(find(&limited, None).await, ["default"]);
    assert!(find(&Actor::new(user("eve"), false, [].into()), None).await.is_empty());
}

#[tokio::test]
async fn lists_of_a_project_come_in_pages_without_a_gap() {
    let (_database, store) = store().await;
    let shop = made(&store, "shop").await;
    for n in 0..5 {
        made(&store, &format!("p{n}")).await;
        store.insert_repository(&shop, &repository(&format!("https://gitlab.com/a/r{n}"))).await.unwrap();
        let address = MemberName::Email(format!("m{n}@example.com"));
        store.set_member(&shop, &member(address, Role::Viewer)).await.unwrap();
    }
    for size in 1..=8 {
        let (mut projects, mut repositories, mut members) = (Vec::new(), Vec::new(), Vec::new());
        while let [.., last] = &*store.projects_page(&Actor::admin(), None, projects.last(), size).await.unwrap() {
            let page = store.projects_page(&Actor::admin(), None, projects.last(), size).await.unwrap();
            assert_eq!(page.last(), Some(last));
            projects.extend(page.into_iter().map(|it| it.name));
        }
        loop {
            let page = store.repositories_page(&shop, None, repositories.last(), size).await.unwrap();
            if page.is_empty() {
                break;
            }
            repositories.extend(page.into_iter().map(|it| it.url));
        }
        loop {
            let page = store.members_page(&shop, members.last(), size).await.unwrap();
            if page.is_empty() {
                break;
            }
            members.extend(page.into_iter().map(|it| it.member.name));
        }
        assert_eq!((projects.len(), repositories.len(), members.len()), (7, 5, 6), "pages of {size}");
    }
}

#[tokio::test]
async fn a_project_keeps_an_admin_who_may_come_in() {
    let (_database, store) = store().await;
    for (id, disabled) in [("ann", false), ("gone", true)] {
        known(&store, id, disabled).await;
    }
    let shop = name("shop");
    store.create_project(&project("shop", ""), &member(person("ann"), Role::Admin)).await.unwrap();
    let stays = LastAdmin::Stays;
    let demoted = member(person("ann"), Role::Member);
    assert!(matches!(store.put_member(&shop, &demoted, stays).await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.remove_member(&shop, &person("ann"), stays).await, Err(StoreError::Conflict(_))));
    store.put_member(&shop, &member(person("gone"), Role::Admin), stays).await.unwrap();
    let left_to_nobody = store.remove_member(&shop, &person("ann"), stays).await;
    assert!(matches!(left_to_nobody, Err(StoreError::Conflict(_))), "somebody disabled is no admin");
    let role = store.member(&shop, &person("ann")).await.unwrap().unwrap();
    assert_eq!((role.member.role, role.person.as_deref()), (Role::Admin, Some("ann the person")));

    store.put_member(&shop, &member(MemberName::Group("ops".into()), Role::Admin), stays).await.unwrap();
    assert!(store.remove_member(&shop, &person("ann"), stays).await.unwrap());
    assert!(!store.remove_member(&shop, &person("ann"), stays).await.unwrap());
    let ops = MemberName::Group("ops".into());
    assert!(store.remove_member(&shop, &ops, stays).await.is_err());
    assert!(store.remove_member(&shop, &ops, LastAdmin::MayGo).await.unwrap());
    // One that has none can be looked after.
    store.put_member(&shop, &member(person("ann"), Role::Viewer), stays).await.unwrap();
    assert!(matches!(store.set_member(&name("nowhere"), &demoted).await, Err(StoreError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_remove_each_other_leave_one() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    for round in 0..5 {
        let shop = name(&format!("shop-{round}"));
        for id in ["ann", "bob"] {
            let id = format!("{id}-{round}");
            known(&store, &id, false).await;
            match store.create_project(&project(shop.as_str(), ""), &member(person(&id), Role::Admin)).await {
                Ok(()) => {}
                Err(_) => store.set_member(&shop, &member(person(&id), Role::Admin)).await.unwrap(),
            }
        }
        let (ann, bob) = (person(&format!("ann-{round}")), person(&format!("bob-{round}")));
        let (one, two) = tokio::join!(
            store.remove_member(&shop, &ann, LastAdmin::Stays),
            other_process.remove_member(&shop, &bob, LastAdmin::Stays),
        );
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
        assert_eq!(store.members_page(&shop, None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_repository_is_in_a_project_once_and_outlives_the_integration_it_was_checked_with() {
    let (_database, store) = store().await;
    let (shop, other) = (made(&store, "shop").await, made(&store, "other").await);
    let it = connected(&store, "work").await;
    let mut first = repository("https://gitlab.example:8443/a/b");
    first.checked.integration = Some(it.id.clone());
    store.insert_repository(&shop, &first).await.unwrap();
    assert!(matches!(store.insert_repository(&shop, &first).await, Err(StoreError::Conflict(_))));
    store.insert_repository(&other, &repository("https://gitlab.example:8443/a/b")).await.unwrap();
    assert!(matches!(store.insert_repository(&name("nowhere"), &first).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.repository(&shop, &first.url).await.unwrap(), Some(first.clone()));

    first.checked.refusal = Some(ProblemCode::RepositoryNotFound);
    first.checked.at = at(400);
    store.record_repository(&shop, &first.url, &first.checked).await.unwrap();
    assert_eq!(store.repository(&shop, &first.url).await.unwrap(), Some(first.clone()));
    let elsewhere = "https://gitlab.example:8443/a/c".parse().unwrap();
    let unknown = store.record_repository(&shop, &elsewhere, &first.checked).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));

    store.begin_removal(&it.id, valetkey_store::RemovalMode::Now, at(500)).await.unwrap();
    first.checked.integration = None;
    assert_eq!(store.repository(&shop, &first.url).await.unwrap(), Some(first.clone()));
    assert!(store.delete_repository(&shop, &first.url).await.unwrap());
    assert!(!store.delete_repository(&shop, &first.url).await.unwrap());
    assert!(store.repository(&other, &first.url).await.unwrap().is_some());
    let found = store.repositories_page(&other, Some("EXAMPLE:8443/A"), None, 9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(store.repositories_page(&other, Some("/z"), None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_project_goes_only_when_no_session_or_integration_would_go_with_it() {
    let (_database, store) = store().await;
    let shop = made(&store, "shop").await;
    store.insert_repository(&shop, &repository("https://gitlab.com/a/b")).await.unwrap();
    let mut limited = token("limited", "admin");
    limited.limits = Limits { project: Some(shop.clone()), read_only: false };
    store.insert_token(&limited).await.unwrap();
    let secret = secret(SecretOwner::Project(shop.clone()), "DEPLOY_KEY");
    store.insert_secret(&secret, b"sealed").await.unwrap();
    store.insert_webhook(&Webhook { project: shop.clone(), ..webhook() }, b"sealed", 1).await.unwrap();
    store.insert_assistant(&Assistant { project: shop.clone(), ..assistant("Reviewer") }).await.unwrap();
    let (mut shared, mut private) = (integration("shared"), integration("private"));
    shared.scope = OwnerScope::Project(shop.clone());
    private.scope = OwnerScope::User(shop.clone());
    for it in [&shared, &private] {
        store.insert_integration(it, b"sealed").await.unwrap();
    }
    connected(&store, "elsewhere").await;
    let mut running = session();
    running.project = shop.clone();
    store.insert_session(&running, &crate::support::engine()).await.unwrap();

    let mut contents = ProjectContents {
        running: 1,
        sessions: 0,
        integrations: 1,
        private_integrations: 1,
        repositories: 1,
        members: 1,
        tokens: 1,
        secrets: 1,
        webhooks: 1,
        assistants: 1,
    };
    assert_eq!(store.project_contents(&shop).await.unwrap(), contents);
    assert_eq!(store.project_contents(&name("nowhere")).await.unwrap(), ProjectContents::default());
    assert!(matches!(store.delete_project(&shop).await, Err(StoreError::Conflict(_))));
    finish(&store, running.clone()).await;
    (contents.running, contents.sessions) = (0, 1);
    assert_eq!(store.project_contents(&shop).await.unwrap(), contents);
    assert!(matches!(store.delete_project(&shop).await, Err(StoreError::Conflict(_))));
    store.delete_session(&running.id).await.unwrap();
    for it in store.integrations_in(&shop).await.unwrap() {
        assert!(matches!(store.delete_project(&shop).await, Err(StoreError::Conflict(_))));
        store.begin_removal(&it.id, valetkey_store::RemovalMode::Now, at(500)).await.unwrap();
    }
    assert!(store.delete_project(&shop).await.unwrap());
    assert!(!store.delete_project(&shop).await.unwrap());
    assert_eq!(store.token_by_hash(&limited.hash).await.unwrap(), None);
    assert_eq!(store.project_contents(&shop).await.unwrap(), ProjectContents::default());
}
