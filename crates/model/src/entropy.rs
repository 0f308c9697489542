use jiff::Timestamp;

/// Where the time comes from. Rules never read a clock themselves, so that tests control it.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Where random bytes come from. Implementations must be cryptographically strong outside tests.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` completely; a source that can't do so must panic rather than return weak bytes.
    fn fill(&self, bytes: &mut [u8]);
}
