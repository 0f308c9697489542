//! What a redactor promises, case by case.

use std::borrow::Cow;

use valetkey_redact::{Added, Redactor, families};

fn knowing(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::new();
    for secret in secrets {
        assert_eq!(redactor.add(secret), Added::Redacted);
    }
    redactor
}

/// Redacts without any known secret.
fn redact(text: &str) -> String {
    Redactor::new().redact(text).into_owned()
}

fn letters(len: usize) -> String {
    "a1B2c3D4e5F6g7H8i9J0".chars().cycle().take(len).collect()
}

#[test]
fn a_known_secret_is_hidden_in_every_encoding() {
    let redactor = knowing(&["s3cr\"t /pass wörd"]);
    let cases = [
        ("pw=s3cr\"t /pass wörd;", "pw=***;"),
        ("pw=s3cr%22t%20%2Fpass%20w%C3%B6rd&x", "pw=***&x"),
        ("pw=s3cr%22t+%2fpass+w%c3%b6rd&x", "pw=***&x"),
        (r#"{"pw":"s3cr\"t /pass wörd"}"#, r#"{"pw":"***"}"#),
        (r#"{"pw":"s3cr\"t /pass w\u00f6rd"}"#, r#"{"pw":"***"}"#),
        ("czNjciJ0IC9wYXNzIHfDtnJk.", "***."),
        ("733363722274202f706173732077c3b67264", "***"),
    ];
    for (text, shown) in cases {
        assert_eq!(redactor.redact(text), shown);
    }
}

#[test]
fn basic_authentication_hides_the_secret_behind_any_user_name() {
    use base64::Engine as _;
    let token = letters(40);
    let redactor = knowing(&[&token]);
    for user in ["", "u", "me", "git", "oauth2", "x-access-token", "someone@example.com"] {
        let header = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{token}"));
        let shown = redactor.redact(&header).into_owned();
        assert!(shown.ends_with("***"), "{shown}");
        // What stays are the characters of the user's name, at most two of them shared with the colon and the secret.
        assert!(shown.len() - 3 <= (user.len() + 1) * 4 / 3 + 1, "{shown}");
    }
}

#[test]
fn of_a_url_only_the_secret_is_hidden() {
    let redactor = knowing(&["hunter2hunter2"]);
    assert_eq!(
        redactor.redact("Cloning https://oauth2:hunter2hunter2@gitlab.com/team/repo.git"),
        "Cloning https://oauth2:***@gitlab.com/team/repo.git"
    );
}

#[test]
fn the_union_of_overlapping_secrets_is_hidden() {
    let redactor = knowing(&["overlapping", "pingpongpang", "pongpang-tail", "overlapp", "inside-overlapping"]);
    assert_eq!(redactor.redact("<overlappingpongpang-tail>"), "<***>");
    assert_eq!(redactor.redact("<inside-overlapping>"), "<***>");
    assert_eq!(redactor.redact("<inside-overlappin>"), "<inside-***in>");
}

#[test]
fn a_known_token_shows_its_family_even_when_it_is_short_or_of_an_unusual_form() {
    let redactor = knowing(&["glpat-short", "vk_token.of.a.kind"]);
    assert_eq!(redactor.redact("glpat-short and vk_token.of.a.kind"), "glpat-*** and vk_***");
    assert_eq!(redactor.redact("glpat-other"), "glpat-other");
}

#[test]
fn too_short_secrets_are_refused() {
    let redactor = Redactor::new();
    for short in ["", "a", "1234567", "  1234567\n", "äöüäöüä"] {
        assert_eq!(redactor.add(short), Added::TooShort);
    }
    assert_eq!(redactor.redact("a 1234567 äöüäöüä"), "a 1234567 äöüäöüä");
    assert_eq!(redactor.add("12345678"), Added::Redacted);
}

#[test]
fn white_space_around_a_secret_is_not_part_of_it() {
    assert_eq!(knowing(&["  from a file 1\n"]).redact("[from a file 1]"), "[***]");
}

#[test]
fn text_without_secrets_is_not_copied() {
    assert!(matches!(knowing(&["12345678"]).redact("nothing here"), Cow::Borrowed("nothing here")));
}

#[test]
fn clones_and_running_streams_learn_of_new_secrets() {
    let redactor = Redactor::new();
    let mut stream = redactor.stream();
    let mut out = Vec::new();
    stream.push(b"before: refreshed-token-1\n", &mut out);
    assert_eq!(redactor.clone().add("refreshed-token-1"), Added::Redacted);
    stream.push(b"after: refreshed-token-1\n", &mut out);
    stream.finish(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "before: refreshed-token-1\nafter: ***\n");
}

#[test]
fn a_prompt_appears_before_its_newline() {
    let redactor = knowing(&["12345678"]);
    let mut out = Vec::new();
    redactor.stream().push("Continue? [y/N] › ".as_bytes(), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "Continue? [y/N] › ");
}

#[test]
fn a_finished_stream_can_be_used_for_another_input() {
    let redactor = knowing(&["12345678"]);
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for _ in 0..2 {
        stream.push(b"12345678 1234", &mut out);
        stream.finish(&mut out);
        stream.finish(&mut out);
        out.push(b'|');
    }
    assert_eq!(out, b"*** 1234|*** 1234|");
}

#[test]
fn tokens_of_every_family_are_recognised() {
    let jwt = format!("{}.{}.{}-_{}", letters(40), letters(200), letters(150), letters(100));
    let hooks = "hooks.slack.com/services/";
    let cases = [
        ("ghp_", letters(36)),
        ("gho_", letters(36)),
        ("ghu_", letters(36)),
        ("ghs_", letters(36)),
        ("ghr_", letters(76)),
        ("ghs_", format!("1234567_{jwt}")),
        ("ghu_", format!("1234567_{jwt}")),
        ("github_pat_", format!("{}_{}", letters(22), letters(59))),
        ("glpat-", letters(20)),
        ("glpat-", "vSY1cyL948aAB440qB6L4zlu9OzsUmEV.01.0w0sfevch".to_owned()),
        ("gloas-", "0123456789abcdef".repeat(4)),
        ("gldt-", letters(20)),
        ("glrt-", format!("t1_{}", letters(20))),
        ("glrtr-", letters(20)),
        ("glcbt-", format!("64_{}", letters(20))),
        ("glptt-", "0123456789".repeat(4)),
        ("glft-", letters(20)),
        ("glimt-", letters(25)),
        ("glagent-", letters(50)),
        ("glwt-", letters(20)),
        ("glsoat-", letters(20)),
        ("glffct-", letters(20)),
        ("ATATT3", format!("xFfGF0{}_-{}=A1B2C3D4", letters(80), letters(80))),
        ("ATATT3", format!("xFfGF0{}%3DA1B2C3D4", letters(160))),
        ("ATATT3", format!("xFfGF0{}\\=A1B2C3D4", letters(160))),
        ("ATCTT3", format!("xFfGN0{}\\u003dA1B2C3D4", letters(160))),
        ("ATBB", format!("{}A1B2C3D4", letters(24))),
        ("BBDC-", format!("MDEy+/{}=", letters(37))),
        ("xoxb-", format!("123456789012-123456789012-{}", letters(24))),
        ("xoxe.xoxp-", format!("1-{}", letters(163))),
        ("xoxe-", format!("1-{}", letters(146))),
        ("xoxd-", format!("{}%2B%2F%3D{}", letters(20), letters(20))),
        ("xapp-", format!("1-A012345678-123456789012-{}", letters(64))),
        (hooks, format!("T00000000/B00000000/{}", letters(24))),
        ("ya29.", format!("a0{}-_{}", letters(80), letters(80))),
        ("ya29.", format!("c.b0{}", letters(80))),
        ("1//", format!("0g{}", letters(60))),
        ("1%2F%2F", format!("0g{}", letters(60))),
        ("GOCSPX-", letters(28)),
        ("AIza", letters(35)),
        ("AQ.Ab8RN6", letters(44)),
        ("sk-ant-", format!("api03-{}AA", letters(93))),
        ("vk_", letters(43)),
        ("vkl_", letters(43)),
    ];
    for (prefix, rest) in &cases {
        for (before, after) in [("", ""), ("token=", "&a"), ("\\n", "\\n"), ("oauth2:", "@host"), ("(", ").")] {
            assert_eq!(redact(&format!("{before}{prefix}{rest}{after}")), format!("{before}{prefix}***{after}"));
        }
    }
    let covered = |family: &&str| cases.iter().any(|(prefix, _)| family.starts_with("BEGIN ") || prefix == family);
    let others = ["xoxa-", "xoxc-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"];
    let others =
        others.into_iter().chain(["hooks.slack.com/workflows/", "hooks.slack.com/triggers/"]).collect::<Vec<_>>();
    for family in families().iter().filter(|family| !covered(family)) {
        assert!(others.contains(family), "{family} has no case");
        assert_eq!(redact(&format!("{family}{}", letters(40))), format!("{family}***"));
    }
}

#[test]
fn private_keys_are_recognised_in_files_and_in_json() {
    let line = letters(64);
    for end in ["\n", "\r\n", "\\n", "\\\\n"] {
        for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
            let key = format!(
                "-----BEGIN {kind}PRIVATE KEY-----{end}{line}{end}{line}{end}ab+/=={end}-----END {kind}PRIVATE KEY-----{end}"
            );
            assert_eq!(
                redact(&key),
                format!("-----BEGIN {kind}PRIVATE KEY-----***{end}-----END {kind}PRIVATE KEY-----{end}")
            );
        }
    }
    let certificate = format!("-----BEGIN CERTIFICATE-----\n{line}\n{line}\n-----END CERTIFICATE-----\n");
    assert_eq!(redact(&certificate), certificate);
}

#[test]
fn prose_about_tokens_stays_as_it_is() {
    for text in [
        "Using token glpat-*** for user john",
        "ghp_ tokens, and the glpat- prefix; ghs_<APPID>_<JWT>",
        "export GITHUB_TOKEN=ghp_your_token_here",
        "xoxb-your-token-here, xapp-1-…, hooks.slack.com/services/",
        "vk_id and vkl_ are ours; fn vk_create_instance_with_a_long_name()",
        "https://example.com/v1//users and 1// comment",
        "a glagent-like thing, ya29. and AIza, ATATT3, ATBB, BBDC-, sk-ant-",
        "-----BEGIN PRIVATE KEY-----\n(not shown)\n-----END PRIVATE KEY-----",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn a_mark_that_is_already_there_stays_as_it_is() {
    let redactor = knowing(&["github_pat_", "BEGIN PRIVATE"]);
    for text in ["***", "glpat-***", "ghp_*** and ***", "https://oauth2:***@host", "******"] {
        assert_eq!(redactor.redact(text), text);
    }
    // A family's beginning that somebody registered as a secret is hidden like any other.
    let once = redactor.redact(&format!("github_pat_{}", letters(82))).into_owned();
    assert_eq!(once, "***");
    assert_eq!(redactor.redact(&once), once);
}

#[test]
fn debug_output_shows_no_secret() {
    let redactor = knowing(&["12345678"]);
    let mut stream = redactor.stream();
    stream.push(b"1234567", &mut Vec::new());
    assert!(!format!("{redactor:?} {stream:?}").contains("1234567"));
}
