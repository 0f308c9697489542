#![no_main]
//! Whatever a URL or a branch name is made of: what parses prints to itself and holds no user name.

use libfuzzer_sys::fuzz_target;
use valetkey_model::{BranchName, InstanceUrl, RepoUrl};

fuzz_target!(|text: &str| {
    if let Ok(url) = text.parse::<RepoUrl>() {
        assert_eq!(url.clone_url().parse::<RepoUrl>().as_ref(), Ok(&url));
        assert!(!url.clone_url().contains('@'));
    }
    if let Ok(url) = text.parse::<InstanceUrl>() {
        assert_eq!(url.to_string().parse::<InstanceUrl>(), Ok(url));
    }
    let _ = text.parse::<BranchName>();
});
