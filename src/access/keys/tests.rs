//! Signatures by each kind of key, and the many ways to pass a wrong one off as good.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::access::{Level, Pattern};

pub(in crate::access) const NOW_S: u64 = 1_800_000_000;

/// Two keys of each kind, made by openssl (tests/fixtures/README.md).
macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/", $name))
    };
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(in crate::access) const ED25519: &str = pem!("ed25519.public.pem");
pub(in crate::access) const P256: &str = pem!("p256.public.pem");
pub(in crate::access) const RSA: &str = pem!("rsa2048.public.pem");

/// Signs with the private keys of the fixtures, with any header.
pub(in crate::access) struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
}

impl Signer {
    pub(in crate::access) fn ed25519() -> Self {
        let der = der(pem!("ed25519.private.pem"));
        Self { key: EncodingKey::from_ed_der(&der), algorithm: Algorithm::EdDSA }
    }

    pub(in crate::access) fn p256() -> Self {
        let der = der(pem!("p256.private.pem"));
        Self { key: EncodingKey::from_ec_der(&der), algorithm: Algorithm::ES256 }
    }

    pub(in crate::access) fn rsa() -> Self {
        let der = der(pem!("rsa2048.private.pem"));
        Self { key: EncodingKey::from_rsa_der(&der), algorithm: Algorithm::RS256 }
    }

    fn hmac(secret: &[u8]) -> Self {
        Self { key: EncodingKey::from_secret(secret), algorithm: Algorithm::HS256 }
    }

    fn with(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// A token for everything whose header is `header`.
    fn sign_as(&self, header: &Value) -> String {
        let claims = json!({"documents": "*", "level": "read", "exp": NOW_S + 60});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(&claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm)
            .expect("a key for the algorithm");
        format!("{message}.{signature}")
    }

    pub(in crate::access) fn sign(&self) -> String {
        self.sign_as(&json!({"alg": format!("{:?}", self.algorithm), "typ": "JWT"}))
    }

    pub(in crate::access) fn sign_with_kid(&self, kid: &str) -> String {
        self.sign_as(&json!({"alg": format!("{:?}", self.algorithm), "kid": kid}))
    }
}

/// The bytes of a PKCS #8 or PKCS #1 file.
fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    base64::engine::general_purpose::STANDARD.decode(base64).expect("base64")
}

/// Key files in a directory of their own.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

fn with_secrets(secrets: &[&str]) -> Result<Keys, KeyError> {
    let files = Files::new();
    let secret_files =
        (0..).zip(secrets).map(|(i, secret)| files.file(&format!("{i}"), secret)).collect();
    Keys::load(&Auth { secret_files, ..Auth::default() })
}

fn with_public_keys(pems: &[&str]) -> Result<Keys, KeyError> {
    let files = Files::new();
    let public_key_files =
        (0..).zip(pems).map(|(i, pem)| files.file(&format!("{i}"), pem)).collect();
    Keys::load(&Auth { public_key_files, ..Auth::default() })
}

fn with_all() -> Keys {
    let files = Files::new();
    let public = [("e", ED25519), ("p", P256), ("r", RSA)];
    Keys::load(&Auth {
        secret_files: vec![files.file("s", SECRET)],
        public_key_files: public.map(|(name, pem)| files.file(name, pem)).into(),
        ..Auth::default()
    })
    .expect("good keys")
}

fn refusal(keys: &Keys, token: &str) -> TokenError {
    keys.verify(token, NOW_S).expect_err(token)
}

#[test]
fn each_kind_of_key_accepts_its_own_tokens() {
    let keys = with_all();
    for signer in
        [Signer::hmac(SECRET.as_bytes()), Signer::ed25519(), Signer::p256(), Signer::rsa()]
    {
        let token = signer.sign();
        assert!(keys.verify(&token, NOW_S).is_ok(), "{:?}", signer.algorithm);
        assert!(keys.verify(&signer.sign_with_kid("any"), NOW_S).is_ok());
        assert_eq!(refusal(&keys, &tampered(&token)), TokenError::Signature);
        assert_eq!(refusal(&keys, &cut(&token)), TokenError::Signature);
    }
}

/// The same header and signature with better claims.
fn tampered(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = json!({"documents": "*", "level": "admin", "exp": NOW_S + 60}).to_string();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2])
}

/// The same token without its signature.
fn cut(token: &str) -> String {
    token.rsplit_once('.').expect("a token").0.to_owned() + "."
}

#[test]
fn keys_of_others_are_refused() {
    let keys = with_all();
    let others = [
        Signer::hmac(b"another secret of thirty-two byte"),
        Signer {
            key: EncodingKey::from_ed_der(&der(pem!("another-ed25519.private.pem"))),
            ..Signer::ed25519()
        },
    ];
    for other in others {
        assert_eq!(refusal(&keys, &other.sign()), TokenError::Signature);
    }
    assert_eq!(
        refusal(&Keys::load(&Auth::default()).expect("none"), &Signer::rsa().sign()),
        TokenError::Algorithm
    );
}

#[test]
fn the_key_decides_the_algorithm_and_never_the_token() {
    let hmac = || Signer::hmac(SECRET.as_bytes());
    let public_key_as_secret = [
        Signer::hmac(ED25519.as_bytes()),
        Signer::hmac(P256.as_bytes()),
        Signer::hmac(RSA.as_bytes()),
        Signer::hmac(RSA.trim_end().as_bytes()),
        Signer::hmac(&der(ED25519)),
        Signer::hmac(&der(P256)),
        Signer::hmac(&der(RSA)),
        Signer::hmac(b""),
    ];
    let public_only = with_public_keys(&[ED25519, P256, RSA]).expect("good keys");
    for signer in &public_key_as_secret {
        assert_eq!(refusal(&public_only, &signer.sign()), TokenError::Algorithm);
        assert_eq!(refusal(&with_all(), &signer.sign()), TokenError::Signature);
        for alg in ["RS256", "ES256", "EdDSA"] {
            let token = signer.sign_as(&json!({ "alg": alg }));
            assert_eq!(refusal(&public_only, &token), TokenError::Signature, "{alg}");
        }
    }

    let secret_only = with_secrets(&[SECRET]).expect("a good secret");
    for keys in [&secret_only, &with_all()] {
        for alg in [
            "none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS512", "PS256", "ES384",
            "ES256K", "Ed25519", "HS256 ",
        ] {
            let token = hmac().sign_as(&json!({ "alg": alg }));
            assert_eq!(refusal(keys, &token), TokenError::Algorithm, "{alg}");
            assert_eq!(refusal(keys, &cut(&token)), TokenError::Algorithm, "{alg}");
        }
    }
    for alg in ["RS256", "ES256", "EdDSA"] {
        let token = hmac().sign_as(&json!({ "alg": alg }));
        assert_eq!(refusal(&secret_only, &token), TokenError::Algorithm, "{alg}");
        assert_eq!(refusal(&with_all(), &token), TokenError::Signature, "{alg}");
    }
    for stronger in [
        hmac().with(Algorithm::HS384),
        hmac().with(Algorithm::HS512),
        Signer::rsa().with(Algorithm::RS512),
        Signer::rsa().with(Algorithm::PS256),
    ] {
        assert_eq!(refusal(&with_all(), &stronger.sign()), TokenError::Algorithm);
        for alg in ["HS256", "RS256"] {
            let token = stronger.sign_as(&json!({ "alg": alg }));
            assert_eq!(refusal(&with_all(), &token), TokenError::Signature);
        }
    }
}

#[test]
fn a_key_that_the_token_brings_along_is_not_trusted() {
    let keys = with_secrets(&[SECRET]).expect("a good secret");
    let own = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("my own secret")});
    let token = Signer::hmac(b"my own secret")
        .sign_as(&json!({"alg": "HS256", "jwk": own, "jku": "https://evil.example/keys"}));
    assert_eq!(refusal(&keys, &token), TokenError::Signature);
}

#[test]
fn extensions_that_must_be_understood_are_not() {
    let keys = with_secrets(&[SECRET]).expect("a good secret");
    let token = Signer::hmac(SECRET.as_bytes())
        .sign_as(&json!({"alg": "HS256", "crit": ["b64"], "b64": false}));
    assert_eq!(refusal(&keys, &token), TokenError::Critical);
}

fn claims() -> Claims {
    Claims {
        subject: Some("ann".into()),
        name: Some("Ann".into()),
        color: Some("#2f5fc4".into()),
        documents: vec![Pattern::parse(r"a\**").expect("a pattern")],
        level: Level::Comment,
        expires_at_s: NOW_S + 60,
        issued_at_s: Some(NOW_S),
        token_id: Some("t1".into()),
    }
}

#[test]
fn a_made_token_says_what_it_was_made_with() {
    let files = Files::new();
    let auth = Auth {
        secret_files: vec![files.file("s", SECRET)],
        audience: "notes".into(),
        issuer: "wiki".into(),
        ..Auth::default()
    };
    let keys = Keys::load(&auth).expect("a good secret");
    let token = keys.sign(&claims()).expect("a token");
    assert_eq!(keys.verify(&token, NOW_S), Ok(claims()));
    assert_eq!(refusal(&keys, &tampered(&token)), TokenError::Signature);
    let other = Keys::load(&Auth { audience: String::new(), ..auth }).expect("a good secret");
    assert_eq!(refusal(&other, &token), TokenError::Audience);

    let least = Claims {
        subject: None,
        name: None,
        color: None,
        issued_at_s: None,
        token_id: None,
        ..claims()
    };
    let token = keys.sign(&least).expect("a token");
    assert_eq!(keys.verify(&token, NOW_S), Ok(least));
}

#[test]
fn a_token_that_nobody_would_accept_is_not_made() {
    let keys = with_secrets(&[SECRET]).expect("a good secret");
    for (wrong, claim) in [
        (Claims { level: Level::None, ..claims() }, "level"),
        (Claims { documents: vec![], ..claims() }, "documents"),
        (Claims { subject: Some("".into()), ..claims() }, "sub"),
        (Claims { color: Some("red".into()), ..claims() }, "color"),
    ] {
        let refused = keys.sign(&wrong).expect_err(claim).to_string();
        assert!(refused.contains(claim), "{refused}");
    }
    let documents = vec![Pattern::parse(&"x".repeat(1_000)).expect("a pattern"); 9];
    let too_long = keys.sign(&Claims { documents, ..claims() });
    assert_eq!(too_long, Err(SignError::Claims(TokenError::TooLong)));
    let ended = Claims { expires_at_s: NOW_S, ..claims() };
    assert!(keys.sign(&ended).is_ok(), "it was good for no time at all");
    let public = with_public_keys(&[RSA]).expect("a good key");
    assert_eq!(public.sign(&claims()), Err(SignError::NoSecret));
    assert!(!public.can_sign() && keys.can_sign());
}

#[test]
fn a_secret_can_be_changed_while_its_tokens_are_about() {
    let new = "fedcba9876543210fedcba9876543210";
    let before = with_secrets(&[SECRET]).expect("a good secret");
    let between = with_secrets(&[new, SECRET]).expect("good secrets");
    let after = with_secrets(&[new]).expect("a good secret");
    let old_token = before.sign(&claims()).expect("a token");
    let new_token = between.sign(&claims()).expect("a token");
    assert!(between.verify(&old_token, NOW_S).is_ok());
    assert!(between.verify(&new_token, NOW_S).is_ok());
    assert!(after.verify(&new_token, NOW_S).is_ok());
    assert_eq!(refusal(&after, &old_token), TokenError::Signature);
    assert_eq!(refusal(&before, &new_token), TokenError::Signature);
}

#[test]
fn line_ends_after_a_secret_do_not_count() {
    let token = with_secrets(&[SECRET]).expect("good").sign(&claims()).expect("a token");
    for end in ["\n", "\r\n", "\n\n"] {
        let keys = with_secrets(&[&format!("{SECRET}{end}")]).expect("a good secret");
        assert!(keys.verify(&token, NOW_S).is_ok());
    }
    let keys = with_secrets(&[&format!("{SECRET} ")]).expect("a good secret");
    assert_eq!(refusal(&keys, &token), TokenError::Signature);
}

#[test]
fn key_files_that_are_of_no_use_say_why() {
    let message = |loaded: Result<Keys, KeyError>| match loaded {
        Ok(_) => panic!("it was loaded"),
        Err(e) => e.to_string(),
    };
    assert!(message(with_secrets(&["fifteen bytes..\n"])).contains("has 15 bytes"));
    assert!(message(with_secrets(&[""])).contains("can be guessed"));
    for (pem, why) in [
        ("", "is no PEM file"),
        (SECRET, "is no PEM file"),
        (pem!("rsa1024.public.pem"), "under 2048 bits"),
        (pem!("p384.public.pem"), "is no PEM file"),
        (pem!("p256.private.pem"), "private key"),
        (pem!("rsa2048.private.pem"), "private key"),
        (pem!("ed25519-weak.public.pem"), "anybody can sign"),
    ] {
        let message = message(with_public_keys(&[pem]));
        assert!(message.contains(why), "{message}");
    }
    let missing = Auth { secret_files: vec!["/nowhere/secret".into()], ..Auth::default() };
    assert!(message(Keys::load(&missing)).contains("cannot read the key file /nowhere/secret"));
    assert!(message(with_secrets(&[SECRET; 17])).contains("16"));
}

#[test]
fn rsa_keys_may_also_come_as_pkcs_1() {
    let keys = with_public_keys(&[pem!("rsa2048.pkcs1.public.pem")]).expect("a good key");
    assert!(keys.verify(&Signer::rsa().sign(), NOW_S).is_ok());
}

#[test]
fn without_keys_nothing_is_asked_for() {
    let jwks = Auth { jwks: "https://id.example/keys".into(), ..Auth::default() };
    assert!(Keys::load(&Auth::default()).expect("nothing to load").is_empty());
    assert!(!Keys::load(&jwks).expect("nothing to read yet").is_empty());
    assert!(!with_secrets(&[SECRET]).expect("a good secret").is_empty());
    assert!(!with_public_keys(&[P256]).expect("a good key").is_empty());
}

#[test]
fn no_error_holds_a_part_of_the_token() {
    let keys = with_all();
    let marked = "Zm9yYmlkZGVu";
    let bad_claims = [
        json!({"exp": marked, "level": "read", "documents": "*"}),
        json!({"exp": 1, "level": marked, "documents": "*"}),
        json!({"exp": 1, "level": "read", "documents": "*", "color": marked}),
        json!({"exp": 1, "level": "read", "documents": "*", "aud": marked}),
    ];
    let hmac = Signer::hmac(SECRET.as_bytes());
    let mut tokens: Vec<String> = bad_claims
        .iter()
        .map(|claims| jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &hmac.key))
        .map(|token| token.expect("a token"))
        .collect();
    tokens.push(marked.to_owned());
    tokens.push(format!("{marked}.{marked}.{marked}"));
    tokens.push(hmac.sign_as(&json!({ "alg": marked })));
    tokens.push(hmac.sign_as(&json!({"alg": "HS256", "crit": marked})));
    tokens.push(hmac.sign_as(&json!({"alg": "HS256", "kid": [marked]})));
    for token in tokens {
        let e = refusal(&keys, &token);
        assert!(!format!("{e} {e:?}").contains(marked), "{e:?}");
    }
}
