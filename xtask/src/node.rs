use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{root, run, scratch};

/// Installs the packages that a folder of `xtask` names, beside a copy of its scripts: nothing is left in the repository's
/// folders.
pub(crate) fn install(folder: &str, scripts: &[&str]) -> Result<PathBuf> {
    let (from, to) = (root().join("xtask").join(folder), scratch(&folder.replace('/', "-")));
    fs::create_dir_all(&to)?;
    for file in ["package.json", "package-lock.json"].iter().chain(scripts) {
        fs::copy(from.join(file), to.join(file)).with_context(|| (*file).to_owned())?;
    }
    run(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&to))?;
    Ok(to)
}
