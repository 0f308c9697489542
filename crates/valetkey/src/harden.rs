//! What this process does to keep its memory and environment to itself.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Turns core dumps off, and (on Linux) keeps processes of the same user, such as agents, from reading this one's memory
/// and environment. Where that is not possible things work as before.
pub(crate) fn process() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
