//! Pseudo-random bytes: file contents that do not compress, and generated tokens.

use std::hash::{BuildHasher, Hasher, RandomState};

/// SplitMix64.
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn fixed(value: u64) -> Self {
        Self(value)
    }

    /// Different in each process and at each call.
    pub(crate) fn random() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    pub(crate) fn hex(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b"0123456789abcdef"[(self.next() % 16) as usize])).collect()
    }

    pub(crate) fn digits(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b"0123456789"[(self.next() % 10) as usize])).collect()
    }

    pub(crate) fn alphanumeric(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(BASE62[(self.next() % 62) as usize])).collect()
    }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(crate) fn crc32(body: &str) -> u32 {
    let mut crc = !0u32;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// A made-up identifier that is the same in every run: the group tells users from repositories.
pub(crate) fn uuid(group: u32, number: u64) -> String {
    format!("{group:08x}-0000-4000-8000-{number:012x}")
}

/// The last six characters of a GitHub token: the CRC-32 of the rest, in base 62.
pub(crate) fn github_checksum(body: &str) -> String {
    let mut rest = crc32(body);
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// The last eight characters of an Atlassian token: the CRC-32 of the rest, in hexadecimal.
pub(crate) fn atlassian_checksum(rest: &str) -> String {
    format!("{:08X}", crc32(rest))
}

#[cfg(test)]
mod tests {
    use super::github_checksum;

    #[test]
    fn a_github_checksum_is_that_of_the_published_example() {
        assert_eq!(github_checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), "0mLq17");
    }
}
