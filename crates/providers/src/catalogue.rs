use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind};

/// What it takes to connect a provider. Pages, the command line and other programs are drawn from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueEntry {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Its name.
    pub name: String,
    /// What it covers, as half a sentence.
    pub summary: String,
    /// Where most people's account is; none where everybody names their own.
    pub default_instance: Option<InstanceUrl>,
    /// Whether it hosts git repositories.
    pub git: bool,
    /// How it can be connected, the simplest way that works without an administrator first.
    pub methods: Vec<ConnectMethod>,
}

/// One way to connect a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectMethod {
    /// The word in requests.
    pub method: AuthMethod,
    /// Its name for people: `Personal access token`.
    pub label: String,
    /// When to choose it, in a sentence or two.
    pub help: String,
    /// What to ask the person for.
    pub fields: Vec<Field>,
    /// What the credential must be allowed: any one of these sets, the recommended one first. For consent in the browser,
    /// what is asked for.
    pub required_scopes: Vec<ScopeSet>,
    /// Scopes among which the person chooses before consenting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ScopeChoice>,
    /// The page that creates such a token, filled in as far as the provider allows: a path to be put after the instance
    /// URL, or a whole URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_page: Option<String>,
    /// Whether consent can also be given on another device, by a code.
    #[serde(default)]
    pub device: bool,
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
    /// Whether it can't be left out.
    pub required: bool,
    /// A sentence or two.
    pub help: String,
    /// What it may look like.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub placeholder: String,
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
#[schemars(rename = "ProviderScope")]
pub struct Scope {
    /// The provider's name of it.
    pub name: String,
    /// What it is needed for.
    pub why: String,
}

/// A scope that a person may leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeChoice {
    /// The provider's name of it.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// What it lets agents do.
    pub why: String,
    /// Whether it is chosen unless the person says otherwise.
    pub preselected: bool,
}

impl CatalogueEntry {
    /// How this provider is connected by `method`, if it is.
    pub fn method(&self, method: AuthMethod) -> Option<&ConnectMethod> {
        self.methods.iter().find(|offered| offered.method == method)
    }
}

impl ConnectMethod {
    pub(crate) fn new(method: AuthMethod, label: &str, help: &str) -> Self {
        Self {
            method,
            label: label.to_owned(),
            help: help.to_owned(),
            fields: Vec::new(),
            required_scopes: Vec::new(),
            choices: Vec::new(),
            token_page: None,
            device: false,
        }
    }

    pub(crate) fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    pub(crate) fn scopes(mut self, sets: impl IntoIterator<Item = ScopeSet>) -> Self {
        self.required_scopes.extend(sets);
        self
    }

    pub(crate) fn page(mut self, page: &str) -> Self {
        self.token_page = Some(page.to_owned());
        self
    }
}

impl Field {
    /// The address of the provider, where it may be left out.
    pub(crate) fn instance(help: &str) -> Self {
        Self::open("instanceUrl", "Instance URL", false, help)
    }

    /// The address of the provider, where everybody has their own.
    pub(crate) fn own_instance(help: &str, placeholder: &str) -> Self {
        Self { placeholder: placeholder.to_owned(), ..Self::open("instanceUrl", "Instance URL", true, help) }
    }

    /// What goes with the secret and is none.
    pub(crate) fn username(label: &str, help: &str) -> Self {
        Self::open("username", label, true, help)
    }

    /// The secret.
    pub(crate) fn token(label: &str, help: &str) -> Self {
        Self { secret: true, ..Self::open("token", label, true, help) }
    }

    fn open(name: &str, label: &str, required: bool, help: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            secret: false,
            required,
            help: help.to_owned(),
            placeholder: String::new(),
        }
    }
}

/// A set from pairs of name and reason.
pub(crate) fn scope_set(note: &str, scopes: &[(&str, &str)]) -> ScopeSet {
    let scope = |(name, why): &(&str, &str)| Scope { name: (*name).to_owned(), why: (*why).to_owned() };
    ScopeSet { scopes: scopes.iter().map(scope).collect(), note: note.to_owned() }
}

/// A scope that a person may leave out.
pub(crate) fn choice(name: &str, label: &str, why: &str, preselected: bool) -> ScopeChoice {
    ScopeChoice { name: name.to_owned(), label: label.to_owned(), why: why.to_owned(), preselected }
}
