//! Where an administrator registers an app at each provider, and what to mind there.

use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind};
use valetkey_providers::{CatalogueEntry, provider};

/// Where and how to register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// A path below the instance, or a whole address; none where it depends on more than the instance.
    page: Option<&'static str>,
    /// The way there and what to choose, in sentences.
    pub(super) steps: &'static str,
}

impl Place {
    /// The page's address, where it can be known.
    pub(super) fn href(self, instance: Option<&InstanceUrl>) -> Option<String> {
        match self.page? {
            path if path.starts_with('/') => instance.map(|instance| format!("{instance}{path}")),
            whole => Some(whole.to_owned()),
        }
    }

    /// What comes after the address of an instance.
    pub(super) fn path(self) -> Option<&'static str> {
        self.page.filter(|page| page.starts_with('/'))
    }
}

/// Where an app of this provider is registered; none where people can't consent.
pub(super) fn place(kind: ProviderKind) -> Option<Place> {
    let place = |page, steps| Some(Place { page, steps });
    match kind {
        ProviderKind::GitHub => place(
            Some("/settings/applications/new"),
            "An OAuth app, of your account or of an organisation. Tick 'Enable Device Flow' so that people can also connect \
             from a terminal.",
        ),
        ProviderKind::GitLab => place(
            Some("/-/user_settings/applications"),
            "An application of yours, of a group, or of the whole instance. Leave 'Confidential' ticked, and tick the scopes \
             below.",
        ),
        ProviderKind::Bitbucket => place(
            None,
            "In the workspace's settings, under OAuth consumers. Tick 'This is a private consumer' and the permissions below.",
        ),
        ProviderKind::Gitea => place(
            Some("/user/settings/applications"),
            "Under 'Manage OAuth2 Applications'. Leave 'Confidential client' ticked.",
        ),
        ProviderKind::Jira => place(
            Some("https://developer.atlassian.com/console/myapps/"),
            "An OAuth 2.0 integration. Add the Jira API with the scopes below under Permissions, and the callback URL under \
             Authorization. For others than yourself, turn on sharing under Distribution.",
        ),
        ProviderKind::Google => place(
            Some("https://console.cloud.google.com/apis/credentials"),
            "An OAuth client ID of the type 'Web application'. While its consent screen is in testing, every consent ends \
             after seven days.",
        ),
        ProviderKind::Slack => place(
            Some("https://api.slack.com/apps"),
            "Create the app from scratch. Put the callback URL under 'OAuth & Permissions', with the bot token scopes below.",
        ),
        ProviderKind::BitbucketDataCenter | ProviderKind::AzureDevOps | ProviderKind::Http => None,
    }
}

/// Whether people can consent at this provider, so that an app is of use.
pub(super) fn takes_apps(kind: ProviderKind) -> bool {
    consent(&provider(kind).catalogue()).is_some()
}

/// How people consent.
pub(super) fn consent(catalogue: &CatalogueEntry) -> Option<&valetkey_providers::ConnectMethod> {
    catalogue.method(AuthMethod::OAuth).or_else(|| catalogue.method(AuthMethod::App))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_can_be_consented_at_has_a_place_to_register() {
        for kind in ProviderKind::ALL {
            assert!(!takes_apps(kind) || place(kind).is_some(), "{kind}");
        }
    }

    #[test]
    fn a_place_is_of_the_instance_where_it_is_below_it() {
        let own: InstanceUrl = "https://gitlab.example.com".parse().unwrap();
        let gitlab = place(ProviderKind::GitLab).unwrap();
        assert_eq!(gitlab.href(Some(&own)).unwrap(), "https://gitlab.example.com/-/user_settings/applications");
        assert_eq!(gitlab.href(None), None);
        assert_eq!(place(ProviderKind::Slack).unwrap().href(Some(&own)).unwrap(), "https://api.slack.com/apps");
    }
}
