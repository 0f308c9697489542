//! Git over HTTP: git's own `http-backend` for whoever is admitted.

use std::io;
use std::process::Command;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::access::AccessLevel;
use crate::cgi;
use crate::faults::{Surface, Switch};
use crate::git;
use crate::rules::ForgeRules;
use crate::world::{Caller, Project, World};

/// What a request wants of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Fetch,
    Push,
}

/// A request of git's smart protocol.
#[derive(Debug)]
pub(crate) struct GitRequest<'a> {
    pub(crate) repository: &'a str,
    dot_git: bool,
    pub(crate) service: Service,
    path_info: &'static str,
}

impl<'a> GitRequest<'a> {
    pub(crate) fn parse(uri: &'a Uri) -> Option<Self> {
        let path = uri.path().strip_prefix('/')?;
        let (rest, service, path_info) = if let Some(rest) = path.strip_suffix("/info/refs") {
            let service = match uri.query()?.split('&').find_map(|pair| pair.strip_prefix("service="))? {
                "git-upload-pack" => Service::Fetch,
                "git-receive-pack" => Service::Push,
                _ => return None,
            };
            (rest, service, "/info/refs")
        } else if let Some(rest) = path.strip_suffix("/git-upload-pack") {
            (rest, Service::Fetch, "/git-upload-pack")
        } else {
            (path.strip_suffix("/git-receive-pack")?, Service::Push, "/git-receive-pack")
        };
        let bare = rest.strip_suffix(".git");
        Some(Self { repository: bare.unwrap_or(rest), dot_git: bare.is_some(), service, path_info })
    }
}

/// Answers a git request, streaming in both directions.
pub(crate) async fn serve(world: &World, parts: &Parts, body: Body) -> Option<Response> {
    let request = GitRequest::parse(&parts.uri)?;
    let rules = world.rules();
    let presented = world.identify(Some(Surface::Git), &parts.headers);
    let project = match rules.admit(world, &request, &presented) {
        Ok(project) => project,
        Err(refusal) => return Some(refusal.into_response(rules.challenge())),
    };
    if rules.redirects_to_dot_git() && !request.dot_git && request.path_info == "/info/refs" {
        let location = format!("/{}.git/info/refs?{}", request.repository, parts.uri.query().unwrap_or_default());
        return Some((StatusCode::MOVED_PERMANENTLY, [(LOCATION, location)]).into_response());
    }
    let answer = run(world, &request, &project, presented.caller(), parts, body).await;
    Some(answer.unwrap_or_else(|error| {
        tracing::warn!(%error, "git http-backend failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }))
}

async fn run(
    world: &World,
    request: &GitRequest<'_>,
    project: &Project,
    caller: Option<&Caller>,
    parts: &Parts,
    body: Body,
) -> io::Result<Response> {
    let maintains =
        project.level(caller.map(|caller| &caller.account)).is_some_and(|level| level >= AccessLevel::Maintainer);
    let hooks = world.folder.join("hooks");
    let guarded = request.service == Service::Push && !maintains && !project.protected.is_empty();
    let hooks_path = [("core.hooksPath", hooks.to_str().unwrap_or_default())];
    let mut command = git::command(git::http_backend()?, if guarded { &hooks_path } else { &[] });
    if guarded {
        protect(&mut command, world.rules(), project);
    }
    command.env("GIT_PROJECT_ROOT", &project.bare.path).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("PATH_INFO", request.path_info).env("REQUEST_METHOD", parts.method.as_str());
    command.env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    command.envs(caller.map(|caller| ("REMOTE_USER", &caller.account.username)));
    command.envs(forwarded(&parts.headers));
    let permit = Arc::clone(&world.git_slots).acquire_owned().await.map_err(io::Error::other)?;
    let response = cgi::run(command, body, permit).await?;
    if request.path_info == "/git-upload-pack" {
        for (switch, ending) in [(Switch::TruncatePack, cgi::Ending::Broken), (Switch::ShortPack, cgi::Ending::Clean)] {
            if world.faults.is_on(Surface::Git, &switch) {
                return Ok(cgi::cut_in_pack(response, ending));
            }
        }
    }
    Ok(response)
}

/// The request's headers that matter to git, under their CGI names.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, &str)> {
    let protocol = headers.get("git-protocol").and_then(|value| value.to_str().ok());
    let named = [
        ("CONTENT_TYPE", CONTENT_TYPE),
        ("CONTENT_LENGTH", CONTENT_LENGTH),
        ("HTTP_CONTENT_ENCODING", CONTENT_ENCODING),
        ("HTTP_ACCEPT", ACCEPT),
    ];
    let named = named.into_iter().filter_map(|(name, header)| Some((name, headers.get(header)?.to_str().ok()?)));
    named.chain(protocol.into_iter().flat_map(|value| [("HTTP_GIT_PROTOCOL", value), ("GIT_PROTOCOL", value)]))
}

/// The pre-receive hook of a repository with protected branches; [`protect`] tells it which, and what to say.
pub(crate) const PRE_RECEIVE: &str = "#!/bin/sh
while read -r old new ref; do
  case \" $TWIN_PROTECTED \" in
    *\" $ref \"*) printf \"$TWIN_REFUSAL\\n\" \"${ref#refs/heads/}\" >&2; exit 1 ;;
  esac
done
";

fn protect(command: &mut Command, rules: &dyn ForgeRules, project: &Project) {
    let refs: Vec<_> = project.protected.iter().map(|branch| format!("refs/heads/{branch}")).collect();
    command.env("TWIN_PROTECTED", refs.join(" ")).env("TWIN_REFUSAL", rules.protected_branch());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(uri: &str) -> Option<(String, Service)> {
        let uri = uri.parse().ok()?;
        GitRequest::parse(&uri).map(|request| (request.repository.to_owned(), request.service))
    }

    #[test]
    fn the_repository_is_what_precedes_the_service() {
        let refs = "/group/sub/project.git/info/refs?service=git-receive-pack";
        assert_eq!(parsed(refs), Some(("group/sub/project".to_owned(), Service::Push)));
        assert_eq!(parsed("/o/r/git-upload-pack"), Some(("o/r".to_owned(), Service::Fetch)));
    }

    #[test]
    fn the_dumb_protocol_is_not_served() {
        assert_eq!(parsed("/o/r.git/info/refs"), None);
        assert_eq!(parsed("/o/r.git/HEAD"), None);
    }
}
