//! What the actions of the audit trail are called for people. The trail itself keeps their names, which never change.

use valetkey_model::AuditAction;

/// An action in words: `Stop a session`. Only one of an older version, whose route is gone, is called by its name.
pub(crate) fn words(action: &AuditAction) -> String {
    let words = match action {
        AuditAction::SignIn => "Sign in",
        AuditAction::SignOut => "Sign out",
        AuditAction::IntegrationConnect => "Connect an account",
        AuditAction::IntegrationRotate => "Replace a credential",
        AuditAction::IntegrationDisconnect => "Disconnect an account",
        AuditAction::CredentialUse => "Use a credential",
        AuditAction::CredentialRefresh => "Renew a credential",
        AuditAction::SessionCreate => "Start a session",
        AuditAction::SessionStop => "Stop a session",
        AuditAction::SessionEnd => "End of a session",
        AuditAction::SessionDelete => "Delete a session",
        AuditAction::TokenCreate => "Make an API token",
        AuditAction::TokenRevoke => "End an API token",
        AuditAction::AuditExport => "Export the audit trail",
        AuditAction::AuditPurge => "Forget old audit entries",
        AuditAction::Route(name) => return of_route(name.as_str()),
    };
    words.to_owned()
}

fn of_route(name: &str) -> String {
    let known = match name.strip_prefix("GET ") {
        Some(path) => of_page(path),
        None => of_change(name).or_else(|| of_reading(name)),
    };
    known.map_or_else(|| of_operation(name), str::to_owned)
}

/// What is changed, by the API or by a page.
fn of_change(name: &str) -> Option<&'static str> {
    Some(match name {
        "createProject" | "POST /projects" => "Create a project",
        "changeProject" | "POST /projects/{project}/settings" => "Change a project",
        "deleteProject" | "POST /projects/{project}/delete" => "Delete a project",
        "setMember" | "POST /projects/{project}/members" => "Give somebody a role in a project",
        "removeMember" | "POST /projects/{project}/members/remove" => "Take somebody out of a project",
        "addProjectRepository" | "POST /projects/{project}/repositories/add" => "Add a repository to a project",
        "checkProjectRepository" | "POST /projects/{project}/repositories/check" => "Check a project's repository",
        "removeProjectRepository" | "POST /projects/{project}/repositories/remove" => {
            "Take a repository out of a project"
        }
        "createAssistant" | "POST /projects/{project}/assistants" => "Make an assistant",
        "changeAssistant" | "POST /projects/{project}/assistants/{id}" => "Change an assistant",
        "deleteAssistant" | "POST /projects/{project}/assistants/{id}/delete" => "Delete an assistant",
        "setSecret" | "POST /secrets/set" => "Keep a secret",
        "deleteSecret" | "POST /secrets/{name}/delete" => "Erase a secret",
        "setProjectSecret" | "POST /projects/{project}/secrets/set" => "Keep a project's secret",
        "deleteProjectSecret" | "POST /projects/{project}/secrets/{name}/delete" => "Erase a project's secret",
        "createWebhook" | "POST /projects/{project}/webhooks" => "Add a webhook",
        "changeWebhook" | "POST /projects/{project}/webhooks/{id}/edit" => "Change a webhook",
        "POST /projects/{project}/webhooks/{id}/enabled" => "Enable or disable a webhook",
        "testWebhook" | "POST /projects/{project}/webhooks/{id}/test" => "Send a test to a webhook",
        "rotateWebhookSecret" | "POST /projects/{project}/webhooks/{id}/rotate" => "Replace a webhook's secret",
        "deleteWebhook" | "POST /projects/{project}/webhooks/{id}/delete" => "Delete a webhook",
        "redeliverWebhook" | "POST /projects/{project}/webhooks/{id}/deliveries/{delivery}/redeliver" => {
            "Send a notification again"
        }
        "changeIntegration" => "Rename an integration, or make it the default",
        "POST /integrations/{id}/rename" => "Rename an integration",
        "POST /integrations/{id}/default" => "Choose the default integration",
        "testIntegration" | "POST /integrations/{id}/test" => "Test an integration",
        "ambientTestGitlab" | "ambientTestJira" => "Test a token",
        "beginOauth" | "beginDevice" | "ambientConnectGoogle" => "Begin to connect an account",
        "ambientInstallGithub" => "Link an installation of the GitHub App",
        "registerProviderApp" | "POST /settings/apps/{provider}" => "Register an app at a provider",
        "POST /settings/apps/github/create" => "Begin to create a GitHub App",
        "removeProviderApp" | "POST /settings/apps/{provider}/remove" => "Remove an app at a provider",
        "changePerson" | "POST /settings/people/{id}" => "Decide what a person may do",
        "POST /settings/profile/sign-out-everywhere" => "Sign out in every browser",
        "checkSession" => "Check what a session would use",
        _ => return None,
    })
}

/// What is only looked at by the API, where its operation's id says too little.
fn of_reading(name: &str) -> Option<&'static str> {
    Some(match name {
        "listAudit" => "See the audit trail",
        "verifyAudit" => "Verify the audit trail",
        "getMe" => "See one's own profile",
        "getOauthAttempt" => "See an attempt to connect an account",
        "resolveIntegration" => "Ask which integration would be used",
        "ambientBranches" => "See the branches of a repository",
        "ambientTree" => "See the files of a repository",
        "ambientBlob" => "Read a file of a repository",
        "ambientGithubCallback" => "Come back from GitHub",
        "ambientGithubStatus"
        | "ambientGithubPatStatus"
        | "ambientGitlabStatus"
        | "ambientJiraStatus"
        | "ambientGoogleStatus"
        | "ambientIntegrationsStatus" => "See which accounts are connected",
        "ambientGithubCredential" | "ambientGitlabCredential" | "ambientJiraCredential" | "ambientGoogleCredential" => {
            "Ask for a session's credential"
        }
        _ => return None,
    })
}

/// What somebody may not look at, by the place of its page.
fn of_page(path: &str) -> Option<&'static str> {
    const PLACES: [(&str, &str); 25] = [
        ("/projects/{project}/webhooks", "See a project's webhooks"),
        ("/projects/{project}/secrets", "See a project's secrets"),
        ("/projects/{project}/members", "See who is in a project"),
        ("/projects/{project}/assistants", "See a project's assistants"),
        ("/projects/{project}", "See a project"),
        ("/projects", "See projects"),
        ("/assistants", "See assistants"),
        ("/integrations/{id}", "See an integration"),
        ("/integrations/connect", "Begin to connect an account"),
        ("/integrations", "See integrations"),
        ("/sessions/{id}", "See a session"),
        ("/sessions", "See sessions"),
        ("/secrets", "See secrets"),
        ("/settings/people", "See people"),
        ("/settings/apps", "See provider apps"),
        ("/settings/tokens", "See API tokens"),
        ("/settings", "See settings"),
        ("/audit/verify", "Verify the audit trail"),
        ("/audit", "See the audit trail"),
        ("/oauth/github", "Come back from GitHub"),
        ("/oauth", "Begin to connect an account"),
        ("/sign-in", "Begin to sign in"),
        ("/assets", "Fetch a part of a page"),
        ("/favicon.ico", "Fetch a part of a page"),
        ("/api/docs", "Read the API's description"),
    ];
    if path == "/" || path == "/live" {
        return Some("See Home");
    }
    let is_at = |place: &str| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || !is_word(rest));
    PLACES.iter().find(|(place, _)| is_at(place)).map(|(_, words)| *words)
}

fn is_word(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_alphanumeric() || c == '-')
}

/// An operation of the API that only looks, by its id: `listProjectSecrets` → `See project secrets`. Any other name stays.
fn of_operation(id: &str) -> String {
    let looks = ["get", "list", "follow", "search"].into_iter().find_map(|verb| id.strip_prefix(verb));
    let Some(what) = looks.filter(|what| what.starts_with(|c: char| c.is_ascii_uppercase())) else {
        return id.to_owned();
    };
    what.chars().fold("See".to_owned(), |mut words, c| {
        if c.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::Watch, routes};

    #[test]
    fn whatever_the_routes_can_record_has_words() {
        let raw: Vec<_> = routes::table()
            .iter()
            .map(|row| Watch::of(row).action().clone())
            .filter(|action| words(action) == action.as_str() || words(action).contains(['/', '{', '_', '.']))
            .collect();
        assert!(raw.is_empty(), "{raw:#?}");
    }

    #[test]
    fn what_changes_something_has_words_of_its_own() {
        let changes = routes::table().into_iter().filter(|row| row.method != http::Method::GET);
        let without: Vec<_> = changes
            .map(|row| Watch::of(&row).action().clone())
            .filter(|action| matches!(action, AuditAction::Route(name) if of_change(name.as_str()).is_none()))
            .collect();
        assert!(without.is_empty(), "{without:#?}");
    }

    #[test]
    fn an_action_in_words() {
        for (name, wanted) in [
            ("session.stop", "Stop a session"),
            ("POST /projects/{project}/members/remove", "Take somebody out of a project"),
            ("GET /projects/{project}/webhooks/{id}/edit", "See a project's webhooks"),
            ("GET /sign-in-elsewhere", "GET /sign-in-elsewhere"),
            ("listProjectSecrets", "See project secrets"),
            ("ambientTree", "See the files of a repository"),
            ("POST /gone", "POST /gone"),
        ] {
            assert_eq!(words(&name.parse().unwrap()), wanted);
        }
    }
}
