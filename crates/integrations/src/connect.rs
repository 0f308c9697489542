use valetkey_model::{
    Account, Alias, AuthMethod, CheckOutcome, InstanceUrl, Integration, IntegrationId, IntegrationRef, OwnerScope,
    Problem, ProblemCode, ProviderKind, UserId,
};
use valetkey_providers::{Access, Checked, provider};
use valetkey_seal::{Identity, Secret};
use valetkey_store::{CheckRecord, IntegrationFilter, StoreError};

use crate::{
    Integrations,
    check::{described, lacking},
    credential::seal_problem,
};

/// What somebody gives to connect an account.
#[derive(Debug)]
pub struct Connect {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Who may use it, and where.
    pub scope: OwnerScope,
    /// Who connects it.
    pub owner: UserId,
    /// Its name; `user@host` if none.
    pub alias: Option<Alias>,
    /// Where; the provider's public service if none.
    pub instance_url: Option<InstanceUrl>,
    /// The personal access token.
    pub token: Secret<String>,
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
        let instance = wanted.instance_url.clone().unwrap_or_else(|| wanted.provider.default_instance());
        let checked = self.ask_for_new(wanted.provider, &instance, &wanted.token).await?;
        if let Some(known) = self.reconnectable(&wanted, &instance, &checked).await? {
            return self.replace_token(&known, &wanted.token, checked).await;
        }
        let now = self.clock.now();
        let mut integration = Integration {
            id: IntegrationId::new(now, &*self.entropy),
            provider: wanted.provider,
            scope: wanted.scope,
            owner: wanted.owner,
            alias: wanted.alias.clone().map_or_else(|| default_alias(&checked, &instance, 1), Ok)?,
            instance_url: instance,
            account: checked.account.clone(),
            auth_method: AuthMethod::Pat,
            granted_scopes: checked.granted_scopes.clone(),
            expires_at: checked.expires_at,
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
        let sealed = self.sealer.seal(&identity(&integration.id, 1), &wanted.token);
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
        self.settle_seal(&integration.id, 1, &wanted.token, &sealed).await?;
        tracing::info!(
            integration = %integration.id, provider = integration.provider.slug(), account = %integration.account.username,
            "connected {} as {}", integration.instance_url, integration.account.username
        );
        self.by_id(&integration.id).await
    }

    /// Replaces an integration's token by a new one of the same account.
    ///
    /// # Errors
    /// The provider's refusal, or `integration_unusable` when the new token is another account's; the old one stays then.
    pub async fn rotate(
        &self,
        owner: &UserId,
        which: &IntegrationRef,
        token: &Secret<String>,
    ) -> Result<Integration, Problem> {
        let known = self.get(owner, which).await?;
        let checked = self.ask_for_new(known.provider, &known.instance_url, token).await?;
        if checked.account.id != known.account.id {
            let detail = format!(
                "The new token belongs to {}, the integration '{}' to {}.",
                checked.account.username, known.alias, known.account.username
            );
            return Err(Problem::new(ProblemCode::IntegrationUnusable, detail)
                .remedy("Connect the other account as an integration of its own."));
        }
        self.replace_token(&known, token, checked).await
    }

    /// Asks the provider about a token without storing anything.
    ///
    /// # Errors
    /// The provider's refusal; a token that does not suffice is one.
    pub async fn try_token(
        &self,
        kind: ProviderKind,
        instance: &InstanceUrl,
        token: &Secret<String>,
    ) -> Result<Account, Problem> {
        Ok(self.ask_for_new(kind, instance, token).await?.account)
    }

    /// Asks with a token that is not stored yet; a token that does not suffice is an error.
    pub(crate) async fn ask_for_new(
        &self,
        kind: ProviderKind,
        instance: &InstanceUrl,
        token: &Secret<String>,
    ) -> Result<Checked, Problem> {
        let provider = provider(kind);
        provider.check_form(token).map_err(|e| e.into_problem(kind, instance))?;
        let access = Access { http: &self.http, instance, token, now: self.clock.now() };
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
            i.owner == wanted.owner
                && i.scope == wanted.scope
                && i.instance_url == *instance
                && i.account.id == checked.account.id
                && wanted.alias.as_ref().is_none_or(|alias| *alias == i.alias)
        };
        let all = self
            .store
            .integrations(IntegrationFilter { provider: Some(wanted.provider), include_removing: false })
            .await?;
        Ok(all.into_iter().find(same))
    }

    async fn replace_token(
        &self,
        known: &Integration,
        token: &Secret<String>,
        checked: Checked,
    ) -> Result<Integration, Problem> {
        let next = known.generation + 1;
        let sealed = self.sealer.seal(&identity(&known.id, next), token);
        let now = self.clock.now();
        let generation = self.store.replace_credential(&known.id, known.generation, sealed.as_bytes(), now).await?;
        self.settle_seal(&known.id, generation, token, &sealed).await?;
        let record = CheckRecord { generation, checked_at: now, finding: described(checked, None) };
        self.store.record_check(&known.id, &record).await?;
        tracing::info!(integration = %known.id, generation, "token replaced");
        self.by_id(&known.id).await
    }

    /// Seals what was just stored once more if the master key was rotated in between.
    async fn settle_seal(
        &self,
        id: &IntegrationId,
        generation: i64,
        token: &Secret<String>,
        sealed: &valetkey_seal::Sealed,
    ) -> Result<(), Problem> {
        if self.sealer.is_current(sealed).map_err(|e| seal_problem(&e))? {
            return Ok(());
        }
        let again = self.sealer.seal(&identity(id, generation), token);
        self.store.rewrap_credential(id, generation, sealed.as_bytes(), again.as_bytes()).await?;
        Ok(())
    }
}

fn default_alias(checked: &Checked, instance: &InstanceUrl, attempt: u32) -> Result<Alias, Problem> {
    let base = format!("{}@{}", checked.account.username, instance.authority());
    let text = if attempt == 1 { base } else { format!("{base} {attempt}") };
    text.parse().map_err(|e: valetkey_model::NameError| {
        Problem::new(ProblemCode::InvalidInput, format!("No alias could be made from the account's name: {e}."))
            .remedy("Give one with --alias.")
    })
}
