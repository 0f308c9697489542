use valetkey_model::Place;

use super::*;
use crate::{Contents, TreeEntry};

#[tokio::test]
async fn a_folder_is_listed_page_by_page() {
    let path = "GET /api/v4/projects/team%2Frepo/repository/tree?ref=feature%2Fx&path=src%2F..%2Ba&per_page=100&page=";
    let gitlab = forge(move |seen| match seen.line.strip_prefix(path) {
        Some("1") => json(
            200,
            "x-next-page: 2",
            r#"[{"id":"aa","name":"lib","type":"tree","path":"src/..+a/lib","mode":"040000"}]"#,
        ),
        Some("2") => json(
            200,
            "x-next-page: ",
            r#"[{"id":"bb","name":"dep","type":"commit","path":"src/..+a/dep","mode":"160000"}]"#,
        ),
        _ => panic!("{}", seen.line),
    })
    .await;
    let (revision, path) = ("feature/x".parse().unwrap(), "src/..+a".parse().unwrap());
    let tree =
        GitLab.tree(gitlab.at(), &Place { repo: gitlab.server.repo("team/repo"), revision, path }).await.unwrap();
    let entry = |name: &str, id: &str, folder| TreeEntry {
        name: name.into(),
        path: format!("src/..+a/{name}"),
        folder,
        id: id.into(),
        size: None,
    };
    assert_eq!(tree.entries, [entry("lib", "aa", true), entry("dep", "bb", false)]);
    assert!(!tree.truncated);
}

#[tokio::test]
async fn a_files_path_is_one_part_of_the_address() {
    let gitlab = refusing(json(200, "", r#"{"content":"Zm4gbWFpbigp","encoding":"base64"}"#)).await;
    let (revision, path) = ("main".parse().unwrap(), "src/%2e%2e/a b?.rs".parse().unwrap());
    let file =
        GitLab.file(gitlab.at(), &Place { repo: gitlab.server.repo("team/repo"), revision, path }).await.unwrap();
    assert_eq!(file, b"fn main()");
    let asked = "GET /api/v4/projects/team%2Frepo/repository/files/src%2F%252e%252e%2Fa%20b%3F.rs?ref=main";
    assert_eq!(gitlab.server.lines(), [asked]);
}
