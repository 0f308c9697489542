//! A consent's access token is kept alive, as whoever uses it sees it.

use jiff::SignedDuration;
use valetkey_model::{Actor, Clock as _, Integration, IntegrationRef, ProjectName, Status};

use crate::consent::Bed;

/// The token that git would be given now.
#[expect(clippy::disallowed_methods, reason = "the test compares made-up tokens")]
async fn token(it: &Bed, of: &Integration) -> String {
    let (owner, project) = (Actor::admin(), ProjectName::default_project());
    let given = it.bed.integrations.credential_for(&owner, &project, &of.instance_url, None).await.unwrap();
    assert!(given.expires_at.unwrap() > it.bed.clock.now(), "the end is that of the token it comes with");
    given.credential.token.expose().clone()
}

async fn status(it: &Bed, of: &Integration) -> Status {
    let which = IntegrationRef::Id(of.id.clone());
    it.bed.integrations.test(&Actor::admin(), &which).await.unwrap().status(it.bed.clock.now()).0
}

#[tokio::test]
async fn git_is_given_a_new_token_shortly_before_the_old_one_ends() {
    let (it, connected) = Bed::connected().await;
    let first = token(&it, &connected).await;
    it.bed.clock.advance(SignedDuration::from_mins(114));
    assert_eq!(token(&it, &connected).await, first);
    it.bed.clock.advance(SignedDuration::from_mins(2));
    let second = token(&it, &connected).await;
    assert_ne!(second, first);
    assert_eq!(token(&it, &connected).await, second);
    assert_eq!(it.forge.twin.oauth().refreshes(), 1);
    assert_eq!(status(&it, &connected).await, Status::Connected);
}

#[tokio::test]
async fn the_scheduler_comes_earlier() {
    let (it, connected) = Bed::connected().await;
    assert!(!it.bed.integrations.refresh_if_due(&connected.id).await.unwrap());
    it.bed.clock.advance(SignedDuration::from_mins(112));
    assert!(it.bed.integrations.refresh_if_due(&connected.id).await.unwrap());
    assert!(!it.bed.integrations.refresh_if_due(&connected.id).await.unwrap());
    it.bed.integrations.finish_refreshes().await;
    assert_eq!(it.forge.twin.oauth().refreshes(), 1);
}

#[tokio::test]
async fn a_check_replaces_a_token_that_died_early_before_it_judges() {
    let (it, connected) = Bed::connected().await;
    it.forge.twin.oauth().expire(&token(&it, &connected).await);
    assert_eq!(status(&it, &connected).await, Status::Connected);
    assert_eq!(it.forge.twin.oauth().refreshes(), 1);
    it.forge.twin.oauth().revoke(&token(&it, &connected).await);
    it.bed.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(status(&it, &connected).await, Status::Disconnected);
    assert_eq!(status(&it, &connected).await, Status::Disconnected);
}
