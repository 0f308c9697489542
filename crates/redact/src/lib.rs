//! Takes secrets out of text while it streams.
//!
//! A [`Redactor`] knows the secrets that were [added](Redactor::add), each in the encodings in which output shows
//! it, in one line or wrapped, and the [token families](families) of the supported providers. A [`Stream`] passes bytes
//! through in pieces of any size and replaces what must not be seen by `***`, after the public beginning where one is
//! known: `glpat-***`.
//!
//! How a text is cut into pieces never changes the result. A stream holds back only the bytes that may still turn out
//! to begin a secret, so a prompt without a newline appears at once, and its memory does not grow with its input.

mod family;
mod findings;
mod forms;
mod known;
mod line_break;
mod redactor;
mod stream;

pub use family::families;
pub use redactor::{Added, Redactor, is_too_short};
pub use stream::Stream;
