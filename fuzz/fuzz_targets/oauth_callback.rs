#![no_main]
//! Any query: what is understood is plain text, and a code never comes without a state.

use libfuzzer_sys::fuzz_target;
use valetkey_providers::oauth::Callback;

fuzz_target!(|query: &str| match Callback::parse(query) {
    Callback::Code { code, state, iss } => {
        let values = [Some(code.expose()), Some(&state), iss.as_ref()];
        for value in values.into_iter().flatten() {
            assert!(!value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
    Callback::Refused { error, description, .. } => {
        assert!(!error.chars().chain(description.chars()).any(char::is_control));
        let _ = Callback::refusal(&error, &description);
    }
    Callback::Malformed => {}
});
