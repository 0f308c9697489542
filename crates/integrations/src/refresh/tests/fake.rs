//! An authorization server that rotates refresh tokens, and ends the whole grant when a used one comes back.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;
use valetkey_model::Clock;
use valetkey_providers::{
    Credential,
    oauth::{OAuthError, Rotation, Tokens},
};

use valetkey_seal::Secret;

use super::{TestClock, minutes};
use crate::refresh::server::{AuthorizationServer, Vitals};

pub(super) const FIRST_ACCESS: &str = "access-1";
pub(super) const FIRST_REFRESH: &str = "refresh-1";

/// What becomes of one request.
#[derive(Debug, Clone)]
pub(super) enum Course {
    /// Carried out and answered.
    Arrives,
    /// Carried out; the answer is lost.
    AnswerLost,
    /// Lost on its way there.
    RequestLost,
    /// Lost on its way there, and who sent it dies with it.
    SenderDies,
    /// Carried out, and who is to get the answer dies.
    ReceiverDies,
    /// Refused so, without a look at the refresh token.
    Refused(OAuthError),
}

pub(super) struct Fake {
    rotation: Rotation,
    clock: Arc<TestClock>,
    state: Mutex<State>,
    /// How often it was asked what it thinks of an access token.
    pub(super) asked: AtomicUsize,
    /// Told when whoever sent a request is to die.
    pub(super) death: Notify,
}

struct State {
    script: VecDeque<Course>,
    reachable: bool,
    issued: usize,
    refresh: String,
    access: HashSet<String>,
    used: HashSet<String>,
    sent: Vec<String>,
    /// Sent, and nothing has proven since that it was not carried out.
    unproven: HashSet<String>,
    sent_blindly: usize,
    revoked: Vec<String>,
}

/// The answer that says nothing of what was done before it.
pub(super) fn lost() -> OAuthError {
    OAuthError::Failed { status: 502, said: String::new() }
}

impl Fake {
    pub(super) fn new(
        rotation: Rotation,
        clock: &Arc<TestClock>,
        script: impl IntoIterator<Item = Course>,
    ) -> Arc<Self> {
        let state = State {
            script: script.into_iter().collect(),
            reachable: true,
            issued: 1,
            refresh: FIRST_REFRESH.to_owned(),
            access: HashSet::from([FIRST_ACCESS.to_owned()]),
            used: HashSet::new(),
            sent: Vec::new(),
            unproven: HashSet::new(),
            sent_blindly: 0,
            revoked: Vec::new(),
        };
        Arc::new(Self {
            rotation,
            clock: Arc::clone(clock),
            state: Mutex::new(state),
            asked: AtomicUsize::new(0),
            death: Notify::new(),
        })
    }

    /// How many refresh requests were made.
    pub(super) fn sends(&self) -> usize {
        self.state.lock().unwrap().sent.len()
    }

    /// How often a refresh token that works once was sent again while it could have been used up.
    pub(super) fn sent_blindly(&self) -> usize {
        self.state.lock().unwrap().sent_blindly
    }

    /// Whether it would accept this access token.
    pub(super) fn accepts(&self, access: &str) -> bool {
        self.state.lock().unwrap().access.contains(access)
    }

    /// Whether it has issued new tokens.
    pub(super) fn has_renewed(&self) -> bool {
        self.state.lock().unwrap().issued > 1
    }

    pub(super) fn revoked(&self) -> Vec<String> {
        self.state.lock().unwrap().revoked.clone()
    }

    /// Ends an access token before its time.
    pub(super) fn kill(&self, access: &str) {
        self.state.lock().unwrap().access.remove(access);
    }

    /// Whether it can be asked about access tokens.
    pub(super) fn reachable(&self, reachable: bool) {
        self.state.lock().unwrap().reachable = reachable;
    }
}

impl State {
    fn note(&mut self, refresh: &str, rotation: Rotation) {
        if rotation != Rotation::None && !self.unproven.insert(refresh.to_owned()) {
            self.sent_blindly += 1;
        }
        self.sent.push(refresh.to_owned());
    }

    fn carry_out(&mut self, refresh: &str, rotation: Rotation, end: Timestamp) -> Result<Tokens, OAuthError> {
        if self.used.contains(refresh) {
            // Reuse: whoever has tokens of this grant may be a thief.
            self.access.clear();
            self.refresh.clear();
        }
        if self.refresh != refresh {
            return Err(OAuthError::GrantDead { said: "invalid_grant".to_owned() });
        }
        self.issued += 1;
        let access = format!("access-{}", self.issued);
        if rotation == Rotation::KillsAccess {
            self.access.clear();
        }
        if rotation != Rotation::None {
            self.used.insert(std::mem::replace(&mut self.refresh, format!("refresh-{}", self.issued)));
        }
        self.access.insert(access.clone());
        Ok(Tokens {
            access: Secret::new(access),
            refresh: Some(Secret::new(self.refresh.clone())),
            expires_at: Some(end),
            refresh_expires_at: None,
            scopes: None,
        })
    }
}

#[async_trait]
impl AuthorizationServer for Fake {
    fn rotation(&self) -> Rotation {
        self.rotation
    }

    #[expect(clippy::disallowed_methods, reason = "the server reads made-up tokens")]
    async fn refresh(&self, old: &Credential) -> Result<Tokens, OAuthError> {
        let refresh = old.refresh.as_ref().unwrap().expose().clone();
        // Whoever ends here has not sent it yet.
        tokio::task::yield_now().await;
        let dies;
        let result = {
            let mut state = self.state.lock().unwrap();
            state.note(&refresh, self.rotation);
            let end = self.clock.now() + minutes(60);
            let answer = state.script.pop_front().unwrap_or(Course::Arrives);
            dies = matches!(answer, Course::SenderDies | Course::ReceiverDies);
            match answer {
                Course::Arrives => state.carry_out(&refresh, self.rotation, end),
                Course::AnswerLost | Course::ReceiverDies => {
                    state.carry_out(&refresh, self.rotation, end).and(Err(lost()))
                }
                Course::RequestLost | Course::SenderDies => Err(lost()),
                Course::Refused(error) => {
                    state.unproven.remove(&refresh);
                    Err(error)
                }
            }
        };
        if dies {
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
        // Whoever ends here never sees the answer.
        tokio::task::yield_now().await;
        result
    }

    #[expect(clippy::disallowed_methods, reason = "the server reads made-up tokens")]
    async fn ask(&self, about: &Credential) -> Vitals {
        tokio::task::yield_now().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock().unwrap();
        match (state.reachable, state.access.contains(about.token.expose())) {
            (false, _) => Vitals::Unknown,
            (true, true) => {
                state.unproven.clear();
                Vitals::Alive
            }
            (true, false) => Vitals::Dead,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the server reads made-up tokens")]
    async fn revoke(&self, tokens: &Tokens, _of: &Credential) {
        let mut state = self.state.lock().unwrap();
        state.access.remove(tokens.access.expose());
        state.revoked.push(tokens.access.expose().clone());
    }
}
