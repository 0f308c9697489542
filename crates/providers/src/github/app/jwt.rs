use aws_lc_rs::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::json;
use valetkey_seal::Secret;

use super::{AppError, AppKey};

/// GitHub advises to allow for clocks that differ, and refuses what lasts longer than ten minutes.
const BACKDATED: i64 = 60;
const LIFE: i64 = 9 * 60;

/// What the app shows to be itself: a JWT, for some minutes.
pub(super) fn signed(key: AppKey<'_>, now: Timestamp) -> Result<Secret<String>, AppError> {
    let pair = read(key.private_key)?;
    let claims = json!({
        "iat": now.as_second() - BACKDATED,
        "exp": now.as_second() + LIFE,
        "iss": key.client_id,
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| AppError::KeyUnreadable)?;
    Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// GitHub gives its keys as PKCS#1; people turn them into PKCS#8 for other tools.
#[expect(clippy::disallowed_methods, reason = "the app's key is read to sign with it")]
pub(super) fn read(private_key: &Secret<String>) -> Result<KeyPair, AppError> {
    let der = PrivateKeyDer::from_pem_slice(private_key.expose().as_bytes()).map_err(|_| AppError::KeyUnreadable)?;
    let pair = match &der {
        PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(AppError::KeyUnreadable),
    };
    pair.map_err(|_| AppError::KeyUnreadable)
}
