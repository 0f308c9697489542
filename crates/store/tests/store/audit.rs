//! The audit trail: what is written stays as it was, or it shows.

use futures_util::TryStreamExt as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use valetkey_model::{
    AuditAction, AuditActor, AuditEvent, AuditMark, AuditOutcome, BreakKind, ProblemCode, ProjectName, SessionId,
};
use valetkey_store::{AuditFilter, Store, StoreError};

use crate::support::{Counter, Database, at, store, user};

const POSTGRES: fn() -> bool = || std::env::var_os("VALETKEY_TEST_POSTGRES").is_some();

fn event(second: i64, action: AuditAction) -> AuditEvent {
    AuditEvent::new(at(second), AuditActor::Person(user("eve")), action)
}

/// An event with something in every field.
fn full(second: i64) -> AuditEvent {
    AuditEvent {
        on_behalf_of: Some(user("bob")),
        project: Some(ProjectName::default_project()),
        session: Some(SessionId::new(at(1), &Counter)),
        from: Some("2001:db8::1".parse().unwrap()),
        ..event(second, AuditAction::CredentialUse)
            .to("integration", "one")
            .with("access", "read")
            .ended_with(ProblemCode::Forbidden)
    }
}

async fn written(count: i64) -> (Database, Store) {
    let (database, store) = store().await;
    for second in 1..=count {
        store.append_audit(full(second)).await.unwrap();
    }
    (database, store)
}

/// As somebody would who may do anything with the database.
async fn tamper(database: &Database, sql: &str) {
    let on = if POSTGRES() { " ON audit" } else { "" };
    let mut connection = AnyConnection::connect(&database.raw).await.unwrap();
    for trigger in ["audit_never_changes", "audit_stays"] {
        let drop = format!("DROP TRIGGER IF EXISTS {trigger}{on}");
        connection.execute(AssertSqlSafe(drop)).await.unwrap();
    }
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.unwrap();
}

async fn broken(store: &Store) -> Option<(i64, BreakKind)> {
    let report = store.verify_audit(None).await.unwrap();
    report.broken.map(|broken| (broken.seq, broken.why))
}

#[tokio::test]
async fn what_is_written_is_read_and_holds() {
    let (_database, store) = written(3).await;
    let [third, second, first] = store.audit_page(&AuditFilter::default(), None, 10).await.unwrap().try_into().unwrap();
    assert_eq!((first.seq, second.seq, third.seq), (1, 2, 3));
    let session = second.event.session.clone();
    assert_eq!(second.event, AuditEvent { session, ..full(2) });
    assert_eq!((first.previous, second.previous), (AuditMark::START.hash, first.hash));
    let report = store.verify_audit(None).await.unwrap();
    assert_eq!((report.entries, report.anchor, report.head, report.broken), (3, AuditMark::START, third.mark(), None));
}

#[tokio::test]
async fn every_change_is_found() {
    for (change, why) in [
        ("seq = 9", BreakKind::Missing),
        ("at = at + 1", BreakKind::Changed),
        ("actor = 'bob'", BreakKind::Changed),
        ("actor = NULL", BreakKind::Changed),
        ("actor = ''", BreakKind::Unreadable),
        ("on_behalf_of = NULL", BreakKind::Changed),
        ("action = 'credential.refresh'", BreakKind::Changed),
        ("object_kind = 'session'", BreakKind::Changed),
        ("object_id = 'two'", BreakKind::Changed),
        ("object_kind = NULL, object_id = NULL", BreakKind::Changed),
        ("project = 'other'", BreakKind::Changed),
        ("session = '018f0000-0000-7000-8000-000000000000'", BreakKind::Changed),
        ("client = '10.0.0.1'", BreakKind::Changed),
        ("client = 'nowhere'", BreakKind::Unreadable),
        ("outcome = 'allowed'", BreakKind::Changed),
        ("code = 'not_found'", BreakKind::Changed),
        ("code = NULL", BreakKind::Changed),
        (r#"detail = '{"access":"push"}'"#, BreakKind::Changed),
        ("detail = '{}'", BreakKind::Changed),
        ("detail = ''", BreakKind::Unreadable),
        ("previous = hash", BreakKind::Unlinked),
        ("hash = previous", BreakKind::Changed),
    ] {
        let (database, store) = written(3).await;
        tamper(&database, &format!("UPDATE audit SET {change} WHERE seq = 2")).await;
        assert_eq!(broken(&store).await, Some((2, why)), "{change}");
    }
}

#[tokio::test]
async fn what_is_missing_moved_or_added_is_found() {
    const COPY: &str = "INSERT INTO audit SELECT 4, at, actor, on_behalf_of, action, object_kind, object_id, project, \
                        session, client, outcome, code, detail, previous, hash FROM audit WHERE seq = 3";
    for (changes, found) in [
        (&["DELETE FROM audit WHERE seq = 1"][..], (1, BreakKind::Missing)),
        (&["DELETE FROM audit WHERE seq = 2"], (2, BreakKind::Missing)),
        (&["DELETE FROM audit WHERE seq = 3"], (3, BreakKind::Missing)),
        (&["DELETE FROM audit"], (1, BreakKind::Missing)),
        (
            &[
                "UPDATE audit SET seq = 9 WHERE seq = 1",
                "UPDATE audit SET seq = 1 WHERE seq = 2",
                "UPDATE audit SET seq = 2 WHERE seq = 9",
            ],
            (1, BreakKind::Unlinked),
        ),
        (&[COPY], (4, BreakKind::Unlinked)),
        (&["UPDATE audit_head SET hash = anchor_hash"], (3, BreakKind::Unlinked)),
    ] {
        let (database, store) = written(3).await;
        for change in changes {
            tamper(&database, change).await;
        }
        assert_eq!(broken(&store).await, Some(found), "{changes:?}");
    }
}

/// An entry with a right hash behind the last one was written by somebody else than Valetkey.
#[tokio::test]
async fn an_entry_behind_the_head_is_found() {
    let (database, store) = written(2).await;
    tamper(&database, "UPDATE audit_head SET seq = 1, hash = (SELECT hash FROM audit WHERE seq = 1)").await;
    assert_eq!(broken(&store).await, Some((2, BreakKind::Added)));
}

#[tokio::test]
async fn a_mark_that_was_noted_down_finds_a_chain_that_was_written_anew() {
    let (_database, original) = written(3).await;
    let noted = original.verify_audit(None).await.unwrap().head;
    assert_eq!(original.verify_audit(Some(noted)).await.unwrap().broken, None);
    let (_other, forged) = written(4).await;
    assert_eq!(broken(&forged).await, None, "it holds by itself");
    let found = forged.verify_audit(Some(noted)).await.unwrap().broken.unwrap();
    assert_eq!((found.seq, found.why), (3, BreakKind::NotAsNoted));
    let later = AuditMark { seq: 9, ..noted };
    assert_eq!(original.verify_audit(Some(later)).await.unwrap().broken.unwrap().why, BreakKind::Missing);
}

#[tokio::test]
async fn the_database_itself_refuses_changes() {
    let (database, store) = written(2).await;
    for change in [
        "UPDATE audit SET actor = 'bob' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "DELETE FROM audit_head",
    ] {
        assert!(database.try_tamper(change).await.is_err(), "{change}");
    }
    assert_eq!(broken(&store).await, None);
}

#[tokio::test]
async fn what_is_forgotten_leaves_a_chain_that_holds() {
    let (_database, store) = written(1_203).await;
    let whole = store.verify_audit(None).await.unwrap();
    assert_eq!(store.purge_audit(at(1)).await.unwrap(), 0);
    assert_eq!(store.purge_audit(at(1_201)).await.unwrap(), 1_200);
    let report = store.verify_audit(Some(whole.head)).await.unwrap();
    assert_eq!((report.entries, report.anchor.seq, report.head, report.broken), (3, 1_200, whole.head, None));
    assert_eq!(store.purge_audit(at(9_000)).await.unwrap(), 3);
    let next = store.append_audit(full(9_001)).await.unwrap();
    assert_eq!((next.seq, next.previous), (1_204, whole.head.hash));
    assert_eq!(store.verify_audit(None).await.unwrap().entries, 1);
    let forgotten = store.verify_audit(Some(AuditMark { seq: 3, ..whole.head })).await.unwrap();
    assert_eq!(forgotten.broken.unwrap().why, BreakKind::Missing);
}

#[tokio::test]
async fn filters_say_what_is_listed_and_exported() {
    let (_database, store) = store().await;
    let session = SessionId::new(at(1), &Counter);
    let project: ProjectName = "team".parse().unwrap();
    let system = AuditEvent::new(at(2), AuditActor::System, AuditAction::CredentialRefresh);
    for event in [
        event(1, AuditAction::SignIn),
        AuditEvent { on_behalf_of: Some(user("eve")), ..system.to("integration", "one") },
        AuditEvent { session: Some(session.clone()), ..event(3, AuditAction::CredentialUse) },
        AuditEvent { project: Some(project.clone()), ..event(4, AuditAction::SessionCreate) },
        AuditEvent::new(at(5), AuditActor::Anonymous, AuditAction::SignIn).ended_with(ProblemCode::Unauthenticated),
    ] {
        store.append_audit(event).await.unwrap();
    }
    let all = AuditFilter::default;
    for (filter, wanted) in [
        (all(), &[1, 2, 3, 4, 5][..]),
        (AuditFilter { actor: Some("eve".into()), ..all() }, &[1, 3, 4]),
        (AuditFilter { actor: Some("system".into()), ..all() }, &[2]),
        (AuditFilter { concerning: Some(user("eve")), ..all() }, &[1, 2, 3, 4]),
        (AuditFilter { action: Some("credential.".into()), ..all() }, &[2, 3]),
        (AuditFilter { action: Some("%".into()), ..all() }, &[]),
        (AuditFilter { project: Some(project), ..all() }, &[4]),
        (AuditFilter { session: Some(session), ..all() }, &[3]),
        (AuditFilter { object: Some("one".into()), ..all() }, &[2]),
        (AuditFilter { outcome: Some(AuditOutcome::Refused), ..all() }, &[5]),
        (AuditFilter { since: Some(at(2)), until: Some(at(4)), ..all() }, &[2, 3]),
        (AuditFilter { actor: Some("eve".into()), action: Some("session".into()), ..all() }, &[4]),
    ] {
        let exported: Vec<_> = store.audit_export(filter.clone()).try_collect().await.unwrap();
        assert_eq!(exported.iter().map(|entry| entry.seq).collect::<Vec<_>>(), wanted, "{filter:?}");
        let mut listed = store.audit_page(&filter, None, 10).await.unwrap();
        listed.reverse();
        assert_eq!(listed, exported, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_and_exports_of_many_are_whole() {
    let (_database, store) = written(1_001).await;
    let exported: Vec<_> = store.audit_export(AuditFilter::default()).try_collect().await.unwrap();
    assert!(exported.iter().map(|entry| entry.seq).eq(1..=1_001));
    let mut seen = Vec::new();
    loop {
        let page = store.audit_page(&AuditFilter::default(), seen.last().copied(), 250).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(|entry| entry.seq));
    }
    assert!(seen.into_iter().eq((1..=1_001).rev()));
}

#[tokio::test]
async fn two_stores_that_write_at_once_keep_one_chain() {
    let database = Database::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..400 {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        tasks.spawn(async move { store.append_audit(full(n)).await.unwrap().seq });
    }
    let mut seqs = tasks.join_all().await;
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(1..=400), "each has a number of its own");
    let report = other.verify_audit(None).await.unwrap();
    assert_eq!((report.entries, report.broken), (400, None));
}

#[tokio::test]
async fn who_goes_away_while_it_is_written_takes_nobody_along() {
    let (_database, store) = store().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let store = store.clone();
        tasks.spawn(async move { store.append_audit(full(n)).await.map(drop) });
    }
    for _ in 0..10 {
        drop(tokio::time::timeout(std::time::Duration::ZERO, store.append_audit(full(1))).await);
    }
    assert!(tasks.join_all().await.into_iter().all(|written| written.is_ok()));
    assert_eq!(broken(&store).await, None);
}

#[tokio::test]
async fn what_can_not_be_written_is_an_error_and_leaves_no_trace() {
    let (database, store) = written(1).await;
    tamper(&database, "ALTER TABLE audit RENAME TO away").await;
    assert!(matches!(store.append_audit(full(2)).await, Err(StoreError::NotRecorded)));
    tamper_back(&database).await;
    assert_eq!(store.append_audit(full(2)).await.unwrap().seq, 2);
    assert_eq!(broken(&store).await, None);
}

async fn tamper_back(database: &Database) {
    let mut connection = AnyConnection::connect(&database.raw).await.unwrap();
    connection.execute("ALTER TABLE away RENAME TO audit").await.unwrap();
    connection.close().await.unwrap();
}
