//! The pen of the audit trail: everything that is recorded goes through it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{Stream, TryStreamExt as _};
use jiff::Timestamp;
use tokio::time::sleep;
use valetkey_model::{
    Actor, AuditAction, AuditActor, AuditEntry, AuditEvent, AuditMark, Clock, Problem, ProblemCode, Role, SessionId,
};
use valetkey_store::{AuditFilter, AuditReport, Store};

/// For how long repetitions of what anybody may cause are only counted.
const QUIET: Duration = Duration::from_secs(60);

/// So many different ones are told apart at a time; the rest are one. It bounds what a flood can write.
const MOST: usize = 64;

/// Records what happens. Cheap to clone.
#[derive(Clone)]
pub struct Trail {
    store: Store,
    clock: Arc<dyn Clock>,
    repeated: Arc<Mutex<HashMap<Kind, u64>>>,
}

/// What counts as the same again: who, from where, in which session, and for those who are known what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    actor: AuditActor,
    from: Option<IpAddr>,
    session: Option<SessionId>,
    action: Option<AuditAction>,
}

impl Kind {
    /// Of somebody unknown only the network counts, and whether they tried to sign in: nothing that they can vary.
    fn of(event: &AuditEvent) -> Self {
        let known = event.actor != AuditActor::Anonymous;
        Self {
            actor: event.actor.clone(),
            from: event.from.map(network),
            session: event.session.clone().filter(|_| known),
            action: Some(event.action.clone()).filter(|action| known || *action == AuditAction::SignIn),
        }
    }

    const OTHERS: Self = Self { actor: AuditActor::Anonymous, from: None, session: None, action: None };
}

/// An address; of version 6 the network of one customer, who has more addresses than could ever be counted.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

impl Trail {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, repeated: Arc::default() }
    }

    /// Something that happens now.
    pub fn event(&self, actor: AuditActor, action: AuditAction) -> AuditEvent {
        AuditEvent::new(self.clock.now(), actor, action)
    }

    /// Something that a person does now.
    pub fn event_by(&self, by: &Actor, action: AuditAction) -> AuditEvent {
        AuditEvent { from: by.from, ..self.event(AuditActor::Person(by.user.clone()), action) }
    }

    /// Records an event. It is on disk when this returns.
    ///
    /// # Errors
    /// `internal`: what it is about must not go on.
    pub async fn record(&self, event: AuditEvent) -> Result<(), Problem> {
        self.store.append_audit(event).await?;
        Ok(())
    }

    /// Records an event that has happened whether it is recorded or not: a failure is only logged.
    pub async fn note(&self, event: AuditEvent) {
        let action = event.action.clone();
        if let Err(problem) = self.record(event).await {
            tracing::error!(%action, %problem, "what happened could not be recorded");
        }
    }

    /// Notes an event that anybody may cause as often as they like. Of the same again within a minute, one entry at its end
    /// says how often: a flood must neither fill the disk nor go unseen.
    pub async fn note_seldom(&self, event: AuditEvent) {
        let Some(kind) = self.begin(&event) else { return };
        let (this, again) = (self.clone(), event.clone());
        tokio::spawn(async move {
            sleep(QUIET).await;
            this.end(&kind, again).await;
        });
        self.note(event).await;
    }

    /// Up to `limit` entries that pass the filter, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub async fn page(
        &self,
        by: &Actor,
        filter: AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, Problem> {
        Ok(self.store.audit_page(&Self::readable(by, filter)?, before, limit).await?)
    }

    /// All entries that pass the filter, the oldest first, as they are read.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn export(
        &self,
        by: &Actor,
        filter: AuditFilter,
    ) -> Result<impl Stream<Item = Result<AuditEntry, Problem>> + Send + use<>, Problem> {
        let entries = self.store.audit_export(Self::readable(by, filter)?);
        Ok(entries.map_err(Problem::from))
    }

    /// Looks at every entry, and says whether all is as it was written; with `noted` also whether the mark of an earlier
    /// time is still on the chain.
    ///
    /// # Errors
    /// `forbidden` for whoever is no administrator; when the store fails.
    pub async fn verify(&self, by: &Actor, noted: Option<AuditMark>) -> Result<AuditReport, Problem> {
        by.require_administrator()?;
        Ok(self.store.verify_audit(noted).await?)
    }

    /// Forgets the entries from before `before`, and records that.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget(&self, before: Timestamp) -> Result<u64, Problem> {
        let forgotten = self.store.purge_audit(before).await?;
        if forgotten > 0 {
            let event = self.event(AuditActor::System, AuditAction::AuditPurge);
            self.record(event.with("entries", &forgotten).with("before", &before)).await?;
        }
        Ok(forgotten)
    }

    /// The filter as far as somebody may read: what they did themselves, the project that they are an admin of, and for an
    /// administrator everything.
    fn readable(by: &Actor, filter: AuditFilter) -> Result<AuditFilter, Problem> {
        let only = by.limits().project.clone();
        match (&filter.concerning, &filter.project) {
            (Some(person), None) if *person == by.user => return Ok(AuditFilter { project: only, ..filter }),
            (Some(person), Some(project)) if *person == by.user => by.require(Role::Viewer, project)?,
            (_, Some(project)) => by.require(Role::Admin, project)?,
            (_, None) if by.is_administrator() => {}
            (_, None) => {
                let detail = "Only an administrator may read the whole audit trail.";
                return Err(Problem::new(ProblemCode::Forbidden, detail).remedy(
                    "Ask for `mine`, which is what you did yourself, or for a project that you are an admin of.",
                ));
            }
        }
        Ok(filter)
    }

    /// The kind to look after, if it is the first of its kind; the others are counted.
    fn begin(&self, event: &AuditEvent) -> Option<Kind> {
        let mut all = self.all();
        let mut kind = Kind::of(event);
        if all.len() >= MOST && !all.contains_key(&kind) {
            kind = Kind::OTHERS;
        }
        if let Some(count) = all.get_mut(&kind) {
            *count += 1;
            return None;
        }
        all.insert(kind.clone(), 0);
        Some(kind)
    }

    /// Says how often it came again, if it did.
    async fn end(&self, kind: &Kind, again: AuditEvent) {
        let repeated = self.all().remove(kind);
        if let Some(count @ 1..) = repeated {
            let event = AuditEvent { at: self.clock.now(), ..again };
            self.note(event.with("repeated", &count)).await;
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Kind, u64>> {
        self.repeated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use valetkey_model::{Limits, ProjectName, UserId};
    use valetkey_store::DatabaseUrl;

    use super::*;

    fn event(from: &str, action: AuditAction) -> AuditEvent {
        let from = Some(from.parse().unwrap());
        AuditEvent { from, ..AuditEvent::new(Timestamp::UNIX_EPOCH, AuditActor::Anonymous, action) }
    }

    #[test]
    fn everybody_reads_their_own_an_admin_the_project_s_and_an_administrator_all() {
        let (user, project): (UserId, ProjectName) = ("eve".parse().unwrap(), "p".parse().unwrap());
        let eve = |role| Actor::new(user.clone(), false, [(project.clone(), role)].into());
        let all = AuditFilter::default();
        let of_project = AuditFilter { project: Some(project.clone()), ..all.clone() };
        let own = AuditFilter { concerning: Some(user.clone()), ..all.clone() };
        let others = AuditFilter { concerning: Some(UserId::admin()), ..all.clone() };
        for (by, readable) in [
            (eve(Role::Member), [false, false, true, false]),
            (eve(Role::Admin), [false, true, true, false]),
            (Actor::admin(), [true, true, true, true]),
        ] {
            let seen = [&all, &of_project, &own, &others].map(|filter| Trail::readable(&by, filter.clone()).is_ok());
            assert_eq!(seen, readable, "{by:?}");
        }
        let token = Actor::admin().limited(Limits { project: Some(project.clone()), read_only: true });
        assert!(Trail::readable(&token, all).is_err());
        let own = Trail::readable(&token, others).unwrap();
        assert_eq!(own.project, Some(project), "of their own only what was in the token's project");
    }

    struct Still;
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    #[tokio::test]
    async fn what_comes_again_is_counted_and_a_flood_from_everywhere_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::sqlite(folder.path().join("db"))).await.unwrap();
        let trail = Trail::new(store.clone(), Arc::new(Still));
        let refused = event("10.0.0.1", AuditAction::SignIn);
        let kind = trail.begin(&refused).expect("the first is written");
        for _ in 0..9 {
            assert!(trail.begin(&refused).is_none());
        }
        trail.end(&kind, refused.clone()).await;
        let [entry] = store.audit_page(&AuditFilter::default(), None, 5).await.unwrap().try_into().unwrap();
        assert_eq!(entry.event, refused.clone().with("repeated", &9));
        assert!(trail.begin(&refused).is_some(), "after that it is news again");

        let address = |n: u16| event(&format!("10.1.{}.{}", n / 256, n % 256), AuditAction::SignIn);
        let written = (0..10_000).filter(|n| trail.begin(&address(*n)).is_some()).count();
        assert_eq!(written, MOST, "with what was there, and the one for all others");
    }

    #[test]
    fn somebody_unknown_can_not_vary_what_counts() {
        let (connect, stop) = (AuditAction::IntegrationConnect, AuditAction::SessionStop);
        let first = Kind::of(&event("2001:db8::1", connect.clone()));
        assert_eq!(first, Kind::of(&event("2001:db8::ffff:1", stop.clone())));
        assert_ne!(first, Kind::of(&event("2001:db8:0:1::1", connect.clone())));
        assert_ne!(first, Kind::of(&event("2001:db8::1", AuditAction::SignIn)));
        let known = |action| AuditEvent { actor: AuditActor::Person(UserId::admin()), ..event("10.0.0.1", action) };
        assert_ne!(Kind::of(&known(connect)), Kind::of(&known(stop)));
    }
}
