use valetkey_model::{AuthMethod, ProviderKind};

use crate::{CatalogueEntry, ConnectMethod, Field};

pub(super) fn entry() -> CatalogueEntry {
    let kind = ProviderKind::Http;
    CatalogueEntry {
        provider: kind,
        name: kind.name().to_owned(),
        summary: "any HTTP API or MCP server that takes a secret".to_owned(),
        default_instance: None,
        git: false,
        methods: vec![
            ConnectMethod::new(
                AuthMethod::Pat,
                "Bearer token",
                "Sent as 'Authorization: Bearer …'; most services take it.",
            )
            .fields([origin(), Field::token("Token", "The token alone, without 'Bearer'.")]),
            ConnectMethod::new(
                AuthMethod::Header,
                "Header",
                "Sent in a header of the service's own, such as X-API-Key.",
            )
            .fields([
                origin(),
                Field::username("Header name", "As the service's documentation spells it, such as X-API-Key."),
                Field::token("Secret", "The header's whole value."),
            ]),
            ConnectMethod::new(AuthMethod::Basic, "User name and secret", "Sent as HTTP Basic authentication.").fields(
                [
                    origin(),
                    Field::username("User name", "The user name, without a colon."),
                    Field::token("Secret", "The password or token that goes with it."),
                ],
            ),
        ],
    }
}

fn origin() -> Field {
    Field::own_instance(
        "Scheme, host and port of the service, without a path. The secret is never sent anywhere else.",
        "https://api.example.com",
    )
}
