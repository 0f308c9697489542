//! The twins as their clients see them: real git, and plain HTTP for the APIs.

mod faults;
mod git;
mod github;
mod gitlab;
mod pages;
mod support;
