//! What a session is given by name: its person's secrets, and its project's.

use valetkey_integrations::NewSecret;
use valetkey_model::{Actor, ProblemCode, ProjectName, SecretName, SecretOwner, Step, StepOutcome, UserId};
use valetkey_seal::Secret;
use valetkey_store::{LastAdmin, Member, MemberName, UserRecord};
use valetkey_testbed::{ForgeBed, Testbed};

use crate::bench::Bench;

pub(crate) fn mine() -> SecretOwner {
    SecretOwner::Person(UserId::admin())
}

fn the_project_s() -> SecretOwner {
    SecretOwner::Project(ProjectName::default_project())
}

pub(crate) async fn keep(bed: &Testbed, owner: SecretOwner, name: &str, value: &str) {
    let new = NewSecret { name: name.parse().unwrap(), value: Secret::from(value), description: None };
    bed.integrations.set_secret(&Actor::admin(), &owner, new).await.unwrap();
}

/// What the agent has in each of these variables, as it can tell without the log hiding it: what `cksum` makes of it.
async fn sums(bench: &Bench, names: &[&str]) -> Vec<String> {
    let each: Vec<String> = names.iter().map(|name| format!("printf %s \"${{{name}-none}}\" | cksum")).collect();
    let ended = bench.run(&each.join("; ")).await.completed();
    ended.output().lines().map(str::to_owned).collect()
}

/// What `cksum` makes of a value.
#[expect(clippy::cast_possible_truncation, reason = "bytes are taken")]
fn sum(value: &str) -> String {
    let length = std::iter::successors(Some(value.len()), |n| Some(n >> 8)).take_while(|n| *n > 0).map(|n| n as u8);
    let crc = value.bytes().chain(length).fold(0u32, |crc, byte| {
        (0..8).fold(
            crc ^ (u32::from(byte) << 24),
            |crc, _| {
                if crc >> 31 == 1 { (crc << 1) ^ 0x04C1_1DB7 } else { crc << 1 }
            },
        )
    });
    format!("{} {}", !crc, value.len())
}

fn lines_of<'a>(log: &'a str, part: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(part)).collect()
}

#[tokio::test]
async fn each_is_there_under_its_name_and_one_s_own_wins() {
    let bench = Bench::new().await;
    keep(&bench.bed, mine(), "MINE", "mine alone").await;
    keep(&bench.bed, the_project_s(), "SHARED", "the project's").await;
    keep(&bench.bed, the_project_s(), "BOTH", "the project's of both").await;
    keep(&bench.bed, mine(), "BOTH", "mine of both").await;
    let key = "-----BEGIN A KEY-----\nabc \"d\" $e\n-----END A KEY-----\n";
    keep(&bench.bed, mine(), "KEY", key).await;
    let found = sums(&bench, &["MINE", "SHARED", "BOTH", "KEY", "OTHER"]).await;
    assert_eq!(found, ["mine alone", "the project's", "mine of both", key, "none"].map(sum));
}

#[tokio::test]
async fn one_with_a_provider_s_name_is_what_the_agent_gets_and_git_goes_on_with_the_integration() {
    let bench = Bench::new().await;
    let narrow = "glpat-narrowNarrow0123456789";
    keep(&bench.bed, mine(), "GITLAB_TOKEN", narrow).await;
    let script = "printf %s \"$GITLAB_TOKEN\" | cksum; printf %s \"$GITLAB_HOST\"; echo x > x; git fetch -q; git add x; git commit -qm x; git push -q";
    let ended = bench.run(script).await.completed();
    assert_eq!(ended.output(), format!("{}\n{}", sum(narrow), bench.forge.twin.url()));
    assert!(bench.forge.twin.head(bench.forge.path, "feature/x").is_some(), "git pushed with the integration");
    let log = ended.log();
    let said =
        "[GitLab] GITLAB_TOKEN is a secret of yours: the agent gets that value, Valetkey keeps using the integration";
    assert_eq!(lines_of(&log, "is a secret"), [said], "{log}");
    let used = bench.forge.twin.journal().iter().filter(|request| format!("{request:?}").contains(narrow)).count();
    assert_eq!(used, 0, "Valetkey itself sends it nowhere");
}

#[tokio::test]
async fn no_alias_of_a_provider_s_variable_keeps_the_integration_s_token() {
    const NAMES: [&str; 4] = ["GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];
    let bench = Bench::with(ForgeBed::github().await).await;
    assert_eq!(sums(&bench, &NAMES).await, [&*bench.forge.token; 4].map(sum), "without a secret");
    for (n, name) in NAMES.into_iter().enumerate() {
        let value = format!("ghp_narrowNarrowNarrowNarrowNarrow00000{n}");
        keep(&bench.bed, the_project_s(), name, &value).await;
        assert_eq!(sums(&bench, &NAMES).await, [&*value; 4].map(sum), "{name} alone");
        bench.bed.integrations.delete_secret(&Actor::admin(), &the_project_s(), &name.parse().unwrap()).await.unwrap();
    }
    keep(&bench.bed, mine(), "GITHUB_TOKEN", "ghp_one").await;
    keep(&bench.bed, mine(), "GH_TOKEN", "ghp_two").await;
    let found = sums(&bench, &NAMES).await;
    assert_eq!(found, ["ghp_one", "ghp_two", "ghp_one", "ghp_one"].map(sum), "each name its own, the rest the first");
    let log = bench.run("true").await.completed().log();
    assert_eq!(lines_of(&log, "is a secret").len(), 1, "{log}");
}

#[tokio::test]
async fn it_is_hidden_however_it_is_written() {
    let bench = Bench::new().await;
    keep(&bench.bed, mine(), "PLAIN", "S3cret/with+odd \"characters\"").await;
    let lines = ["first line of it", "second line of it", "third line of it"];
    keep(&bench.bed, the_project_s(), "KEY", &lines.join("\n")).await;
    let script = r#"
        echo "plain $PLAIN end"
        printf '%s' "$PLAIN" | head -c 9; sleep 0.3; printf '%s' "$PLAIN" | tail -c +10; echo
        for value in "$PLAIN" "$KEY"; do
            printf '%s' "$value" | base64 -w0; echo
            printf 'x%s' "$value" | base64; echo
            printf '%s' "$value" | od -An -tx1 -v | tr -d ' \n'; echo
        done
        echo "$KEY"
        echo "$KEY" | sed -n 2p
        echo "$KEY" | head -n 1 | base64
        printf 'in a file' > said.txt; printf '%s' "$PLAIN" >> said.txt; cat said.txt >&2
    "#;
    let ended = bench.run(script).await.completed();
    let log = ended.log();
    for word in ["S3cret", "odd", "characters", "line of it", "UzNjcmV0", "53336372", "Zmlyc3Qg", "66697273"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
    let opaque = |line: &&str| line.len() > 24 && line.bytes().all(|b| b.is_ascii_alphanumeric());
    assert_eq!(log.lines().find(opaque), None, "a long opaque word is left");
}

#[tokio::test]
async fn one_that_is_too_short_to_hide_is_named() {
    let bench = Bench::new().await;
    keep(&bench.bed, mine(), "PIN", "1234567").await;
    let log = bench.run("true").await.completed().log();
    assert!(log.contains("PIN is too short to be hidden"), "{log}");
    assert!(!log.contains("1234567"), "{log}");
}

#[tokio::test]
async fn a_session_does_not_start_without_one_that_does_not_open() {
    let bench = Bench::new().await;
    keep(&bench.bed, the_project_s(), "NPM_TOKEN", "npm_0123456789").await;
    let name: SecretName = "NPM_TOKEN".parse().unwrap();
    let known = bench.bed.store.secret(&the_project_s(), &name).await.unwrap().unwrap();
    let stored = bench.bed.store.sealed(&known.id).await.unwrap().unwrap();
    let mut changed = stored.sealed.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert!(bench.bed.store.rewrap(&known.id, 1, &stored.sealed, &changed).await.unwrap());
    let ended = bench.run("true").await;
    let ended = ended.failed(ProblemCode::SealBroken, "The secret NPM_TOKEN (of the project 'default')");
    assert_eq!(ended.steps().last(), Some(&(Step::Preflight, StepOutcome::Failed)));

    // Set again, under its owner's name or over it, it is all right.
    keep(&bench.bed, mine(), "NPM_TOKEN", "npm_mine012345").await;
    bench.run("true").await.completed();
    bench.bed.integrations.delete_secret(&Actor::admin(), &mine(), &name).await.unwrap();
    keep(&bench.bed, the_project_s(), "NPM_TOKEN", "npm_0123456789").await;
    bench.run("true").await.completed();
}

/// Somebody with a role in the project, and an account of theirs that sessions can use.
async fn member(bed: &Testbed, name: &str) -> UserId {
    let id: UserId = name.parse().unwrap();
    let now = valetkey_model::Clock::now(&*bed.clock);
    let person = UserRecord {
        id: id.clone(),
        identity: None,
        name: name.to_owned(),
        email: None,
        administrator: false,
        disabled: false,
        created_at: now,
        last_seen_at: None,
    };
    bed.store.insert_user(&person).await.unwrap();
    let member = Member { name: MemberName::Person(id.clone()), role: valetkey_model::Role::Member, added_at: now };
    bed.store.set_member(&ProjectName::default_project(), &member).await.unwrap();
    id
}

#[tokio::test]
async fn nobody_gets_another_s_and_only_members_get_the_project_s() {
    let bed = Testbed::new(&[]).await;
    let eve = member(&bed, "eve").await;
    keep(&bed, mine(), "MINE", "the administrator's").await;
    keep(&bed, the_project_s(), "SHARED", "the project's").await;
    let own = NewSecret { name: "EVES".parse().unwrap(), value: "eve's own".into(), description: None };
    let eves = SecretOwner::Person(eve.clone());
    let actor = bed.integrations.actor(&eve).await.unwrap();
    bed.integrations.set_secret(&actor, &eves, own).await.unwrap();

    let project = ProjectName::default_project();
    let names = async || {
        let all = bed.integrations.secrets_for_session(&eve, &project).await.unwrap();
        all.iter().map(|secret| secret.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["EVES", "SHARED"]);
    bed.store.remove_member(&project, &MemberName::Person(eve.clone()), LastAdmin::MayGo).await.unwrap();
    assert_eq!(names().await, ["EVES"], "the project's went with the membership");
}
