use std::net::IpAddr;

use jiff::Timestamp;
use proptest::{option, prelude::*};

use super::*;
use crate::{AuditAction, AuditActor, AuditObject, AuditOutcome};

fn event() -> impl Strategy<Value = AuditEvent> {
    let text = "[a-z=,\u{0}\u{1}é]{0,4}";
    let name = "[a-z]{1,3}";
    let who = option::of(name).prop_map(|text| AuditActor::try_from(text).unwrap());
    let what = (0i64..3, who, option::of(name), "[a-z.]{1,3}", option::of((text, text)));
    let uuid = (0u8..3).prop_map(|n| format!("018f0000-0000-7000-8000-00000000000{n}"));
    let from = (0u8..3).prop_map(|n| IpAddr::from([10, 0, 0, n]));
    let code = prop_oneof![Just(ProblemCode::NotFound), Just(ProblemCode::Forbidden)];
    let outcome = (0usize..3).prop_map(|n| AuditOutcome::ALL[n]);
    let detail = prop::collection::btree_map(text, text, 0..3);
    let rest = (option::of(name), option::of(uuid), option::of(from), outcome, option::of(code), detail);
    (what, rest).prop_map(|((at, actor, whom, action, object), (project, session, from, outcome, code, detail))| {
        AuditEvent {
            at: Timestamp::from_millisecond(at).unwrap(),
            actor,
            on_behalf_of: whom.map(|id| id.parse().unwrap()),
            action: action.parse().unwrap(),
            object: object.map(|(kind, id)| AuditObject { kind, id }),
            project: project.map(|name| name.parse().unwrap()),
            session: session.map(|id| id.parse().unwrap()),
            from,
            outcome,
            code,
            detail,
        }
    })
}

proptest! {
    #[test]
    fn different_entries_are_different_bytes(seqs in (0i64..3, 0i64..3), a in event(), b in event()) {
        let same = seqs.0 == seqs.1 && a == b;
        prop_assert_eq!(canonical(seqs.0, &a) == canonical(seqs.1, &b), same);
    }

    #[test]
    fn an_entry_is_the_same_when_it_comes_back_from_json(event in event()) {
        let entry = AuditMark::START.entry(event);
        let text = serde_json::to_string(&entry).unwrap();
        prop_assert!(!text.contains('\n'));
        let back: AuditEntry = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&back, &entry);
        prop_assert!(back.is_intact());
    }
}

fn chain(length: usize) -> Vec<AuditEntry> {
    let mut mark = AuditMark::START;
    let event = AuditEvent::new(Timestamp::UNIX_EPOCH, AuditActor::System, AuditAction::SignIn);
    let next = |_| {
        let entry = mark.entry(event.clone());
        mark = entry.mark();
        entry
    };
    (0..length).map(next).collect()
}

fn walk(entries: &[AuditEntry]) -> Result<AuditMark, AuditBreak> {
    entries.iter().try_fold(AuditMark::START, AuditMark::follow)
}

#[test]
fn a_chain_holds_as_it_was_written_and_breaks_where_it_was_touched() {
    let whole = chain(4);
    assert_eq!(walk(&whole).unwrap(), whole[3].mark());
    let touched = |touch: fn(&mut Vec<AuditEntry>)| {
        let mut entries = whole.clone();
        touch(&mut entries);
        let broken = walk(&entries).unwrap_err();
        (broken.seq, broken.why)
    };
    assert_eq!(touched(|all| drop(all.remove(1))), (2, BreakKind::Missing));
    assert_eq!(touched(|all| all.swap(1, 2)), (2, BreakKind::Missing));
    assert_eq!(touched(|all| all.insert(2, all[1].clone())), (2, BreakKind::OutOfOrder));
    assert_eq!(touched(|all| all[1].event.actor = AuditActor::Anonymous), (2, BreakKind::Changed));
    assert_eq!(touched(|all| all[1].hash = AuditHash::START), (2, BreakKind::Changed));
    // Written anew with a hash of its own: the next one tells.
    let forged = |all: &mut Vec<AuditEntry>| {
        let event = AuditEvent { from: None, outcome: AuditOutcome::Refused, ..all[1].event.clone() };
        all[1] = all[0].mark().entry(event);
    };
    assert_eq!(touched(forged), (3, BreakKind::Unlinked));
}

#[test]
fn a_mark_comes_back_from_its_text() {
    let mark = chain(2)[1].mark();
    assert_eq!(mark.to_string().parse::<AuditMark>().unwrap(), mark);
    for bad in ["", "1", "1:ab", "-1:00", &format!("1:{}", "0A".repeat(32)), &format!("x:{}", AuditHash::START)] {
        assert!(bad.parse::<AuditMark>().is_err(), "{bad}");
    }
}

/// Whoever verifies an export with a program of their own relies on these bytes.
#[test]
fn the_bytes_never_change() {
    let event = AuditEvent::new(Timestamp::from_second(1).unwrap(), AuditActor::System, AuditAction::CredentialUse)
        .to("integration", "x")
        .with("access", "read");
    let entry = AuditMark::START.entry(event);
    assert_eq!(entry.hash.to_string(), "a7a01f25b09e5356d0dfb6eb8daa0c25a642b2fb67a45707e91ef2376f6602cd");
}
