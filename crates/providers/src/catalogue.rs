use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind};

/// What it takes to connect a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueEntry {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Its name.
    pub name: String,
    /// Where most people's account is.
    pub default_instance: InstanceUrl,
    /// What to ask the person for.
    pub fields: Vec<Field>,
    /// How it can be connected.
    pub auth_methods: Vec<AuthMethod>,
    /// What the token must be allowed: any one of these sets, the recommended one first.
    pub required_scopes: Vec<ScopeSet>,
    /// The page that creates such a token, to be put after the instance URL.
    pub token_path: String,
    /// Whether this server is set up for OAuth with it.
    pub oauth: bool,
}

/// One thing to fill in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    /// Its name in requests.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// Whether it must be hidden while typed, and is never shown again.
    pub secret: bool,
    /// Whether it can be left out.
    pub required: bool,
    /// A sentence or two.
    pub help: String,
}

/// Scopes that suffice together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeSet {
    /// All of these.
    pub scopes: Vec<Scope>,
    /// For which kind of token, or with which restriction.
    pub note: String,
}

/// One scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// The provider's name of it.
    pub name: String,
    /// What it is needed for.
    pub why: String,
}

/// The two fields that every provider has.
pub(crate) fn fields(token_help: &str, instance_help: &str) -> Vec<Field> {
    let field = |name: &str, label: &str, secret, help: &str| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        secret,
        required: secret,
        help: help.to_owned(),
    };
    vec![
        field("instanceUrl", "Instance URL", false, instance_help),
        field("token", "Personal access token", true, token_help),
    ]
}

/// A set from pairs of name and reason.
pub(crate) fn scope_set(note: &str, scopes: &[(&str, &str)]) -> ScopeSet {
    let scope = |(name, why): &(&str, &str)| Scope { name: (*name).to_owned(), why: (*why).to_owned() };
    ScopeSet { scopes: scopes.iter().map(scope).collect(), note: note.to_owned() }
}
