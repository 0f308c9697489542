use valetkey_model::{Actor, Assistant, AssistantId, Pin, ProjectName, ProviderKind, Role, Slot, Tools, UserId};
use valetkey_store::{AssistantFilter, RemovalMode, Store, StoreError};

use crate::support::{Counter, Database, at, connected, store, user};

pub(crate) fn assistant(name: &str) -> Assistant {
    Assistant {
        id: AssistantId::new(at(1_000), &Counter),
        project: ProjectName::default_project(),
        name: name.parse().unwrap(),
        description: "Reviews what others wrote".into(),
        owner: UserId::admin(),
        instructions: "Be kind.\nBe brief.".into(),
        agent: Some(vec!["claude".into(), "-p".into(), "{task}".into()]),
        tools: Tools::default(),
        created_at: at(1_000),
        updated_at: at(1_000),
    }
}

async fn stored(store: &Store, name: &str) -> Assistant {
    let new = assistant(name);
    store.insert_assistant(&new).await.unwrap();
    new
}

async fn with_another_project() -> (Database, Store) {
    let (database, store) = store().await;
    database.tamper("INSERT INTO projects (name) VALUES ('other')").await;
    (database, store)
}

fn pinning(integration: &valetkey_model::Integration) -> Tools {
    Tools::new(
        [(ProviderKind::GitLab, Slot::Pinned(Pin::to(integration))), (ProviderKind::Jira, Slot::Automatic)].into(),
    )
}

#[tokio::test]
async fn what_is_stored_comes_back_changed_and_goes() {
    let (_database, store) = store().await;
    let mut known = stored(&store, "Reviewer").await;
    assert_eq!(store.assistant(&known.id).await.unwrap().as_ref(), Some(&known));
    known.name = "Critic".parse().unwrap();
    (known.agent, known.description, known.updated_at) = (None, String::new(), at(2_000));
    known.tools = pinning(&connected(&store, "work").await);
    store.update_assistant(&known).await.unwrap();
    assert_eq!(store.assistant(&known.id).await.unwrap().as_ref(), Some(&known));
    assert!(store.delete_assistant(&known.id).await.unwrap());
    assert!(!store.delete_assistant(&known.id).await.unwrap());
    assert_eq!(store.assistant(&known.id).await.unwrap(), None);
    assert!(matches!(store.update_assistant(&known).await, Err(StoreError::NotFound("assistant"))));
}

#[tokio::test]
async fn a_name_is_one_assistants_in_its_project_whatever_its_case() {
    let (_database, store) = with_another_project().await;
    let first = stored(&store, "Reviewer").await;
    assert!(matches!(store.insert_assistant(&assistant("rEVIEWER")).await, Err(StoreError::Conflict(_))));
    let elsewhere = Assistant { project: "other".parse().unwrap(), ..assistant("Reviewer") };
    store.insert_assistant(&elsewhere).await.unwrap();
    let mut second = stored(&store, "Second").await;
    second.name = "REVIEWER".parse().unwrap();
    assert!(matches!(store.update_assistant(&second).await, Err(StoreError::Conflict(_))));

    let project = ProjectName::default_project();
    let named = |which: &str| {
        let (store, project, which) = (&store, &project, which.parse().unwrap());
        async move { store.assistant_named(project, &which).await.unwrap().map(|it| it.id) }
    };
    assert_eq!(named("reviewer").await, Some(first.id.clone()));
    assert_eq!(named(first.id.as_str()).await, Some(first.id));
    assert_eq!(named(elsewhere.id.as_str()).await, None, "it is of another project");
    assert_eq!(named("nobody").await, None);
    let nowhere = Assistant { project: "nowhere".parse().unwrap(), ..assistant("x") };
    assert!(matches!(store.insert_assistant(&nowhere).await, Err(StoreError::NotFound("project"))));
}

#[tokio::test]
async fn a_page_has_the_assistants_of_ones_projects_that_pass_the_filter() {
    let (_database, store) = with_another_project().await;
    let (first, second) = (stored(&store, "Reviewer").await, stored(&store, "50%_done").await);
    let other = Assistant {
        project: "other".parse().unwrap(),
        owner: user("eve"),
        description: "ÄRGER and more".into(),
        ..assistant("Elsewhere")
    };
    store.insert_assistant(&other).await.unwrap();
    let eve = Actor::new(user("eve"), false, [("other".parse().unwrap(), Role::Viewer)].into());
    let ids = async |by: &Actor, filter: AssistantFilter<'_>, after: Option<&AssistantId>, limit| {
        let page = store.assistants_page(by, &filter, after, limit).await.unwrap();
        page.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    let (admin, all) = (Actor::admin(), AssistantFilter::default());
    assert_eq!(ids(&admin, all, None, 10).await, [first.id.clone(), second.id.clone(), other.id.clone()]);
    assert_eq!(ids(&admin, all, Some(&first.id), 1).await, std::slice::from_ref(&second.id));
    assert_eq!(ids(&eve, all, None, 10).await, std::slice::from_ref(&other.id));
    assert_eq!(ids(&Actor::new(user("x"), false, [].into()), all, None, 10).await, []);
    let default = ProjectName::default_project();
    assert_eq!(ids(&eve, AssistantFilter { project: Some(&default), ..all }, None, 10).await, []);
    for (text, wanted) in
        [("REVIEWS", 2), ("review", 2), ("50%", 1), ("_", 1), ("and more", 1), ("nothing", 0), (" ", 3)]
    {
        let found = ids(&admin, AssistantFilter { text: Some(text), ..all }, None, 10).await;
        assert_eq!(found.len(), wanted, "{text}");
    }
}

#[tokio::test]
async fn the_pins_of_an_integration_are_found_and_outlive_it() {
    let (_database, store) = store().await;
    let (work, home) = (connected(&store, "work").await, connected(&store, "home").await);
    let mut pinned = Assistant { tools: pinning(&work), ..assistant("Pinned") };
    store.insert_assistant(&pinned).await.unwrap();
    stored(&store, "Free").await;
    let who = async |it: &valetkey_model::Integration| {
        let all = store.assistants_pinning(&it.id).await.unwrap();
        all.into_iter().map(|(id, project, name)| (id, project.to_string(), name.to_string())).collect::<Vec<_>>()
    };
    let entry = (pinned.id.clone(), "default".to_owned(), "Pinned".to_owned());
    assert_eq!((who(&work).await, who(&home).await), (vec![entry.clone()], vec![]));
    pinned.tools = pinning(&home);
    store.update_assistant(&pinned).await.unwrap();
    assert_eq!((who(&work).await, who(&home).await), (vec![], vec![entry.clone()]));
    store.begin_removal(&home.id, RemovalMode::Now, at(3_000)).await.unwrap();
    assert_eq!(who(&home).await, [entry]);
    assert_eq!(store.assistant(&pinned.id).await.unwrap().unwrap().tools, pinning(&home));
    store.delete_assistant(&pinned.id).await.unwrap();
    assert_eq!(who(&home).await, []);
}
