//! What the accounts own: files, calendars, messages.

use std::sync::Mutex;

use crate::fixtures::Account;
use crate::world::locked;

#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) mime_type: String,
    /// An app with `drive.file` sees the files that it made, and no others.
    pub(super) made_by_app: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// Each thing with the id of the account that owns it.
#[derive(Debug, Default)]
pub(super) struct Things {
    files: Mutex<Vec<(u64, File)>>,
    calendars: Mutex<Vec<(u64, Named)>>,
    messages: Mutex<Vec<(u64, Named)>>,
}

impl Things {
    pub(super) fn add_file(&self, owner: &Account, name: &str, mime_type: &str, made_by_app: bool) -> String {
        let mut files = locked(&self.files);
        let id = format!("1file{:024}", files.len() + 1);
        let file = File { id: id.clone(), name: name.to_owned(), mime_type: mime_type.to_owned(), made_by_app };
        files.push((owner.id, file));
        id
    }

    pub(super) fn files(&self, owner: &Account) -> Vec<File> {
        of(&self.files, owner)
    }

    pub(super) fn add_calendar(&self, owner: &Account, name: &str) -> String {
        let id = |number| format!("c_{number:08}@group.calendar.google.com");
        add(&self.calendars, owner, name, id)
    }

    pub(super) fn calendars(&self, owner: &Account) -> Vec<Named> {
        of(&self.calendars, owner)
    }

    pub(super) fn add_message(&self, owner: &Account, subject: &str) -> String {
        add(&self.messages, owner, subject, |number| format!("{number:016x}"))
    }

    pub(super) fn messages(&self, owner: &Account) -> Vec<Named> {
        of(&self.messages, owner)
    }
}

fn add(things: &Mutex<Vec<(u64, Named)>>, owner: &Account, name: &str, id: impl Fn(usize) -> String) -> String {
    let mut things = locked(things);
    let id = id(things.len() + 1);
    things.push((owner.id, Named { id: id.clone(), name: name.to_owned() }));
    id
}

fn of<T: Clone>(things: &Mutex<Vec<(u64, T)>>, owner: &Account) -> Vec<T> {
    locked(things).iter().filter(|(id, _)| *id == owner.id).map(|(_, thing)| thing.clone()).collect()
}
