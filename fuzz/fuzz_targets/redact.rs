//! However an input is cut, the redacted output is the same, and redacting it again changes nothing.
//!
//! The first byte says how much of the input is registered as secrets (divided by newlines); the rest is streamed in
//! chunks whose lengths come from the bytes themselves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use valetkey_redact::Redactor;

fuzz_target!(|data: &[u8]| {
    let Some((&first, input)) = data.split_first() else { return };
    let secrets = &input[..input.len().min(first.into())];
    let redactor = Redactor::new();
    // A secret with asterisks could match a mark, which is then hidden once more.
    for secret in String::from_utf8_lossy(secrets).lines().filter(|secret| !secret.contains('*')) {
        let _ = redactor.add(secret);
    }

    let whole = redact(&redactor, &[input]);
    let mut chunks = Vec::new();
    let mut rest = input;
    while let Some(&byte) = rest.first() {
        let (chunk, after) = rest.split_at(rest.len().min(1 + usize::from(byte % 32)));
        chunks.push(chunk);
        rest = after;
    }
    assert_eq!(redact(&redactor, &chunks), whole);
    assert_eq!(redact(&redactor, &input.chunks(1).collect::<Vec<_>>()), whole);
    assert_eq!(redact(&redactor, &[&whole]), whole);
    if let Ok(text) = str::from_utf8(input) {
        assert_eq!(redactor.redact(text).as_bytes(), whole);
    }
});

fn redact(redactor: &Redactor, chunks: &[&[u8]]) -> Vec<u8> {
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for chunk in chunks {
        stream.push(chunk, &mut out);
    }
    stream.finish(&mut out);
    out
}
