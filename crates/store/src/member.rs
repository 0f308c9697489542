use jiff::Timestamp;
use sqlx::{Any, Transaction, any::AnyRow};
use valetkey_model::{ProjectName, Role, UserId, is_deceptive};

use crate::{
    Store, StoreError,
    project::lock,
    record::{Record, millis},
};

/// Whom a membership is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MemberName {
    /// A person, by their id here.
    Person(UserId),
    /// Whoever has this e-mail address, verified by their identity provider; in lower case. They need not have been here.
    Email(String),
    /// Everybody in this group of the identity provider.
    Group(String),
}

/// Why a text names no member. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemberNameError {
    /// The kind is none that there is.
    #[error("a member is a person, an email or a group")]
    Kind,
    /// Not a person's id.
    #[error("a person is named by their id here; name somebody who was never here by their e-mail address")]
    Person,
    /// Not an address.
    #[error("an e-mail address looks like ann@example.com")]
    Email,
    /// Not a group's name.
    #[error("a group's name has 1 to 200 visible characters, as the identity provider writes it")]
    Group,
}

/// The longest address that can be delivered to.
const LONGEST_ADDRESS: usize = 254;
const LONGEST_GROUP: usize = 200;

impl MemberName {
    /// From the word for its kind and the name itself, as people write them.
    ///
    /// # Errors
    /// When there is no such kind, or the name can't be one of it.
    pub fn parse(kind: &str, name: &str) -> Result<Self, MemberNameError> {
        let name = name.trim();
        match kind {
            "person" => name.parse().map(Self::Person).map_err(|_| MemberNameError::Person),
            "email" if is_address(name) => Ok(Self::Email(name.to_lowercase())),
            "email" => Err(MemberNameError::Email),
            "group" if !name.is_empty() && name.chars().count() <= LONGEST_GROUP && !name.contains(is_deceptive) => {
                Ok(Self::Group(name.to_owned()))
            }
            "group" => Err(MemberNameError::Group),
            _ => Err(MemberNameError::Kind),
        }
    }

    /// The word for its kind in the database and in JSON, and the name itself.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Person(id) => ("person", id.as_str()),
            Self::Email(address) => ("email", address),
            Self::Group(name) => ("group", name),
        }
    }
}

/// Something on both sides of one `@`: which addresses there are, their servers know.
fn is_address(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || is_deceptive(c));
    let sides = text.split_once('@');
    text.len() <= LONGEST_ADDRESS && sides.is_some_and(|(who, host)| plain(who) && plain(host) && !host.contains('@'))
}

/// Somebody in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub name: MemberName,
    /// As what.
    pub role: Role,
    /// Since when.
    pub added_at: Timestamp,
}

/// A [`Member`] as the others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMember {
    /// Who, and as what.
    pub member: Member,
    /// A person's name; none of an address or a group.
    pub person: Option<String>,
    /// A person's verified address, if there is one.
    pub email: Option<String>,
}

/// Whether the last admin of a project may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastAdmin {
    /// A project keeps one.
    Stays,
    /// An administrator of the instance, who is an admin everywhere, says so.
    MayGo,
}

const LAST_ADMIN: &str = "the project would have no admin left; make somebody else an admin first";

impl Store {
    /// Gives somebody a role in a project, in place of the one that they have under the same name, whoever is left.
    ///
    /// # Errors
    /// `NotFound` when the project does not exist.
    pub async fn set_member(&self, project: &ProjectName, member: &Member) -> Result<(), StoreError> {
        self.put_member(project, member, LastAdmin::MayGo).await
    }

    /// The same, if the project keeps an admin.
    ///
    /// # Errors
    /// `NotFound` when the project does not exist; `Conflict` for its last admin, unless they may go.
    pub async fn put_member(&self, project: &ProjectName, member: &Member, last: LastAdmin) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        lock(&mut tx, project).await?;
        let before = admins(&mut tx, project).await?;
        insert_member(&mut tx, project, member).await?;
        keep_an_admin(&mut tx, project, before, last).await?;
        Ok(tx.commit().await?)
    }

    /// Takes somebody out of a project; `false` if they were not in it under this name.
    ///
    /// # Errors
    /// As [`put_member`](Self::put_member).
    pub async fn remove_member(
        &self,
        project: &ProjectName,
        name: &MemberName,
        last: LastAdmin,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        lock(&mut tx, project).await?;
        let before = admins(&mut tx, project).await?;
        let (kind, subject) = name.parts();
        let query = sqlx::query("DELETE FROM project_members WHERE project = $1 AND kind = $2 AND subject = $3");
        let done = query.bind(project.as_str()).bind(kind).bind(subject).execute(&mut *tx).await?;
        keep_an_admin(&mut tx, project, before, last).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Up to `limit` of those in a project, by kind and name, from the one behind `after`, which need not be in it.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn members_page(
        &self,
        project: &ProjectName,
        after: Option<&MemberName>,
        limit: u32,
    ) -> Result<Vec<KnownMember>, StoreError> {
        let (kind, subject) = after.map_or(("", ""), MemberName::parts);
        let rows = sqlx::query(
            "SELECT kind, project_members.subject AS subject, role, added_at, users.name AS person, email \
             FROM project_members LEFT JOIN users ON kind = 'person' AND users.id = project_members.subject \
             WHERE project = $1 AND (kind, project_members.subject) > ($2, $3) \
             ORDER BY kind, project_members.subject LIMIT $4",
        )
        .bind(project.as_str())
        .bind(kind)
        .bind(subject)
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(known_member).collect()
    }

    /// Somebody in a project under this name.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn member(&self, project: &ProjectName, name: &MemberName) -> Result<Option<KnownMember>, StoreError> {
        let (kind, subject) = name.parts();
        let row = sqlx::query(
            "SELECT kind, project_members.subject AS subject, role, added_at, users.name AS person, email \
             FROM project_members LEFT JOIN users ON kind = 'person' AND users.id = project_members.subject \
             WHERE project = $1 AND kind = $2 AND project_members.subject = $3",
        )
        .bind(project.as_str())
        .bind(kind)
        .bind(subject)
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(known_member).transpose()
    }
}

pub(crate) async fn insert_member(
    tx: &mut Transaction<'_, Any>,
    project: &ProjectName,
    member: &Member,
) -> Result<(), StoreError> {
    let (kind, subject) = member.name.parts();
    sqlx::query(
        "INSERT INTO project_members (project, kind, subject, role, added_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (project, kind, subject) DO UPDATE SET role = excluded.role",
    )
    .bind(project.as_str())
    .bind(kind)
    .bind(subject)
    .bind(member.role.as_str())
    .bind(millis(member.added_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many admins a project has. Somebody who may not come in any more is none.
async fn admins(tx: &mut Transaction<'_, Any>, project: &ProjectName) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS admins FROM project_members WHERE project = $1 AND role = 'admin' AND NOT \
         (kind = 'person' AND subject IN (SELECT id FROM users WHERE disabled = 1))",
    )
    .bind(project.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Record::new(&row, "project", "admins").get("admins")
}

async fn keep_an_admin(
    tx: &mut Transaction<'_, Any>,
    project: &ProjectName,
    before: i64,
    last: LastAdmin,
) -> Result<(), StoreError> {
    if last == LastAdmin::Stays && before > 0 && admins(tx, project).await? == 0 {
        return Err(StoreError::Conflict(LAST_ADMIN));
    }
    Ok(())
}

fn known_member(row: &AnyRow) -> Result<KnownMember, StoreError> {
    let record = Record::new(row, "member", "subject");
    let name = match record.get::<&str>("kind")? {
        "person" => MemberName::Person(record.parsed("subject")?),
        "email" => MemberName::Email(record.get("subject")?),
        "group" => MemberName::Group(record.get("subject")?),
        _ => return Err(record.damaged("kind")),
    };
    let member = Member { name, role: record.parsed("role")?, added_at: record.time("added_at")? };
    Ok(KnownMember { member, person: record.get("person")?, email: record.get("email")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_as_people_write_them() {
        assert_eq!(MemberName::parse("email", " Ann@Example.COM ").unwrap().parts(), ("email", "ann@example.com"));
        assert_eq!(MemberName::parse("group", "/acme/Dev Team").unwrap().parts(), ("group", "/acme/Dev Team"));
        assert_eq!(MemberName::parse("person", "admin").unwrap(), MemberName::Person(UserId::admin()));
        for (kind, name, error) in [
            ("email", "ann", MemberNameError::Email),
            ("email", "ann@", MemberNameError::Email),
            ("email", "a@b@c", MemberNameError::Email),
            ("email", "a b@c", MemberNameError::Email),
            ("email", "a\u{202e}@c", MemberNameError::Email),
            ("group", " ", MemberNameError::Group),
            ("group", "a\u{0}b", MemberNameError::Group),
            ("person", "a\u{1b}b", MemberNameError::Person),
            ("owner", "ann", MemberNameError::Kind),
        ] {
            assert_eq!(MemberName::parse(kind, name), Err(error), "{kind} {name:?}");
        }
    }
}
