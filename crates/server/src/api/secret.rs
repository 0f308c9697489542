use schemars::{Schema, SchemaGenerator, json_schema};

/// How a field that takes a secret is described: it goes in and never comes out.
pub(crate) fn token_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "password", "writeOnly": true })
}

/// The same for one that may be left out.
pub(crate) fn optional_token_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "format": "password", "writeOnly": true })
}
