//! The web pages behind a branch link and a pull request link.

use std::fmt::Write as _;

use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

use crate::html::Escaped;
use crate::world::{Project, World};

/// A last change longer than this is cut: pages are for people.
const MAX_CHANGE: usize = 64 * 1024;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328}\
    h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}li{font-family:ui-monospace,monospace}\
    pre{background:#f6f8fa;border:1px solid #d1d9e0;border-radius:6px;padding:1rem;overflow-x:auto;font-size:.85rem}\
    .muted{color:#59636e}";

/// The page at a path: a repository, one of its branches, or one of its pull requests.
pub(crate) fn show(world: &World, uri: &Uri) -> Response {
    page(world, world.rules().page(uri)).unwrap_or_else(|| {
        let html = frame("Not found", "<h1>Not found</h1><p>There is no such page.</p>");
        (StatusCode::NOT_FOUND, html).into_response()
    })
}

/// What the address of a page is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) repository: String,
    pub(crate) view: View,
}

/// A view of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum View {
    Front,
    Branch(String),
    /// The number as it stands in the address.
    PullRequest(String),
}

impl Shown {
    pub(crate) fn new(repository: &str, view: View) -> Self {
        Self { repository: repository.to_owned(), view }
    }

    /// The views of a forge whose addresses have a text between the repository and what is seen of it.
    pub(crate) fn by_separators(uri: &Uri, tree: &str, pull: &str) -> Self {
        let path = uri.path().trim_matches('/');
        if let Some((repository, branch)) = path.split_once(tree) {
            Self::new(repository, View::Branch(branch.to_owned()))
        } else if let Some((repository, number)) = path.split_once(pull) {
            Self::new(repository, View::PullRequest(number.to_owned()))
        } else {
            Self::new(path, View::Front)
        }
    }
}

fn page(world: &World, shown: Shown) -> Option<Response> {
    let project = world.project(&shown.repository)?;
    let html = match shown.view {
        View::Branch(branch) => branch_page(&project, &branch)?,
        View::PullRequest(number) => pull_request_page(&project, number.parse().ok()?)?,
        View::Front => branch_page(&project, &project.default_branch).unwrap_or_else(|| empty_page(&project)),
    };
    Some(html.into_response())
}

fn branch_page(project: &Project, branch: &str) -> Option<Html<String>> {
    let files = project.bare.files(branch)?;
    let mut change = project.bare.last_change(branch);
    if change.len() > MAX_CHANGE {
        change.truncate(change.floor_char_boundary(MAX_CHANGE));
        change.push_str("\n…");
    }
    let mut html = format!(
        "<h1>{} <span class=\"muted\">on branch</span> {}</h1><h2>Files</h2><ul>",
        Escaped(&project.path),
        Escaped(branch)
    );
    for file in files {
        let _ = write!(html, "<li>{}</li>", Escaped(&file));
    }
    let _ = write!(html, "</ul><h2>Last change</h2><pre>{}</pre>", Escaped(&change));
    Some(frame(&format!("{branch} · {}", project.path), &html))
}

fn pull_request_page(project: &Project, number: u64) -> Option<Html<String>> {
    let request = project.pull_request(number)?;
    let html = format!(
        "<h1>{} <span class=\"muted\">#{number}</span></h1><p>{} wants to merge <b>{}</b> into <b>{}</b>.</p><pre>{}</pre>\
         <h2>Last change</h2><pre>{}</pre>",
        Escaped(&request.title),
        Escaped(&request.author),
        Escaped(&request.source_branch),
        Escaped(&request.target_branch),
        Escaped(&request.description),
        Escaped(&project.bare.last_change(&request.source_branch)),
    );
    Some(frame(&format!("{} · {}", request.title, project.path), &html))
}

fn empty_page(project: &Project) -> Html<String> {
    frame(&project.path, &format!("<h1>{}</h1><p>This repository is empty.</p>", Escaped(&project.path)))
}

fn frame(title: &str, content: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head>\
         <body>{content}</body></html>",
        Escaped(title)
    ))
}
