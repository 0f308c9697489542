//! Secrets in memory and at rest.
//!
//! [`Secret`] is the only type a credential has in memory: it can't be printed or serialised, and is wiped when dropped.
//! [`Sealer`] turns it into bytes that are safe to store and back: AES-256-GCM under a data key of its own, which is
//! itself wrapped by a master key from a [`KeyFile`]. Both layers are bound to an [`Identity`], so a sealed
//! record moved to another row does not open. What does not open is an error, never anything else.
//!
//! [`mint`] makes bearer tokens of ours; only their [`TokenHash`] is stored. [`derive`] makes several secrets of one, and
//! [`is_same`] compares in constant time.

mod envelope;
mod keyfile;
mod secret;
mod token;

pub use envelope::{Identity, Rotation, SealError, Sealed, Sealer};
pub use keyfile::{KeyFile, KeyFileError, KeyId};
pub use secret::Secret;
pub use token::{SystemEntropy, TokenHash, derive, is_same, mint};
