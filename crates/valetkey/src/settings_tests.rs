use std::collections::HashMap;

use super::*;

fn load(args: &SettingsArgs, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    Settings::load(args, Layer::default(), &|name| env.get(name).map(OsString::from))
}

fn with_file(text: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("valetkey.toml");
    fs::write(&path, text).unwrap();
    let args = SettingsArgs { config: Some(path), ..SettingsArgs::default() };
    load(&args, &[&[("HOME", "/home/x")], env].concat())
}

#[test]
fn defaults_need_only_a_home() {
    let settings = load(&SettingsArgs::default(), &[("HOME", "/home/x")]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_url(settings.listen), "http://127.0.0.1:8080");
    assert!(settings.data_dir.starts_with("/home/x") && settings.data_dir.ends_with("valetkey"));
    assert_eq!(settings.master_key_file, settings.data_dir.join("master.key"));
    assert_eq!(settings.agent, ["claude", "-p", "{task}"]);
    assert!(matches!(load(&SettingsArgs::default(), &[]), Err(SettingsError::NoHome)));
}

#[test]
fn a_flag_beats_the_environment_beats_the_file() {
    let file = "data_dir = '/file'\nagent = 'from file'\nlisten = '127.0.0.1:1'";
    let settings = with_file(file, &[("VALETKEY_DATA_DIR", "/env"), ("VALETKEY_LISTEN", "")]).unwrap();
    assert_eq!(settings.data_dir, Path::new("/env"));
    assert_eq!(settings.agent, ["from", "file"]);
    assert_eq!(settings.listen.port(), 1, "an empty variable says nothing");
    let args = SettingsArgs { data_dir: Some("/flag".into()), ..SettingsArgs::default() };
    assert_eq!(load(&args, &[("VALETKEY_DATA_DIR", "/env")]).unwrap().data_dir, Path::new("/flag"));
}

#[test]
fn the_audit_trail_is_kept_for_ever_or_for_whole_days() {
    let days = |settings: Settings| settings.audit_retention_days.map(NonZeroU32::get);
    assert_eq!(days(with_file("", &[]).unwrap()), None);
    assert_eq!(days(with_file("audit_retention_days = 400", &[]).unwrap()), Some(400));
    assert_eq!(days(with_file("", &[("VALETKEY_AUDIT_RETENTION_DAYS", "30")]).unwrap()), Some(30));
    for bad in ["0", "-1", "1.5", "90d"] {
        let refused = with_file("", &[("VALETKEY_AUDIT_RETENTION_DAYS", bad)]);
        assert!(matches!(refused, Err(SettingsError::AuditRetention)), "{bad}");
    }
    assert!(with_file("audit_retention_days = 0", &[]).is_err());
}

#[test]
fn an_unknown_key_is_an_error_that_lists_the_known_ones() {
    let error = with_file("\nlisten = '127.0.0.1:1'\nlisten_on = 'x'", &[]).unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("listen_on") && error.contains("`outbound_allow`"), "{error}");
}

#[test]
fn an_error_in_the_file_does_not_show_its_secrets() {
    let error = with_file("admin_token = 'super-secret-value-0123", &[]).unwrap_err();
    assert!(!format!("{error}{error:?}").contains("super-secret"), "{error:?}");
}

#[test]
fn paths_in_the_file_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("valetkey.toml");
    fs::write(&path, "data_dir = 'data'\nextra_ca_file = '/abs/ca.pem'").unwrap();
    let settings = load(&SettingsArgs { config: Some(path), ..SettingsArgs::default() }, &[]).unwrap();
    assert_eq!(settings.data_dir, folder.path().join("data"));
    assert_eq!(settings.extra_ca_file.as_deref(), Some(Path::new("/abs/ca.pem")));
}

#[test]
fn what_is_wrong_is_named() {
    for (key, value) in [
        ("VALETKEY_LISTEN", "8080"),
        ("VALETKEY_LISTEN", "localhost:8080"),
        ("VALETKEY_PUBLIC_URL", "valetkey.example.com"),
        ("VALETKEY_PUBLIC_URL", "https://user:pw@valetkey.example.com"),
        ("VALETKEY_DATABASE_URL", "mysql://x"),
        ("VALETKEY_ADMIN_TOKEN", "short"),
        ("VALETKEY_OUTBOUND_ALLOW", "https://x"),
        ("VALETKEY_AGENT", "sh -c 'unclosed"),
        ("VALETKEY_AGENT_ENV", "A B"),
        ("VALETKEY_AGENT_ENV", "VALETKEY_ADMIN_TOKEN"),
    ] {
        let error = load(&SettingsArgs::default(), &[("HOME", "/home/x"), (key, value)]).unwrap_err().to_string();
        let name = key.trim_start_matches("VALETKEY_").to_lowercase();
        assert!(error.contains(&name), "{key}={value}: {error}");
    }
}

#[test]
fn the_public_url_has_no_trailing_slash() {
    let env = [("HOME", "/home/x"), ("VALETKEY_PUBLIC_URL", "https://valetkey.example.com/agents/")];
    let settings = load(&SettingsArgs::default(), &env).unwrap();
    assert_eq!(settings.public_url(settings.listen), "https://valetkey.example.com/agents");
    let all = load(&SettingsArgs::default(), &[("HOME", "/h"), ("VALETKEY_LISTEN", "0.0.0.0:9")]).unwrap();
    assert_eq!(all.public_url(all.listen), "http://localhost:9");
}

#[test]
fn provider_apps_are_tables_of_the_file_whose_secrets_are_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("valetkey.toml");
    let text = "data_dir = 'data'\n\n[[provider_app]]\nprovider = 'gitlab'\ninstance = 'https://gitlab.example'\n\
                client_id = 'abc'\nclient_secret_file = 'secrets/gitlab'\n\n\
                [[provider_app]]\nprovider = 'google'\nclient_id = 'def'\nclient_secret_env = 'GOOGLE_SECRET'\n";
    fs::write(&path, text).unwrap();
    let settings = load(&SettingsArgs { config: Some(path), ..SettingsArgs::default() }, &[]).unwrap();
    let [gitlab, google] = &settings.provider_apps[..] else { panic!("{:?}", settings.provider_apps) };
    assert_eq!(gitlab.name(), "GitLab at https://gitlab.example");
    assert_eq!(gitlab.client_secret_file.as_deref(), Some(&*folder.path().join("secrets/gitlab")));
    assert_eq!(google.name(), "Google Workspace at https://accounts.google.com");
    assert_eq!(google.client_secret_env.as_deref(), Some("GOOGLE_SECRET"));
}

#[test]
fn what_is_wrong_with_a_provider_app_is_said_without_its_secret() {
    for (more, wanted) in [
        ("client_secret = 'super-secret-value'", "client_secret"),
        ("client_secret_file = 'a'\nclient_secret_env = 'B'", "both a file and a variable"),
        ("[[provider_app]]\nprovider = 'gitlab'\ninstance = 'https://gitlab.com'\nclient_id = 'x'", "twice"),
        ("instance = 'not an address'", "line"),
    ] {
        let text = format!("[[provider_app]]\nprovider = 'gitlab'\nclient_id = 'abc'\n{more}\n");
        let error = with_file(&text, &[]).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        assert!(!format!("{error}{error:?}").contains("super-secret"), "{error:?}");
    }
}

#[test]
fn what_is_wrong_with_the_ways_to_sign_in_is_said_without_secrets() {
    let oidc = "[oidc]\nissuer = 'https://id.example.com'\nclient_id = 'valetkey'\n";
    let proxy = "[trusted_proxy]\nsecret_env = 'PROXY_SECRET'\nuser_header = 'X-Forwarded-User'\n";
    let settings = with_file(&format!("{oidc}\n{proxy}"), &[]).unwrap();
    assert!(settings.oidc.is_some() && settings.trusted_proxy.is_some());
    for (table, more, wanted) in [
        (oidc, "client_secret = 'super-secret-value'", "client_secret"),
        (oidc, "client_secret_file = 'a'\nclient_secret_env = 'B'", "give one of"),
        (oidc, "scopes = ['profile']", "openid"),
        (oidc, "scopes = ['openid profile']", "one scope an entry"),
        (oidc, "allowed_domains = ['anna@example.com']", "allowed_domains"),
        (oidc, "admin_emails = ['anna']", "admin_emails"),
        (oidc, "admins = ['anna']", "admins"),
        ("[oidc]\nissuer = 'http://id.example.com'\nclient_id = 'x'\n", "", "https://"),
        ("[oidc]\nissuer = 'https://id.example.com'\n", "", "client_id"),
        ("[oidc]\nissuer = 'https://id.example.com'\nclient_id = ' '\n", "", "client_id"),
        (proxy, "secret = 'super-secret-value'", "secret"),
        (proxy, "secret_file = 'a'", "give one of"),
        (proxy, "email_header = 'Cookie'", "email_header"),
        (proxy, "groups_header = 'a b'", "groups_header"),
        ("[trusted_proxy]\nuser_header = 'X-Forwarded-User'\n", "", "give one of"),
        ("[trusted_proxy]\nsecret_env = 'A'\n", "", "user_header"),
    ] {
        let error = with_file(&format!("{table}{more}"), &[]).unwrap_err();
        assert!(error.to_string().contains(wanted), "{more}: {error}");
        assert!(!format!("{error}{error:?}").contains("super-secret"), "{error:?}");
    }
}
