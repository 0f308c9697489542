use proptest::prelude::*;

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const CAPS: &str = " report-status-v2 side-band-64k object-format=sha1 agent=git/2.39.5";

fn list(lines: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        pkt_line::encode(&mut out, line.as_bytes()).unwrap();
    }
    pkt_line::encode_flush(&mut out);
    out
}

fn parse(bytes: &[u8]) -> Result<Progress, CommandListError> {
    CommandListParser::new().push(bytes)
}

fn done(bytes: &[u8]) -> Push {
    match parse(bytes) {
        Ok(Progress::Done(push)) => push,
        other => panic!("{other:?}"),
    }
}

fn command(name: &str) -> String {
    format!("{A} {B} {name}\0{CAPS}")
}

#[test]
fn a_usual_push() {
    let mut bytes = list(&[command("refs/heads/main"), format!("{A} {B} refs/tags/v1\n")]);
    bytes.extend_from_slice(b"PACK...");
    let push = done(&bytes);
    let names: Vec<_> = push.commands.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["refs/heads/main", "refs/tags/v1"]);
    assert_eq!((push.commands[0].old.as_str(), push.commands[0].new.as_str()), (A, B));
    assert!(push.capabilities.has("side-band-64k") && push.capabilities.has("object-format"));
    assert!(!push.capabilities.has("side-band") && !push.capabilities.has("atomic"));
}

#[test]
fn the_probe_is_an_empty_list() {
    assert!(done(b"0000").commands.is_empty());
}

#[test]
fn all_bytes_can_be_had_back() {
    let bytes = [list(&[command("refs/heads/main")]), b"PACK\0\x01".to_vec()].concat();
    let mut parser = CommandListParser::new();
    assert_eq!(parser.push(&bytes[..50]), Ok(Progress::More));
    assert!(matches!(parser.push(&bytes[50..]), Ok(Progress::Done(_))));
    assert_eq!(parser.push(b"more"), Err(CommandListError::Finished));
    assert_eq!(parser.into_bytes(), bytes);
}

#[test]
fn push_options_are_read_when_negotiated() {
    let commands = list(&[format!("{A} {B} refs/heads/x\0report-status push-options")]);
    assert_eq!(parse(&commands), Ok(Progress::More));
    let options = list(&["merge_request.create".to_owned(), "ci.skip\n".to_owned()]);
    assert_eq!(done(&[commands, options].concat()).options, ["merge_request.create", "ci.skip"]);
}

#[test]
fn shallow_lines_come_first() {
    let push = done(&list(&[format!("shallow {A}"), command("refs/heads/x")]));
    assert_eq!(push.shallow.len(), 1);
    assert!(parse(&list(&[command("refs/heads/x"), format!("shallow {A}")])).is_err());
    assert!(parse(&list(&[format!("shallow {A}")])).is_err());
}

#[test]
fn both_hash_algorithms() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    assert_eq!(done(&list(&[format!("{a} {b} refs/heads/x\0report-status")])).commands.len(), 1);
    assert!(parse(&list(&[format!("{A} {b} refs/heads/x\0report-status")])).is_err());
}

#[test]
fn what_is_refused() {
    let malformed = [
        vec![format!("{A} {B}\0report-status")],
        vec![format!("{A} {B} \0report-status")],
        vec![format!("{A}  {B} refs/heads/x\0report-status")],
        vec![format!("{A} {B} refs/heads/x y\0report-status")],
        vec![format!("{A} {B} refs/heads/x\ny\0report-status")],
        vec![format!("{} {B} refs/heads/x\0report-status", A.to_uppercase())],
        vec![format!("{A} {B} refs/heads/x\0report-status\0more")],
        vec![command("refs/heads/x"), command("refs/heads/y")],
        vec![command("refs/heads/x"), format!("{A} {B} refs/heads/x")],
        vec![String::new()],
        vec!["version 1".to_owned()],
    ];
    for lines in malformed {
        assert!(matches!(parse(&list(&lines)), Err(CommandListError::Malformed(_))), "{lines:?}");
    }
    assert_eq!(parse(&list(&[format!("push-cert\0{CAPS}")])), Err(CommandListError::Signed));
    assert_eq!(parse(&list(&[format!("{A} {B} refs/heads/x")])), Err(CommandListError::NoReport));
    assert!(matches!(parse(b"0001"), Err(CommandListError::Malformed(_))));
    assert!(matches!(parse(b"PACK"), Err(CommandListError::Packet(_))));
}

#[test]
fn a_list_without_end_is_cut_off() {
    let mut parser = CommandListParser::new();
    let mut outcome = parser.push(&{
        let mut first = Vec::new();
        pkt_line::encode(&mut first, command("refs/heads/first").as_bytes()).unwrap();
        first
    });
    for n in 0..=MAX_COMMANDS {
        if outcome.is_err() {
            break;
        }
        let mut line = Vec::new();
        pkt_line::encode(&mut line, format!("{A} {B} refs/heads/{n}").as_bytes()).unwrap();
        outcome = parser.push(&line);
    }
    assert_eq!(outcome, Err(CommandListError::TooLong));
    let shallow = vec![format!("shallow {A}"); MAX_LIST_BYTES / 52 + 1];
    assert_eq!(parse(&list(&shallow)), Err(CommandListError::TooLong));
}

#[test]
fn a_refusal_names_every_ref() {
    let push = done(&list(&[command("refs/heads/main"), format!("{A} {B} refs/heads/ok")]));
    let report = report_refused(&push, &[Some("only to\nfeature/x".to_owned()), None], Some("Valetkey says no\nsorry"));
    let text = String::from_utf8_lossy(&report);
    assert!(text.contains("\x02Valetkey says no\n") && text.contains("\x02sorry\n"), "{text}");
    assert!(text.contains("\x01000eunpack ok\n"), "{text}");
    assert!(text.contains("ng refs/heads/main only to feature/x\n"), "{text}");
    assert!(text.contains("ng refs/heads/ok not pushed because another ref was refused\n"), "{text}");
    assert!(text.ends_with("00000000"), "{text}");
}

#[test]
fn a_refusal_without_side_band_is_bare() {
    let push = done(&list(&[format!("{A} {B} refs/heads/x\0report-status")]));
    let report = report_refused(&push, &[Some("no".to_owned())], Some("unheard"));
    assert_eq!(String::from_utf8(report).unwrap(), "000eunpack ok\n0017ng refs/heads/x no\n0000");
}

proptest! {
    #[test]
    fn chunks_make_no_difference(
        names in prop::collection::hash_set("refs/(heads|tags)/[a-z]{1,8}", 1..6),
        cuts in prop::collection::vec(1..30_usize, 0..200),
    ) {
        let mut lines: Vec<String> = names.iter().map(|name| format!("{A} {B} {name}")).collect();
        lines[0].push_str(&format!("\0{CAPS}"));
        let bytes = list(&lines);
        let whole = done(&bytes);
        prop_assert_eq!(whole.commands.len(), names.len());
        let mut parser = CommandListParser::new();
        let mut rest = bytes.as_slice();
        let mut last = Progress::More;
        for cut in cuts.into_iter().chain([usize::MAX]) {
            if rest.is_empty() { break; }
            let (chunk, tail) = rest.split_at(cut.min(rest.len()));
            prop_assert_eq!(&last, &Progress::More);
            last = parser.push(chunk).unwrap();
            rest = tail;
        }
        prop_assert_eq!(last, Progress::Done(whole));
        prop_assert_eq!(parser.into_bytes(), bytes);
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), lines in prop::collection::vec("\\PC{0,80}", 0..4)) {
        let _ = parse(&bytes);
        if let Ok(Progress::Done(push)) = parse(&list(&lines)) {
            report_refused(&push, &[], None);
        }
    }
}
