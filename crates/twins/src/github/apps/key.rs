//! An app's private key.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What precedes the PKCS#1 key in the PKCS#8 form of a 2048-bit RSA key.
const PKCS8_PREFIX: usize = 26;

/// The half of the key that GitHub keeps.
#[derive(Debug, Clone)]
pub(super) struct PublicKey(Vec<u8>);

impl PublicKey {
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0).verify(message, signature).is_ok()
    }
}

/// Keys take long to make: the twins of a process share these.
static KEYS: [OnceLock<(PublicKey, String)>; 4] = [const { OnceLock::new() }; 4];

/// The key of an app, other than those of the apps made just before it; the private half is PKCS#1 in PEM, as GitHub
/// hands it out.
pub(super) fn of_app(id: u64) -> Result<(PublicKey, String), Unspecified> {
    let place = &KEYS[(id % 4) as usize];
    if let Some(key) = place.get() {
        return Ok(key.clone());
    }
    let key = generate()?;
    Ok(place.get_or_init(|| key).clone())
}

fn generate() -> Result<(PublicKey, String), Unspecified> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let pkcs8: Pkcs8V1Der<'static> = pair.as_der()?;
    let pkcs1 = &pkcs8.as_ref()[PKCS8_PREFIX..];
    let mut pem = "-----BEGIN RSA PRIVATE KEY-----\n".to_owned();
    let text = STANDARD.encode(pkcs1);
    for start in (0..text.len()).step_by(64) {
        pem.push_str(&text[start..text.len().min(start + 64)]);
        pem.push('\n');
    }
    pem.push_str("-----END RSA PRIVATE KEY-----\n");
    Ok((PublicKey(pair.public_key().as_ref().to_vec()), pem))
}
