use valetkey_model::RepoUrl;

/// What a request to the gateway asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) lease: String,
    pub(crate) repository: RepoUrl,
    pub(crate) endpoint: Endpoint,
}

/// The four requests of git's smart HTTP protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Advertise(Service),
    Run(Service),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

impl Endpoint {
    pub(crate) fn service(self) -> Service {
        match self {
            Self::Advertise(service) | Self::Run(service) => service,
        }
    }

    /// What follows the repository's clone URL.
    pub(crate) fn suffix(self) -> String {
        match self {
            Self::Advertise(service) => format!("/info/refs?service={}", service.name()),
            Self::Run(service) => format!("/{}", service.name()),
        }
    }
}

/// The path under which a repository is served to a lease, without `.git`.
pub(crate) fn path_of(lease: &str, repository: &RepoUrl) -> String {
    let instance = repository.instance();
    let scheme = if instance.is_tls() { "https" } else { "http" };
    format!("/{lease}/{scheme}/{}/{}", instance.authority(), repository.path())
}

/// Reads `/LEASE/SCHEME/AUTHORITY/PATH[.git]/info/refs?service=…` and the like; anything else is `None`.
pub(crate) fn parse(post: bool, path: &str, query: Option<&str>) -> Option<Address> {
    let (lease, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (scheme, rest) = rest.split_once('/')?;
    let (repository, endpoint) = if post {
        let (repository, service) = rest.rsplit_once('/')?;
        (repository, Endpoint::Run(service_named(service)?))
    } else {
        let service = service_named(query?.strip_prefix("service=")?)?;
        (rest.strip_suffix("/info/refs")?, Endpoint::Advertise(service))
    };
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let repository = format!("{scheme}://{repository}").parse().ok()?;
    Some(Address { lease: lease.to_owned(), repository, endpoint })
}

fn service_named(name: &str) -> Option<Service> {
    [Service::UploadPack, Service::ReceivePack].into_iter().find(|service| service.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_comes_back() {
        for url in ["https://gitlab.com/a/b/c", "http://127.0.0.1:8929/a/b", "https://h.test:8443/a/b"] {
            let repository: RepoUrl = url.parse().unwrap();
            let path = path_of("vkl_x", &repository);
            for git in ["", ".git"] {
                let pull = parse(false, &format!("{path}{git}/info/refs"), Some("service=git-upload-pack")).unwrap();
                assert_eq!((pull.lease.as_str(), &pull.repository), ("vkl_x", &repository));
                assert_eq!(pull.endpoint, Endpoint::Advertise(Service::UploadPack));
                let push = parse(true, &format!("{path}{git}/git-receive-pack"), None).unwrap();
                assert_eq!((push.endpoint, &push.repository), (Endpoint::Run(Service::ReceivePack), &repository));
            }
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        for (post, path, query) in [
            (false, "/l/https/h/a/b.git/info/refs", None),
            (false, "/l/https/h/a/b.git/info/refs", Some("service=git-evil")),
            (false, "/l/https/h/a/b.git/info/refs", Some("service=git-upload-pack&x=y")),
            (false, "/l/https/h/a/b.git/HEAD", Some("service=git-upload-pack")),
            (false, "/l/https/h/a/b.git/objects/info/packs", None),
            (true, "/l/https/h/a/../b.git/git-upload-pack", None),
            (true, "/l/https/h/a%2fb/c.git/git-upload-pack", None),
            (true, "/l/https/u:p@h/a/b.git/git-upload-pack", None),
            (true, "/l/ssh/h/a/b.git/git-upload-pack", None),
            (true, "/l/file/h/a/b.git/git-upload-pack", None),
            (true, "/l/http/evil.test/a/b.git/git-upload-pack", None),
            (true, "/l/https/h/a/b.git/info/lfs/objects/batch", None),
            (true, "//", None),
            (true, "", None),
        ] {
            assert_eq!(parse(post, path, query), None, "{path}");
        }
    }
}
