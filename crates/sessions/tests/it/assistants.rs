use jiff::Timestamp;
use serde_json::{Value, json};
use valetkey_integrations::Connect;
use valetkey_model::{
    Actor, Assistant, Integration, IntegrationRef, OwnerScope, ProblemCode, ProjectName, ProviderKind, Role, Session,
};
use valetkey_sessions::{MissingTool, NewAssistant, Saved};
use valetkey_store::{Member, MemberName, UserRecord};
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{AccessLevel, Repository, Token, TokenState, User};

use crate::bench::Bench;

fn project() -> ProjectName {
    ProjectName::default_project()
}

fn new(body: Value) -> NewAssistant {
    serde_json::from_value(body).unwrap()
}

/// Makes an assistant as the administrator.
pub(crate) async fn made(bench: &Bench, body: Value) -> Assistant {
    let saved = bench.engine.assistants().create(&Actor::admin(), &project(), new(body)).await.unwrap();
    let Saved::Done(assistant, _) = saved else { panic!("{saved:?}") };
    *assistant
}

/// Somebody with a role in the project.
async fn somebody(bed: &Testbed, name: &str, role: Role) -> Actor {
    let person = UserRecord {
        id: name.parse().unwrap(),
        identity: None,
        name: name.to_owned(),
        email: None,
        administrator: false,
        disabled: false,
        created_at: Timestamp::UNIX_EPOCH,
        last_seen_at: None,
    };
    bed.store.insert_user(&person).await.unwrap();
    let member = Member { name: MemberName::Person(person.id.clone()), role, added_at: Timestamp::UNIX_EPOCH };
    bed.store.set_member(&project(), &member).await.unwrap();
    bed.store.actor(&person.id).await.unwrap().unwrap()
}

/// Connects a new account of the forge that may push to its repository.
async fn connected(bed: &Testbed, forge: &ForgeBed, by: &Actor, scope: OwnerScope, login: &str) -> Integration {
    let account = forge.twin.user(User::new(login).name(login).email(&format!("{login}@example.test")));
    forge.twin.repository(
        &format!("team/{login}"),
        Repository::new().private().file("a", "a").member(&account, AccessLevel::Developer),
    );
    let scopes = if forge.kind() == ProviderKind::GitHub { ["repo"] } else { ["api"] };
    let token = forge.twin.token(&account, Token::generated().scopes(scopes));
    let wanted = Connect {
        provider: forge.kind(),
        scope,
        by: by.clone(),
        alias: None,
        instance_url: Some(forge.twin.url().parse().unwrap()),
        credential: forge.credential(&token),
    };
    bed.integrations.connect(wanted).await.unwrap()
}

/// What is asked for to have `script` run on the repository of an account that [`connected`] made.
fn asking(bench: &Bench, login: &str, assistant: &Assistant, script: &str) -> Value {
    json!({
        "task": "Do it",
        "repositories": [{"url": bench.forge.url_of(&format!("team/{login}")), "pushBranch": "x"}],
        "assistant": assistant.id,
        "agent": {"command": ["sh", "-c", script]},
    })
}

async fn start(bench: &Bench, by: &Actor, body: Value) -> Result<Session, ProblemCode> {
    let new = serde_json::from_value(body).unwrap();
    bench.engine.create(by, &project(), new).await.map_err(|problem| problem.code)
}

#[tokio::test]
async fn the_agent_is_told_the_instructions_and_the_task() {
    let bench = Bench::new().await;
    let script = "printf '%s|' \"$1\" \"$VALETKEY_TASK\" \"$VALETKEY_INSTRUCTIONS\" \"$VALETKEY_ASSISTANT\"";
    let assistant = made(
        &bench,
        json!({
            "name": "Reviewer",
            "instructions": "Be kind.\n",
            "agent": {"command": ["sh", "-c", script, "agent", "{task}"]},
        }),
    )
    .await;
    let body = json!({"task": "Do it", "repositories": [{"url": bench.forge.url()}], "assistant": "reviewer"});
    let ended = bench.run_as(body).await.completed();
    assert_eq!(ended.output(), "Be kind.\n\nDo it|Do it|Be kind.|Reviewer|");
    let from = ended.session.spec.assistant.unwrap();
    assert_eq!((from.id, from.name), (assistant.id, assistant.name));
}

#[tokio::test]
async fn a_command_of_ones_own_comes_before_the_assistants() {
    let bench = Bench::new().await;
    let assistant = made(&bench, json!({"name": "A", "instructions": "I", "agent": {"command": ["false"]}})).await;
    let body = json!({
        "task": "T",
        "repositories": [{"url": bench.forge.url()}],
        "assistant": assistant.id,
        "agent": {"command": ["printf", "%s|", "{task}", "{instructions}"]},
    });
    assert_eq!(bench.run_as(body).await.completed().output(), "T|I|");
}

#[tokio::test]
async fn the_listed_tools_and_no_others_are_the_agents() {
    let (gitlab, github) = (ForgeBed::gitlab().await, ForgeBed::github().await);
    let bed = Testbed::new(&[&gitlab, &github]).await;
    bed.connect(&gitlab).await;
    bed.connect(&github).await;
    let bench = Bench::on(bed, gitlab, &[]).await;
    let script = "printf '%s|' \"${GITLAB_TOKEN:+gitlab}\" \"${GITHUB_TOKEN:+github}\"";
    let listing = |tools: Value| json!({"name": tools.to_string(), "tools": tools, "acceptMissing": true});
    let on = |url: String, assistant: &Assistant| {
        json!({
            "task": "t",
            "repositories": [{"url": url}],
            "assistant": assistant.id,
            "agent": {"command": ["sh", "-c", script]},
        })
    };
    let url = bench.forge.url().to_string();

    let open = made(&bench, listing(json!({}))).await;
    assert_eq!(bench.run_as(on(url.clone(), &open)).await.completed().output(), "gitlab|github|");
    let only = made(&bench, listing(json!({"gitlab": {"slot": "automatic"}, "jira": {"slot": "automatic"}}))).await;
    let ended = bench.run_as(on(url.clone(), &only)).await.completed();
    assert_eq!(ended.output(), "gitlab||");
    assert!(ended.log().contains("[Jira] the assistant may use it, but nothing is connected"), "{}", ended.log());
    let other = made(&bench, listing(json!({"github": {"slot": "automatic"}}))).await;
    let ended = bench.run_as(on(url, &other)).await;
    ended.failed(ProblemCode::IntegrationUnusable, "GitLab is not among the tools of this assistant");
}

#[tokio::test]
async fn a_pinned_integration_is_used_though_another_would_be_found() {
    let bench = Bench::new().await;
    let admin = Actor::admin();
    connected(&bench.bed, &bench.forge, &admin, OwnerScope::UserGlobal, "other").await;
    let pinned = connected(&bench.bed, &bench.forge, &admin, OwnerScope::Project(project()), "bot").await;
    let tools = json!({"gitlab": {"slot": "pinned", "integration": pinned.id}});
    let assistant = made(&bench, json!({"name": "A", "tools": tools})).await;
    let ended = bench.run_as(asking(&bench, "bot", &assistant, "echo b > b")).await.completed();
    let repository = &ended.session.repositories[0];
    assert_eq!(repository.integration.as_ref(), Some(&pinned.id));
    assert!(repository.integration_reason.as_ref().unwrap().ends_with("is pinned by the assistant."));
    assert_eq!(bench.forge.twin.commits("team/bot", "x")[0].author_name, "bot");

    let mut body = asking(&bench, "other", &assistant, "true");
    body["repositories"][0]["integration"] =
        json!("other@".to_owned() + bench.forge.url().instance().authority().as_str());
    bench.run_as(body).await.failed(ProblemCode::IntegrationUnusable, "pinned to another GitLab integration");
}

#[tokio::test]
async fn a_pin_to_a_private_integration_is_for_its_owner_alone() {
    let bench = Bench::new().await;
    let (ann, bob) = (somebody(&bench.bed, "ann", Role::Member).await, somebody(&bench.bed, "bob", Role::Admin).await);
    let anns = connected(&bench.bed, &bench.forge, &ann, OwnerScope::User(project()), "ann").await;
    connected(&bench.bed, &bench.forge, &bob, OwnerScope::User(project()), "bob").await;
    let body = json!({"name": "Ann's", "tools": {"gitlab": {"slot": "pinned", "integration": anns.id}}});
    let assistants = bench.engine.assistants();
    for other in [&bob, &Actor::admin()] {
        let refused = assistants.create(other, &project(), new(body.clone())).await.unwrap_err();
        assert_eq!(refused.code, ProblemCode::IntegrationUnusable, "nobody pins what is not theirs to use");
    }
    let Saved::Done(assistant, _) = assistants.create(&ann, &project(), new(body)).await.unwrap() else { panic!() };
    for other in [&bob, &Actor::admin()] {
        let refused = start(&bench, other, asking(&bench, "bob", &assistant, "true")).await;
        assert_eq!(refused.unwrap_err(), ProblemCode::IntegrationUnusable, "though they have one of their own");
    }
    let session = start(&bench, &ann, asking(&bench, "ann", &assistant, "true")).await.unwrap();
    let ended = crate::bench::end_of(&bench.engine, &session.id).await.completed();
    assert_eq!(ended.session.repositories[0].integration, Some(anns.id));
}

#[tokio::test]
async fn nothing_of_another_project_is_used() {
    let bench = Bench::new().await;
    let (admin, other) = (Actor::admin(), "other".parse::<ProjectName>().unwrap());
    bench.bed.store.insert_project(&other, Timestamp::UNIX_EPOCH).await.unwrap();
    let theirs = connected(&bench.bed, &bench.forge, &admin, OwnerScope::Project(other.clone()), "bot").await;
    let body = json!({"name": "A", "tools": {"gitlab": {"slot": "pinned", "integration": theirs.id}}});
    let assistants = bench.engine.assistants();
    let refused = assistants.create(&admin, &project(), new(body.clone())).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::IntegrationUnusable);
    let Saved::Done(assistant, _) = assistants.create(&admin, &other, new(body)).await.unwrap() else { panic!() };
    let refused = start(&bench, &admin, asking(&bench, "bot", &assistant, "true")).await;
    assert_eq!(refused.unwrap_err(), ProblemCode::NotFound, "it is the other project's assistant");
    let member = somebody(&bench.bed, "eve", Role::Admin).await;
    assert_eq!(assistants.get(&member, &assistant.id).await.unwrap_err().code, ProblemCode::NotFound);
}

#[tokio::test]
async fn an_admin_may_edit_around_a_pin_that_is_not_theirs() {
    let bench = Bench::new().await;
    let (ann, bob) = (somebody(&bench.bed, "ann", Role::Member).await, somebody(&bench.bed, "bob", Role::Admin).await);
    let eve = somebody(&bench.bed, "eve", Role::Member).await;
    let anns = connected(&bench.bed, &bench.forge, &ann, OwnerScope::User(project()), "ann").await;
    let mut body = json!({"name": "A", "tools": {"gitlab": {"slot": "pinned", "integration": anns.id}}});
    let assistants = bench.engine.assistants();
    let Saved::Done(assistant, _) = assistants.create(&ann, &project(), new(body.clone())).await.unwrap() else {
        panic!()
    };
    let which = assistant.id.as_str().parse().unwrap();

    body["instructions"] = json!("Be kind.");
    let refused = assistants.change(&eve, &project(), &which, new(body.clone())).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Forbidden);
    assert_eq!(assistants.delete(&eve, &project(), &which).await.unwrap_err().code, ProblemCode::Forbidden);
    let Saved::Asks(missing) = assistants.change(&bob, &project(), &which, new(body.clone())).await.unwrap() else {
        panic!("the pin is of no use to who edits it")
    };
    assert_eq!(missing[0].provider, ProviderKind::GitLab);
    body["acceptMissing"] = json!(true);
    assistants.change(&bob, &project(), &which, new(body.clone())).await.unwrap();
    let known = assistants.get(&ann, &assistant.id).await.unwrap();
    assert_eq!((known.tools, &*known.instructions), (assistant.tools, "Be kind."));
    body["tools"]["github"] = json!({"slot": "pinned", "integration": anns.id});
    let refused = assistants.change(&bob, &project(), &which, new(body)).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::IntegrationUnusable, "a pin stays in its own slot");
}

#[tokio::test]
async fn what_is_missing_is_listed_and_stored_only_if_that_is_well() {
    let bench = Bench::new().await;
    let mut body = json!({"name": "A", "tools": {"gitlab": {"slot": "automatic"}, "slack": {"slot": "automatic"}}});
    let assistants = bench.engine.assistants();
    let saved = assistants.create(&Actor::admin(), &project(), new(body.clone())).await.unwrap();
    let Saved::Asks(missing) = saved else { panic!("{saved:?}") };
    let slack = MissingTool { provider: ProviderKind::Slack, why: "No integration is connected for Slack.".into() };
    assert_eq!(missing, std::slice::from_ref(&slack));
    assert!(assistants.named(&Actor::admin(), &project(), &"A".parse().unwrap()).await.is_err(), "nothing was stored");
    body["acceptMissing"] = json!(true);
    let saved = assistants.create(&Actor::admin(), &project(), new(body)).await.unwrap();
    assert!(matches!(&saved, Saved::Done(_, missing) if *missing == [slack]), "{saved:?}");
}

#[tokio::test]
async fn a_disconnected_pin_is_missing_and_nothing_starts_with_it() {
    let bench = Bench::new().await;
    let admin = Actor::admin();
    let pinned = connected(&bench.bed, &bench.forge, &admin, OwnerScope::Project(project()), "bot").await;
    let tools = json!({"gitlab": {"slot": "pinned", "integration": pinned.id}});
    let assistant = made(&bench, json!({"name": "A", "tools": tools})).await;

    // As many as run at once wait for the gate, so that one more waits for its turn.
    let gate = bench.bed.folder.path().join("gate");
    let script = format!("echo started; while ! test -e {}; do sleep 0.05; done", gate.display());
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(start(&bench, &admin, asking(&bench, "bot", &assistant, &script)).await.unwrap().id);
    }
    for id in &running {
        bench.wait_for_output(id, "started").await;
    }
    let waiting = start(&bench, &admin, asking(&bench, "bot", &assistant, "true")).await.unwrap();
    bench.bed.integrations.disconnect(&admin, &IntegrationRef::Id(pinned.id), false).await.unwrap();
    std::fs::write(gate, "").unwrap();
    bench.end_of(&waiting.id).await.failed(ProblemCode::IntegrationMissing, "pinned for GitLab was disconnected");

    let refused = start(&bench, &admin, asking(&bench, "bot", &assistant, "true")).await;
    assert_eq!(refused.unwrap_err(), ProblemCode::IntegrationMissing);
}

#[tokio::test]
async fn a_pinned_tool_whose_token_is_dead_stops_the_session() {
    let (gitlab, github) = (ForgeBed::gitlab().await, ForgeBed::github().await);
    let bed = Testbed::new(&[&gitlab, &github]).await;
    bed.connect(&gitlab).await;
    let pinned = bed.connect(&github).await;
    github.twin.set_token_state(&github.token, TokenState::Revoked);
    let bench = Bench::on(bed, gitlab, &[]).await;
    let body = |assistant: Option<&Assistant>| {
        json!({
            "task": "t",
            "repositories": [{"url": bench.forge.url()}],
            "assistant": assistant.map(|it| it.id.clone()),
            "agent": {"command": ["true"]},
        })
    };
    bench.run_as(body(None)).await.completed();
    let tools = json!({"gitlab": {"slot": "automatic"}, "github": {"slot": "pinned", "integration": pinned.id}});
    let assistant = made(&bench, json!({"name": "A", "tools": tools})).await;
    let ended = bench.run_as(body(Some(&assistant))).await;
    assert!(ended.session.failure.is_some_and(|problem| problem.provider == Some(ProviderKind::GitHub)));
}

#[tokio::test]
async fn an_assistant_is_found_in_its_own_project_only() {
    let bench = Bench::new().await;
    let assistant = made(&bench, json!({"name": "A"})).await;
    let outsider = Actor::new("eve".parse().unwrap(), false, [].into());
    let assistants = bench.engine.assistants();
    assert_eq!(assistants.get(&outsider, &assistant.id).await.unwrap_err().code, ProblemCode::NotFound);
    let elsewhere: ProjectName = "elsewhere".parse().unwrap();
    let which = assistant.id.as_str().parse().unwrap();
    let refused = assistants.named(&Actor::admin(), &elsewhere, &which).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::NotFound);
    let refused = assistants.create(&Actor::admin(), &elsewhere, new(json!({"name": "B"}))).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::NotFound);
    let unknown = json!({"task": "t", "repositories": [{"url": bench.forge.url()}], "assistant": "nobody"});
    assert_eq!(start(&bench, &Actor::admin(), unknown).await.unwrap_err(), ProblemCode::NotFound);
}
