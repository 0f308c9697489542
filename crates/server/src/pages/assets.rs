//! The style sheet, the script and the icon. Their addresses change with their content, so browsers may keep them.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::LazyLock,
};

use axum::response::IntoResponse;
use http::header;

use crate::route::Row;

const CSS: &str = include_str!("assets/app.css");
const JS: &str = include_str!("assets/app.js");
const SVG: &str = include_str!("assets/icon.svg");

pub(crate) static STYLES: LazyLock<String> = LazyLock::new(|| address("app.css", CSS));
pub(crate) static SCRIPT: LazyLock<String> = LazyLock::new(|| address("app.js", JS));
pub(crate) static ICON: LazyLock<String> = LazyLock::new(|| address("icon.svg", SVG));

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/assets/app.css", async || asset("text/css; charset=utf-8", CSS)).public(),
        Row::get("/assets/app.js", async || asset("text/javascript; charset=utf-8", JS)).public(),
        Row::get("/assets/icon.svg", async || asset("image/svg+xml", SVG)).public(),
        Row::get("/favicon.ico", async || asset("image/svg+xml", SVG)).public(),
    ]
}

fn address(name: &str, content: &str) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("/assets/{name}?v={:016x}", hasher.finish())
}

fn asset(media_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, content)
}

#[cfg(test)]
pub(crate) const FILES: [(&str, &str); 3] = [("app.css", CSS), ("app.js", JS), ("icon.svg", SVG)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_changes_with_its_content() {
        assert_ne!(address("a.css", "a"), address("a.css", "b"));
        assert_eq!(address("a.css", "a"), address("a.css", "a"));
    }

    #[test]
    fn all_assets_together_are_small() {
        let size: usize = FILES.iter().map(|(_, content)| content.len()).sum();
        assert!(size < 62_000, "{size} bytes");
    }
}
