//! Encoded secrets that a tool has broken into lines.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use valetkey_redact::{Added, Redactor};

const BREAKS: [&str; 6] = ["\n", "\r\n", r"\n", r"\r\n", r"\\n", r"\\r\\n"];

fn knowing(secret: &str) -> Redactor {
    let redactor = Redactor::new();
    assert_eq!(redactor.add(secret), Added::Redacted);
    redactor
}

/// A secret without any regularity.
fn secret(len: usize) -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state >> 32) as u8 % 94)
    };
    (0..len).map(|_| next()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As `base64 --wrap` and `fold` print a text, the last line ended too.
fn wrapped(text: &str, width: usize, line_break: &str) -> String {
    let lines = text.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap());
    lines.map(|line| format!("{line}{line_break}")).collect()
}

/// The output, which is the same when the input comes in small pieces, and stays the same when it is redacted again.
fn redact(redactor: &Redactor, text: &str) -> String {
    let shown = redactor.redact(text).into_owned();
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for piece in text.as_bytes().chunks(if text.len() < 200 { 1 } else { 37 }) {
        stream.push(piece, &mut out);
    }
    stream.finish(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), shown);
    assert_eq!(redactor.redact(&shown), shown);
    shown
}

#[test]
fn what_tools_print_of_a_token() {
    let token = format!("github_pat_{}_{}", &"a1B2c3D4e5F6".repeat(2)[..22], &"Zy9Xw8Vu7Ts6".repeat(5)[..59]);
    let redactor = knowing(&token);
    let cases = [
        // echo $TOKEN | base64
        (
            "Z2l0aHViX3BhdF9hMUIyYzNENGU1RjZhMUIyYzNENGU1X1p5OVh3OFZ1N1RzNlp5OVh3OFZ1N1Rz\n\
             Nlp5OVh3OFZ1N1RzNlp5OVh3OFZ1N1RzNlp5OVh3OFZ1N1RzCg==\n",
            "***Cg==\n",
        ),
        // echo user:$TOKEN | base64 -w 64
        (
            "dXNlcjpnaXRodWJfcGF0X2ExQjJjM0Q0ZTVGNmExQjJjM0Q0ZTVfWnk5WHc4VnU3\n\
             VHM2Wnk5WHc4VnU3VHM2Wnk5WHc4VnU3VHM2Wnk5WHc4VnU3VHM2Wnk5WHc4VnU3\n\
             VHMK\n",
            "dXNlcjp***K\n",
        ),
        // printf %s $TOKEN | xxd -p
        (
            "6769746875625f7061745f61314232633344346535463661314232633344\n\
             3465355f5a79395877385675375473365a79395877385675375473365a79\n\
             395877385675375473365a79395877385675375473365a79395877385675\n\
             375473\n",
            "***\n",
        ),
    ];
    for (text, shown) in cases {
        assert_eq!(redact(&redactor, text), shown);
        assert_eq!(redact(&redactor, &text.replace('\n', "\r\n")), shown.replace('\n', "\r\n"));
    }
}

#[test]
fn secrets_of_every_length_wrapped_at_the_usual_widths() {
    for len in (20..=64).step_by(4).chain([93, 200, 301, 520, 599, 600]) {
        let secret = secret(len);
        let redactor = knowing(&secret);
        for before in ["", "u", "me", "the user's name, and then the secret: "] {
            for after in ["", "\n", " and more"] {
                let value = format!("{before}{secret}{after}");
                for text in [BASE64_STANDARD.encode(&value), BASE64_URL_SAFE.encode(&value), hex(value.as_bytes())] {
                    let unwrapped = redact(&redactor, &text);
                    for (width, line_break) in [(76, "\n"), (76, "\r\n"), (64, "\n"), (60, "\n"), (64, r"\n")] {
                        let shown = redact(&redactor, &wrapped(&text, width, line_break));
                        assert_eq!(shown.replace(line_break, ""), unwrapped, "{text} in lines of {width}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_break_at_any_place() {
    for len in [8, 9, 10, 20, 93] {
        let secret = secret(len);
        let redactor = knowing(&secret);
        for before in ["", "u", "me"] {
            let value = format!("{before}{secret}");
            for text in [BASE64_STANDARD.encode(&value), BASE64_URL_SAFE.encode(&value), hex(value.as_bytes())] {
                let shown = redact(&redactor, &text);
                let first = shown.find("***").unwrap();
                for line_break in BREAKS {
                    for place in 0..text.len() {
                        let (left, right) = text.split_at(place);
                        let shown = redact(&redactor, &format!("<{left}{line_break}{right}>"));
                        let expected = match place.checked_sub(first) {
                            None => format!("<{left}{line_break}{}***>", &text[place..first]),
                            // A first character alone stays: else every line that ends in it would wait for the next.
                            Some(0 | 1) => format!("<{left}{line_break}***>"),
                            Some(_) => format!("<{}***>", &text[..first]),
                        };
                        assert_eq!(shown, expected, "{left}{line_break}{right}");
                    }
                }
            }
        }
    }
}

#[test]
fn narrow_lines() {
    let secret = secret(40);
    let redactor = knowing(&secret);
    for text in [BASE64_STANDARD.encode(&secret), hex(secret.as_bytes())] {
        for line_break in BREAKS {
            for width in 2..20 {
                assert_eq!(redact(&redactor, &wrapped(&text, width, line_break)), format!("***{line_break}"));
            }
        }
    }
}

#[test]
fn only_one_break_in_a_row_and_only_in_encoded_text() {
    let redactor = knowing("correct horse battery staple");
    let encoded = BASE64_STANDARD.encode("correct horse battery staple");
    let blank_line = format!("{}\n\n{}", &encoded[..10], &encoded[10..]);
    assert_eq!(redact(&redactor, &blank_line), blank_line);
    assert_eq!(redact(&redactor, "correct horse batt\nery staple"), "correct horse batt\nery staple");
}

#[test]
fn a_line_is_shown_before_the_next_one_comes() {
    let redactor = knowing("correct horse battery staple");
    let encoded = BASE64_STANDARD.encode("correct horse battery staple");
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    let mut push = |text: &str| {
        out.clear();
        stream.push(text.as_bytes(), &mut out);
        String::from_utf8(out.clone()).unwrap()
    };
    assert_eq!(&encoded[..3], "Y29");
    assert_eq!(push("Y\n"), "Y\n");
    assert_eq!(push("Waiting for Y\r\n"), "Waiting for Y\r\n");
    assert_eq!(push("Waiting for Y2\n"), "Waiting for ");
    assert_eq!(push("o"), "Y2\no");
    assert_eq!(push(&format!("k {}\n", &encoded[..9])), "k ");
    assert_eq!(push(&encoded[9..]), "***");
}
