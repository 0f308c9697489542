//! Signatures as <https://www.standardwebhooks.com> describes them.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use valetkey_model::Entropy;
use valetkey_seal::Secret;
use zeroize::Zeroizing;

/// How a signing secret begins.
const PREFIX: &str = "whsec_";

/// A new signing secret: 256 random bits.
pub(crate) fn new_secret(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(bytes.as_mut());
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes.as_ref())))
}

/// The signature of one attempt: of the notification's id, the moment in seconds and the body. None if the secret is no
/// signing secret.
#[expect(clippy::disallowed_methods, reason = "the secret becomes the key of the signature")]
pub(crate) fn sign(secret: &Secret<String>, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let bytes = Zeroizing::new(STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look inside")]
mod tests {
    use valetkey_seal::SystemEntropy;

    use super::*;

    #[test]
    fn the_published_example() {
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn everything_that_is_signed_counts() {
        let secret = new_secret(&SystemEntropy);
        let all = [("a", 1, "x"), ("b", 1, "x"), ("a", 2, "x"), ("a", 1, "y")];
        let signatures = all.map(|(id, at, body)| sign(&secret, id, at, body).unwrap());
        for (n, one) in signatures.iter().enumerate() {
            assert!(signatures[n + 1..].iter().all(|other| other != one), "{n}");
        }
    }

    #[test]
    fn a_new_secret_has_its_form_and_is_new() {
        let (one, other) = (new_secret(&SystemEntropy), new_secret(&SystemEntropy));
        assert_ne!(one.expose(), other.expose());
        assert_eq!(STANDARD.decode(one.expose().strip_prefix("whsec_").unwrap()).unwrap().len(), 32);
        assert_eq!(sign(&Secret::from("no signing secret"), "a", 1, "x"), None);
        assert_eq!(sign(&Secret::from("whsec_%%%"), "a", 1, "x"), None);
    }
}
