//! Applications that the settings file fixes.

use valetkey_model::{Problem, ProblemCode};
use valetkey_seal::Secret;
use valetkey_store::{AppOrigin, ProviderAppKey};

use crate::{AppSecrets, Integrations, NewApp, connect::instance_of};

/// What became of the applications of the settings file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FixedApps {
    /// They are new, or something of them is.
    pub stored: usize,
    /// They were stored like this already.
    pub unchanged: usize,
    /// They are in the file no more.
    pub removed: usize,
}

impl Integrations {
    /// Makes the stored applications those of the settings file: what is not stored like this yet is stored, what came
    /// from the file and is in it no more is removed. Those that were registered in the UI stay.
    ///
    /// # Errors
    /// `invalid_input`; when the store fails.
    pub async fn fix_apps(&self, wanted: Vec<NewApp>) -> Result<FixedApps, Problem> {
        let mut fixed = FixedApps::default();
        let mut kept = Vec::new();
        for app in wanted {
            let instance = instance_of(app.provider, app.instance_url.clone())?;
            kept.push(ProviderAppKey::new(app.provider, &instance));
            let app = NewApp { instance_url: Some(instance), ..app };
            if self.is_fixed(&app).await? {
                fixed.unchanged += 1;
            } else {
                self.fix(app).await?;
                fixed.stored += 1;
            }
        }
        for app in self.store.provider_apps().await? {
            if app.origin == AppOrigin::Settings && !kept.contains(&app.key()) {
                tracing::info!(app = %app.key(), "provider application removed: it is in the settings file no more");
                self.store.remove_provider_app(app.provider, &app.instance_url).await?;
                fixed.removed += 1;
            }
        }
        Ok(fixed)
    }

    async fn is_fixed(&self, wanted: &NewApp) -> Result<bool, Problem> {
        let Some(instance) = &wanted.instance_url else { return Ok(false) };
        let stored = self.store.provider_app(wanted.provider, instance).await?;
        if !stored.is_some_and(|stored| stored.origin == AppOrigin::Settings) {
            return Ok(false);
        }
        match self.app(wanted.provider, instance).await {
            Ok(app) => Ok(app.client_id == wanted.client_id.trim()
                && app.facts == wanted.facts
                && same(&app.secrets, &wanted.secrets)),
            // The file has it, so what does not open can be put right.
            Err(problem) if problem.code == ProblemCode::SealBroken => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    async fn fix(&self, app: NewApp) -> Result<(), Problem> {
        match self.register_app(app.clone(), AppOrigin::Settings).await {
            // Another replica starts at this moment, with the same file as a rule.
            Err(problem) if problem.code == ProblemCode::Conflict && self.is_fixed(&app).await? => Ok(()),
            other => other.map(drop),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "two secrets of the administrator's are compared")]
fn same(one: &AppSecrets, other: &AppSecrets) -> bool {
    let pairs = [
        (&one.client_secret, &other.client_secret),
        (&one.private_key, &other.private_key),
        (&one.webhook_secret, &other.webhook_secret),
    ];
    pairs.iter().all(|(one, other)| one.as_ref().map(Secret::expose) == other.as_ref().map(Secret::expose))
}
