use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{ProjectName, Role, UserId};

use crate::{
    Store, StoreError,
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

impl MemberName {
    /// The word for its kind in the database and in JSON, and the name itself.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Person(id) => ("person", id.as_str()),
            Self::Email(address) => ("email", address),
            Self::Group(name) => ("group", name),
        }
    }
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

impl Store {
    /// Gives somebody a role in a project, in place of the one that they have under the same name.
    ///
    /// # Errors
    /// `NotFound` when the project does not exist.
    pub async fn set_member(&self, project: &ProjectName, member: &Member) -> Result<(), StoreError> {
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
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this member exists already", "project"))?;
        Ok(())
    }

    /// Takes somebody out of a project; `false` if they were not in it under this name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove_member(&self, project: &ProjectName, name: &MemberName) -> Result<bool, StoreError> {
        let (kind, subject) = name.parts();
        let query = sqlx::query("DELETE FROM project_members WHERE project = $1 AND kind = $2 AND subject = $3");
        let done = query.bind(project.as_str()).bind(kind).bind(subject).execute(&self.writer).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Everybody in a project, by kind and name.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn members(&self, project: &ProjectName) -> Result<Vec<Member>, StoreError> {
        let query =
            "SELECT kind, subject, role, added_at FROM project_members WHERE project = $1 ORDER BY kind, subject";
        let rows = sqlx::query(query).bind(project.as_str()).fetch_all(&self.reader).await?;
        rows.iter().map(member).collect()
    }
}

fn member(row: &AnyRow) -> Result<Member, StoreError> {
    let record = Record::new(row, "member", "subject");
    let name = match record.get::<&str>("kind")? {
        "person" => MemberName::Person(record.parsed("subject")?),
        "email" => MemberName::Email(record.get("subject")?),
        "group" => MemberName::Group(record.get("subject")?),
        _ => return Err(record.damaged("kind")),
    };
    Ok(Member { name, role: record.parsed("role")?, added_at: record.time("added_at")? })
}
