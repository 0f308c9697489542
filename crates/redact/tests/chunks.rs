//! How the input is cut never changes the output.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use valetkey_redact::{Redactor, families};

/// The output for input that arrives cut at these places.
fn streamed(redactor: &Redactor, input: &[u8], mut cuts: Vec<usize>) -> Vec<u8> {
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for cut in cuts.windows(2) {
        stream.push(&input[cut[0]..cut[1]], &mut out);
    }
    stream.finish(&mut out);
    out
}

fn whole(redactor: &Redactor, input: &[u8]) -> Vec<u8> {
    streamed(redactor, input, Vec::new())
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{8,12}",
        "[a-c]{4}(xyxyxy|glpat-|ghs_ghs_|1//0)[a-c]{4}",
        "[a-zA-Z0-9_-]{8,40}",
        "[ -)+-~äß€😀\n]{8,30}",
        select(families()).prop_map(|family| format!("{family}0123456789")),
    ]
}

/// Secrets of which some are beginnings, ends and overlaps of others.
fn secrets() -> impl Strategy<Value = Vec<String>> {
    (prop::collection::vec(secret(), 1..5), any::<Index>()).prop_map(|(mut secrets, cut)| {
        let chars: Vec<char> = secrets[0].chars().collect();
        let cut = cut.index(chars.len());
        secrets.push(chars[..cut].iter().collect());
        secrets.push(chars[cut..].iter().collect());
        secrets.push(format!("{}{}", chars[cut..].iter().collect::<String>(), secrets[secrets.len() / 2]));
        secrets
    })
}

fn url_encoded(bytes: &[u8], escape: impl Fn(u8) -> String) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    bytes.iter().map(|&byte| if keep(byte) { char::from(byte).into() } else { escape(byte) }).collect()
}

/// One way in which output may show a secret, or nearly show it.
fn shown(secret: &str, way: usize, cut: Index) -> Vec<u8> {
    let bytes = secret.as_bytes();
    let at = cut.index(bytes.len() + 1);
    match way {
        0 => bytes.to_vec(),
        1 => bytes[..at].to_vec(),
        2 => bytes[at..].to_vec(),
        3 => BASE64_STANDARD.encode(bytes).into_bytes(),
        4 => BASE64_STANDARD.encode([b"user:", bytes].concat()).into_bytes(),
        5 => BASE64_URL_SAFE_NO_PAD.encode([b"me:", bytes, b"\n!"].concat()).into_bytes(),
        6 => serde_json::to_vec(secret).unwrap(),
        7 => url_encoded(bytes, |byte| format!("%{byte:02X}")).into_bytes(),
        8 => url_encoded(bytes, |byte| format!("%{byte:02x}")).into_bytes(),
        9 => hex(bytes),
        10 => wrapped(BASE64_STANDARD.encode([b"user:", bytes].concat()).as_bytes(), cut),
        11 => wrapped(BASE64_URL_SAFE_NO_PAD.encode([b"me:", bytes, b"\n!"].concat()).as_bytes(), cut),
        _ => wrapped(&hex(bytes), cut),
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
}

/// A text in lines of some width; and every other time without its end.
fn wrapped(text: &[u8], any: Index) -> Vec<u8> {
    let line_break = ["\n", "\r\n", r"\n", r"\r\n", r"\\n", r"\\r\\n"][any.index(6)];
    let lines: Vec<_> = text.chunks(1 + any.index(text.len() + 1)).collect();
    let lines = lines.join(line_break.as_bytes());
    lines[..lines.len() - any.index(8) % 2 * any.index(lines.len() + 1)].to_vec()
}

fn piece(secrets: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let joiner = select(&[".", "%3D", "%3", "\\n", "\\", "\n", "\r\n", "=", "..", "-", "_"]);
    prop_oneof![
        4 => (select(secrets), 0..13usize, any::<Index>()).prop_map(|(secret, way, cut)| shown(&secret, way, cut)),
        2 => select(families()).prop_map(|family| family.as_bytes().to_vec()),
        2 => "[A-Za-z0-9_-]{1,80}".prop_map(String::into_bytes),
        2 => "[ab]{1,20}".prop_map(String::into_bytes),
        1 => joiner.prop_map(|joiner| joiner.as_bytes().to_vec()),
        1 => "[ \n*@:äß€😀]{1,6}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 1..20),
    ]
}

/// Secrets, and an input that is made of them and of what resembles them.
fn session() -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
    secrets().prop_flat_map(|secrets| {
        let pieces = prop::collection::vec(piece(secrets.clone()), 0..24);
        (Just(secrets), pieces.prop_map(|pieces| pieces.concat()))
    })
}

fn knowing(secrets: &[String]) -> Redactor {
    let redactor = Redactor::new();
    for secret in secrets {
        // Some are too short; they stay visible in both outputs.
        let _ = redactor.add(secret);
    }
    redactor
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

proptest! {
    #[test]
    fn cuts_do_not_matter((secrets, input) in session(), cuts in prop::collection::vec(any::<Index>(), 0..12)) {
        let redactor = knowing(&secrets);
        let expected = whole(&redactor, &input);
        let cuts = cuts.into_iter().map(|cut| cut.index(input.len() + 1)).collect();
        prop_assert_eq!(&streamed(&redactor, &input, cuts), &expected);
        prop_assert_eq!(&streamed(&redactor, &input, (0..input.len()).collect()), &expected);
    }

    #[test]
    fn text_and_stream_agree((secrets, input) in session()) {
        let redactor = knowing(&secrets);
        let text = String::from_utf8_lossy(&input);
        let shown = redactor.redact(&text);
        prop_assert_eq!(shown.as_bytes(), whole(&redactor, text.as_bytes()));
    }

    #[test]
    fn no_secret_is_shown((secrets, input) in session()) {
        let redactor = knowing(&secrets);
        let shown = whole(&redactor, &input);
        for secret in secrets.iter().map(|secret| secret.trim()).filter(|secret| secret.chars().count() >= 8) {
            prop_assert!(!contains(&shown, secret.as_bytes()));
            let encoded = BASE64_STANDARD.encode(secret);
            prop_assert!(!contains(&shown, encoded.as_bytes()));
            let (half, other_half) = encoded.split_at(encoded.len() / 2);
            let in_two_lines = format!("{half}\r\n{other_half}");
            prop_assert!(!contains(&shown, in_two_lines.as_bytes()));
            let json = serde_json::to_string(secret).unwrap();
            prop_assert!(!contains(&shown, json.trim_matches('"').as_bytes()));
        }
    }

    #[test]
    fn to_redact_again_changes_nothing((secrets, input) in session()) {
        let redactor = knowing(&secrets);
        let once = whole(&redactor, &input);
        prop_assert_eq!(&whole(&redactor, &once), &once);
    }

    #[test]
    fn bytes_that_are_no_text_pass_unchanged(
        input in prop::collection::vec(prop_oneof![0u8..32, 127u8..=255], 0..300),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let redactor = knowing(&["correct horse".to_owned()]);
        let cuts = cuts.into_iter().map(|cut| cut.index(input.len() + 1)).collect();
        prop_assert_eq!(streamed(&redactor, &input, cuts), input);
    }
}
