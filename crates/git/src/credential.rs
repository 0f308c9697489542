//! The protocol between git and a credential helper (<https://git-scm.com/docs/git-credential#IOFMT>).
//!
//! Lines end with a line feed and nothing else. A carriage return, a NUL or any other control character in a value is an
//! attack on a reader that thinks otherwise, so the request as a whole is refused.

use std::{fmt, str::FromStr};

use valetkey_model::{InstanceUrl, RepoUrl};

/// Git's own limit on one line.
const MAX_LINE: usize = 65_535;
const MAX_LINES: usize = 1_000;

/// What the helper is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Answer with a credential.
    Get,
    /// A credential worked.
    Store,
    /// A credential was refused.
    Erase,
}

/// The operation is one that helpers are to ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an operation of the credential protocol")]
pub struct UnknownOperation;

impl FromStr for Operation {
    type Err = UnknownOperation;
    fn from_str(text: &str) -> Result<Self, UnknownOperation> {
        match text {
            "get" => Ok(Self::Get),
            "store" => Ok(Self::Store),
            "erase" => Ok(Self::Erase),
            _ => Err(UnknownOperation),
        }
    }
}

/// What git asks a credential for. A password that git sends along (to be stored or erased) is not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `https` and the like.
    pub protocol: String,
    /// The host, with the port if there is one.
    pub host: String,
    /// The repository's path; only with `credential.useHttpPath`.
    pub path: Option<String>,
    /// The user name that the URL or the configuration gives.
    pub username: Option<String>,
    /// What this git understands in an answer (`authtype`, `state`).
    pub capabilities: Vec<String>,
    /// The server's `WWW-Authenticate` headers.
    pub challenges: Vec<String>,
}

/// Why a request is refused. Never repeats what came in: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A control character, or bytes that are no text.
    #[error("a line of the credential request holds a control character or is not UTF-8")]
    Character,
    /// Not `key=value`.
    #[error("a line of the credential request is not key=value")]
    Line,
    /// Longer than git writes.
    #[error("the credential request is too long")]
    TooLong,
    /// Nothing says which server is meant, or two lines do.
    #[error("the credential request must name exactly one protocol and one host")]
    Ambiguous,
    /// The `url` line, the protocol or the host is no such thing.
    #[error("the credential request holds an invalid URL, protocol or host")]
    Url,
}

impl Request {
    /// Reads a request up to its end or to an empty line.
    ///
    /// # Errors
    /// When anything in it could mean something else to another reader.
    pub fn parse(input: &[u8]) -> Result<Self, CredentialError> {
        let mut fields = Fields::default();
        for (number, line) in input.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty()).enumerate() {
            if line.len() > MAX_LINE || number == MAX_LINES {
                return Err(CredentialError::TooLong);
            }
            let line = std::str::from_utf8(line).map_err(|_| CredentialError::Character)?;
            if line.chars().any(char::is_control) {
                return Err(CredentialError::Character);
            }
            let (key, value) = line.split_once('=').ok_or(CredentialError::Line)?;
            fields.line(key, value)?;
        }
        fields.into_request()
    }

    /// The server, if it is one that a provider can be at.
    pub fn instance(&self) -> Option<InstanceUrl> {
        format!("{}://{}", self.protocol, self.host).parse().ok()
    }

    /// The repository, if git said which.
    pub fn repository(&self) -> Option<RepoUrl> {
        let path = self.path.as_ref()?;
        format!("{}/{path}", self.instance()?).parse().ok()
    }

    /// Whether git understands `name` in an answer.
    pub fn can(&self, name: &str) -> bool {
        self.capabilities.iter().any(|capability| capability == name)
    }
}

#[derive(Default)]
struct Fields {
    protocol: Option<String>,
    host: Option<String>,
    path: Option<String>,
    username: Option<String>,
    capabilities: Vec<String>,
    challenges: Vec<String>,
}

impl Fields {
    fn line(&mut self, key: &str, value: &str) -> Result<(), CredentialError> {
        match key {
            "protocol" => once(&mut self.protocol, value)?,
            "host" => once(&mut self.host, value)?,
            "path" => once(&mut self.path, value)?,
            "username" => once(&mut self.username, value)?,
            "url" => self.url(value)?,
            "capability[]" => self.capabilities.push(value.to_owned()),
            "wwwauth[]" if value.is_empty() => self.challenges.clear(),
            "wwwauth[]" => self.challenges.push(value.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// `scheme://[user[:password]@]host[/path]`, percent-encoded as git reads it.
    fn url(&mut self, url: &str) -> Result<(), CredentialError> {
        if url.contains('=') {
            return Err(CredentialError::Url);
        }
        let (protocol, rest) = url.split_once("://").ok_or(CredentialError::Url)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        once(&mut self.protocol, protocol)?;
        once(&mut self.host, host)?;
        if let Some(user) = user.and_then(|user| user.split(':').next()).filter(|user| !user.is_empty()) {
            once(&mut self.username, &decoded(user)?)?;
        }
        if !path.is_empty() {
            once(&mut self.path, &decoded(path)?)?;
        }
        Ok(())
    }

    fn into_request(self) -> Result<Request, CredentialError> {
        let (Some(protocol), Some(host)) = (self.protocol, self.host) else { return Err(CredentialError::Ambiguous) };
        let protocol_fits = protocol.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let host_fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        if protocol.is_empty() || host.is_empty() || !protocol_fits || !host.bytes().all(host_fits) {
            return Err(CredentialError::Url);
        }
        let Self { path, username, capabilities, challenges, .. } = self;
        Ok(Request { protocol, host, path, username, capabilities, challenges })
    }
}

fn once(field: &mut Option<String>, value: &str) -> Result<(), CredentialError> {
    match field.replace(value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(CredentialError::Ambiguous),
    }
}

fn decoded(text: &str) -> Result<String, CredentialError> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16)).ok_or(CredentialError::Url);
        let byte =
            if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).map_err(|_| CredentialError::Url)? } else { byte };
        out.push(byte);
    }
    let text = String::from_utf8(out).map_err(|_| CredentialError::Character)?;
    if text.chars().any(char::is_control) { Err(CredentialError::Character) } else { Ok(text) }
}

/// The answer to [`Operation::Get`].
#[derive(Clone, Copy)]
pub struct Response<'a> {
    /// Who git is to sign in as; none for a bearer token, which git takes from 2.46 on, where it can `authtype`.
    pub username: Option<&'a str>,
    /// With what.
    pub password: &'a str,
    /// When git should stop using it, in seconds since 1970.
    pub password_expiry_utc: Option<i64>,
}

impl Response<'_> {
    /// The lines for git. They hold the password.
    ///
    /// # Errors
    /// [`CredentialError::Character`] when a value would break out of its line, [`CredentialError::TooLong`].
    pub fn encode(&self) -> Result<String, CredentialError> {
        for value in [self.username.unwrap_or_default(), self.password] {
            if value.chars().any(char::is_control) {
                return Err(CredentialError::Character);
            }
            if value.len() > MAX_LINE - "username=".len() {
                return Err(CredentialError::TooLong);
            }
        }
        let expiry = self.password_expiry_utc.map(|at| format!("password_expiry_utc={at}\n")).unwrap_or_default();
        Ok(match self.username {
            Some(username) => format!("username={username}\npassword={}\n{expiry}", self.password),
            None => {
                format!("capability[]=authtype\nauthtype=Bearer\ncredential={}\nephemeral=1\n{expiry}", self.password)
            }
        })
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Request, CredentialError> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn a_request_as_git_sends_it() {
        let request = parse(
            "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=gitlab.com:8443\npath=group/sub/repo.git\n\
             wwwauth[]=Basic realm=\"GitLab\"\nunknown=x\n\nignored",
        )
        .unwrap();
        assert_eq!(request.instance().unwrap().to_string(), "https://gitlab.com:8443");
        assert_eq!(request.repository().unwrap().path(), "group/sub/repo");
        assert_eq!(request.challenges, ["Basic realm=\"GitLab\""]);
        assert!(request.can("authtype") && !request.can("auth"));
    }

    #[test]
    fn a_url_stands_for_its_parts() {
        let request = parse("url=https://jo%40x.test:hunter2@gitlab.com/a/b.git\n").unwrap();
        assert_eq!((request.protocol.as_str(), request.host.as_str()), ("https", "gitlab.com"));
        assert_eq!((request.username.as_deref(), request.path.as_deref()), (Some("jo@x.test"), Some("a/b.git")));
        assert_eq!(parse("url=https://gitlab.com").unwrap().path, None);
    }

    #[test]
    fn passwords_are_not_kept() {
        let request = parse("protocol=https\nhost=h.test\nusername=jo\npassword=hunter2\nurl2=x").unwrap();
        assert!(!format!("{request:?}").contains("hunter2"));
        let response = Response { username: Some("jo"), password: "hunter2", password_expiry_utc: None };
        assert!(!format!("{response:?}").contains("hunter2"));
    }

    #[test]
    fn attacks_are_refused() {
        use CredentialError::{Ambiguous, Character, Line, Url};
        for (input, wanted) in [
            ("protocol=https\nhost=evil.test\r\nhost=github.com", Character),
            ("protocol=https\nhost=github.com\r", Character),
            ("protocol=https\nhost=github.com\0.evil.test", Character),
            ("protocol=https\nhost=github.com\nusername=a\u{1b}[31m", Character),
            ("protocol=https\nhost=github.com\nhost=evil.test", Ambiguous),
            ("protocol=https\nhost=github.com\nurl=https://evil.test/", Ambiguous),
            ("protocol=https", Ambiguous),
            ("host=github.com", Ambiguous),
            ("", Ambiguous),
            ("\nprotocol=https\nhost=github.com", Ambiguous),
            ("protocol=https\nhost=", Url),
            ("protocol=\nhost=github.com", Url),
            ("protocol=https\nhost=github.com=evil.test", Url),
            ("protocol=https\nhost=github.com/evil", Url),
            ("protocol=https\nhost=jo@github.com", Url),
            ("protocol=https\nhost=gıthub.com", Url),
            ("url=https://github.com%0ahost=evil.test/", Url),
            ("url=https://github.com%0a/x", Url),
            ("url=https:///x", Url),
            ("url=github.com", Url),
            ("url=https://h/%0d", Character),
            ("url=https://h/%zz", Url),
            ("url=https://h/%", Url),
            ("hello", Line),
        ] {
            assert_eq!(parse(input), Err(wanted), "{input:?}");
        }
        assert_eq!(Request::parse(b"protocol=https\nhost=\xff"), Err(Character));
        assert_eq!(parse(&format!("x={}", "y".repeat(MAX_LINE))), Err(CredentialError::TooLong));
        assert_eq!(parse(&"x=y\n".repeat(MAX_LINES + 1)), Err(CredentialError::TooLong));
    }

    #[test]
    fn other_protocols_have_no_instance() {
        for (protocol, host) in [("ssh", "github.com"), ("smtp", "mail.test"), ("http", "github.com"), ("https", "a.")]
        {
            let request = parse(&format!("protocol={protocol}\nhost={host}\npath=a/b")).unwrap();
            assert_eq!((request.instance(), request.repository()), (None, None), "{protocol}://{host}");
        }
    }

    #[test]
    fn answers() {
        let answer = |password, password_expiry_utc| {
            Response { username: Some("oauth2"), password, password_expiry_utc }.encode()
        };
        assert_eq!(answer("s=e", None).unwrap(), "username=oauth2\npassword=s=e\n");
        assert_eq!(answer("s", Some(7)).unwrap(), "username=oauth2\npassword=s\npassword_expiry_utc=7\n");
        let bearer = Response { username: None, password: "s", password_expiry_utc: None }.encode();
        assert_eq!(bearer.unwrap(), "capability[]=authtype\nauthtype=Bearer\ncredential=s\nephemeral=1\n");
        for bad in ["a\nb", "a\rb", "a\0", "a\u{85}"] {
            assert_eq!(answer(bad, None), Err(CredentialError::Character));
        }
        assert_eq!(answer(&"x".repeat(MAX_LINE), None), Err(CredentialError::TooLong));
    }

    #[test]
    fn operations() {
        assert_eq!("get".parse(), Ok(Operation::Get));
        assert_eq!("capability".parse::<Operation>(), Err(UnknownOperation));
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_written(user in "[^\\p{Cc}]{0,20}", password in "[^\\p{Cc}]{0,20}") {
            let text = Response { username: Some(&user), password: &password, password_expiry_utc: None }.encode().unwrap();
            let request = parse(&format!("{text}protocol=https\nhost=h.test\n")).unwrap();
            prop_assert_eq!(request.username, Some(user));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100), text in "(protocol=|host=|url=|\\PC|\n|%){0,12}") {
            let _ = Request::parse(&bytes);
            if let Ok(request) = parse(&text) {
                prop_assert!(!request.host.is_empty());
                request.repository();
            }
        }
    }
}
