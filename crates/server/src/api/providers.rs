//! What can be connected.

use axum::Json;
use valetkey_model::ProviderKind;
use valetkey_providers::{CatalogueEntry, provider};

use crate::{api::paging::Page, route::Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/v1/providers", list)
            .operation("Providers", "listProviders", "What can be connected, and what each needs")
            .answers::<Page<CatalogueEntry>>(),
    ]
}

async fn list() -> Json<Page<CatalogueEntry>> {
    Json(Page::whole(ProviderKind::ALL.map(|kind| provider(kind).catalogue()).into()))
}
