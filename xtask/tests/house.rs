//! The rules of ARCHITECTURE.md that a machine can check.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The layer of each crate: it may depend on lower ones only.
const LAYERS: [(&str, u8); 14] = [
    ("valetkey-model", 0),
    ("valetkey-seal", 1),
    ("valetkey-redact", 0),
    ("valetkey-store", 2),
    ("valetkey-providers", 2),
    ("valetkey-git", 2),
    ("valetkey-webhooks", 3),
    ("valetkey-integrations", 4),
    ("valetkey-gateway", 5),
    ("valetkey-testbed", 5),
    ("valetkey-sessions", 6),
    ("valetkey-server", 7),
    ("valetkey-twins", 0),
    ("valetkey", 8),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The workspace as it is built on Linux.
fn metadata() -> Metadata {
    let linux = ["--offline", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"];
    MetadataCommand::new().current_dir(root()).other_options(linux.map(str::to_owned).to_vec()).exec().unwrap()
}

#[test]
fn a_crate_depends_only_on_lower_layers() {
    let layers = BTreeMap::from(LAYERS);
    for package in metadata().workspace_packages() {
        let Some(own) = layers.get(package.name.as_str()) else {
            assert_eq!(package.name.as_str(), "xtask", "a new crate needs a layer");
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            if let Some(other) = layers.get(dependency.name.as_str()) {
                assert!(other < own, "{} must not depend on {}", package.name, dependency.name);
            }
        }
    }
}

#[test]
fn the_twins_know_nothing_of_the_product() {
    let metadata = metadata();
    let twins = metadata.workspace_packages().into_iter().find(|p| p.name.as_str() == "valetkey-twins").unwrap();
    let ours: Vec<_> = twins.dependencies.iter().filter(|d| d.name.starts_with("valetkey")).map(|d| &d.name).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn the_tree_stays_within_its_budget() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let locked = lock.lines().filter(|line| line.starts_with("name = ")).count();
    assert!(locked <= 380, "{locked} crates in the lock file, the budget is 380");

    let built: BTreeSet<_> = metadata().resolve.unwrap().nodes.into_iter().map(|node| node.id).collect();
    assert!(built.len() <= 300, "{} crates on Linux, the budget is 300", built.len());
    let banned = ["openssl-sys", "native-tls"];
    let found: Vec<_> = banned.iter().filter(|name| lock.contains(&format!("name = \"{name}\""))).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn files_stay_readable() {
    let mut long = Vec::new();
    for file in sources(&root().join("crates")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > 600 {
            long.push(format!("{} has {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut dead = Vec::new();
    let mut documents: Vec<PathBuf> = root()
        .read_dir()
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .collect();
    documents.extend(files(&root().join("docs"), "md"));
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if !path.is_empty() && !path.contains("://") && !document.parent().unwrap().join(path).exists() {
                dead.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    files(folder, "rs")
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = folder.read_dir() else { return found };
    for path in entries.map(|e| e.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found
}
