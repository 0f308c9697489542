#![no_main]
//! Any status and body: tokens that are understood can be put on a request, and no error repeats one.

use http::StatusCode;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use valetkey_providers::oauth::{TokenAnswer, Tokens};

fuzz_target!(|input: (u16, bool, &str)| {
    let (status, slack, body) = input;
    let Ok(status) = StatusCode::from_u16(100 + status % 500) else { return };
    let form = if slack { TokenAnswer::Slack } else { TokenAnswer::Standard };
    match Tokens::read(form, status, body, Timestamp::UNIX_EPOCH) {
        Ok(tokens) => {
            assert!(status.is_success());
            for token in [Some(&tokens.access), tokens.refresh.as_ref()].into_iter().flatten() {
                assert!(!token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic()));
            }
            for end in [tokens.expires_at, tokens.refresh_expires_at].into_iter().flatten() {
                assert!(end > Timestamp::UNIX_EPOCH);
            }
        }
        Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
    }
});
