//! The authorization servers of Gitea and Bitbucket Cloud, where they are not as the standards say.

use std::collections::HashMap;

use reqwest::{Client, Url};
use valetkey_twins::{Consent, Forge, OAuthApp};

use crate::forge::Credential::{Basic, Bearer};
use crate::forge::Site;
use crate::support::{Answer, http_client};

const BACK: &str = "https://valetkey.example.test/callback";

/// A site with an app that John consents to.
struct Flow {
    site: Site,
    app: OAuthApp,
    http: Client,
    root: &'static str,
}

impl Flow {
    async fn new(forge: Forge, root: &'static str, scopes: &[&'static str]) -> Self {
        let site = Site::new(forge, "acme/project", &[]).await;
        let app = site.twin.oauth().register(OAuthApp::confidential(BACK).offers(scopes.iter().copied()));
        site.twin.oauth().consent_always(Consent::approve(&site.john));
        let http = http_client(&site.twin);
        Self { site, app, http, root }
    }

    async fn code(&self) -> String {
        let asked = [("client_id", self.app.client_id()), ("redirect_uri", BACK), ("response_type", "code")];
        let address = format!("{}{}/authorize", self.site.twin.url(), self.root);
        let url = Url::parse_with_params(&address, asked.into_iter().chain([("state", "s")])).unwrap();
        let answer = Answer::of(self.http.get(url).send().await.unwrap()).await;
        let back = Url::parse(answer.header("location").expect("a redirect")).unwrap();
        let mut pairs: HashMap<_, _> = back.query_pairs().into_owned().collect();
        pairs.remove("code").expect("a code")
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        let url = format!("{}{}/access_token", self.site.twin.url(), self.root);
        let request = self.http.post(url).basic_auth(self.app.client_id(), Some(self.app.client_secret()));
        Answer::of(request.form(fields).send().await.unwrap()).await
    }

    async fn redeem(&self) -> Answer {
        let code = self.code().await;
        self.token(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)]).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

#[tokio::test]
async fn giteas_access_token_is_a_jwt_and_an_old_refresh_token_stays_good() {
    let flow = Flow::new(Forge::Gitea, "/login/oauth", &[]).await;
    let tokens = flow.redeem().await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!((access.split('.').count(), &tokens["expires_in"]), (3, &3600.into()));
    assert_eq!(flow.site.get("/api/v1/user", Bearer(access)).await.json()["login"], "john");
    let claims = flow.site.get("/login/oauth/userinfo", Bearer(access)).await.json();
    assert_eq!(claims["preferred_username"], "john");
    flow.site.ls_remote(&[], ("oauth2", access)).await.succeeded();

    let refresh = tokens["refresh_token"].as_str().unwrap();
    for _ in 0..2 {
        let next = flow.refresh(refresh).await;
        assert_eq!(next.status, 200);
        assert_ne!(next.json()["refresh_token"], refresh);
    }
}

#[tokio::test]
async fn bitbuckets_scopes_have_a_name_of_their_own_and_its_token_is_for_bearers() {
    let flow = Flow::new(Forge::Bitbucket, "/site/oauth2", &["account", "repository:write"]).await;
    let tokens = flow.redeem().await.json();
    assert_eq!((&tokens["scopes"], &tokens["scope"]), (&"account repository:write".into(), &().into()));
    assert_eq!(tokens["expires_in"], 7200);
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(flow.site.get("/2.0/user", Bearer(access)).await.json()["username"], "john");
    assert_eq!(flow.site.get("/2.0/user", Basic("john@example.test", access)).await.status, 401);
    flow.site.ls_remote(&[], ("x-token-auth", access)).await.succeeded();
    assert_eq!(flow.refresh(tokens["refresh_token"].as_str().unwrap()).await.status, 200);
}
