//! People: how they come in, what is noted of them, and how they are shut out.

use std::collections::BTreeSet;

use valetkey_model::{Claims, ProjectName, Role, UserId};
use valetkey_store::{Member, MemberName, Store, UserRecord};

use crate::support::{at, store, user, web_session};

fn claims(subject: &str) -> Claims {
    Claims::new("https://id.example", subject).unwrap()
}

fn anna() -> Claims {
    claims("anna").named(Some("Anna")).verified_email(Some("anna@example.com")).in_groups(["dev", "ops"])
}

async fn comes(store: &Store, new: &str, claims: &Claims, administrator: bool, second: i64) -> UserRecord {
    store.sign_in(&user(new), claims, administrator, at(second)).await.unwrap()
}

fn names(groups: &BTreeSet<String>) -> Vec<&str> {
    groups.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn the_first_sign_in_makes_a_person_and_later_ones_change_what_is_said_of_them() {
    let (_database, store) = store().await;
    let first = comes(&store, "a", &anna(), false, 100).await;
    assert_eq!((first.id.as_str(), &*first.name, first.email.as_deref()), ("a", "Anna", Some("anna@example.com")));
    assert_eq!((first.created_at, first.last_seen_at), (at(100), Some(at(100))));
    assert_eq!(names(&store.groups_of(&first.id).await.unwrap()), ["dev", "ops"]);

    let changed = claims("anna").named(Some("Anna B.")).in_groups(["ops", "sec"]);
    let again = comes(&store, "another", &changed, true, 200).await;
    assert_eq!((again.id.as_str(), &*again.name, again.email.as_deref()), ("a", "Anna B.", None));
    assert_eq!((again.created_at, again.last_seen_at, again.administrator), (at(100), Some(at(200)), true));
    assert_eq!(names(&store.groups_of(&first.id).await.unwrap()), ["ops", "sec"]);
    assert_eq!(store.user(&user("another")).await.unwrap(), None);
    assert_eq!(store.user_by_identity("https://id.example", "anna").await.unwrap(), Some(again));

    // The same subject of another issuer is somebody else.
    let other = Claims::new("https://evil.test", "anna").unwrap();
    assert_eq!(comes(&store, "b", &other, false, 300).await.id.as_str(), "b");
    assert_eq!(store.user_by_identity("https://evil.test", "bob").await.unwrap(), None);
}

#[tokio::test]
async fn names_are_asked_for_together() {
    let (_database, store) = store().await;
    comes(&store, "a", &anna(), false, 100).await;
    comes(&store, "b", &claims("bob"), false, 100).await;
    let (a, admin, nobody) = (user("a"), UserId::admin(), user("nobody"));
    let named = store.names(&[&a, &admin, &nobody].into()).await.unwrap();
    assert_eq!(named, [(a, "Anna".to_owned()), (admin, "Administrator".to_owned())].into());
    assert!(store.names(&BTreeSet::new()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_twice_at_once_is_one_person() {
    let (_database, store) = store().await;
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { comes(&store, &format!("new-{n}"), &anna(), false, 100).await.id })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn roles_come_and_go_with_address_and_group() {
    let (_database, store) = store().await;
    let project = ProjectName::default_project();
    for (name, role) in [
        (MemberName::Email("anna@example.com".to_owned()), Role::Viewer),
        (MemberName::Group("ops".to_owned()), Role::Admin),
    ] {
        store.set_member(&project, &Member { name, role, added_at: at(1) }).await.unwrap();
    }
    let role = async || store.actor(&user("a")).await.unwrap().unwrap().role(&project);
    comes(&store, "a", &anna(), false, 100).await;
    assert_eq!(role().await, Some(Role::Admin));
    comes(&store, "a", &claims("anna").verified_email(Some("anna@example.com")), false, 200).await;
    assert_eq!(role().await, Some(Role::Viewer));
    comes(&store, "a", &claims("anna"), false, 300).await;
    assert_eq!(role().await, None);
}

#[tokio::test]
async fn an_administrator_by_hand_stays_one_whatever_is_said() {
    let (_database, store) = store().await;
    let administers = async || store.actor(&user("a")).await.unwrap().unwrap().is_administrator();
    comes(&store, "a", &anna(), true, 100).await;
    assert!(administers().await);
    comes(&store, "a", &anna(), false, 200).await;
    assert!(!administers().await);

    assert!(store.set_administrator(&user("a"), true).await.unwrap());
    comes(&store, "a", &anna(), false, 300).await;
    assert!(administers().await);
    comes(&store, "a", &anna(), true, 400).await;
    assert!(store.set_administrator(&user("a"), false).await.unwrap());
    let person = store.person(&user("a")).await.unwrap().unwrap();
    assert!(person.claimed_administrator && person.user.administrator && administers().await);
    assert!(!store.set_administrator(&user("nobody"), true).await.unwrap());
}

#[tokio::test]
async fn whoever_is_shut_out_has_no_session_and_is_nobody() {
    let (_database, store) = store().await;
    comes(&store, "a", &anna(), true, 100).await;
    store.insert_web_session(&web_session("cookie", "a", at(900))).await.unwrap();
    store.insert_web_session(&web_session("of another", "b", at(900))).await.unwrap();
    assert!(store.set_disabled(&user("a"), true).await.unwrap());
    assert_eq!(store.actor(&user("a")).await.unwrap(), None);
    assert_eq!(store.web_session("cookie", at(200)).await.unwrap(), None);
    assert_eq!(store.web_session("of another", at(200)).await.unwrap(), Some(user("b")));

    let refused = comes(&store, "a", &claims("anna").in_groups(["new"]), false, 200).await;
    assert!(refused.disabled && refused.administrator);
    assert_eq!((&*refused.name, refused.last_seen_at), ("Anna", Some(at(100))));
    assert_eq!(names(&store.groups_of(&user("a")).await.unwrap()), ["dev", "ops"]);

    assert!(store.set_disabled(&user("a"), false).await.unwrap());
    assert!(store.actor(&user("a")).await.unwrap().is_some());
    assert_eq!(store.web_session("cookie", at(200)).await.unwrap(), None, "an ended session stays ended");
    assert!(!store.set_disabled(&user("nobody"), true).await.unwrap());
}

#[tokio::test]
async fn what_is_said_with_every_request_is_written_down_when_it_is_news() {
    let (_database, store) = store().await;
    let comes = async |claims: &Claims, administrator: bool, second: i64| {
        store.recognise(&user("a"), claims, administrator, at(second)).await.unwrap()
    };
    assert_eq!(comes(&anna(), false, 100).await.last_seen_at, Some(at(100)));
    assert_eq!(comes(&anna(), false, 3_699).await.last_seen_at, Some(at(100)));
    assert_eq!(comes(&anna(), false, 3_700).await.last_seen_at, Some(at(3_700)));
    for (second, news, administrator) in [
        (3_701, anna().named(Some("Anna B.")), false),
        (3_702, anna().verified_email(None), false),
        (3_703, anna().in_groups(["dev"]), false),
        (3_704, anna().in_groups(["dev"]), true),
    ] {
        let noted = comes(&news, administrator, second).await;
        assert_eq!((noted.last_seen_at, noted.administrator), (Some(at(second)), administrator));
    }
    store.set_disabled(&user("a"), true).await.unwrap();
    assert!(comes(&anna(), true, 9_000).await.disabled);
}

#[tokio::test]
async fn people_are_listed_in_pages_and_found_by_name_or_address() {
    let (_database, store) = store().await;
    for (id, name, email) in [
        ("1", "Anna Ök", "anna@example.com"),
        ("2", "Bob 100%", "bob@example.com"),
        ("3", "b_b", "x@other.test"),
        ("4", "back\\slash", "y@other.test"),
    ] {
        let claims = claims(id).named(Some(name)).verified_email(Some(email));
        comes(&store, id, &claims, false, 100).await;
    }
    let found = async |words: &str| -> String {
        let people = store.people(words, 10, None).await.unwrap();
        people.iter().map(|person| person.user.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    for (words, ids) in [
        ("", "1 2 3 4 admin"),
        (" ÖK", "1"),
        ("EXAMPLE.com", "1 2"),
        ("%", "2"),
        ("_", "3"),
        ("\\", "4"),
        ("Administrator", "admin"),
        ("' OR 1=1", ""),
    ] {
        assert_eq!(found(words).await, ids, "{words}");
    }
    let page = store.people("", 2, None).await.unwrap();
    let rest = store.people("", 10, Some(&page[1].user.id)).await.unwrap();
    assert_eq!((page.len(), rest.len()), (2, 3));
}

#[tokio::test]
async fn browser_sessions_are_listed_and_ended_together() {
    let (_database, store) = store().await;
    for (hash, owner, end) in [("past", "a", 100), ("short", "a", 200), ("long", "a", 300), ("foreign", "b", 300)] {
        store.insert_web_session(&web_session(hash, owner, at(end))).await.unwrap();
    }
    let listed = store.web_sessions_of(&user("a"), at(100)).await.unwrap();
    assert_eq!(listed, [web_session("long", "a", at(300)), web_session("short", "a", at(200))]);
    assert_eq!(store.delete_web_sessions_of(&user("a")).await.unwrap(), 3);
    assert_eq!(store.web_session("long", at(100)).await.unwrap(), None);
    assert_eq!(store.web_session("foreign", at(100)).await.unwrap(), Some(user("b")));
    assert_eq!(store.web_sessions_of(&UserId::admin(), at(100)).await.unwrap(), []);
}
