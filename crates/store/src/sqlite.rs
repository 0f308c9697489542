use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    AnyPool, ConnectOptions as _, Connection as _, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use url::Url;

use crate::StoreError;

/// `synchronous=FULL`: a commit that was acknowledged survives a loss of power, not only of the process. It costs one
/// fsync per commit. `secure_delete` overwrites what is erased. The timeout is how long another process may hold the lock.
const WRITER: &str = "PRAGMA busy_timeout = 15000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                      PRAGMA secure_delete = ON";
const READER: &str = "PRAGMA busy_timeout = 15000; PRAGMA query_only = ON";

const READERS: u32 = 4;
const READER_IDLE: Duration = Duration::from_secs(60);

/// Makes the database file if there is none, makes sure that it is one, in WAL mode, and returns its URL.
///
/// A new one is made aside and moved into place whole, private and already in WAL mode: processes that start at the same
/// time all find either nothing or that.
pub(crate) async fn prepare(path: &Path) -> Result<Url, StoreError> {
    let failed = |source| StoreError::Location { path: path.to_owned(), source };
    let path = canonical(path).map_err(failed)?;
    if path.exists() {
        // Also for the error: a pool would try again and again, and at last only say that it timed out.
        into_wal_mode(&path).await?;
    } else {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let aside = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(failed)?.into_temp_path();
        into_wal_mode(&aside).await?;
        match aside.persist_noclobber(&path) {
            Err(e) if e.error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(e.error)),
            _ => {}
        }
    }
    Ok(url_of(&path))
}

async fn into_wal_mode(path: &Path) -> sqlx::Result<()> {
    let options = SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Wal);
    options.connect().await?.close().await
}

/// The path with its folder made, and without links and `..`.
fn canonical(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    Ok(fs::canonicalize(folder)?.join(name))
}

/// The driver decodes `%XX`, so everything that could mean something else in a URL is written that way.
fn url_of(path: &Path) -> Url {
    use std::fmt::Write as _;
    let mut text = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => write!(text, "{}", *byte as char),
            _ => write!(text, "%{byte:02X}"),
        };
    }
    Url::parse(&text).expect("only characters that a URL may hold")
}

fn pool(setup: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .test_before_acquire(false)
        .max_lifetime(None)
        .after_connect(move |connection, _| Box::pin(async move { connection.execute(setup).await.map(drop) }))
}

pub(crate) fn writer(url: &Url) -> sqlx::Result<AnyPool> {
    let pool = pool(WRITER).max_connections(1).idle_timeout(None);
    Ok(pool.connect_lazy_with(AnyConnectOptions::from_url(url)?))
}

pub(crate) fn readers(url: &Url) -> sqlx::Result<AnyPool> {
    let pool = pool(READER).max_connections(READERS).idle_timeout(READER_IDLE);
    Ok(pool.connect_lazy_with(AnyConnectOptions::from_url(url)?))
}
