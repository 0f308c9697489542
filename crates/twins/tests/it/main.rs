//! The twins as their clients see them: real git, and plain HTTP for the APIs.

mod azure_devops;
mod bitbucket;
mod bitbucket_data_center;
mod endpoint;
mod faults;
mod forge;
mod forge_oauth;
mod git;
mod gitea;
mod github;
mod github_apps;
mod gitlab;
mod google;
mod jira_cloud;
mod jira_data_center;
mod oauth;
mod openid;
mod pages;
mod services;
mod slack;
mod support;
