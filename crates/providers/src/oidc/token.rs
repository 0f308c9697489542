//! Signed tokens: who signed, for whom, until when. The library checks signatures; times are ours, by the clock passed in.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};
use valetkey_seal::{Secret, is_same};

use super::{IssuerUrl, TokenFault, keys::KeySet};

/// All asymmetric ones that there are. `none` and the ones with a shared secret are not among them.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Clocks differ.
const LEEWAY: i64 = 60;

/// Even one with a thousand groups is shorter.
const LONGEST: usize = 64 << 10;

/// The members of a token's body.
pub(super) type Members = Map<String, Value>;

/// A token that one of the issuer's keys has signed; what it says is still to be judged.
#[derive(Debug)]
pub(super) struct Signed {
    kind: Option<String>,
    pub(super) members: Members,
}

impl Signed {
    /// Reads a token, if one of these keys has signed it.
    pub(super) fn read(token: &str, keys: &KeySet) -> Result<Self, TokenFault> {
        if token.len() > LONGEST {
            return Err(TokenFault::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenFault::Malformed)?;
        // What must be understood, and is not.
        if header.crit.is_some() {
            return Err(TokenFault::Malformed);
        }
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenFault::Algorithm);
        }
        let mut candidates = keys.fitting(header.kid.as_deref(), header.alg).peekable();
        if candidates.peek().is_none() {
            return Err(TokenFault::UnknownKey);
        }
        let mut rule = Validation::new(header.alg);
        (rule.validate_exp, rule.validate_aud) = (false, false);
        rule.required_spec_claims.clear();
        let decoded = candidates.find_map(|key| decode::<Members>(token, &key, &rule).ok());
        let decoded = decoded.ok_or(TokenFault::Signature)?;
        Ok(Self { kind: header.typ, members: decoded.claims })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    fn seconds(&self, name: &str) -> Option<i64> {
        let value = self.members.get(name)?;
        value.as_i64().or_else(|| Some(value.as_f64()? as i64))
    }

    /// Whom it is for: one name, or several.
    fn audience(&self) -> Vec<&str> {
        match self.members.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// What holds for every token of the issuer for us.
    fn check(&self, issuer: &IssuerUrl, client_id: &str, now: Timestamp) -> Result<(), TokenFault> {
        if self.text("iss") != Some(issuer.as_str()) {
            return Err(TokenFault::Issuer);
        }
        if !self.audience().contains(&client_id) {
            return Err(TokenFault::Audience);
        }
        let now = now.as_second();
        if self.seconds("exp").is_none_or(|end| end.saturating_add(LEEWAY) <= now) {
            return Err(TokenFault::Expired);
        }
        let later = |name| self.seconds(name).is_some_and(|start| start > now.saturating_add(LEEWAY));
        if later("iat") || later("nbf") { Err(TokenFault::NotYet) } else { Ok(()) }
    }

    /// Judges it as the ID token of a sign-in (OpenID Connect Core 1.0, 3.1.3.7).
    pub(super) fn check_id_token(
        &self,
        issuer: &IssuerUrl,
        client_id: &str,
        nonce: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), TokenFault> {
        self.check(issuer, client_id, now)?;
        let party = self.text("azp");
        if party.is_some_and(|party| party != client_id) || (party.is_none() && self.audience().len() > 1) {
            return Err(TokenFault::AuthorizedParty);
        }
        if self.seconds("iat").is_none() {
            return Err(TokenFault::Malformed);
        }
        let stated = self.text("nonce").unwrap_or_default();
        if is_same(nonce, stated) { Ok(()) } else { Err(TokenFault::Nonce) }
    }

    /// Judges it as an access token for our API; gives its end. An ID token is none: it tells who signed in, to the
    /// program that asked, and goes nowhere else.
    pub(super) fn check_access_token(
        &self,
        issuer: &IssuerUrl,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Timestamp, TokenFault> {
        self.check(issuer, client_id, now)?;
        let kind = self.kind.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        let is_id_token = ["nonce", "at_hash", "c_hash"].iter().any(|name| self.members.contains_key(*name));
        if is_id_token || !["jwt", "at+jwt", "application/at+jwt"].contains(&kind.as_str()) {
            return Err(TokenFault::NoAccessToken);
        }
        let end = self.seconds("exp").and_then(|end| Timestamp::from_second(end).ok());
        end.ok_or(TokenFault::Malformed)
    }
}
