use futures_util::{Stream, stream};
use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{AuditActor, AuditEntry, AuditEvent, AuditObject, AuditOutcome, ProjectName, SessionId, UserId};

use crate::{
    Store, StoreError,
    conditions::Conditions,
    record::{Record, millis},
};

/// How many entries an export reads at a time.
const BATCH: i64 = 500;

/// Which entries of the audit trail are wanted: those of which all of it is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Done by this person, or by the system for them.
    pub concerning: Option<UserId>,
    /// Done by them: a person's id, or `system`.
    pub actor: Option<String>,
    /// The action's word begins like this.
    pub action: Option<String>,
    /// In this project.
    pub project: Option<ProjectName>,
    /// By or in this session.
    pub session: Option<SessionId>,
    /// To the thing with this id.
    pub object: Option<String>,
    /// Ended like this.
    pub outcome: Option<AuditOutcome>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

pub(crate) const COLUMNS: &str = "seq, at, actor, on_behalf_of, action, object_kind, object_id, project, session, client, outcome, code, \
                                  detail, previous, hash";

impl AuditFilter {
    fn narrow(&self, query: &mut Conditions) {
        if let Some(person) = &self.concerning {
            query.and("(actor =", person.as_str());
            query.push(" OR on_behalf_of =");
            query.value(person.as_str());
            query.push(")");
        }
        query.and_if("actor =", self.actor.as_deref());
        if let Some(beginning) = &self.action {
            let place = query.bind(beginning.as_str());
            query.push(&format!(" AND substr(action, 1, length({place})) = {place}"));
        }
        query.and_if("project =", self.project.as_ref().map(ProjectName::as_str));
        query.and_if("session =", self.session.as_ref().map(SessionId::as_str));
        query.and_if("object_id =", self.object.as_deref());
        query.and_if("outcome =", self.outcome.map(AuditOutcome::as_str));
        query.and_if("at >=", self.since.map(millis));
        query.and_if("at <", self.until.map(millis));
    }
}

impl Store {
    /// Up to `limit` entries of the audit trail, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// When the database does not answer or an entry is damaged.
    pub async fn audit_page(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut query = Conditions::new(&format!("SELECT {COLUMNS} FROM audit WHERE seq <"));
        query.value(before.unwrap_or(i64::MAX));
        filter.narrow(&mut query);
        query.push(" ORDER BY seq DESC LIMIT");
        query.value(i64::from(limit));
        query.fetch(&self.reader).await?.iter().map(entry).collect()
    }

    /// All such entries of the audit trail, the oldest first, up to the last one that is there when the stream comes to
    /// it. Reads some hundreds at a time, however many there are.
    pub fn audit_export(
        &self,
        filter: AuditFilter,
    ) -> impl Stream<Item = Result<AuditEntry, StoreError>> + Send + use<> {
        let store = self.clone();
        let batches = stream::try_unfold((store, filter, 0), async |(store, filter, after)| {
            let batch = store.audit_batch(&filter, after).await?;
            let last = batch.last().map(|entry| entry.seq);
            Ok::<_, StoreError>(last.map(|last| (stream::iter(batch.into_iter().map(Ok)), (store, filter, last))))
        });
        futures_util::TryStreamExt::try_flatten(batches)
    }

    async fn audit_batch(&self, filter: &AuditFilter, after: i64) -> Result<Vec<AuditEntry>, StoreError> {
        let mut query = Conditions::new(&format!("SELECT {COLUMNS} FROM audit WHERE seq >"));
        query.value(after);
        filter.narrow(&mut query);
        query.push(" ORDER BY seq LIMIT");
        query.value(BATCH);
        query.fetch(&self.reader).await?.iter().map(entry).collect()
    }
}

pub(crate) fn entry(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    let record = Record::new(row, "audit entry", "hash");
    let actor = AuditActor::try_from(record.get::<Option<String>>("actor")?).map_err(|_| record.damaged("actor"))?;
    let object = record.get::<Option<String>>("object_kind")?.zip(record.get::<Option<String>>("object_id")?);
    Ok(AuditEntry {
        seq: record.get("seq")?,
        event: AuditEvent {
            at: record.time("at")?,
            actor,
            on_behalf_of: record.parsed_or_none("on_behalf_of")?,
            action: record.parsed("action")?,
            object: object.map(|(kind, id)| AuditObject { kind, id }),
            project: record.parsed_or_none("project")?,
            session: record.parsed_or_none("session")?,
            from: record.parsed_or_none("client")?,
            outcome: record.parsed("outcome")?,
            code: record.word_or_none("code")?,
            detail: record.json("detail")?,
        },
        previous: record.parsed("previous")?,
        hash: record.parsed("hash")?,
    })
}
