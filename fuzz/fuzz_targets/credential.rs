#![no_main]
//! Any bytes: what is understood names one host, and nothing in it could break out of a line.

use libfuzzer_sys::fuzz_target;
use valetkey_git::credential::{Request, Response};

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = Request::parse(bytes) else { return };
    assert!(!request.host.is_empty() && !request.protocol.is_empty());
    let values = [Some(&request.host), request.path.as_ref(), request.username.as_ref()];
    for value in values.into_iter().flatten() {
        assert!(!value.chars().any(char::is_control));
    }
    if let Some(repository) = request.repository() {
        assert_eq!(Some(repository.instance()), request.instance().as_ref());
    }
    if let Some(username) = &request.username {
        let answer = Response { username, password: "p", password_expiry_utc: None };
        let _ = answer.encode();
    }
});
