//! What a session changed: a summary for its page, the diffs on a page of their own, and all of it as one patch.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use serde::{Deserialize, Serialize};
use valetkey_model::{ChangedFile, FileStatus, LeftOut, RepositoryChanges, Session, SessionId};

use super::diff::{self, Line};
use crate::{
    App,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        frame::{Frame, Section},
        render::{Page, View},
        words::{counted, title},
    },
    problem::Answer,
};

/// How many files the session's own page names.
const NAMED: usize = 20;
/// How many files, and how many bytes of diff, a page of diffs shows.
const FILES: usize = 60;
const BYTES: usize = 36_000;
/// How many bytes a file has in a page besides its diff, at most.
const AROUND_FILE: usize = 900;

/// The changes of a session, or a part of them.
#[derive(Debug, Serialize)]
pub(super) struct Changes {
    session: String,
    words: String,
    added: u64,
    removed: u64,
    repositories: Vec<Repository>,
    /// The number of the first file that is not here, if there is one.
    next: Option<usize>,
    /// How many files are only counted.
    uncounted: u64,
}

#[derive(Debug, Serialize)]
struct Repository {
    /// Its path, where there are several.
    path: Option<String>,
    files: Vec<File>,
}

/// A changed file.
#[derive(Debug, Serialize)]
struct File {
    /// Its number among all files of the session.
    number: usize,
    path: String,
    old_path: Option<String>,
    status: FileStatus,
    added: Option<u64>,
    removed: Option<u64>,
    /// Why there is no diff, or not all of it.
    note: Option<&'static str>,
    lines: Vec<Line>,
}

impl Changes {
    /// The first files, without their diffs; none if nothing is known to have changed.
    pub(super) fn summary(session: &Session, all: &[RepositoryChanges]) -> Option<Self> {
        let mut room = NAMED;
        let take = |number, file: &ChangedFile| {
            room = room.checked_sub(1)?;
            Some(File::new(number, file))
        };
        (!all.is_empty()).then(|| Self::part(session, all, 0, take))
    }

    /// How many files changed, in words; none if nothing is known to have changed.
    pub(super) fn counted(all: &[RepositoryChanges]) -> Option<String> {
        let (files, words) = files_of(all);
        (files > 0).then_some(words)
    }

    /// The files from number `from` on, as many as a page holds, with their diffs.
    fn page(session: &Session, all: &[RepositoryChanges], from: usize) -> Self {
        let (mut shown, mut room) = (0, BYTES);
        let take = |number, file: &ChangedFile| {
            let mut file =
                File { lines: diff::lines(file.patch.as_deref().unwrap_or_default()), ..File::new(number, file) };
            let size = AROUND_FILE + file.lines.iter().map(Line::size).sum::<usize>();
            if shown == FILES || (size > room && shown > 0) {
                return None;
            }
            shown += 1;
            if size > room {
                file.cut(room);
            }
            room = room.saturating_sub(size);
            Some(file)
        };
        Self::part(session, all, from, take)
    }

    /// The files from number `from` on, up to the one for which there is no room.
    fn part(
        session: &Session,
        all: &[RepositoryChanges],
        from: usize,
        mut take: impl FnMut(usize, &ChangedFile) -> Option<File>,
    ) -> Self {
        let listed: usize = all.iter().map(|it| it.changes.files.len()).sum();
        let (mut repositories, mut next, mut number) = (Vec::new(), None, 0);
        for RepositoryChanges { url, changes, .. } in all {
            let path = (session.repositories.len() > 1).then(|| url.path().to_owned());
            let mut repository = Repository { path, files: Vec::new() };
            for file in &changes.files {
                if number >= from && next.is_none() {
                    match take(number, file) {
                        Some(file) => repository.files.push(file),
                        None => next = Some(number),
                    }
                }
                number += 1;
            }
            if !repository.files.is_empty() {
                repositories.push(repository);
            }
        }
        let (files, words) = files_of(all);
        Self {
            session: session.id.to_string(),
            words,
            added: sum(all, |changes| changes.lines_added),
            removed: sum(all, |changes| changes.lines_removed),
            repositories,
            next,
            uncounted: files.saturating_sub(listed as u64),
        }
    }
}

fn sum(all: &[RepositoryChanges], count: fn(&valetkey_model::Changes) -> u64) -> u64 {
    all.iter().map(|it| count(&it.changes)).sum()
}

/// How many files changed, and the same in words.
fn files_of(all: &[RepositoryChanges]) -> (u64, String) {
    let files = sum(all, |changes| changes.files_changed);
    (files, counted(i64::try_from(files).unwrap_or(i64::MAX), "file"))
}

impl File {
    fn new(number: usize, file: &ChangedFile) -> Self {
        let note = file.left_out.map(|why| match why {
            LeftOut::Binary => "Not a text file, or a very large one.",
            LeftOut::TooLong => "Too long to be kept here; the branch has all of it.",
            LeftOut::Secret => "It holds a secret over several lines, so it is not shown.",
        });
        Self {
            number,
            path: file.path.clone(),
            old_path: file.old_path.clone(),
            status: file.status,
            added: file.lines_added,
            removed: file.lines_removed,
            note,
            lines: Vec::new(),
        }
    }

    /// Leaves the lines that fit.
    fn cut(&mut self, mut room: usize) {
        let fits = self.lines.iter().take_while(|line| {
            let left = room.checked_sub(line.size());
            room = left.unwrap_or_default();
            left.is_some()
        });
        let fits = fits.count();
        self.lines.truncate(fits);
        self.note = Some("The rest of this file is too long for the page; the patch has all of it.");
    }
}

#[derive(Debug, Serialize)]
struct ChangesView {
    id: String,
    title: String,
    changes: Changes,
    from: usize,
}

impl View for ChangesView {
    const TEMPLATE: &'static str = "changes.html";
}

impl ChangesView {
    fn new(session: &Session, all: &[RepositoryChanges], from: usize) -> Self {
        let changes = Changes::page(session, all, from);
        Self { id: session.id.to_string(), title: title(&session.spec.task), changes, from }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct From {
    /// The number of the first file.
    #[serde(default)]
    from: usize,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<SessionId>,
    Params(From { from }): Params<From>,
) -> Answer<impl IntoResponse> {
    let session = app.engine.session(&caller.actor, &id).await?;
    let all = app.engine.changes(&caller.actor, &id).await?;
    let frame = Frame::new(&app, &caller, Section::Sessions, "Changed files");
    Ok(Page::new(frame, ChangesView::new(&session, &all, from)))
}

/// All that is kept, as one text. Where there are several repositories, a line says whose part follows.
pub(super) async fn patch(State(app): State<App>, caller: Caller, Id(id): Id<SessionId>) -> Answer<Response> {
    let all = app.engine.changes(&caller.actor, &id).await?;
    let mut text = String::new();
    for RepositoryChanges { url, changes, .. } in &all {
        if all.len() > 1 {
            text.push_str(&format!("# {url}\n"));
        }
        text.extend(changes.files.iter().filter_map(|file| file.patch.as_deref()));
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::Phase;

    use super::{super::tests::session, *};
    use crate::pages::render::tests::html;

    /// Changes with something of everything.
    pub(in crate::pages) fn sample() -> Vec<RepositoryChanges> {
        let patch = "diff --git a/src/settings.tsx b/src/settings.tsx\n--- a/src/settings.tsx\n+++ b/src/settings.tsx\n@@ -1,4 +1,6 @@ export function Settings() {\n   const user = useUser();\n-  const theme = \"light\";\n+  const system = useMedia(\"(prefers-color-scheme: dark)\");\n+  // <script>alert(1)</script>\n+  const theme = system ? \"dark\" : \"light\";\n   return <Page theme={theme} user={user} />;\n }\n";
        serde_json::from_value(serde_json::json!([{
            "url": "https://gitlab.com/acme/web/app",
            "commit": "3f786850e387550fdab836ed7e6dc881de23001b",
            "filesChanged": 205, "linesAdded": 1204, "linesRemoved": 31,
            "files": [
                {"path": "public/logo-dark.png", "status": "added", "leftOut": "binary"},
                {"path": "src/settings.tsx", "status": "modified", "linesAdded": 3, "linesRemoved": 1, "patch": patch},
                {"path": "src/theme/a-rather-long-folder-name/dark.css", "oldPath": "src/dark.css", "status": "renamed", "linesAdded": 0, "linesRemoved": 0, "leftOut": "too_long"},
                {"path": "src/old.css", "status": "deleted", "linesAdded": 0, "linesRemoved": 30, "leftOut": "secret"},
            ],
        }]))
        .unwrap()
    }

    /// As much as is ever kept.
    pub(in crate::pages) fn most() -> Vec<RepositoryChanges> {
        let lines = "+<a href=\"x\">'&'</a>\n".repeat(2_000);
        let file = |n: u32| {
            let path = format!("packages/some-package/src/components/component-number-{n}/index.tsx");
            serde_json::json!({"path": path, "status": "modified", "linesAdded": 2_000, "linesRemoved": 0, "patch": format!("@@ -1,0 +1,2000 @@\n{lines}")})
        };
        serde_json::from_value(serde_json::json!([{
            "url": "https://gitlab.com/acme/web/app",
            "commit": "3f786850e387550fdab836ed7e6dc881de23001b",
            "filesChanged": 200, "linesAdded": 1, "linesRemoved": 1,
            "files": (0..200).map(file).collect::<Vec<_>>(),
        }]))
        .unwrap()
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let session = session(1, Phase::Completed);
        vec![
            ("changes", html(ChangesView::new(&session, &sample(), 0))),
            ("changes_many", html(ChangesView::new(&session, &most(), 0))),
            ("changes_none", html(ChangesView::new(&session, &[], 0))),
        ]
    }

    #[test]
    fn pages_of_diffs_together_show_every_file_once() {
        let session = session(1, Phase::Completed);
        let mut small = most();
        for file in &mut small[0].changes.files {
            file.patch = Some("@@ -1 +1,3 @@\n x\n+y\n+z\n".into());
        }
        for all in [small, most()] {
            let (mut from, mut seen) = (0, Vec::new());
            loop {
                let page = Changes::page(&session, &all, from);
                seen.extend(page.repositories.iter().flat_map(|it| &it.files).map(|file| file.number));
                match page.next {
                    Some(next) => from = next,
                    None => break,
                }
            }
            assert!(seen.iter().copied().eq(0..200), "{seen:?}");
        }
    }

    #[test]
    fn the_summary_names_files_and_counts_all() {
        let session = session(1, Phase::Completed);
        let summary = Changes::summary(&session, &sample()).unwrap();
        assert_eq!((&*summary.words, summary.added, summary.uncounted, summary.next), ("205 files", 1204, 201, None));
        let many = Changes::summary(&session, &most()).unwrap();
        assert_eq!((many.repositories[0].files.len(), many.next), (NAMED, Some(NAMED)));
        assert!(many.repositories[0].files.iter().all(|file| file.lines.is_empty()));
        assert!(Changes::summary(&session, &[]).is_none());
    }

    #[test]
    fn what_was_changed_can_not_add_to_the_page() {
        let page = html(ChangesView::new(&session(1, Phase::Completed), &sample(), 0));
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"), "{page}");
    }
}
