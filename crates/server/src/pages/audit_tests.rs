use valetkey_model::{AuditEvent, AuditMark, ProblemCode};

use super::*;
use crate::pages::{render::tests::html, sessions::tests::now};

fn entries() -> Vec<AuditEntry> {
    let person = AuditActor::Person(UserId::admin());
    let event = |actor: &AuditActor, action| AuditEvent::new(now(), actor.clone(), action);
    let used = AuditEvent {
        project: Some("default".parse().unwrap()),
        session: Some("018f0000-0000-7000-8000-000000000001".parse().unwrap()),
        ..event(&person, AuditAction::CredentialUse)
    };
    let refreshed = AuditEvent {
        on_behalf_of: Some(UserId::admin()),
        ..event(&AuditActor::System, AuditAction::CredentialRefresh)
    };
    let refused = AuditEvent {
        from: Some("2001:db8::1".parse().unwrap()),
        ..event(&AuditActor::Anonymous, AuditAction::SignIn).with("repeated", &12)
    };
    let mut mark = AuditMark::START;
    let events = [
        used.to("integration", "018f0000-0000-7000-8000-000000000002").with("access", "push").with("given", "git"),
        refreshed.to("integration", "<script>\u{202e}").ended_with(ProblemCode::ProviderUnreachable),
        refused.ended_with(ProblemCode::Unauthenticated),
    ];
    let entries = events.map(|event| {
        let entry = mark.entry(event);
        mark = entry.mark();
        entry
    });
    entries.into_iter().rev().collect()
}

fn view(entries: Vec<AuditEntry>, asked: Asked, chain: Option<Chain>) -> AuditView {
    let names = Names::from([(UserId::admin(), "Administrator".to_owned())]);
    AuditView {
        outcomes: AuditOutcome::ALL,
        actions: actions(),
        projects: vec!["default".into(), "team".into()],
        everything: true,
        narrowed: asked.is_narrowed(),
        older: entries.first().map(|entry| format!("before={}", entry.seq)),
        items: entries.into_iter().map(|entry| Item::new(entry, &names, now())).collect(),
        newest: true,
        query: query(&asked),
        asked,
        chain,
    }
}

pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
    let head = AuditMark::START.to_string();
    let whole = Chain { entries: 3, first: 1, head: head.clone(), broken: None };
    let broken = Chain { entries: 1, first: 1, head, broken: Some("Entry 2 is missing.".into()) };
    let narrowed = Asked { action: "session.".into(), outcome: "refused".into(), ..Asked::default() };
    vec![
        ("audit", html(view(entries(), Asked::default(), None))),
        ("audit_whole", html(view(entries(), Asked::default(), Some(whole)))),
        ("audit_broken", html(view(entries(), Asked::default(), Some(broken)))),
        ("audit_empty", html(view(Vec::new(), Asked::default(), None))),
        ("audit_none_such", html(view(Vec::new(), narrowed, None))),
    ]
}

#[test]
fn what_is_recorded_is_escaped() {
    let page = html(view(entries(), Asked::default(), None));
    assert!(page.contains("&lt;script&gt;⟨U+202E⟩"), "{page}");
}

#[test]
fn an_action_is_in_words_also_where_one_is_chosen_to_filter_by() {
    let page = html(view(entries(), Asked::default(), None));
    assert!(page.contains(">Use a credential</strong>") && !page.contains(">credential.use<"), "{page}");
    assert!(page.contains("<option value=\"credential.use\">Use a credential</option>"), "{page}");
}

#[test]
fn empty_fields_ask_for_nothing_and_days_are_whole() {
    assert!(Asked::default().wanted().unwrap().action.is_none());
    let asked = Asked { since: "2026-01-31".into(), until: "2026-01-31".into(), ..Asked::default() };
    let wanted = asked.wanted().unwrap();
    assert_eq!(wanted.since.unwrap().to_string(), "2026-01-31T00:00:00Z");
    assert_eq!(wanted.until.unwrap().to_string(), "2026-02-01T00:00:00Z");
    for bad in ["31.1.2026", "2026-02-30"] {
        assert!(Asked { since: bad.into(), ..Asked::default() }.wanted().is_err());
    }
}
