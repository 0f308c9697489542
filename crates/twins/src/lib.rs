//! Twins: servers that behave as providers document, the forges among them with real git behind.
//!
//! Tests, the demo and the benchmarks talk to a twin instead of a provider. A [`Twin`] runs in this process, starts in
//! a few milliseconds and stops when it is dropped. It is given users, tokens and repositories, answers the part of
//! the provider's API that Valetkey uses, and serves git over HTTP through git's own `http-backend`. A [`Journal`] entry
//! is kept of every request, and a [`Switch`] turns a fault of the real world on while the twin runs.
//!
//! A [`Service`] is the twin of a provider without git: [`JiraCloud`], [`JiraDataCenter`], [`Google`], [`Slack`],
//! an [`OpenId`] provider, or somebody's own [`Endpoint`]. Everything of one provider is under one origin, its authorization server too.
//!
//! A twin's clock does not rule: a token is expired when its state says so. Web pages need no sign-in.

mod access;
mod admission;
mod auth;
mod azure_devops;
mod bitbucket;
mod bitbucket_data_center;
mod cgi;
mod cursor;
mod door;
mod endpoint;
mod etag;
mod faults;
mod fixtures;
mod git;
mod gitea;
mod github;
mod gitlab;
mod google;
mod host;
mod html;
mod jira;
mod journal;
mod limits;
mod listener;
mod mishap;
mod oauth;
mod openid;
mod pages;
mod paging;
mod people;
mod rules;
mod seed;
mod service;
mod slack;
mod smart_http;
mod tls;
mod twin;
mod world;

pub use access::{AccessLevel, Visibility};
pub use endpoint::{Endpoint, Wants};
pub use faults::{Surface, Switch};
pub use fixtures::{Account, ExpirationFormat, Repository, Token, TokenState, User};
pub use git::Commit;
pub use github::{GitHubApp, GitHubApps, Install, Permissions};
pub use google::Google;
pub use jira::{DataCenterToken, JiraCloud, JiraDataCenter, JiraSite};
pub use journal::{Journal, Recorded};
pub use mishap::Mishap;
pub use oauth::{Authority, Consent, DeviceDecision, OAuthApp, TokenLife, Tokens};
pub use openid::OpenId;
pub use service::{Provider, Service, ServiceBuilder};
pub use slack::{Slack, SlackMessage};
pub use twin::{Builder, Forge, Twin};
pub use world::PullRequest;
