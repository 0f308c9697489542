//! Sessions, their event logs, and the requests to stop them.

use crate::support::{at, engine, finish, session, started, store, user};
use valetkey_model::{
    Actor, EventBody, Limits, LogStream, Phase, Problem, ProblemCode, ProjectName, RepositoryChanges, Role, Session,
    SessionId, Step, StepOutcome,
};
use valetkey_store::{SessionFilter, StoreError};

fn log(text: impl Into<String>) -> EventBody {
    EventBody::Log { stream: LogStream::Stdout, text: text.into() }
}

fn missing() -> SessionId {
    session().id
}

#[tokio::test]
async fn what_goes_in_comes_out_in_every_phase() {
    let (_database, store) = store().await;
    let mut session = started(&store).await;
    assert_eq!(store.session(&session.id).await.unwrap().as_ref(), Some(&session));
    for phase in [Phase::Preparing, Phase::Running, Phase::Publishing, Phase::Failed] {
        let before = session.phase;
        session.advance(phase, at(2_500)).unwrap();
        session.workspace = Some("/work/space".into());
        session.repositories[0].branch = Some("main".parse().unwrap());
        if phase == Phase::Failed {
            session.failure = Some(Problem::new(ProblemCode::PushRefused, "refused").remedy("ask"));
            session.message = Some("It failed.".into());
        }
        store.update_session(&session, before).await.unwrap();
        assert_eq!(store.session(&session.id).await.unwrap().as_ref(), Some(&session));
    }
    session.workspace = None;
    store.update_session(&session, Phase::Failed).await.unwrap();
    assert_eq!(store.session(&session.id).await.unwrap().unwrap().workspace, None);
    assert_eq!(store.session(&missing()).await.unwrap(), None);
}

#[tokio::test]
async fn whoever_listens_is_woken_by_what_a_list_shows() {
    let (_database, store) = store().await;
    let mut woken = store.listen();
    let mut session = started(&store).await;
    assert!(woken.has_changed().unwrap(), "it is new");
    woken.mark_unchanged();
    store.append_events(&session.id, &[(at(2_100), log("x"))]).await.unwrap();
    store.sessions_page(&Actor::admin(), &SessionFilter::default(), 5, None).await.unwrap();
    assert!(!woken.has_changed().unwrap(), "its log is in no list");
    let before = session.phase;
    session.advance(Phase::Failed, at(2_500)).unwrap();
    store.clone().update_session(&session, before).await.unwrap();
    assert!(woken.has_changed().unwrap(), "it has ended");
    woken.mark_unchanged();
    store.delete_session(&session.id).await.unwrap();
    assert!(woken.has_changed().unwrap(), "it is gone");
}

#[tokio::test]
async fn who_expects_another_phase_changes_nothing() {
    let (_database, store) = store().await;
    let session = started(&store).await;
    let mut stopped = session.clone();
    stopped.advance(Phase::Stopped, at(2_500)).unwrap();
    store.update_session(&stopped, Phase::Pending).await.unwrap();
    let mut late = session.clone();
    late.advance(Phase::Preparing, at(2_600)).unwrap();
    assert!(matches!(store.update_session(&late, Phase::Pending).await, Err(StoreError::Stale("session"))));
    assert_eq!(store.session(&session.id).await.unwrap(), Some(stopped));
    let never = crate::support::session();
    assert!(matches!(store.update_session(&never, Phase::Pending).await, Err(StoreError::Stale("session"))));
}

#[tokio::test]
async fn a_session_needs_a_project_and_an_id_of_its_own() {
    let (_database, store) = store().await;
    let mut stray = session();
    stray.project = "unknown".parse().unwrap();
    assert!(matches!(store.insert_session(&stray, &engine()).await, Err(StoreError::NotFound("project"))));
    let known = started(&store).await;
    assert!(matches!(store.insert_session(&known, &engine()).await, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn unfinished_sessions_are_found_with_their_engine() {
    let (_database, store) = store().await;
    let (mine, other) = (engine(), engine());
    let sessions: Vec<Session> = (0..3).map(|_| session()).collect();
    for (session, engine) in sessions.iter().zip([&mine, &other, &mine]) {
        store.insert_session(session, engine).await.unwrap();
    }
    finish(&store, sessions[2].clone()).await;
    let unfinished = store.unfinished_sessions().await.unwrap();
    assert_eq!(unfinished, [(sessions[0].id.clone(), mine), (sessions[1].id.clone(), other)]);
}

#[tokio::test]
async fn a_request_to_stop_reaches_the_engine_that_runs_the_session() {
    let (_database, store) = store().await;
    let (mine, other) = (engine(), engine());
    let (a, b) = (session(), session());
    store.insert_session(&a, &mine).await.unwrap();
    store.insert_session(&b, &other).await.unwrap();
    assert!(store.stops_of_engine(&mine).await.unwrap().is_empty());
    assert!(store.request_stop(&a.id).await.unwrap());
    assert!(store.request_stop(&a.id).await.unwrap());
    assert!(store.request_stop(&b.id).await.unwrap());
    assert_eq!(store.stops_of_engine(&mine).await.unwrap(), std::slice::from_ref(&a.id));
    assert_eq!(store.stops_of_engine(&other).await.unwrap(), std::slice::from_ref(&b.id));
    finish(&store, a.clone()).await;
    assert!(store.stops_of_engine(&mine).await.unwrap().is_empty());
    assert!(!store.request_stop(&a.id).await.unwrap(), "it is over");
    assert!(!store.request_stop(&missing()).await.unwrap());
}

#[tokio::test]
async fn only_a_session_that_is_over_is_deleted_and_its_events_with_it() {
    let (_database, store) = store().await;
    let session = started(&store).await;
    store.append_events(&session.id, &[(at(1), log("a"))]).await.unwrap();
    assert!(matches!(store.delete_session(&session.id).await, Err(StoreError::Conflict(_))));
    finish(&store, session.clone()).await;
    assert_eq!(store.events_after(&session.id, 0, 10).await.unwrap().len(), 1);
    assert!(store.delete_session(&session.id).await.unwrap());
    assert_eq!(store.session(&session.id).await.unwrap(), None);
    assert!(store.events_after(&session.id, 0, 10).await.unwrap().is_empty());
    assert!(!store.delete_session(&session.id).await.unwrap());
}

#[tokio::test]
async fn events_are_numbered_from_one_and_read_from_any_point() {
    let (_database, store) = store().await;
    let session = started(&store).await;
    assert_eq!(store.last_seq(&session.id).await.unwrap(), 0);
    let step = EventBody::Step { step: Step::Agent, outcome: StepOutcome::Started, detail: None };
    let phase = EventBody::Phase { phase: Phase::Running };
    assert_eq!(store.append_events(&session.id, &[(at(7), phase.clone()), (at(7), step.clone())]).await.unwrap(), 2);
    assert_eq!(store.append_events(&session.id, &[]).await.unwrap(), 2);
    assert_eq!(store.append_events(&session.id, &[(at(9), log("line\n\0ünd"))]).await.unwrap(), 3);
    let events = store.events_after(&session.id, 0, 10).await.unwrap();
    let seen: Vec<_> = events.iter().map(|e| (e.seq, e.at, &e.body)).collect();
    assert_eq!(seen, [(1, at(7), &phase), (2, at(7), &step), (3, at(9), &log("line\n\0ünd"))]);
    assert_eq!(store.events_after(&session.id, 1, 1).await.unwrap(), events[1..2]);
    assert!(store.events_after(&session.id, 3, 10).await.unwrap().is_empty());
    assert_eq!(store.last_seq(&session.id).await.unwrap(), 3);
    assert!(matches!(store.append_events(&missing(), &[(at(1), step)]).await, Err(StoreError::NotFound("session"))));
    assert!(matches!(store.last_seq(&missing()).await, Err(StoreError::NotFound("session"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_appenders_in_two_processes_leave_no_gap_and_lose_nothing() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    let session = started(&store).await;
    let mut tasks = Vec::new();
    for task in 0..8 {
        let store = if task % 2 == 0 { store.clone() } else { other_process.clone() };
        let id = session.id.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..10 {
                let batch = [log(format!("{task}.{n}.a")), log(format!("{task}.{n}.b"))];
                let last = store.append_events(&id, &batch.clone().map(|body| (at(1), body))).await.unwrap();
                let stored = store.events_after(&id, last - 2, 2).await.unwrap();
                assert_eq!(stored.into_iter().map(|e| e.body).collect::<Vec<_>>(), batch, "a batch stays together");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let events = store.events_after(&session.id, 0, 1000).await.unwrap();
    assert!(events.iter().map(|e| e.seq).eq(1..=160));
    for task in 0..8 {
        let own = |e: &&valetkey_model::SessionEvent| matches!(&e.body, EventBody::Log { text, .. } if text.starts_with(&format!("{task}.")));
        assert_eq!(events.iter().filter(own).count(), 20);
    }
}

#[tokio::test]
async fn a_damaged_record_is_an_error_wherever_it_is_read() {
    let (database, store) = store().await;
    let session = started(&store).await;
    store.append_events(&session.id, &[(at(1), log("a"))]).await.unwrap();
    for (field, sql) in [
        ("body", "UPDATE events SET body = '{\"type\":\"dance\"}'"),
        ("owner", "UPDATE sessions SET owner = ''"),
        ("phase", "UPDATE sessions SET owner = 'admin', phase = 'Dreaming'"),
        ("details", "UPDATE sessions SET phase = 'Pending', details = '{}'"),
        ("engine", "UPDATE sessions SET engine = 'x'"),
    ] {
        database.tamper(sql).await;
        let result = match field {
            "body" => store.events_after(&session.id, 0, 10).await.map(drop),
            "engine" => store.unfinished_sessions().await.map(drop),
            // Nobody's session is on nobody's list.
            "owner" => store.session(&session.id).await.map(drop),
            _ => {
                let page = store.sessions_page(&Actor::admin(), &SessionFilter::default(), 10, None).await;
                assert!(matches!(page, Err(StoreError::Damaged { .. })), "{field}: {page:?}");
                store.session(&session.id).await.map(drop)
            }
        };
        let Err(StoreError::Damaged { id, field: named, .. }) = &result else { panic!("{field}: {result:?}") };
        assert_eq!((id.as_str(), *named), (session.id.as_str(), field));
    }
    assert_eq!(user("admin"), session.owner);
}

#[tokio::test]
async fn everybody_lists_those_of_their_projects() {
    let (database, store) = store().await;
    database.tamper("INSERT INTO projects (name) VALUES ('other')").await;
    let (mine, mut theirs) = (started(&store).await, session());
    theirs.owner = user("somebody");
    theirs.project = "other".parse().unwrap();
    store.insert_session(&theirs, &engine()).await.unwrap();
    let roles = |project: &ProjectName| [(project.clone(), Role::Viewer)].into();
    let list = async |by: &Actor, filter: SessionFilter<'_>| -> Vec<_> {
        let listed = store.sessions_page(by, &filter, 10, None).await.unwrap();
        listed.into_iter().map(|session| session.id).collect()
    };
    let all = SessionFilter::default();
    let viewer = Actor::new(user("viewer"), false, roles(&theirs.project));
    assert_eq!(list(&viewer, all).await, [theirs.id.clone()]);
    assert_eq!(list(&viewer, SessionFilter { project: Some(&mine.project), ..all }).await, []);
    let nobody = Actor::new(user("somebody"), false, Default::default());
    assert_eq!(list(&nobody, all).await, [], "who has left the project");
    assert_eq!(list(&Actor::admin(), all).await, [theirs.id.clone(), mine.id.clone()]);
    let limited = Actor::admin().limited(Limits { project: Some(mine.project.clone()), read_only: true });
    assert_eq!(list(&limited, all).await, std::slice::from_ref(&mine.id));
    assert_eq!(list(&Actor::admin(), SessionFilter { owner: Some(&theirs.owner), ..all }).await, [theirs.id]);
    assert_eq!(list(&Actor::admin(), SessionFilter { phases: &[Phase::Failed], ..all }).await, []);
    assert_eq!(list(&Actor::admin(), SessionFilter { text: Some("100%"), ..all }).await, []);
}

#[tokio::test]
async fn sessions_are_found_by_task_repository_branch_and_outcome() {
    let (_database, store) = store().await;
    let mut first = session();
    first.spec.task = "Über 100% of \"tests\"\nmust pass".into();
    store.insert_session(&first, &engine()).await.unwrap();
    let second = started(&store).await;
    let found = async |text: &str| -> Vec<_> {
        let filter = SessionFilter { text: Some(text), ..Default::default() };
        let page = store.sessions_page(&Actor::admin(), &filter, 10, None).await.unwrap();
        page.into_iter().map(|session| session.id).collect()
    };
    let (repository, branch) = (&second.spec.repositories[0].url, &second.spec.repositories[0].push_branch);
    assert_eq!(found("über 100% of \"TESTS\"").await, std::slice::from_ref(&first.id));
    for both in [repository.path(), branch.as_str(), "", "  "] {
        assert_eq!(found(both).await, [second.id.clone(), first.id.clone()], "{both}");
    }
    for none in ["100_", "failure", "pushBranch"] {
        assert_eq!(found(none).await, [], "{none}");
    }
    let mut ended = second.clone();
    ended.advance(Phase::Failed, at(3_000)).unwrap();
    ended.message = Some("GitLab push failed.".into());
    store.update_session(&ended, Phase::Pending).await.unwrap();
    assert_eq!(found("push FAILED").await, [second.id]);
}

#[tokio::test]
async fn a_text_is_looked_for_in_the_newest_and_one_can_go_on_behind_them() {
    let (database, store) = store().await;
    let needle = started(&store).await;
    database.tamper("UPDATE sessions SET words = 'needle'").await;
    let filter = SessionFilter { text: Some("needle"), ..Default::default() };
    let admin = Actor::admin();
    assert_eq!(store.last_searched(&admin, &filter, None).await.unwrap(), None, "nothing is left out");
    for _ in 0..SessionFilter::SEARCHED {
        started(&store).await;
    }
    assert_eq!(store.sessions_page(&admin, &filter, 10, None).await.unwrap(), []);
    let last = store.last_searched(&admin, &filter, None).await.unwrap().expect("there are more");
    let behind = store.sessions_page(&admin, &filter, 10, Some(&last)).await.unwrap();
    assert_eq!(behind.into_iter().map(|session| session.id).collect::<Vec<_>>(), [needle.id]);
    assert_eq!(store.last_searched(&admin, &filter, Some(&last)).await.unwrap(), None);
    assert_eq!(store.last_searched(&admin, &SessionFilter::default(), None).await.unwrap(), None, "without a text");
}

#[tokio::test]
async fn those_that_are_not_over_are_found_among_the_others() {
    let (_database, store) = store().await;
    let (over, waiting) = (started(&store).await, started(&store).await);
    finish(&store, over.clone()).await;
    let found = async |phases: &[Phase]| -> Vec<_> {
        let filter = SessionFilter { phases, project: Some(&over.project), ..Default::default() };
        let page = store.sessions_page(&Actor::admin(), &filter, 10, None).await.unwrap();
        page.into_iter().map(|session| session.id).collect()
    };
    assert_eq!(found(&[Phase::Pending, Phase::Running]).await, std::slice::from_ref(&waiting.id));
    assert_eq!(found(&[Phase::Running]).await, []);
    let final_phase = store.session(&over.id).await.unwrap().unwrap().phase;
    assert_eq!(found(&[final_phase]).await, std::slice::from_ref(&over.id));
    assert_eq!(found(&[final_phase, Phase::Pending]).await, [waiting.id, over.id]);
}

fn changes(path: &str) -> RepositoryChanges {
    serde_json::from_value(serde_json::json!({
        "url": "https://gitlab.com/a/b",
        "commit": "a".repeat(40),
        "filesChanged": 1, "linesAdded": 2, "linesRemoved": 0,
        "files": [{"path": path, "status": "added", "linesAdded": 2, "linesRemoved": 0, "patch": "+1\n+\u{0}2\n"}],
    }))
    .unwrap()
}

#[tokio::test]
async fn what_a_session_changed_is_kept_as_long_as_the_session() {
    let (_database, store) = store().await;
    let session = started(&store).await;
    assert_eq!(store.changes(&session.id).await.unwrap(), []);
    for (repository, path) in [(2, "second"), (0, "once more"), (0, "first")] {
        store.set_changes(&session.id, repository, &changes(path)).await.unwrap();
    }
    assert_eq!(store.changes(&session.id).await.unwrap(), [changes("first"), changes("second")]);
    finish(&store, session.clone()).await;
    assert!(store.delete_session(&session.id).await.unwrap());
    assert_eq!(store.changes(&session.id).await.unwrap(), []);
    let missing = store.set_changes(&missing(), 0, &changes("x")).await;
    assert!(matches!(missing, Err(StoreError::NotFound("session"))), "{missing:?}");
}
