use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use url::Url;

/// Where the database is: `sqlite:PATH` or `postgres://…`. Neither `Debug` nor `Display` shows a password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub(crate) Place);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(Url),
}

/// Why a text is no database URL. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Another scheme, or none.
    #[error("a database URL is sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
    Scheme,
    /// `sqlite:` without a file.
    #[error("sqlite: needs the path of a file, as in sqlite:/var/lib/valetkey/valetkey.db; there is no in-memory form")]
    File,
    /// `sqlite:…?…`
    #[error("sqlite:PATH takes no parameters after '?'")]
    Parameters,
}

impl DatabaseUrl {
    /// A SQLite database in a file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Place::Sqlite(path.into()))
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.contains('?') {
                return Err(DatabaseUrlError::Parameters);
            }
            if path.is_empty() || path.ends_with('/') || path == ":memory:" {
                return Err(DatabaseUrlError::File);
            }
            return Ok(Self::sqlite(path));
        }
        let url = Url::parse(text).map_err(|_| DatabaseUrlError::Scheme)?;
        if matches!(url.scheme(), "postgres" | "postgresql") && url.has_host() {
            Ok(Self(Place::Postgres(url)))
        } else {
            Err(DatabaseUrlError::Scheme)
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            // The user and the parameters are left out with the password: both can carry one.
            Place::Postgres(url) => {
                write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                f.write_str(url.path())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_with_or_without_slashes() {
        for (text, file) in [
            ("sqlite:/a/b.db", "/a/b.db"),
            ("sqlite:///a/b.db", "/a/b.db"),
            ("sqlite:b.db", "b.db"),
            ("sqlite://b.db", "b.db"),
            ("sqlite:/with space/100%.db", "/with space/100%.db"),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>().unwrap().file(), Some(Path::new(file)), "{text}");
        }
    }

    #[test]
    fn what_is_no_database_is_refused_without_repeating_it() {
        for (text, why) in [
            ("", DatabaseUrlError::Scheme),
            ("/a/b.db", DatabaseUrlError::Scheme),
            ("mysql://u:hunter2@h/d", DatabaseUrlError::Scheme),
            ("postgres:", DatabaseUrlError::Scheme),
            ("sqlite:", DatabaseUrlError::File),
            ("sqlite:/a/", DatabaseUrlError::File),
            ("sqlite::memory:", DatabaseUrlError::File),
            ("sqlite:a.db?mode=memory", DatabaseUrlError::Parameters),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(why), "{text}");
            assert!(!why.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let url: DatabaseUrl = "postgres://me:hunter2@db.example:5433/valetkey?password=hunter3".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5433/valetkey");
        assert_eq!(format!("{url:?}"), "DatabaseUrl(postgres://db.example:5433/valetkey)");
    }
}
