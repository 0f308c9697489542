//! Secrets by many at once, and while the master key changes.
#![expect(clippy::disallowed_methods, reason = "tests look inside")]

use valetkey_integrations::{Integrations, NewSecret};
use valetkey_model::{Actor, ProblemCode, ProjectName, SecretOwner, UserId};
use valetkey_seal::Secret;
use valetkey_testbed::Testbed;

fn mine() -> SecretOwner {
    SecretOwner::Person(UserId::admin())
}

fn new(name: &str, value: &str) -> NewSecret {
    NewSecret { name: name.parse().unwrap(), value: Secret::from(value), description: None }
}

async fn set(integrations: &Integrations, name: &str, value: &str) {
    integrations.set_secret(&Actor::admin(), &mine(), new(name, value)).await.unwrap();
}

/// Everything that a session is given, by name.
async fn given(integrations: &Integrations) -> Vec<(String, String)> {
    let all = integrations.secrets_for_session(&UserId::admin(), &ProjectName::default_project()).await.unwrap();
    all.iter().map(|secret| (secret.name.to_string(), secret.value.expose().clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_different_ones_at_once_are_all_there() {
    let bed = Testbed::new(&[]).await;
    let processes = [bed.integrations.clone(), bed.another_process()];
    let writes = (0..60).map(|n| {
        let process = processes[n % 2].clone();
        tokio::spawn(async move { set(&process, &format!("S{n:02}"), &format!("value of {n:02}")).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let wanted: Vec<_> = (0..60).map(|n| (format!("S{n:02}"), format!("value of {n:02}"))).collect();
    assert_eq!(given(&bed.integrations).await, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_many_set_at_once_has_the_value_of_one_of_them_and_opens() {
    let bed = Testbed::new(&[]).await;
    let writes = (0..20).map(|n| {
        let process = bed.integrations.clone();
        tokio::spawn(async move { set(&process, "ONE", &format!("value of {n:02}")).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let given = given(&bed.integrations).await;
    assert!(given.len() == 1 && given[0].1.starts_with("value of "), "{given:?}");
    let kept = bed.store.secret(&mine(), &"ONE".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(kept.generation, 20, "none was lost on the way");
}

#[tokio::test]
async fn what_another_process_keeps_under_the_old_key_opens_after_a_rotation() {
    let bed = Testbed::new(&[]).await;
    let other = bed.another_process();
    set(&bed.integrations, "A", "of this process").await;
    assert_eq!(bed.integrations.rotate_master_key().await.unwrap().rewrapped, 1);
    // It has the old key in memory.
    set(&other, "B", "of the other process").await;
    let wanted = [("A", "of this process"), ("B", "of the other process")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(given(&bed.another_process()).await, wanted);
}

#[tokio::test]
async fn a_value_copied_into_another_s_record_does_not_open() {
    let bed = Testbed::new(&[]).await;
    set(&bed.integrations, "A", "the value of a").await;
    set(&bed.integrations, "B", "the value of b").await;
    let record = async |name: &str| {
        let known = bed.store.secret(&mine(), &name.parse().unwrap()).await.unwrap().unwrap();
        let value = bed.store.sealed(&known.id).await.unwrap().unwrap();
        (known.id, value.sealed)
    };
    let ((_, a), (id, b)) = (record("A").await, record("B").await);
    assert!(bed.store.rewrap(&id, 1, &b, &a).await.unwrap());
    let person = UserId::admin();
    let refused = bed.integrations.secrets_for_session(&person, &ProjectName::default_project()).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::SealBroken);
    assert!(refused.detail.contains("The secret B (your own)"), "{refused}");
}

#[tokio::test]
async fn nobody_keeps_more_than_two_hundred() {
    let bed = Testbed::new(&[]).await;
    for n in 0..200 {
        set(&bed.integrations, &format!("S{n}"), "x").await;
    }
    let refused = bed.integrations.set_secret(&Actor::admin(), &mine(), new("MORE", "x")).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Conflict);
    set(&bed.integrations, "S7", "another value").await;
}
