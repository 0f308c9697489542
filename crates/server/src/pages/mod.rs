//! The pages for people, with their templates and assets beside them.

use crate::route::Row;

/// The routes of the pages and their assets.
pub(crate) fn rows() -> Vec<Row> {
    Vec::new()
}
