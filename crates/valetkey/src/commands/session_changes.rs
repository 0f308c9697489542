use std::io;

use serde_json::{Value, json};
use valetkey_model::{ChangedFile, LeftOut, Problem, RepositoryChanges};

use super::typed_all;
use crate::{
    client::Client,
    context::Context,
    output::{self, Style, Table, Tamed},
};

/// Prints what a session changed: the files, or what `git apply` reads.
pub(super) async fn changes(context: &Context, client: &Client, session: &str, patch: bool) -> Result<(), Problem> {
    let found: Vec<Value> = client.all(&format!("{session}/changes")).await?;
    let all: Vec<RepositoryChanges> = typed_all(&found)?;
    output::print(context.format, &json!({ "items": found }), || match (all.is_empty(), patch) {
        (true, _) => "The session changed nothing, or did not come to commit it.".to_owned(),
        (false, false) => all.iter().map(files).collect::<Vec<_>>().join("\n\n"),
        (false, true) => {
            let patches = all.iter().flat_map(|one| &one.changes.files).filter_map(|file| file.patch.as_deref());
            let text: String = patches.collect();
            // A terminal is not to obey what is in a file; a program gets it as it is.
            if output::for_people() { Tamed::text(&text) } else { text }
        }
    })
}

fn files(of: &RepositoryChanges) -> String {
    let changes = &of.changes;
    let mut table = Table::new(&["FILE", "", "LINES", ""], "No file differs.");
    for file in &changes.files {
        let was = file.old_path.as_ref().map_or_else(String::new, |was| format!(" from {was}"));
        table.row(&[file.path.clone(), format!("{}{was}", file.status.as_str()), lines(file), why_no_patch(file)]);
    }
    let (count, added, removed) = (changes.files_changed, changes.lines_added, changes.lines_removed);
    let left = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(changes.files.len());
    let rest = if left == 0 { String::new() } else { format!("\n{left} more") };
    let head = output::one_line(&format!("{}: {count} file(s), +{added} -{removed}", of.url));
    format!("{head}\n{}{rest}", table.render(Style::of(&io::stdout())))
}

fn lines(file: &ChangedFile) -> String {
    match (file.lines_added, file.lines_removed) {
        (Some(added), Some(removed)) => format!("+{added} -{removed}"),
        _ => String::new(),
    }
}

fn why_no_patch(file: &ChangedFile) -> String {
    let why = file.left_out.map(|why| match why {
        LeftOut::Binary => "not text",
        LeftOut::TooLong => "too long to be kept",
        LeftOut::Secret => "hidden, as it holds a secret",
    });
    why.unwrap_or_default().to_owned()
}
