#![no_main]
//! Any bytes: packets that are read are written back as the same bytes, and none reaches past the end.

use libfuzzer_sys::fuzz_target;
use valetkey_git::pkt_line::{self, Packet};

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some((packet, used))) = pkt_line::decode(rest) {
        if let Packet::Data(payload) = packet {
            let mut written = Vec::new();
            pkt_line::encode(&mut written, payload).expect("what was read fits");
            assert!(written[..4].eq_ignore_ascii_case(&rest[..4]) && written[4..] == rest[4..used]);
        }
        rest = &rest[used..];
    }
});
