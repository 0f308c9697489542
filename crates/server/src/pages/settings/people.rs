use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use valetkey_model::{ProblemCode, UserId};
use valetkey_store::Person;

use super::frame;
use crate::{
    App,
    api::paging,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
        words::{Badge, Moment, Tone},
    },
    people::{self, Decision},
    problem::{Answer, Failure},
};

#[derive(Debug, Serialize)]
struct PeopleView {
    words: String,
    people: Vec<PersonRow>,
    /// The query of the page that follows.
    more: Option<String>,
    administrator: bool,
}

impl View for PeopleView {
    const TEMPLATE: &'static str = "people.html";
}

#[derive(Debug, Serialize)]
struct PersonRow {
    id: String,
    name: String,
    email: Option<String>,
    issuer: Option<String>,
    state: Badge,
    seen: Option<Moment>,
    disabled: bool,
    administrator: bool,
    claimed: bool,
    built_in: bool,
}

impl PersonRow {
    fn new(Person { user, claimed_administrator }: Person, now: Timestamp) -> Self {
        let state = match (user.disabled, user.administrator) {
            (true, _) => Badge::new("Disabled", Tone::Bad),
            (false, true) => Badge::new("Administrator", Tone::Good),
            (false, false) => Badge::new("Enabled", Tone::Idle),
        };
        Self {
            built_in: user.id == UserId::admin(),
            id: user.id.to_string(),
            name: user.name,
            email: user.email,
            issuer: user.identity.map(|(issuer, _)| issuer),
            state,
            seen: user.last_seen_at.map(|at| Moment::past(now, at)),
            disabled: user.disabled,
            administrator: user.administrator,
            claimed: claimed_administrator,
        }
    }
}

/// Which people to show.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    after: Option<UserId>,
    did: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Wanted { q, after, did }): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    let fetch = paging::Paging::default().to_fetch()?;
    let found = app.store.people(&q, fetch, after.as_ref()).await?;
    let page = paging::Page::cut(found, fetch, |person| person.user.id.clone());
    let more = page.next_cursor.map(|last| {
        form_urlencoded::Serializer::new(String::new()).append_pair("q", &q).append_pair("after", &last).finish()
    });
    let people = page.items.into_iter().map(|person| PersonRow::new(person, app.now())).collect();
    let view = PeopleView { words: q, people, more, administrator: true };
    Ok(Page::new(frame(&app, &caller, "People").after(did.as_deref()), view))
}

#[derive(Debug, Serialize)]
struct PersonView {
    person: PersonRow,
    groups: Vec<String>,
    problem: Option<ProblemView>,
}

impl View for PersonView {
    const TEMPLATE: &'static str = "person.html";
}

pub(super) async fn show_one(State(app): State<App>, caller: Caller, Id(id): Id<UserId>) -> Answer<impl IntoResponse> {
    Ok(Page::new(frame(&app, &caller, "Person"), view(&app, &id, None).await?))
}

async fn view(app: &App, id: &UserId, problem: Option<ProblemView>) -> Answer<PersonView> {
    let person = PersonRow::new(people::find(app, id).await?, app.now());
    Ok(PersonView { person, groups: app.store.groups_of(id).await?.into_iter().collect(), problem })
}

pub(super) async fn change(State(app): State<App>, caller: Caller, Id(id): Id<UserId>, form: Form) -> Answer<Response> {
    let nothing = Decision::default();
    let (decision, did) = match form.get("do") {
        "disable" => (Decision { disabled: Some(true), ..nothing }, "person-disabled"),
        "enable" => (Decision { disabled: Some(false), ..nothing }, "person-enabled"),
        "appoint" => (Decision { administrator: Some(true), ..nothing }, "appointed"),
        "dismiss" => (Decision { administrator: Some(false), ..nothing }, "dismissed"),
        _ => return Err(Failure::invalid("this is not what the form sends")),
    };
    match people::decide(&app, &caller, &id, decision).await {
        Ok(_) => Ok(Redirect::to(&format!("/settings/people?did={did}")).into_response()),
        Err(problem) if problem.code == ProblemCode::Conflict => {
            let view = view(&app, &id, Some((&problem).into())).await?;
            Ok(Page::new(frame(&app, &caller, "Person"), view).with_status(refused(&problem)).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::Problem;
    use valetkey_store::UserRecord;

    use super::*;
    use crate::pages::render::tests::html;

    fn row(id: &str, change: impl FnOnce(&mut Person)) -> PersonRow {
        let user = UserRecord {
            id: id.parse().unwrap(),
            identity: Some(("https://id.example.com".to_owned(), id.to_owned())),
            name: format!("Person {id}"),
            email: Some(format!("{id}@example.com")),
            administrator: false,
            disabled: false,
            created_at: Timestamp::UNIX_EPOCH,
            last_seen_at: None,
        };
        let mut person = Person { user, claimed_administrator: false };
        change(&mut person);
        PersonRow::new(person, Timestamp::UNIX_EPOCH)
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let people = || {
            vec![
                row("anna", |_| {}),
                row("bob", |bob| bob.user.disabled = true),
                row("cleo", |cleo| (cleo.user.administrator, cleo.claimed_administrator) = (true, true)),
                row("admin", |admin| admin.user.administrator = true),
            ]
        };
        let list = PeopleView { words: "a".into(), people: people(), more: Some("q=a".into()), administrator: true };
        let none = PeopleView { words: "x".into(), people: Vec::new(), more: None, administrator: true };
        let problem = Problem::new(ProblemCode::Conflict, "You can't shut yourself out.");
        let mut all = vec![("people", html(list)), ("people_none", html(none))];
        for (person, name) in people().into_iter().zip(["person", "person_disabled", "person_claimed", "person_admin"])
        {
            let problem = (name == "person_admin").then(|| (&problem).into());
            all.push((name, html(PersonView { person, groups: vec!["dev".into()], problem })));
        }
        all
    }

    #[test]
    fn what_would_not_last_is_not_offered() {
        let pages = samples();
        let offers = |name: &str, what: &str| {
            let page = &pages.iter().find(|(page, _)| *page == name).unwrap().1;
            page.contains(&format!("value=\"{what}\""))
        };
        assert!(offers("person", "disable") && offers("person", "appoint"));
        assert!(offers("person_disabled", "enable") && !offers("person_disabled", "disable"));
        assert!(!offers("person_claimed", "dismiss"));
        assert!(!offers("person_admin", "disable") && !offers("person_admin", "dismiss"));
    }
}
