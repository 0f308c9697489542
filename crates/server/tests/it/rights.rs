//! The table of routes against what it does: every route × everybody × what is theirs and what is not.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::Timestamp;
use valetkey_model::{
    Account, Assistant, AssistantId, AuthMethod, CheckOutcome, Clock as _, Details, EngineId, Integration,
    IntegrationId, Limits, OwnerScope, ProjectName, ProviderKind, Role, Session, SessionId, SessionSpec, TokenId,
    Tools, UserId,
};
use valetkey_seal::{SystemEntropy, TokenHash};
use valetkey_server::{Permission, Right, RouteSummary, summaries};
use valetkey_store::{Member, MemberName, TokenRecord, UserRecord};

use crate::harness::{Reply, TestServer};

/// Everybody who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// Without any credential.
    Nobody,
    /// In another project, as its admin.
    Outsider,
    Viewer,
    Member,
    Admin,
    Administrator,
    /// The project's admin, by a token that may only read.
    ReadOnly,
    /// The administrator of the instance, by a token for another project.
    Elsewhere,
}

const ALL: [Who; 8] = [
    Who::Nobody,
    Who::Outsider,
    Who::Viewer,
    Who::Member,
    Who::Admin,
    Who::Administrator,
    Who::ReadOnly,
    Who::Elsewhere,
];

/// Whose the thing is that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    /// The project's, or something that the member did in it.
    Shared,
    /// The member's own.
    Private,
}

/// What is to come of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Admitted,
    SignInFirst,
    Forbidden,
    NotFound,
}

impl Who {
    fn role(self) -> Option<Role> {
        match self {
            Self::Nobody | Self::Outsider | Self::Elsewhere => None,
            Self::Viewer => Some(Role::Viewer),
            Self::Member => Some(Role::Member),
            Self::Admin | Self::Administrator | Self::ReadOnly => Some(Role::Admin),
        }
    }
}

/// What the table says.
fn told(route: &RouteSummary, who: Who, thing: Thing) -> Outcome {
    use Outcome::{Admitted, Forbidden, NotFound, SignInFirst};
    match route.permission {
        Permission::Public => return Admitted,
        _ if who == Who::Nobody => return SignInFirst,
        _ if who == Who::ReadOnly && route.method != Method::GET => return Forbidden,
        _ => {}
    }
    let at_least = |needed: Role| match who.role() {
        None => NotFound,
        Some(role) if role < needed => Forbidden,
        Some(_) => Admitted,
    };
    let theirs = if who == Who::Member { Admitted } else { NotFound };
    match (route.permission, thing) {
        (Permission::Project(role), _) => at_least(role),
        // Its project is in the query.
        (Permission::User, _) if route.path.ends_with("/integrations/resolve") => at_least(Role::Member),
        (Permission::Administrator, _) if who == Who::Administrator => Admitted,
        (Permission::Administrator, _) => Forbidden,
        (Permission::Owner, _) | (Permission::Integration(_), Thing::Private) => theirs,
        (Permission::Integration(right), Thing::Shared) => at_least(match right {
            Right::See => Role::Viewer,
            Right::Use => Role::Member,
            Right::Manage => Role::Admin,
        }),
        (Permission::Session(Right::See) | Permission::Assistant(Right::See), _) => at_least(Role::Viewer),
        // The member started it, or made it.
        (Permission::Session(_) | Permission::Assistant(_), _) if who == Who::Member => Admitted,
        (Permission::Session(_) | Permission::Assistant(_), _) => at_least(Role::Admin),
        (Permission::User | Permission::Public | Permission::Lease, _) => Admitted,
    }
}

/// What came of it. Refusals of a handler that has let somebody in are none of rights.
fn seen(route: &RouteSummary, reply: &Reply) -> Outcome {
    let way_in = |address: &str| address == "/sign-in" || address.starts_with("/sign-in?return_to=");
    let to_sign_in = reply.status == StatusCode::SEE_OTHER && way_in(reply.header("location"));
    match reply.status.as_u16() {
        _ if to_sign_in => Outcome::SignInFirst,
        401 if route.permission != Permission::Public && reply.body.contains("Sign in, or send") => {
            Outcome::SignInFirst
        }
        403 if REFUSALS.iter().any(|words| reply.body.contains(words)) => Outcome::Forbidden,
        404 if UNKNOWN.iter().any(|words| reply.body.contains(words)) => Outcome::NotFound,
        _ => Outcome::Admitted,
    }
}

const REFUSALS: [&str; 4] = [
    "This takes the role ",
    "This token may only read.",
    "Only an administrator may do this.",
    "Only an admin of the project",
];

const UNKNOWN: [&str; 6] = [
    "There is no project",
    "There is no such project",
    "You have no integration",
    "You have no session",
    "You have no token",
    "There is no such attempt",
];

/// Two projects with people in them.
struct Town {
    server: TestServer,
    project: ProjectName,
    now: Timestamp,
}

impl Town {
    async fn found() -> Self {
        let server = TestServer::start().await;
        let now = server.bed.clock.now();
        let town = Self { server, project: ProjectName::default_project(), now };
        town.server.bed.store.insert_project(&"elsewhere".parse().unwrap(), now).await.unwrap();
        for (who, project, role) in [
            (Who::Outsider, "elsewhere", Role::Admin),
            (Who::Viewer, "default", Role::Viewer),
            (Who::Member, "default", Role::Member),
            (Who::Admin, "default", Role::Admin),
        ] {
            let id = user(who);
            let person = UserRecord {
                id: id.clone(),
                identity: None,
                name: format!("{who:?}"),
                email: None,
                administrator: false,
                disabled: false,
                created_at: now,
                last_seen_at: None,
            };
            town.server.bed.store.insert_user(&person).await.unwrap();
            let member = Member { name: MemberName::Person(id), role, added_at: now };
            town.server.bed.store.set_member(&project.parse().unwrap(), &member).await.unwrap();
        }
        for who in ALL {
            town.token(who, &format!("the-token-of-{who:?}")).await;
        }
        town
    }

    /// Makes the token with which somebody asks; its id.
    async fn token(&self, who: Who, value: &str) -> TokenId {
        let limits = match who {
            Who::ReadOnly => Limits { project: None, read_only: true },
            Who::Elsewhere => Limits { project: Some("elsewhere".parse().unwrap()), read_only: false },
            _ => Limits::default(),
        };
        let token = TokenRecord {
            id: TokenId::new(self.now, &SystemEntropy),
            name: "test".to_owned(),
            owner: user(who),
            limits,
            hash: TokenHash::of(value).as_str().to_owned(),
            created_at: self.now,
            expires_at: None,
            last_used_at: None,
        };
        self.server.bed.store.insert_token(&token).await.unwrap();
        token.id
    }

    async fn integration(&self, thing: Thing) -> IntegrationId {
        let id = IntegrationId::new(self.now, &SystemEntropy);
        let (owner, scope) = match thing {
            Thing::Shared => (Who::Admin, OwnerScope::Project(self.project.clone())),
            Thing::Private => (Who::Member, OwnerScope::UserGlobal),
        };
        let it = Integration {
            alias: format!("it {id}").parse().unwrap(),
            id: id.clone(),
            provider: ProviderKind::GitLab,
            scope,
            owner: user(owner),
            // Nothing listens there.
            instance_url: "http://127.0.0.1:1".parse().unwrap(),
            account: Account { id: "1".into(), username: "john".into(), name: None, email: None },
            auth_method: AuthMethod::Pat,
            granted_scopes: Vec::new(),
            expires_at: None,
            refresh_expires_at: None,
            details: Details::default(),
            outcome: CheckOutcome::Connected,
            unreachable: None,
            is_default: false,
            generation: 1,
            removing: false,
            created_at: self.now,
            updated_at: self.now,
            last_checked_at: self.now,
            last_used_at: None,
        };
        self.server.bed.store.insert_integration(&it, b"sealed").await.unwrap();
        id
    }

    async fn session(&self) -> SessionId {
        let id = SessionId::new(self.now, &SystemEntropy);
        let spec: SessionSpec = serde_json::from_value(serde_json::json!({
            "task": "t",
            "repositories": [],
            "agent": ["true"],
            "timeoutSeconds": 1,
            "pullRequest": false,
            "keepWorkspace": false,
        }))
        .unwrap();
        let mut session = Session::new(id.clone(), self.project.clone(), user(Who::Member), spec, self.now);
        session.phase = valetkey_model::Phase::Stopped;
        let engine = EngineId::new(self.now, &SystemEntropy);
        self.server.bed.store.insert_session(&session, &engine).await.unwrap();
        id
    }

    async fn assistant(&self) -> AssistantId {
        let id = AssistantId::new(self.now, &SystemEntropy);
        let assistant = Assistant {
            name: format!("it {id}").parse().unwrap(),
            id: id.clone(),
            project: self.project.clone(),
            description: String::new(),
            owner: user(Who::Member),
            instructions: String::new(),
            agent: None,
            tools: Tools::default(),
            created_at: self.now,
            updated_at: self.now,
        };
        self.server.bed.store.insert_assistant(&assistant).await.unwrap();
        id
    }

    /// The address of a route, naming something of that kind which was made for it alone.
    async fn address(&self, route: &RouteSummary, thing: Thing) -> String {
        let id = match route.permission {
            Permission::Integration(_) => self.integration(thing).await.to_string(),
            Permission::Owner if route.path.contains("tokens") => {
                let value = format!("another {}", self.session().await);
                self.token(Who::Member, &value).await.to_string()
            }
            Permission::Assistant(_) => self.assistant().await.to_string(),
            Permission::Session(_) | Permission::Project(_) => self.session().await.to_string(),
            _ => "018f0000-0000-7000-8000-000000000000".to_owned(),
        };
        let fill = |part: &str| match part {
            "{project}" => self.project.to_string(),
            "{provider}" => "gitlab".to_owned(),
            _ if part.starts_with('{') => id.clone(),
            _ => part.to_owned(),
        };
        route.path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }

    async fn ask(&self, who: Who, route: &RouteSummary, address: &str) -> Outcome {
        let client = match who {
            Who::Nobody => self.server.anonymous(),
            _ => self.server.bearer(&format!("the-token-of-{who:?}")),
        };
        seen(route, &client.ask(route.method.clone(), address).await)
    }
}

fn user(who: Who) -> UserId {
    match who {
        Who::Administrator | Who::Elsewhere => UserId::admin(),
        Who::ReadOnly => user(Who::Admin),
        _ => format!("{who:?}").parse().unwrap(),
    }
}

/// What the pages of a browser alone can do is refused to a token by other words.
fn is_asked(route: &RouteSummary) -> bool {
    route.permission != Permission::Owner || route.path.contains("tokens")
}

#[tokio::test]
async fn every_route_does_what_the_table_says() {
    let town = Town::found().await;
    let routes: Vec<_> = summaries().into_iter().filter(is_asked).collect();
    let mut wrong = Vec::new();
    let mut asked = BTreeMap::<Who, usize>::new();
    for route in &routes {
        for who in ALL {
            for thing in [Thing::Shared, Thing::Private] {
                let address = town.address(route, thing).await;
                let (told, seen) = (told(route, who, thing), town.ask(who, route, &address).await);
                *asked.entry(who).or_default() += 1;
                if told != seen {
                    wrong.push(format!("{who:?} {} {}, {thing:?}: {seen:?}, not {told:?}", route.method, route.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked.values().all(|count| *count == routes.len() * 2 && *count > 100));
}
