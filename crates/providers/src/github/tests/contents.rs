use valetkey_model::Place;

use super::*;
use crate::{Contents, Tree, TreeEntry};

fn place(github: &Fixture, revision: &str, path: &str) -> Place {
    let (revision, path) = (revision.parse().unwrap(), path.parse().unwrap());
    Place { repo: github.server.repo("octo/app"), revision, path }
}

async fn tree(answer: Vec<u8>, path: &str) -> (Result<Tree, ProviderError>, Vec<String>) {
    let github = refusing(answer).await;
    let tree = GitHub.tree(github.at(), &place(&github, "feature/x", path)).await;
    (tree, github.server.lines())
}

async fn file(answer: &str) -> Result<Vec<u8>, ProviderError> {
    let github = refusing(json(200, "", answer)).await;
    GitHub.file(github.at(), &place(&github, "main", "a")).await
}

fn not_a_file(why: &'static str) -> Result<Vec<u8>, ProviderError> {
    Err(ProviderError::NotAFile { path: "a".parse().unwrap(), why })
}

#[tokio::test]
async fn a_folder_is_what_is_in_it() {
    let listed = r#"[{"name":"lib","path":"src/lib","sha":"aa","size":0,"type":"dir"},
        {"name":"main.rs","path":"src/main.rs","sha":"bb","size":14,"type":"file"},
        {"name":"dep","path":"src/dep","sha":"cc","size":0,"type":"submodule"}]"#;
    let (found, asked) = tree(json(200, "", listed), "src/").await;
    let entry = |name: &str, id: &str, folder, size| TreeEntry {
        name: name.into(),
        path: format!("src/{name}"),
        folder,
        id: id.into(),
        size,
    };
    let entries =
        vec![entry("lib", "aa", true, None), entry("main.rs", "bb", false, Some(14)), entry("dep", "cc", false, None)];
    assert_eq!(found, Ok(Tree { entries, truncated: false }));
    assert_eq!(asked, ["GET /api/v3/repos/octo/app/contents/src?ref=feature%2Fx"]);
}

#[tokio::test]
async fn a_folder_of_a_thousand_may_have_more() {
    let listed = vec![r#"{"name":"a","path":"a","sha":"aa","size":1,"type":"file"}"#; 1000].join(",");
    let (found, asked) = tree(json(200, "", &format!("[{listed}]")), "").await;
    assert!(found.unwrap().truncated);
    assert_eq!(asked, ["GET /api/v3/repos/octo/app/contents?ref=feature%2Fx"]);
}

#[tokio::test]
async fn no_path_asks_another_route() {
    for (path, asked) in [
        ("%2e%2e/%2e%2e/user", "contents/%252e%252e/%252e%252e/user"),
        ("..%2f..%2fuser", "contents/..%252f..%252fuser"),
        ("a?ref=x#y", "contents/a%3Fref=x%23y"),
        ("a\\..\\b", "contents/a%5C..%5Cb"),
    ] {
        let (_, lines) = tree(json(200, "", "[]"), path).await;
        assert_eq!(lines, [format!("GET /api/v3/repos/octo/app/{asked}?ref=feature%2Fx")], "{path}");
    }
}

#[tokio::test]
async fn a_file_comes_in_lines_of_base64() {
    let content =
        r#"{"name":"a","path":"a","sha":"aa","size":9,"type":"file","encoding":"base64","content":"Zm4g\nbWFpbigp\n"}"#;
    assert_eq!(file(content).await.unwrap(), b"fn main()");
}

#[tokio::test]
async fn what_is_no_file_says_so() {
    assert_eq!(file("[]").await, not_a_file("it is a folder"));
    for kind in ["symlink", "submodule"] {
        let answer = format!(r#"{{"name":"a","path":"a","sha":"aa","size":0,"type":"{kind}"}}"#);
        assert_eq!(file(&answer).await, not_a_file("it is a link or a submodule"), "{kind}");
    }
    let large = r#"{"name":"a","path":"a","sha":"aa","size":2000000,"type":"file","encoding":"none","content":""}"#;
    assert_eq!(file(large).await, not_a_file("it has over 1 MB, of which GitHub sends no content"));
}
