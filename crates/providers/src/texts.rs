//! The words for people: every refusal says what happened and what to do. Some are fixed by the contract.

use valetkey_model::{AuthMethod, InstanceUrl, Problem, ProviderKind, sentence};

use crate::{CallError, ProviderError, Refusal, TlsFault, provider};

impl ProviderError {
    /// The refusal as it is shown and answered: `kind` at `instance` was asked.
    pub fn into_problem(self, kind: ProviderKind, instance: &InstanceUrl) -> Problem {
        let (detail, remediation) = Asked { kind, instance }.say(&self);
        Problem {
            code: self.code(),
            detail,
            remediation,
            provider: Some(kind),
            retry_after_seconds: match self {
                Self::RateLimited { retry_after_seconds } => retry_after_seconds,
                _ => None,
            },
        }
    }
}

impl CallError {
    /// As [`ProviderError::into_problem`].
    pub fn into_problem(self, kind: ProviderKind, instance: &InstanceUrl) -> Problem {
        ProviderError::from(self).into_problem(kind, instance)
    }
}

/// What is particular to a provider in texts for people.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Its limits, as a sentence.
    pub limits: &'static str,
    /// What a token must have that lacks something: `the scope 'api',`.
    pub widen: &'static str,
    /// What else may keep an account from a repository, as a sentence; may be empty.
    pub seek_access: &'static str,
    /// The scope without which it refuses pushes.
    pub push_scope: &'static str,
    /// What its tokens look like, as a clause with a full stop.
    pub token_form: &'static str,
    /// What is not known when a token is refused, as a sentence; may be empty.
    pub why_invalid: &'static str,
    /// What it calls a request to take a branch over: `pull`.
    pub request: &'static str,
}

/// Who was asked.
struct Asked<'a> {
    kind: ProviderKind,
    instance: &'a InstanceUrl,
}

impl Asked<'_> {
    /// What happened, and what to do.
    fn say(&self, error: &ProviderError) -> (String, Option<String>) {
        let Self { kind, instance } = self;
        match error {
            ProviderError::TokenMalformed => (
                format!("Invalid {kind} token format: {} It was sent nowhere.", self.words().token_form),
                Some(format!("Copy the whole token, or create one at {}.", self.token_page())),
            ),
            ProviderError::Unsuitable { why, instead } | ProviderError::NothingGranted { why, instead } => {
                ((*why).to_owned(), Some((*instead).to_owned()))
            }
            ProviderError::TokenInvalid => (
                format!(
                    "Authentication failed: {kind} at {instance} does not accept this token.{}",
                    spaced(self.words().why_invalid)
                ),
                Some(self.reconnect()),
            ),
            ProviderError::TokenExpired => {
                (format!("Authentication failed: the {kind} token has expired."), Some(self.reconnect()))
            }
            ProviderError::TokenRevoked => {
                (format!("Authentication failed: the {kind} token was revoked."), Some(self.reconnect()))
            }
            ProviderError::DpopRequired => (
                format!("Authentication failed: this {kind} account wants a DPoP proof with each use of a token."),
                Some(format!(
                    "Switch off DPoP for personal access tokens in the account's preferences at {instance}, then test again."
                )),
            ),
            ProviderError::Forbidden { said } => (
                format!("{kind} at {instance} refuses this account or token{}", quoted(said)),
                Some(format!("Sign in at {instance} as this account and see what it asks for.")),
            ),
            ProviderError::InsufficientScope { missing } => (self.lacks(missing), Some(self.widen())),
            ProviderError::SsoRequired { url } => (
                format!("The organisation wants the {kind} token to be authorised by single sign-on first."),
                Some(format!("Open {url} and authorise the token, then try again.")),
            ),
            ProviderError::RateLimited { retry_after_seconds } => (self.limited(*retry_after_seconds), None),
            ProviderError::LockedOut => (
                format!(
                    "{kind} at {instance} refuses all sign-ins of this account for a while, after several with bad credentials."
                ),
                Some("Wait some minutes before trying again; each try prolongs it.".to_owned()),
            ),
            ProviderError::NotTheProvider { saw } => (
                format!("{instance} does not answer as {kind}: it sent {saw}."),
                Some(format!("Check the instance URL; it is what {kind}'s address bar shows, without a path.")),
            ),
            ProviderError::ListingTooLong { most } => (
                format!("{kind} at {instance} answered with a listing of more than {most}, which is not read."),
                Some("Name what you want instead of choosing it from the list.".to_owned()),
            ),
            ProviderError::Failed { status, said } => (
                format!("{kind} at {instance} could not serve the request: it answered {status}{}", quoted(said)),
                Some(format!("Try again later; if it lasts, ask whoever runs {instance}.")),
            ),
            ProviderError::Call(error) => self.no_answer(error),
            ProviderError::App(refused) => (sentence(refused), Some(refused.remedy())),
            ProviderError::RepositoryNotFound { .. }
            | ProviderError::RepositoryMoved { .. }
            | ProviderError::RepositoryMalformed(_)
            | ProviderError::NothingThere { .. }
            | ProviderError::NotAFile { .. }
            | ProviderError::OtherInstance { .. }
            | ProviderError::PushNotAllowed { .. }
            | ProviderError::PullRequestRefused { .. } => self.of_repository(error),
        }
    }

    fn of_repository(&self, error: &ProviderError) -> (String, Option<String>) {
        let Self { kind, instance } = self;
        match error {
            ProviderError::RepositoryNotFound { path } => (
                format!(
                    "{kind} has no repository '{path}' that this account can see: it does not exist, or the account has no \
                     access to it. {kind} answers both the same way."
                ),
                Some(self.seek_access()),
            ),
            ProviderError::NothingThere { path, revision } => (
                format!("The repository has no '{path}' at '{revision}'."),
                Some("Check the path and the branch, tag or commit.".to_owned()),
            ),
            ProviderError::NotAFile { path, why } => (
                format!("The path '{path}' can't be shown: {why}."),
                Some("Clone the repository to work with it.".to_owned()),
            ),
            ProviderError::RepositoryMoved { path } => (
                format!("The repository '{path}' was renamed or moved."),
                Some(format!("Open {instance}/{path} in a browser and use the address it leads to.")),
            ),
            ProviderError::OtherInstance { repository } => (
                format!("The integration is for {instance}; the repository is at {repository}."),
                Some(format!("Connect an account there: {}", kind.connect_command(repository))),
            ),
            ProviderError::PushNotAllowed { path, why } => (
                format!("The {kind} account can't push to '{path}': {why}."),
                Some(format!("Ask an owner of {instance}/{path} for the right to push.")),
            ),
            ProviderError::PullRequestRefused { said } => (
                format!("{kind} refused the {} request{}", self.words().request, quoted(said)),
                Some("The branch itself was pushed; open the request by hand if it is wanted.".to_owned()),
            ),
            other => (sentence(other), None),
        }
    }

    fn no_answer(&self, error: &CallError) -> (String, Option<String>) {
        let Self { kind, instance } = self;
        let remedy = match error {
            CallError::AddressRefused { host, why: Refusal::Private } => Some(format!(
                "If {host} is meant to be reached, its administrator adds it to the setting outbound_allow."
            )),
            CallError::AddressRefused { why: Refusal::Never, .. } => Some("Use the provider's own address.".to_owned()),
            CallError::TlsNotTrusted { fault: TlsFault::UnknownIssuer | TlsFault::Invalid, .. } => Some(
                "Put the certificate of the authority that signed it, as PEM, into the file that the setting extra_ca_file names."
                    .to_owned(),
            ),
            CallError::TlsNotTrusted { host, fault } => Some(match fault {
                TlsFault::OtherName => format!("Use the name that the certificate of {host} was issued for."),
                TlsFault::NotValidYet => "Check the clock of this machine.".to_owned(),
                _ => format!("Whoever runs {host} must renew it; extra_ca_file can't help here."),
            }),
            CallError::Unreachable { .. } => {
                Some(format!("Check the address {instance} and the network; nothing is known against the token."))
            }
            CallError::TooLarge { .. } => Some(format!("Check that {instance} is a {kind}.")),
            CallError::OtherTarget { .. } => None,
        };
        (sentence(error), remedy)
    }

    fn limited(&self, retry_after_seconds: Option<u64>) -> String {
        let allowance = self.words().limits;
        let text =
            format!("{} API rate limit exceeded. Please wait a few minutes before retrying. {allowance}", self.kind);
        retry_after_seconds.map_or_else(|| text.clone(), |seconds| format!("{text} Retry in {seconds} s."))
    }

    fn lacks(&self, missing: &[String]) -> String {
        let kind = self.kind;
        let names = missing.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>();
        match names.as_slice() {
            [] => format!("The {kind} token lacks a permission that this needs."),
            [one] => format!("The {kind} token lacks the scope {one}."),
            [first @ .., last] => format!("The {kind} token lacks the scopes {} and {last}.", first.join(", ")),
        }
    }

    fn widen(&self) -> String {
        let what = self.words().widen;
        if self.is_by_consent_only() {
            return format!("Connect the account again and allow {what}: {}", self.connect());
        }
        format!("Create a token with {what} at {}, then reconnect: {}", self.token_page(), self.connect())
    }

    fn seek_access(&self) -> String {
        let also = spaced(self.words().seek_access);
        format!("Check the URL, or ask an owner to give the connected account access.{also}")
    }

    fn words(&self) -> Words {
        provider(self.kind).words()
    }

    fn reconnect(&self) -> String {
        if self.is_by_consent_only() {
            return format!("Connect the account again: {}", self.connect());
        }
        format!("Create a new token at {}, then reconnect: {}", self.token_page(), self.connect())
    }

    /// Whether there are no tokens that a person could create.
    fn is_by_consent_only(&self) -> bool {
        provider(self.kind).catalogue().methods.iter().all(|offered| offered.method == AuthMethod::OAuth)
    }

    fn connect(&self) -> String {
        self.kind.connect_command(self.instance)
    }

    fn token_page(&self) -> String {
        let first = provider(self.kind).catalogue().methods.first().map_or(AuthMethod::Pat, |offered| offered.method);
        provider(self.kind).token_page(self.instance, first)
    }
}

fn quoted(said: &str) -> String {
    if said.is_empty() { ".".to_owned() } else { format!(": \"{said}\"") }
}

/// A further sentence, if there is one.
fn spaced(sentence: &str) -> String {
    if sentence.is_empty() { String::new() } else { format!(" {sentence}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Access, Why,
        github_app::AppError,
        testing::{Fixture, Seen, answer, json},
    };
    use valetkey_model::ProblemCode;

    fn gitlab(error: ProviderError) -> Problem {
        error.into_problem(ProviderKind::GitLab, &"https://gitlab.example.com".parse().unwrap())
    }

    /// One of each.
    fn all() -> Vec<ProviderError> {
        let host = || "forge.test".to_owned();
        let path = || "team/repo".to_owned();
        let said = || "its words".to_owned();
        vec![
            ProviderError::TokenMalformed,
            ProviderError::Unsuitable { why: "It has ended.", instead: "Take another." },
            ProviderError::NothingGranted { why: "Nothing was chosen.", instead: "Choose something." },
            ProviderError::TokenInvalid,
            ProviderError::TokenExpired,
            ProviderError::TokenRevoked,
            ProviderError::DpopRequired,
            ProviderError::Forbidden { said: said() },
            ProviderError::InsufficientScope { missing: vec!["api".into()] },
            ProviderError::SsoRequired { url: "https://github.com/sso".into() },
            ProviderError::RepositoryNotFound { path: path() },
            ProviderError::RepositoryMoved { path: path() },
            ProviderError::NothingThere { path: "src".parse().unwrap(), revision: "main".parse().unwrap() },
            ProviderError::NotAFile { path: "src".parse().unwrap(), why: "it is a folder" },
            ProviderError::RepositoryMalformed(valetkey_model::RepoUrlError::Depth(ProviderKind::GitHub)),
            ProviderError::OtherInstance { repository: InstanceUrl::github_com() },
            ProviderError::PushNotAllowed { path: path(), why: "the account may only read it".into() },
            ProviderError::PullRequestRefused { said: said() },
            ProviderError::RateLimited { retry_after_seconds: Some(5) },
            ProviderError::LockedOut,
            ProviderError::NotTheProvider { saw: "a web page (200)".into() },
            ProviderError::Failed { status: 500, said: said() },
            AppError::KeyRejected { said: said() }.into(),
            AppError::NotCovered { repositories: vec![path()], page: "https://github.com/apps/x".into() }.into(),
            CallError::AddressRefused { host: host(), why: Refusal::Private }.into(),
            CallError::AddressRefused { host: host(), why: Refusal::Never }.into(),
            CallError::TlsNotTrusted { host: host(), fault: TlsFault::UnknownIssuer }.into(),
            CallError::TlsNotTrusted { host: host(), fault: TlsFault::Expired }.into(),
            CallError::TlsNotTrusted { host: host(), fault: TlsFault::OtherName }.into(),
            CallError::Unreachable { host: host(), why: Why::Refused }.into(),
            CallError::TooLarge { host: host(), limit: 4 << 20 }.into(),
            CallError::OtherTarget { instance: "https://forge.test".into() }.into(),
        ]
    }

    #[test]
    fn the_contracts_texts_are_verbatim() {
        assert_eq!(
            gitlab(ProviderError::RateLimited { retry_after_seconds: None }).detail,
            "GitLab API rate limit exceeded. Please wait a few minutes before retrying. GitLab.com allows 300 requests per minute."
        );
        let limited = gitlab(ProviderError::RateLimited { retry_after_seconds: Some(60) }).detail;
        assert!(limited.ends_with(" per minute. Retry in 60 s."));
        for refused in [ProviderError::TokenInvalid, ProviderError::TokenExpired, ProviderError::TokenRevoked] {
            let problem = gitlab(refused);
            assert!(problem.detail.starts_with("Authentication failed: "));
            assert!(
                problem.remediation.unwrap().ends_with("valetkey connect gitlab --instance https://gitlab.example.com")
            );
        }
    }

    #[test]
    fn every_refusal_is_a_sentence_and_says_what_to_do() {
        use ProviderKind::{GitHub, GitLab, Google, Http, Jira, Slack};
        for kind in [GitHub, GitLab, Google, Http, Jira, Slack] {
            for error in all() {
                let (code, shown) = (error.code(), format!("{error}"));
                let problem = error.into_problem(kind, &"https://forge.example.com".parse().unwrap());
                assert_eq!(problem.code, code);
                let detail = &problem.detail;
                assert!(detail.starts_with(char::is_uppercase) || detail.starts_with("https://"), "{detail}");
                assert!(detail.ends_with(['.', '"']) && !detail.contains("  "), "{detail}");
                assert!(!shown.is_empty() && !shown.ends_with('.'), "{shown}");
                let own_words = [ProblemCode::RateLimited, ProblemCode::Internal, ProblemCode::InvalidInput];
                assert!(problem.remediation.is_some() || own_words.contains(&code), "{detail}");
            }
        }
    }

    #[test]
    fn distrust_names_the_setting_that_helps() {
        let unknown = CallError::TlsNotTrusted { host: "forge.test".into(), fault: TlsFault::UnknownIssuer };
        let problem = gitlab(unknown.into());
        assert_eq!(problem.code, ProblemCode::TlsNotTrusted);
        assert_eq!(
            problem.detail,
            "The certificate of forge.test is not trusted: its issuer is unknown to this machine."
        );
        assert!(problem.remediation.unwrap().contains("extra_ca_file"));
        let private = gitlab(CallError::AddressRefused { host: "10.0.0.1".into(), why: Refusal::Private }.into());
        assert_eq!(private.detail, "10.0.0.1 is a loopback or private address, which this server does not call.");
        assert!(private.remediation.unwrap().contains("outbound_allow"));
    }

    #[tokio::test]
    async fn no_answer_can_put_the_token_into_an_error_or_an_account() {
        const CANARY: &str = "ghp_canarycanarycanarycanarycanarycanary";
        const BODIES: [&str; 4] = [
            r#"{"message":"@ is bad","error":"@","error_description":"@","scope":"@ @","errors":[{"message":"@"}]}"#,
            r#"{"error":"insufficient_scope","scope":"@"}"#,
            r#"{"message":"Resource not accessible by @"}"#,
            "<html>@</html>",
        ];
        let echo = |seen: &Seen| {
            // The path says which answer is wanted: /api/…/repos/STATUS/BODY or …/projects/STATUS%2FBODY.
            let path = seen.line.replace("%2F", "/");
            let mut wanted =
                path.split(['/', '?']).filter_map(|part| part.strip_prefix("n").and_then(|n| n.parse().ok()));
            let (status, body) = (wanted.next().unwrap_or(403), wanted.next().unwrap_or(0));
            let headers = "X-GitHub-SSO: required; url=http://127.0.0.1/@\nX-Accepted-GitHub-Permissions: @\nLocation: http://@.test/@\nX-OAuth-Scopes: @";
            let headers = headers.replace('@', CANARY);
            let body = BODIES[usize::from(body)].replace('@', CANARY);
            if status == 404 {
                answer(status, "Content-Type: text/plain", &body)
            } else {
                json(status, &headers, &body)
            }
        };
        let each_body = |status: u16| (0..BODIES.len()).map(move |body| (status, body));
        let forge = Fixture::new(CANARY, echo).await;
        let mut texts = Vec::new();
        for kind in ProviderKind::ALL {
            texts.push(format!("{:?}", provider(kind).check(forge.at()).await));
            for (status, body) in [200, 302, 400, 401, 403, 404, 409, 422, 429, 500].into_iter().flat_map(each_body) {
                let repo = forge.server.repo(&format!("n{status}/n{body}"));
                let Some(of_kind) = crate::forge(kind).filter(|_| repo.api_id(kind).is_ok()) else { continue };
                let error = of_kind.repository(forge.at(), &repo).await.unwrap_err();
                texts.push(format!("{error} {error:?}"));
                texts.push(format!("{:?}", error.into_problem(kind, &forge.server.instance)));
            }
        }
        let metadata = "https://169.254.169.254".parse().unwrap();
        let at = Access { instance: &metadata, ..forge.at() };
        texts.push(format!("{at:?} {:?}", provider(ProviderKind::GitHub).check(at).await));
        for text in &texts {
            assert!(!text.to_ascii_lowercase().contains("canarycanary"), "{text}");
        }
        assert!(forge.server.requests().len() > 80);

        let echo =
            format!(r#"{{"id":1,"login":"{CANARY}","username":"{CANARY}","name":"{CANARY}","scopes":["{CANARY}"]}}"#);
        let named = Fixture::new(CANARY, move |_| json(200, "", &echo)).await;
        for kind in [ProviderKind::GitHub, ProviderKind::GitLab] {
            let checked = provider(kind).check(named.at()).await.unwrap();
            assert_eq!(checked.account.username, "***");
            assert!(!format!("{checked:?}").contains("canary"));
        }
    }
}
