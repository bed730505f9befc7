//! Key sets: what is taken from them, and when they are read again.

use std::net::TcpListener;

use actix_web::{App, HttpResponse, HttpServer, web};
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::json;

use super::*;
use crate::access::TokenError;
use crate::access::keys::tests::{ED25519, NOW_S, P256, RSA, Signer};

fn ed25519(kid: &str) -> Value {
    let key = ed25519_dalek::VerifyingKey::from_public_key_pem(ED25519).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"})
}

fn p256(kid: &str) -> Value {
    let key = p256::PublicKey::from_public_key_pem(P256).expect("a key").to_encoded_point(false);
    let [x, y] = [key.x(), key.y()].map(|c| URL_SAFE_NO_PAD.encode(c.expect("no zero point")));
    json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "key_ops": ["verify"]})
}

fn rsa(kid: &str) -> Value {
    let key = rsa::RsaPublicKey::from_public_key_pem(RSA).expect("a key");
    let [n, e] = [key.n(), key.e()].map(|number| URL_SAFE_NO_PAD.encode(number.to_bytes_be()));
    json!({"kty": "RSA", "n": n, "e": e, "kid": kid, "alg": "RS256", "x5c": ["ignored"]})
}

fn changed(mut key: Value, field: &str, value: Value) -> Value {
    key[field] = value;
    key
}

/// Keys from a set in a file that each test changes as it likes.
struct Case {
    dir: tempfile::TempDir,
    keys: Arc<Keys>,
}

impl Case {
    fn new(keys: &[Value]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("set.json");
        write(&path, keys);
        let jwks = path.to_str().expect("a path in UTF-8").to_owned();
        let keys = Keys::load(&Auth { jwks, ..Auth::default() }).expect("a key set");
        Self { dir, keys: Arc::new(keys) }
    }

    fn write(&self, keys: &[Value]) {
        write(&self.dir.path().join("set.json"), keys);
    }

    fn refusal(&self, token: &str) -> Option<TokenError> {
        self.keys.verify(token, NOW_S).err()
    }
}

fn write(path: &Path, keys: &[Value]) {
    std::fs::write(path, json!({ "keys": keys }).to_string()).expect("written");
}

#[test]
fn the_token_names_its_key() {
    let case = Case::new(&[ed25519("e"), p256("p"), rsa("r")]);
    for (signer, kid) in [(Signer::ed25519(), "e"), (Signer::p256(), "p"), (Signer::rsa(), "r")] {
        assert_eq!(case.refusal(&signer.sign_with_kid(kid)), None);
        assert_eq!(case.refusal(&signer.sign()), None, "without kid all keys are tried");
        let unknown = case.refusal(&signer.sign_with_kid("another"));
        assert_eq!(unknown, Some(TokenError::UnknownKey));
    }
    let of_another_kind = case.refusal(&Signer::rsa().sign_with_kid("e"));
    assert_eq!(of_another_kind, Some(TokenError::Algorithm));
}

#[test]
fn of_two_keys_the_named_one_counts() {
    let other = changed(ed25519("new"), "x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
    let case = Case::new(&[ed25519("old"), other]);
    assert_eq!(case.refusal(&Signer::ed25519().sign_with_kid("old")), None);
    let misnamed = case.refusal(&Signer::ed25519().sign_with_kid("new"));
    assert_eq!(misnamed, Some(TokenError::Signature));
}

#[test]
fn only_public_keys_for_signatures_are_taken() {
    let n = |bytes: usize| json!(URL_SAFE_NO_PAD.encode(vec![0xff; bytes]));
    for unusable in [
        json!({"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "kid": "k"}),
        json!({"kty": "OKP", "crv": "Ed448", "x": "AAAA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": ed25519("e")["x"]}),
        json!({"kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA"}),
        json!({}),
        json!(null),
        json!("key"),
        json!({"kty": 7}),
        changed(rsa("r"), "use", json!("enc")),
        changed(rsa("r"), "alg", json!("RS512")),
        changed(rsa("r"), "alg", json!("HS256")),
        changed(rsa("r"), "n", n(128)),
        changed(rsa("r"), "n", n(513)),
        changed(rsa("r"), "n", json!("not base64!")),
        changed(rsa("r"), "e", json!("AA")),
        changed(rsa("r"), "kid", json!(7)),
        changed(p256("p"), "key_ops", json!(["sign"])),
        changed(p256("p"), "y", p256("p")["x"].clone()),
        changed(p256("p"), "alg", json!("EdDSA")),
        changed(ed25519("e"), "x", json!("AAAA")),
        changed(ed25519("e"), "x", json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        let set = json!({"keys": [unusable, ed25519("e")]}).to_string();
        let set = Set::parse(set.as_bytes()).expect("a set");
        assert_eq!((set.keys.len(), set.skipped), (1, 1), "{unusable}");
    }
}

#[test]
fn what_is_no_set_is_refused() {
    for json in ["", "{}", "[]", "null", r#"{"keys": {}}"#, "<html>"] {
        assert!(matches!(Set::parse(json.as_bytes()), Err(JwksError::NotASet)), "{json}");
    }
    let many = json!({"keys": vec![ed25519("e"); KEYS_MAX + 1]}).to_string();
    assert!(matches!(Set::parse(many.as_bytes()), Err(JwksError::TooMany { got: 101 })));
}

#[test]
fn sets_come_from_safe_places() {
    for url in [
        "https://id.example/keys",
        "https://id.example:8443/keys?a=b",
        "http://127.0.0.1:8080/keys",
        "http://localhost/keys",
        "http://[::1]:80/keys",
    ] {
        assert!(matches!(Source::parse(url), Ok(Source::Url { .. })), "{url}");
    }
    for url in [
        "http://id.example/keys",
        "http://localhost.evil.example/keys",
        "ftp://id.example/keys",
        "file:///etc/keys",
        "https://",
        "https://id example/",
    ] {
        assert!(matches!(Source::parse(url), Err(JwksError::Source(_))), "{url}");
    }
    for url in ["http://127.0.0.1@evil.example/keys", "https://ann:secret@id.example/keys"] {
        let e = Source::parse(url).err().expect(url);
        assert!(matches!(e, JwksError::Login) && !e.to_string().contains("secret"));
    }
    assert!(matches!(Source::parse("keys/set.json"), Ok(Source::File(_))));
    let long = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(long.path(), vec![b' '; SET_BYTES_MAX + 1]).expect("written");
    assert!(matches!(read_file(long.path()), Err(JwksError::TooLong)));
    let missing = Auth { jwks: "/nowhere/set.json".into(), ..Auth::default() };
    let e = Keys::load(&missing).expect_err("no such file").to_string();
    assert!(e.contains("/nowhere/set.json"), "{e}");
}

#[tokio::test(start_paused = true)]
async fn the_set_is_read_again_after_its_interval() {
    let case = Case::new(&[ed25519("old")]);
    case.write(&[rsa("new")]);
    let token = Signer::rsa().sign();
    let script = async {
        let changes = || case.keys.jwks.as_ref().expect("a set").subscribe();
        changes().next().await;
        assert_eq!(case.refusal(&token), None);
        assert!(case.refusal(&Signer::ed25519().sign()).is_some());
        case.write(&[ed25519("old")]);
        tokio::time::sleep(Duration::from_secs(301)).await;
        assert_eq!(case.refusal(&Signer::ed25519().sign()), None);
    };
    run_beside(&case, script).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_with_a_new_key_waits_for_the_set() {
    let case = Case::new(&[ed25519("old")]);
    let script = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        case.write(&[ed25519("old"), rsa("new")]);
        let started = Clock::new();
        let token = Signer::rsa().sign_with_kid("new");
        assert!(case.keys.verify_or_refresh(&token, NOW_S).await.is_ok());
        assert!(started.now() < Duration::from_secs(1), "{:?}", started.now());
    };
    run_beside(&case, script).await;
}

#[tokio::test(start_paused = true)]
async fn made_up_keys_have_the_set_read_at_most_every_ten_seconds() {
    let case = Case::new(&[ed25519("old")]);
    let made_up = Signer::rsa().sign_with_kid("made up");
    let mut reads = case.keys.jwks.as_ref().expect("a set").subscribe().0;
    let script = async {
        reads.changed().await.expect("read at the start");
        let clock = Clock::new();
        for read in 1..=3 {
            assert_eq!(case.refusal(&made_up), Some(TokenError::UnknownKey));
            reads.changed().await.expect("read again");
            assert_eq!(clock.now().as_secs(), 10 * read);
        }
        let refused = case.keys.verify_or_refresh(&made_up, NOW_S).await;
        assert_eq!(refused, Err(TokenError::UnknownKey));
    };
    run_beside(&case, script).await;
}

#[tokio::test(start_paused = true)]
async fn when_the_set_cannot_be_read_its_keys_stay_for_a_day() {
    let case = Case::new(&[ed25519("e")]);
    let token = Signer::ed25519().sign();
    let hours = |hours: u64| tokio::time::sleep(Duration::from_secs(hours * 3_600 + 1));
    let script = async {
        hours(1).await;
        std::fs::write(case.dir.path().join("set.json"), "broken").expect("written");
        hours(23).await;
        assert_eq!(case.refusal(&token), None);
        hours(2).await;
        assert_eq!(case.refusal(&token), Some(TokenError::UnknownKey));
        case.write(&[ed25519("e")]);
        hours(1).await;
        assert_eq!(case.refusal(&token), None);
    };
    run_beside(&case, script).await;
}

/// Runs a script while the set is kept fresh.
async fn run_beside(case: &Case, script: impl Future<Output = ()>) {
    tokio::select! {
        () = keep_fresh(case.keys.clone()) => panic!("there is a set to be kept"),
        () = script => {}
    }
}

#[actix::test]
async fn sets_are_fetched_and_redirections_are_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let set = json!({"keys": [ed25519("e")]}).to_string();
    let long = format!("{set}{}", " ".repeat(SET_BYTES_MAX));
    let server = HttpServer::new(move || {
        let text = |text: &str| {
            let text = text.to_owned();
            web::to(move || std::future::ready(HttpResponse::Ok().body(text.clone())))
        };
        let moved = || async { HttpResponse::Found().insert_header(("location", "/set")).finish() };
        App::new()
            .route("/set", text(&set))
            .route("/long", text(&long))
            .route("/html", text("<html>"))
            .route("/moved", web::to(moved))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .expect("a listener")
    .run();
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);

    let read = async |path: &str| {
        Source::parse(&format!("http://{address}{path}")).expect("an address").read().await
    };
    assert_eq!(read("/set").await.expect("a set").keys.len(), 1);
    assert!(matches!(read("/long").await, Err(JwksError::TooLong)));
    assert!(matches!(read("/html").await, Err(JwksError::NotASet)));
    assert!(matches!(read("/moved").await, Err(JwksError::Status(302))));
    assert!(matches!(read("/absent").await, Err(JwksError::Status(404))));

    handle.stop(false).await;
    serving.await.expect("ended").expect("without an error");
    assert!(matches!(read("/set").await, Err(JwksError::Unreachable(_))));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let source = Source::parse(&format!("http://{address}/set")).expect("an address");
    let clock = Clock::new();
    let read = tokio::task::LocalSet::new().run_until(source.read()).await;
    assert!(matches!(read, Err(JwksError::Unreachable(_))));
    assert_eq!(clock.now().as_secs(), 5);
}
