use jiff::Timestamp;
use valetkey_model::{
    Account, Actor, Alias, AuditAction, CheckOutcome, InstanceUrl, Integration, IntegrationId, IntegrationRef,
    OwnerScope, Problem, ProblemCode, ProviderKind,
};
use valetkey_providers::{Access, Checked, Credential, provider};
use valetkey_seal::{Identity, Secret};
use valetkey_store::{IntegrationFilter, Reconnection, StoreError};

use crate::{
    Integrations,
    check::{described, lacking},
    credential::seal_problem,
    events::Happening,
};

/// What somebody gives to connect an account.
#[derive(Debug)]
pub struct Connect {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Who may use it, and where.
    pub scope: OwnerScope,
    /// Who connects it.
    pub by: Actor,
    /// Its name; `user@host` if none.
    pub alias: Option<Alias>,
    /// Where; the provider's public service if none.
    pub instance_url: Option<InstanceUrl>,
    /// What its requests are to carry.
    pub credential: Credential,
}

/// When what was connected ends, as far as the answer with its tokens said so.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    /// The token that requests carry.
    pub(crate) expires_at: Option<Timestamp>,
    /// The grant behind it: then a person must consent again.
    pub(crate) refresh_expires_at: Option<Timestamp>,
}

/// The identity under which an integration's credential is sealed.
pub(crate) fn identity(id: &IntegrationId, generation: i64) -> Identity {
    Identity::new("integration", id.as_str(), generation)
}

impl Integrations {
    /// Asks the provider whether the token works and suffices, and stores it sealed if so.
    ///
    /// The same account at the same instance and level that is connected already gets the new token instead of a second
    /// integration: that is how one reconnects.
    ///
    /// # Errors
    /// The provider's refusal, `conflict` for an alias in use; nothing is stored then.
    pub async fn connect(&self, wanted: Connect) -> Result<Integration, Problem> {
        self.connect_until(wanted, Ends::default()).await
    }

    /// As [`connect`](Self::connect), with what is known of the credential's end.
    pub(crate) async fn connect_until(&self, wanted: Connect, ends: Ends) -> Result<Integration, Problem> {
        wanted.by.require_to_connect(&wanted.scope)?;
        let instance = instance_of(wanted.provider, wanted.instance_url.clone())?;
        let checked = self.ask_for_new(wanted.provider, &instance, &wanted.credential).await?;
        if let Some(known) = self.reconnectable(&wanted, &instance, &checked).await? {
            return self.connected_again(&wanted.by, &known, &wanted.credential, checked, ends).await;
        }
        let (now, by) = (self.clock.now(), wanted.by);
        let mut integration = Integration {
            id: IntegrationId::new(now, &*self.entropy),
            provider: wanted.provider,
            scope: wanted.scope,
            owner: by.user.clone(),
            alias: wanted.alias.clone().map_or_else(|| default_alias(&checked, &instance, 1), Ok)?,
            instance_url: instance,
            account: checked.account.clone(),
            auth_method: wanted.credential.method,
            granted_scopes: checked.granted_scopes.clone(),
            expires_at: ends.expires_at.or(checked.expires_at),
            refresh_expires_at: ends.refresh_expires_at,
            details: checked.details.clone(),
            outcome: CheckOutcome::Connected,
            unreachable: None,
            is_default: false,
            generation: 1,
            removing: false,
            created_at: now,
            updated_at: now,
            last_checked_at: now,
            last_used_at: None,
        };
        let sealed = self.sealer.seal(&identity(&integration.id, 1), &wanted.credential.to_text());
        for attempt in 2.. {
            match self.store.insert_integration(&integration, sealed.as_bytes()).await {
                // A prefilled name that is taken is not the person's fault: count up.
                Err(StoreError::Conflict(_)) if wanted.alias.is_none() && attempt < 100 => {
                    integration.alias = default_alias(&checked, &integration.instance_url, attempt)?;
                }
                Err(e) => return Err(e.into()),
                Ok(()) => break,
            }
        }
        self.settle_seal(&integration.id, 1, &wanted.credential, &sealed).await?;
        tracing::info!(
            integration = %integration.id, provider = integration.provider.slug(), account = %integration.account.username,
            "connected {} as {}", integration.instance_url, integration.account.username
        );
        self.record_change(&by, AuditAction::IntegrationConnect, &integration).await?;
        self.connected(&integration).await?;
        self.by_id(&integration.id).await
    }

    /// Replaces an integration's token by a new one of the same account.
    ///
    /// # Errors
    /// As [`replace_as`](Self::replace_as).
    pub async fn replace(
        &self,
        by: &Actor,
        which: &IntegrationRef,
        token: Secret<String>,
    ) -> Result<Integration, Problem> {
        self.replace_as(by, which, token, None).await
    }

    /// The same, where what goes with the token, a user name or e-mail address, is another one now too.
    ///
    /// # Errors
    /// The provider's refusal, or `integration_unusable` when the new token is another account's; the old one stays then.
    /// `conflict` where there is no token to replace, because a person consented.
    pub async fn replace_as(
        &self,
        by: &Actor,
        which: &IntegrationRef,
        token: Secret<String>,
        login: Option<String>,
    ) -> Result<Integration, Problem> {
        let known = self.managed(by, which).await?;
        if known.auth_method.is_by_consent() {
            let detail =
                format!("'{}' was connected by consent; its tokens are not for people to replace.", known.alias);
            return Err(Problem::new(ProblemCode::Conflict, detail)
                .remedy("Consent again: the same account takes its place.")
                .by(known.provider));
        }
        let (old, _) = self.open(&known).await?;
        let login = login.or(old.login);
        let credential = &Credential { token, login, refresh: None, consent: None, ..old };
        let checked = self.ask_for_new(known.provider, &known.instance_url, credential).await?;
        same_account(&known, &checked)?;
        let replaced = self.replace_credential(&known, credential, checked, Ends::default()).await?;
        self.record_change(by, AuditAction::IntegrationRotate, &replaced).await?;
        Ok(replaced)
    }

    /// Connects an integration again, in whatever way; its account must stay the same.
    ///
    /// # Errors
    /// As [`replace`](Self::replace); `integration_unusable` also for another provider or instance.
    pub(crate) async fn reconnect(
        &self,
        known: &IntegrationId,
        wanted: Connect,
        ends: Ends,
    ) -> Result<Integration, Problem> {
        let known = self.managed(&wanted.by, &IntegrationRef::Id(known.clone())).await?;
        if known.provider != wanted.provider || wanted.instance_url.as_ref() != Some(&known.instance_url) {
            let detail = format!("'{}' belongs to {} at {}.", known.alias, known.provider, known.instance_url);
            return Err(Problem::new(ProblemCode::IntegrationUnusable, detail));
        }
        let checked = self.ask_for_new(known.provider, &known.instance_url, &wanted.credential).await?;
        same_account(&known, &checked)?;
        self.connected_again(&wanted.by, &known, &wanted.credential, checked, ends).await
    }

    async fn connected_again(
        &self,
        by: &Actor,
        known: &Integration,
        credential: &Credential,
        checked: Checked,
        ends: Ends,
    ) -> Result<Integration, Problem> {
        let replaced = self.replace_credential(known, credential, checked, ends).await?;
        self.record_change(by, AuditAction::IntegrationConnect, &replaced).await?;
        Ok(replaced)
    }

    /// Asks the provider about a credential without storing anything.
    ///
    /// # Errors
    /// The provider's refusal; a token that does not suffice is one.
    pub async fn try_credential(
        &self,
        kind: ProviderKind,
        instance: Option<InstanceUrl>,
        credential: &Credential,
    ) -> Result<Account, Problem> {
        let instance = instance_of(kind, instance)?;
        Ok(self.ask_for_new(kind, &instance, credential).await?.account)
    }

    /// Asks with a token that is not stored yet; a token that does not suffice is an error.
    pub(crate) async fn ask_for_new(
        &self,
        kind: ProviderKind,
        instance: &InstanceUrl,
        credential: &Credential,
    ) -> Result<Checked, Problem> {
        let provider = provider(kind);
        provider.check_form(instance, credential).map_err(|e| e.into_problem(kind, instance))?;
        let access = Access { http: &self.http, instance, credential, now: self.clock.now() };
        let checked = provider.check(access).await.map_err(|e| e.into_problem(kind, instance))?;
        match lacking(kind, instance, &checked) {
            Some(problem) => Err(problem),
            None => Ok(checked),
        }
    }

    async fn reconnectable(
        &self,
        wanted: &Connect,
        instance: &InstanceUrl,
        checked: &Checked,
    ) -> Result<Option<Integration>, Problem> {
        let same = |i: &Integration| {
            i.scope == wanted.scope
                && i.instance_url == *instance
                && i.account.id == checked.account.id
                && wanted.alias.as_ref().is_none_or(|alias| *alias == i.alias)
        };
        let filter = IntegrationFilter {
            provider: Some(wanted.provider),
            level: Some(wanted.scope.level()),
            ..Default::default()
        };
        Ok(self.all_seen(&wanted.by, &filter).await?.into_iter().find(|it| same(it) && wanted.by.manages(it)))
    }

    pub(crate) async fn replace_credential(
        &self,
        known: &Integration,
        credential: &Credential,
        checked: Checked,
        ends: Ends,
    ) -> Result<Integration, Problem> {
        let ends = Ends { expires_at: ends.expires_at.or(checked.expires_at), ..ends };
        let stored = self.store_credential(known, credential, ends).await?;
        let generation = stored.generation;
        self.note(&stored, Happening::Replaced).await;
        self.record(&known.id, generation, described(checked, ends.expires_at, None), None).await?;
        tracing::info!(integration = %known.id, generation, "token replaced");
        self.by_id(&known.id).await
    }

    /// Stores another credential of an integration, and gives the integration as it is then.
    pub(crate) async fn store_credential(
        &self,
        known: &Integration,
        credential: &Credential,
        ends: Ends,
    ) -> Result<Integration, Problem> {
        let sealed = self.sealer.seal(&identity(&known.id, known.generation + 1), &credential.to_text());
        let new = Reconnection {
            sealed: sealed.as_bytes(),
            auth_method: credential.method,
            expires_at: ends.expires_at,
            refresh_expires_at: ends.refresh_expires_at,
        };
        let generation = self.store.reconnect(&known.id, known.generation, &new, self.clock.now()).await?;
        self.settle_seal(&known.id, generation, credential, &sealed).await?;
        self.by_id(&known.id).await
    }

    /// Seals what was just stored once more if the master key was rotated in between.
    pub(crate) async fn settle_seal(
        &self,
        id: &IntegrationId,
        generation: i64,
        credential: &Credential,
        sealed: &valetkey_seal::Sealed,
    ) -> Result<(), Problem> {
        if self.sealer.is_current(sealed).map_err(|e| seal_problem(&e))? {
            return Ok(());
        }
        let again = self.sealer.seal(&identity(id, generation), &credential.to_text());
        self.store.rewrap(id, generation, sealed.as_bytes(), again.as_bytes()).await?;
        Ok(())
    }
}

/// Refuses the credential of another account than the one that is connected.
fn same_account(known: &Integration, checked: &Checked) -> Result<(), Problem> {
    if checked.account.id == known.account.id {
        return Ok(());
    }
    let detail = format!(
        "The new credential belongs to {}, the integration '{}' to {}.",
        checked.account.username, known.alias, known.account.username
    );
    Err(Problem::new(ProblemCode::IntegrationUnusable, detail)
        .remedy("Connect the other account as an integration of its own."))
}

/// Where a provider is: as given, else its public service.
pub(crate) fn instance_of(kind: ProviderKind, given: Option<InstanceUrl>) -> Result<InstanceUrl, Problem> {
    given.or_else(|| kind.default_instance()).ok_or_else(|| {
        Problem::new(ProblemCode::InvalidInput, format!("{kind} has no public service; say where yours is."))
            .remedy(format!("`valetkey connect {} --instance https://host`.", kind.slug()))
    })
}

fn default_alias(checked: &Checked, instance: &InstanceUrl, attempt: u32) -> Result<Alias, Problem> {
    let base = format!("{}@{}", checked.account.username, instance.authority());
    let text = if attempt == 1 { base } else { format!("{base} {attempt}") };
    text.parse().map_err(|e: valetkey_model::NameError| {
        Problem::new(ProblemCode::InvalidInput, format!("No alias could be made from the account's name: {e}."))
            .remedy("Give one with --alias.")
    })
}
