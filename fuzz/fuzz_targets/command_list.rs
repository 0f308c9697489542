#![no_main]
//! Any bytes in any chunks: the same verdict as in one piece, every byte kept, and a report for what was understood.

use libfuzzer_sys::fuzz_target;
use valetkey_git::receive_pack::{CommandListParser, Progress, report_refused};

fuzz_target!(|input: (usize, &[u8])| {
    let (cut, bytes) = input;
    let whole = CommandListParser::new().push(bytes);
    let mut parser = CommandListParser::new();
    let (first, second) = bytes.split_at(cut % (bytes.len() + 1));
    let in_parts = match parser.push(first) {
        Ok(Progress::More) => parser.push(second),
        decided => decided,
    };
    assert_eq!(in_parts, whole);
    if let Ok(Progress::Done(push)) = whole {
        let refusals: Vec<_> = push.commands.iter().map(|command| Some(command.name.clone())).collect();
        assert!(report_refused(&push, &refusals, None).ends_with(b"0000"));
    }
    assert!(bytes.starts_with(&parser.into_bytes()));
});
