//! From a typed view to a page.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use minijinja::{
    Environment, Error, Output, State, UndefinedBehavior, Value, escape_formatter, syntax::SyntaxConfig, value::Serde,
};
use serde::Serialize;
use valetkey_model::ProblemCode;

use super::{frame::Frame, words};
use crate::problem::Failure;

/// What one template shows.
pub(crate) trait View: Serialize {
    /// The template's file name.
    const TEMPLATE: &'static str;
}

/// A view within the frame that all pages have in common.
#[derive(Debug, Serialize)]
pub(crate) struct Page<V> {
    frame: Frame,
    view: V,
    #[serde(skip)]
    status: StatusCode,
}

impl<V: View> Page<V> {
    pub(crate) fn new(frame: Frame, view: V) -> Self {
        Self { frame, view, status: StatusCode::OK }
    }

    /// Answers under this status rather than 200.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn html(&self) -> Result<String, Error> {
        TEMPLATES.get_template(V::TEMPLATE)?.render(Serde(self))
    }
}

impl<V: View> IntoResponse for Page<V> {
    fn into_response(self) -> Response {
        match self.html() {
            Ok(html) => (self.status, Html(html)).into_response(),
            Err(error) => {
                tracing::error!(template = V::TEMPLATE, %error, "a page could not be rendered");
                Failure::new(ProblemCode::Internal, "The page could not be rendered; the server's log says why.")
                    .into_response()
            }
        }
    }
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

const SOURCES: &[(&str, &str)] = &templates![
    "app.html",
    "app_remove.html",
    "apps.html",
    "assistant.html",
    "assistant_delete.html",
    "assistant_project.html",
    "assistants.html",
    "audit.html",
    "card.html",
    "changes.html",
    "check.html",
    "connect.html",
    "device.html",
    "disconnect.html",
    "disconnected.html",
    "error.html",
    "github_app.html",
    "github_manifest.html",
    "home.html",
    "integrations.html",
    "layout.html",
    "new_session.html",
    "overview.html",
    "overview_alone.html",
    "parts.html",
    "people.html",
    "person.html",
    "profile.html",
    "project.html",
    "project_add.html",
    "project_delete.html",
    "project_head.html",
    "project_member_remove.html",
    "project_members.html",
    "project_new.html",
    "project_repository_remove.html",
    "project_settings.html",
    "projects.html",
    "rename.html",
    "secret.html",
    "secret_delete.html",
    "secrets.html",
    "session.html",
    "session_delete.html",
    "sessions.html",
    "sign_in.html",
    "sign_in_link.html",
    "stop.html",
    "token.html",
    "token_end.html",
    "token_made.html",
    "token_new.html",
    "tokens.html",
    "usage.html",
    "webhook.html",
    "webhook_delete.html",
    "webhook_edit.html",
    "webhook_rotate.html",
    "webhook_secret.html",
    "webhooks.html",
];

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment.set_formatter(show);
    environment.add_filter("prose", prose);
    for (name, source) in SOURCES {
        environment.add_template(name, source).unwrap_or_else(|error| panic!("template {name}: {error:#}"));
    }
    environment
});

/// Whatever is put into a page is escaped, and can't change how the text around it looks. What is not there is nothing.
fn show(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() => write_escaped(out, &words::visible(text)).map_err(Error::from),
        None if value.is_none() => Ok(()),
        _ => escape_formatter(out, state, value),
    }
}

/// A sentence of ours, in which what is to be typed stands between backticks.
fn prose(text: &str) -> Result<Value, Error> {
    let text = words::visible(text);
    let parts: Vec<&str> = text.split('`').collect();
    let mut html = String::new();
    if parts.len().is_multiple_of(2) {
        write_escaped(&mut html, &text)?;
        return Ok(Value::from_safe_string(html));
    }
    for (n, part) in parts.into_iter().enumerate() {
        let (open, close) = if n % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        html.push_str(open);
        write_escaped(&mut html, part)?;
        html.push_str(close);
    }
    Ok(Value::from_safe_string(html))
}

/// Good between tags and within quoted attributes. Unlike the library's own it leaves slashes as they are.
fn write_escaped(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    for part in text.split_inclusive(['&', '<', '>', '"', '\'']) {
        let entity = match part.as_bytes().last() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&quot;",
            Some(b'\'') => "&#39;",
            _ => {
                out.write_str(part)?;
                continue;
            }
        };
        out.write_str(&part[..part.len() - 1])?;
        out.write_str(entity)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::pages::{
        assistants, audit, error, home, integrations, projects, secrets, sessions, settings, sign_in, webhooks,
    };

    /// The page of a view; panics where the template asks for what the view does not have.
    pub(crate) fn html<V: View>(view: V) -> String {
        Page::new(Frame::sample(), view).html().unwrap_or_else(|error| panic!("{}: {error:#}", V::TEMPLATE))
    }

    /// How many bytes a browser fetches for a page that it has never seen, without pictures.
    pub(crate) fn weight(html: &str) -> usize {
        html.len() + crate::pages::assets::FILES.iter().map(|(_, content)| content.len()).sum::<usize>()
    }

    /// Every view as it looks with something in it, with the name of its page.
    fn samples() -> Vec<(&'static str, String)> {
        [
            home::tests::samples(),
            sign_in::tests::samples(),
            integrations::samples(),
            assistants::samples(),
            projects::samples(),
            settings::samples(),
            secrets::samples(),
            sessions::samples(),
            webhooks::samples(),
            audit::tests::samples(),
        ]
        .into_iter()
        .flatten()
        .chain([("error", html(error::ErrorView::sample()))])
        .collect()
    }

    #[test]
    fn every_template_finds_all_it_asks_for() {
        for (name, html) in samples() {
            assert!(html.contains("</"), "{name}");
            assert!(weight(&html) < 100_000, "{name} has {} bytes", weight(&html));
        }
    }

    #[test]
    fn a_page_has_what_its_policy_allows() {
        for (name, html) in samples() {
            for forbidden in ["<style", " style=", "onclick=", "javascript:", "//cdn"] {
                assert!(!html.contains(forbidden), "{name} has {forbidden}");
            }
            let inline =
                html.match_indices("<script").find(|(at, _)| !html[*at..].starts_with("<script src=\"/assets/"));
            assert_eq!(inline, None, "{name}");
        }
    }

    #[test]
    fn text_stays_text() {
        let mut environment = Environment::new();
        environment.set_formatter(show);
        let page =
            environment.render_str("<p title=\"{{ it }}\">", minijinja::context!(it => "<a href='/x'>&\"é")).unwrap();
        assert_eq!(page, "<p title=\"&lt;a href=&#39;/x&#39;&gt;&amp;&quot;é\">");
    }

    #[test]
    fn what_is_to_be_typed_is_set_as_code() {
        let shown = |text: &str| prose(text).unwrap().to_string();
        assert_eq!(shown("Run `a <b>` or `c`."), "Run <code>a &lt;b&gt;</code> or <code>c</code>.");
        assert_eq!(shown("A lone ` & <i>"), "A lone ` &amp; &lt;i&gt;");
    }

    #[test]
    fn every_field_of_a_form_has_a_label() {
        for (name, html) in samples() {
            for field in ["<input ", "<select ", "<textarea "] {
                for (at, _) in html.match_indices(field) {
                    let tag = &html[at..at + html[at..].find('>').unwrap()];
                    if tag.contains("type=\"hidden\"") || tag.contains("aria-label=") {
                        continue;
                    }
                    let id = tag.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
                    let id = id.unwrap_or_else(|| panic!("{name}: no id in {tag}"));
                    assert!(html.contains(&format!("for=\"{id}\"")), "{name}: no label for {id}");
                }
            }
        }
    }

    /// To look at: `VALETKEY_SAMPLES=/tmp/pages cargo test -p valetkey-server samples_to_look_at`.
    #[test]
    fn samples_to_look_at() {
        let Some(folder) = std::env::var_os("VALETKEY_SAMPLES").map(std::path::PathBuf::from) else { return };
        std::fs::create_dir_all(&folder).unwrap();
        let assets = folder.to_str().unwrap();
        for (name, html) in samples() {
            let html = html.replace("\"/assets/", &format!("\"file://{assets}/"));
            std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
        }
        for (name, bytes) in crate::pages::assets::FILES {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
