//! Git over HTTP: who may fetch and push, in the forges' own words, and then git's `http-backend`.

use std::io;
use std::process::Command;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::access::{AccessLevel, Visibility};
use crate::cgi;
use crate::faults::{Surface, Switch};
use crate::fixtures::TokenState;
use crate::git;
use crate::twin::Forge;
use crate::world::{Caller, Project, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Fetch,
    Push,
}

/// A request of git's smart protocol.
#[derive(Debug)]
pub(crate) struct GitRequest<'a> {
    repository: &'a str,
    dot_git: bool,
    service: Service,
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

/// A refusal: git shows its plain text after `remote:`.
struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    fn unauthorized(text: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, text: text.into() }
    }

    fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into() }
    }

    fn not_found(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }

    fn into_response(self, forge: Forge) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], self.text).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let realm = match forge {
                Forge::GitLab => "Basic realm=\"GitLab\"",
                Forge::GitHub => "Basic realm=\"GitHub\"",
            };
            response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static(realm));
        }
        response
    }
}

/// Answers a git request, streaming in both directions.
pub(crate) async fn serve(world: &World, parts: &Parts, body: Body) -> Option<Response> {
    let request = GitRequest::parse(&parts.uri)?;
    let token = world.presented(Some(Surface::Git), &parts.headers);
    let caller = token.as_ref().map(|token| world.caller(token).filter(Caller::works));
    let admitted = match world.forge {
        Forge::GitLab => admit_to_gitlab(world, &request, caller.as_ref().map(Option::as_ref)),
        Forge::GitHub => admit_to_github(world, &request, caller.as_ref().map(Option::as_ref)),
    };
    let project = match admitted {
        Ok(project) => project,
        Err(refusal) => return Some(refusal.into_response(world.forge)),
    };
    if world.forge == Forge::GitLab && !request.dot_git && request.path_info == "/info/refs" {
        let location = format!("/{}.git/info/refs?{}", request.repository, parts.uri.query().unwrap_or_default());
        return Some((StatusCode::MOVED_PERMANENTLY, [(LOCATION, location)]).into_response());
    }
    let answer = run(world, &request, &project, caller.flatten().as_ref(), parts, body).await;
    Some(answer.unwrap_or_else(|error| {
        tracing::warn!(%error, "git http-backend failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }))
}

/// `None`: no token was sent; `Some(None)`: one that does not work.
type Presented<'a> = Option<Option<&'a Caller>>;

fn admit_to_gitlab(world: &World, request: &GitRequest<'_>, presented: Presented<'_>) -> Result<Arc<Project>, Refusal> {
    const DENIED: &str = "HTTP Basic: Access denied. If a password was provided for Git authentication, the password \
        was incorrect or you're required to use a token instead of a password. If a token was provided, it was either \
        incorrect, expired, or improperly scoped.";
    const UNSEEN: &str = "The project you were looking for could not be found or you don't have permission to view it.";
    let push = request.service == Service::Push;
    let project = world.project(request.repository);
    let caller = match presented {
        Some(Some(caller)) => caller,
        Some(None) => return Err(Refusal::unauthorized(DENIED)),
        None => {
            let open = project.filter(|project| !push && project.visibility == Visibility::Public);
            return open.ok_or(Refusal::unauthorized(DENIED));
        }
    };
    if !push && !caller.has_scope(&["api", "read_repository", "write_repository"]) {
        return Err(Refusal::forbidden("You are not allowed to download code."));
    }
    let account = Some(&caller.account);
    let project = project.filter(|project| project.visible_to(account)).ok_or(Refusal::not_found(UNSEEN))?;
    if push && !caller.has_scope(&["api", "write_repository"]) {
        return Err(Refusal::forbidden("You are not allowed to upload code."));
    }
    if push && (!project.pushable_by(account) || pushes_are_forbidden(world)) {
        return Err(Refusal::forbidden("You are not allowed to push code to this project."));
    }
    if !push && !project.readable_by(account) {
        return Err(Refusal::forbidden("You are not allowed to download code from this project."));
    }
    Ok(project)
}

fn admit_to_github(world: &World, request: &GitRequest<'_>, presented: Presented<'_>) -> Result<Arc<Project>, Refusal> {
    const NOT_GRANTED: &str = "Write access to repository not granted.";
    const INVALID: &str = "Invalid username or token. Password authentication is not supported for Git operations.";
    let push = request.service == Service::Push;
    let project = world.project(request.repository);
    let caller = match presented {
        Some(Some(caller)) => caller,
        Some(None) => return Err(Refusal::unauthorized(INVALID)),
        None => {
            let open = project.filter(|project| !push && project.visibility == Visibility::Public);
            return open.ok_or(Refusal::unauthorized("Repository not found."));
        }
    };
    let reaches = |project: &Project| {
        let token = caller.permission("contents").is_some() || caller.has_scope(&["repo"]);
        project.visibility == Visibility::Public || (token && project.visible_to(Some(&caller.account)))
    };
    let project = project.filter(|project| reaches(project)).ok_or(Refusal::not_found("Repository not found."))?;
    if caller.token.state == TokenState::SsoRequired || world.faults.is_on(Surface::Git, &Switch::SsoRequired) {
        let (owner, _) = project.owner_and_name();
        let text = format!(
            "The '{owner}' organization has enabled or enforced SAML SSO. To access\nthis repository, visit \
             {}/orgs/{owner}/sso?authorization_request=A2TWIN and try your request again.",
            world.url
        );
        return Err(Refusal::forbidden(text));
    }
    if !push {
        return Ok(project);
    }
    if project.archived {
        return Err(Refusal::forbidden("This repository was archived so it is read-only."));
    }
    let scope = if project.visibility == Visibility::Public { &["repo", "public_repo"][..] } else { &["repo"] };
    let granted = caller.permission("contents") == Some("write") || caller.has_scope(scope);
    if !granted || pushes_are_forbidden(world) {
        return Err(Refusal::forbidden(NOT_GRANTED));
    }
    if !project.pushable_by(Some(&caller.account)) {
        let text = format!("Permission to {}.git denied to {}.", project.path, caller.account.username);
        return Err(Refusal::forbidden(text));
    }
    Ok(project)
}

fn pushes_are_forbidden(world: &World) -> bool {
    world.faults.is_on(Surface::Git, &Switch::PushForbidden)
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
        protect(&mut command, world.forge, project);
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
    *\" $ref \"*) printf \"$TWIN_REFUSAL\\n\" \"$ref\" >&2; exit 1 ;;
  esac
done
";

fn protect(command: &mut Command, forge: Forge, project: &Project) {
    let refs: Vec<_> = project.protected.iter().map(|branch| format!("refs/heads/{branch}")).collect();
    let refusal = match forge {
        Forge::GitLab => "GitLab: You are not allowed to push code to protected branches on this project.",
        Forge::GitHub => {
            "error: GH006: Protected branch update failed for %s.\nerror: Changes must be made through a pull request."
        }
    };
    command.env("TWIN_PROTECTED", refs.join(" ")).env("TWIN_REFUSAL", refusal);
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
