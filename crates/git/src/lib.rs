//! Git, seen from the outside: its wire format, its credential protocol and its program.
//!
//! [`pkt_line`] and [`receive_pack`] read what a push asks for and answer a push that is refused. [`credential`] is the
//! codec of the credential helper protocol. [`Git`] runs the git program with an environment built from nothing, and
//! [`Checkout`] is a repository that an untrusted agent works in: what it wrote into its `.git` is data to this crate and
//! never configuration, so nothing of it runs here.
//!
//! No credential passes through this crate's commands: where git needs one, the caller's [`ConfigEntries`] send it
//! through a gateway.

mod changes;
mod checkout;
mod clone;
mod config;
pub mod credential;
mod error;
mod git;
mod history;
mod nofollow;
mod own_dir;
pub mod pkt_line;
mod process;
mod publish;
mod push;
pub mod receive_pack;
mod refs;
mod status;

pub use changes::ChangesLimits;
pub use checkout::{Checkout, CheckoutError};
pub use config::ConfigEntries;
pub use error::{Failure, GitError};
pub use git::{Git, Version};
pub use publish::{Author, PublishOptions, Published};
pub use push::PushOutcome;
pub use refs::Head;
