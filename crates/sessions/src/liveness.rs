//! Who is alive: engines hold a file lock for as long as their process runs, so that sessions of one that died are found
//! at once; and an agent's process group is noted beside its workspace, so that it does not outlive a session that died.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use valetkey_model::{EngineId, SessionId};

/// Held while an engine runs; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct EngineLock {
    _file: File,
}

/// Marks `engine` as alive.
pub(crate) fn lock(folder: &Path, engine: &EngineId) -> io::Result<EngineLock> {
    fs::create_dir_all(folder)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path(folder, engine))?;
    file.lock()?;
    Ok(EngineLock { _file: file })
}

/// Whether the engine's process is gone.
pub(crate) fn is_dead(folder: &Path, engine: &EngineId) -> bool {
    match File::open(path(folder, engine)) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes the file of an engine that ended.
pub(crate) fn forget(folder: &Path, engine: &EngineId) {
    let _ = fs::remove_file(path(folder, engine));
}

fn path(folder: &Path, engine: &EngineId) -> std::path::PathBuf {
    folder.join(format!("{engine}.lock"))
}

/// Notes which process group is the agent of the session in `folder`, and since when it runs.
pub(crate) fn note_agent(folder: &Path, group: Pid) {
    let id = group.as_raw_nonzero().get();
    if let Some(since) = started(id) {
        let _ = fs::write(folder.join("agent"), format!("{id} {since}"));
    }
}

/// The agent has ended.
pub(crate) fn forget_agent(folder: &Path) {
    let _ = fs::remove_file(folder.join("agent"));
}

/// Kills the agent that a dead engine left in `folder`, if it is still the same process. The agent could write the note:
/// 1 as a group would be every process there is.
pub(crate) fn kill_agent(folder: &Path) {
    let noted = fs::read_to_string(folder.join("agent")).unwrap_or_default();
    let Some((id, since)) = noted.split_once(' ') else { return };
    let Some(id) = id.parse::<i32>().ok().filter(|id| *id > 1) else { return };
    if started(id).is_some_and(|now| now == since)
        && let Some(group) = Pid::from_raw(id)
    {
        let _ = kill_process_group(group, Signal::KILL);
    }
    forget_agent(folder);
}

/// Kills what a session's agent started and detached from its group: whatever has the session's id in its environment.
pub(crate) fn kill_detached(session: &SessionId) {
    let mark = format!("VALETKEY_SESSION_ID={session}");
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let id = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(id) = id else { continue };
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

/// When a process started, in the kernel's clock ticks: with the id, it names one process for good (proc(5), field 22).
fn started(id: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_alive_while_its_lock_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let engine: EngineId = "018f0000-0000-7000-8000-000000000000".parse().unwrap();
        assert!(is_dead(folder.path(), &engine), "one that never was");
        let lock = lock(folder.path(), &engine).unwrap();
        assert!(!is_dead(folder.path(), &engine));
        drop(lock);
        assert!(is_dead(folder.path(), &engine));
    }

    #[test]
    fn a_process_is_told_apart_from_a_later_one_with_its_id() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(started(own).unwrap().parse::<u64>().unwrap() > 0);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("agent"), format!("{own} 1")).unwrap();
        kill_agent(folder.path());
        assert!(!folder.path().join("agent").exists(), "still here, so it was not killed");
    }
}
