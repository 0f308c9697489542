//! Jira, in the cloud and on one's own machines. Both have boards; they differ in who may look.

mod board;
mod cloud;
mod cloud_rest;
mod data_center;
mod document;
mod jql;
mod refusal;
mod rest;
mod visit;

pub use cloud::{JiraCloud, JiraSite};
pub use data_center::{DataCenterToken, JiraDataCenter};
