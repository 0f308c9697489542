use std::{io, path::PathBuf};

use sqlx::migrate::MigrateError;
use valetkey_model::{Problem, ProblemCode, sentence};

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such record.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It clashes with what exists.
    #[error("{0}")]
    Conflict(&'static str),
    /// What the caller knew of the record is no longer so.
    #[error("the {0} was changed meanwhile; load it again and retry")]
    Stale(&'static str),
    /// A record does not parse. Nothing of it is returned.
    #[error("the stored {what} {id} is damaged in '{field}'; restore the database from a backup")]
    Damaged {
        /// The kind of record.
        what: &'static str,
        /// Its key.
        id: String,
        /// The first field that does not parse.
        field: &'static str,
    },
    /// The audit trail can't be written; the log says why. What was to be recorded must not go on.
    #[error("the audit trail can't be written")]
    NotRecorded,
    /// The database file can't be made where it should be.
    #[error("the database file {path} can't be made")]
    Location {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tables are not, and can't be made, those of this version.
    #[error("the database does not fit this version of Valetkey; use the newest version that has used it")]
    Migration(#[from] MigrateError),
    /// The database does not answer, or not as expected.
    #[error("the database can't be used")]
    Unavailable(#[from] sqlx::Error),
}

impl StoreError {
    /// What a failed write means: `taken` if a unique index refused it, no such `missing` if a foreign key did.
    pub(crate) fn of_write(error: sqlx::Error, taken: &'static str, missing: &'static str) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if refusal.is_unique_violation() => Self::Conflict(taken),
            sqlx::Error::Database(refusal) if refusal.is_foreign_key_violation() => Self::NotFound(missing),
            _ => Self::Unavailable(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NotFound(_) => ProblemCode::NotFound,
            StoreError::Conflict(_) | StoreError::Stale(_) => ProblemCode::Conflict,
            StoreError::Damaged { .. }
            | StoreError::NotRecorded
            | StoreError::Location { .. }
            | StoreError::Migration(_)
            | StoreError::Unavailable(_) => {
                // The problem carries only the words; the cause would be lost here.
                tracing::error!(error = &error as &dyn std::error::Error, "database failure");
                ProblemCode::Internal
            }
        };
        Self::new(code, sentence(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_happened_and_never_what_the_driver_said() {
        for (error, code, detail) in [
            (StoreError::NotFound("session"), ProblemCode::NotFound, "There is no such session."),
            (StoreError::Conflict("taken; choose another"), ProblemCode::Conflict, "Taken; choose another."),
            (
                StoreError::Stale("session"),
                ProblemCode::Conflict,
                "The session was changed meanwhile; load it again and retry.",
            ),
            (
                StoreError::Damaged { what: "grant", id: "7".into(), field: "body" },
                ProblemCode::Internal,
                "The stored grant 7 is damaged in 'body'; restore the database from a backup.",
            ),
            (
                StoreError::Unavailable(sqlx::Error::Protocol("hunter2".into())),
                ProblemCode::Internal,
                "The database can't be used.",
            ),
        ] {
            assert_eq!(Problem::from(error), Problem::new(code, detail));
        }
    }
}
