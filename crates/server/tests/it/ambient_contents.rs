use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{AccessLevel, Forge, Repository, Token, User};

use crate::harness::{TestServer, connect_body};

const BASE: &str = "/api/projects/default/repo";

struct Bed {
    server: TestServer,
    forge: ForgeBed,
}

impl Bed {
    /// A repository with some of everything, and an account that may read it.
    async fn connected(forge: ForgeBed) -> Self {
        let server = TestServer::start().await;
        let some = Repository::new()
            .member(&forge.john, AccessLevel::Developer)
            .file("README.md", "Read me: grüezi\n")
            .file("src/main.rs", "fn main() {}\n")
            .file("logo.png", vec![0x89, b'P', b'N', b'G', 0xff])
            .file("large.txt", "x".repeat(2 << 20))
            .branch("feature/x");
        let many = (0..130).fold(some, |some, n| some.file(&format!("many/{n:03}.txt"), "x"));
        forge.twin.repository("team/looked-at", many);
        server.admin().post("/api/v1/integrations", connect_body(&forge)).await.created();
        Self { server, forge }
    }

    fn at(&self, what: &str, path: &str) -> String {
        format!("{BASE}/{what}?repo={}&ref=feature/x&path={path}", self.forge.url_of("team/looked-at"))
    }

    async fn ok(&self, what: &str, path: &str) -> Value {
        self.server.admin().get(&self.at(what, path)).await.ok()
    }
}

fn names(tree: &Value) -> Vec<&str> {
    tree["entries"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

async fn shows_what_is_in_a_repository(forge: ForgeBed, says_sizes: bool) {
    let bed = Bed::connected(forge).await;
    let root = bed.ok("tree", "").await;
    assert_eq!((&root["path"], names(&root)), (&json!(""), vec!["README.md", "large.txt", "logo.png", "many", "src"]));
    let (readme, src) = (&root["entries"][0], &root["entries"][4]);
    assert_eq!((&readme["type"], &readme["path"]), (&json!("blob"), &json!("README.md")));
    assert_eq!(readme.get("size"), says_sizes.then(|| json!(17)).as_ref());
    assert_eq!(src["type"], "tree");
    assert_eq!(src["sha"].as_str().unwrap().len(), 40);

    let below = bed.ok("tree", "/src/").await;
    assert_eq!((&below["path"], &below["entries"][0]["path"]), (&json!("src"), &json!("src/main.rs")));
    let many = bed.ok("tree", "many").await;
    assert_eq!(names(&many), (0..130).map(|n| format!("{n:03}.txt")).collect::<Vec<_>>());

    let text = json!({"content": "Read me: grüezi\n", "encoding": "utf-8"});
    assert_eq!(bed.ok("blob", "README.md").await, text);
    assert_eq!(bed.ok("blob", "logo.png").await, json!({"content": "iVBOR/8=", "encoding": "base64"}));
}

#[tokio::test]
async fn a_gitlab_repository_can_be_looked_into() {
    shows_what_is_in_a_repository(ForgeBed::gitlab().await, false).await;
}

#[tokio::test]
async fn a_github_repository_can_be_looked_into() {
    shows_what_is_in_a_repository(ForgeBed::github().await, true).await;
}

async fn says_what_is_missing(forge: ForgeBed) {
    let bed = Bed::connected(forge).await;
    let admin = bed.server.admin();
    let problem = admin.get(&bed.at("blob", "src/none.rs")).await.refused(404, "not_found");
    assert_eq!(problem["error"], "The repository has no 'src/none.rs' at 'feature/x'.");
    admin.get(&bed.at("tree", "none")).await.refused(404, "not_found");
    admin.get(&bed.at("tree", "").replace("feature/x", "gone")).await.refused(404, "not_found");
    let elsewhere = bed.at("tree", "").replace("looked-at", "hidden");
    admin.get(&elsewhere).await.refused(422, "repository_not_found");
}

#[tokio::test]
async fn gitlab_is_asked_whether_the_file_or_the_repository_is_missing() {
    says_what_is_missing(ForgeBed::gitlab().await).await;
}

#[tokio::test]
async fn github_is_asked_whether_the_file_or_the_repository_is_missing() {
    says_what_is_missing(ForgeBed::github().await).await;
}

#[tokio::test]
async fn what_is_no_file_of_a_size_to_show_is_refused() {
    let bed = Bed::connected(ForgeBed::github().await).await;
    let admin = bed.server.admin();
    let problem = admin.get(&bed.at("blob", "src")).await.refused(400, "invalid_input");
    assert_eq!(problem["error"], "The path 'src' can't be shown: it is a folder.");
    let problem = admin.get(&bed.at("blob", "large.txt")).await.refused(400, "invalid_input");
    assert!(problem["error"].as_str().unwrap().contains("over 1 MB"));
}

#[tokio::test]
async fn what_was_not_said_is_asked_for_in_the_words_of_those_clients() {
    let bed = Bed::connected(ForgeBed::gitlab().await).await;
    let admin = bed.server.admin();
    let repo = bed.forge.url_of("team/looked-at");
    for (path, words) in [
        (format!("{BASE}/tree"), "repo and ref query parameters required"),
        (format!("{BASE}/tree?repo={repo}"), "repo and ref query parameters required"),
        (format!("{BASE}/blob?repo={repo}&ref=main"), "repo, ref, and path query parameters required"),
        (format!("{BASE}/tree?repo=nonsense&ref=main"), "Invalid input: "),
        (bed.at("tree", "../../user"), "Invalid input: the path has an empty part, '.' or '..'."),
    ] {
        let problem = admin.get(&path).await.refused(400, "invalid_input");
        assert!(problem["error"].as_str().unwrap().starts_with(words), "{path}: {problem}");
    }
}

#[tokio::test]
async fn a_path_that_leads_out_reaches_nothing_of_the_forge() {
    let bed = Bed::connected(ForgeBed::github().await).await;
    let admin = bed.server.admin();
    let before = bed.forge.twin.journal().len();
    for path in ["..", "../../../user", "src/../..", "%2e%2e/%2e%2e/user", "./src"] {
        admin.get(&bed.at("tree", path)).await.refused(400, "invalid_input");
    }
    assert_eq!(bed.forge.twin.journal().len(), before);
    // Encoded twice it is a name like any other.
    admin.get(&bed.at("tree", "%252e%252e/%252e%252e/user")).await.refused(404, "not_found");
    let foreign: Vec<_> =
        bed.forge.twin.journal()[before..].iter().filter(|seen| seen.path.ends_with("/user")).cloned().collect();
    assert!(foreign.iter().all(|seen| seen.path.contains("/contents/")), "{foreign:?}");
}

#[tokio::test]
async fn only_what_the_own_account_may_read_is_shown() {
    let bed = Bed::connected(ForgeBed::gitlab().await).await;
    let jane = bed.forge.twin.user(User::new("jane"));
    bed.forge.twin.token(&jane, Token::generated().scopes(["api"]));
    bed.forge.twin.repository("team/janes", Repository::new().private().member(&jane, AccessLevel::Owner));
    let other = bed.at("tree", "").replace("looked-at", "janes");
    bed.server.admin().get(&other).await.refused(422, "repository_not_found");
    bed.server.anonymous().get(&bed.at("tree", "")).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn of_another_forge_it_is_said_that_it_can_not_be_looked_into() {
    let bed = Bed::connected(ForgeBed::start(Forge::Gitea).await).await;
    let problem = bed.server.admin().get(&bed.at("tree", "")).await.refused(400, "invalid_input");
    assert_eq!(problem["error"], "unsupported repository provider (only GitHub and GitLab are supported)");
}
