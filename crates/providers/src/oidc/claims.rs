use serde_json::Value;
use valetkey_model::Claims;

use super::{IssuerUrl, TokenFault, token::Members};

/// What signed members say of a person. The groups are in the claim of this name, or, where there is none, at the path that
/// its dots describe: `realm_access.roles`.
pub(super) fn read(issuer: &IssuerUrl, members: &Members, groups_claim: &str) -> Result<Claims, TokenFault> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let claims = text("sub").and_then(|subject| Claims::new(issuer.as_str(), subject)).ok_or(TokenFault::Subject)?;
    // Some providers write it as a text.
    let verified = matches!(members.get("email_verified"), Some(Value::Bool(true)))
        || text("email_verified").is_some_and(|word| word == "true");
    let name = text("name").filter(|name| !name.trim().is_empty()).or_else(|| text("preferred_username"));
    let email = text("email").filter(|_| verified);
    Ok(claims.named(name).verified_email(email).in_groups(groups(members, groups_claim)))
}

/// Whether the userinfo endpoint may know something that was not said.
pub(super) fn are_missing(members: &Members, groups_claim: &str) -> bool {
    let all_told = ["name", "email", "email_verified"].iter().all(|name| members.contains_key(*name));
    !all_told || at(members, groups_claim).is_none()
}

fn at<'a>(members: &'a Members, path: &str) -> Option<&'a Value> {
    members.get(path).or_else(|| {
        let mut parts = path.split('.');
        let first = members.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })
}

/// A list of texts, or a single one.
fn groups<'a>(members: &'a Members, path: &str) -> Vec<&'a str> {
    match at(members, path) {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    }
}
