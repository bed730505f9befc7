//! Claims and headers, good and bad.

use serde_json::json;

use super::*;

const NOW_S: u64 = 1_800_000_000;

/// Claims that are accepted, with `changes` made to them.
fn check(changes: &Value) -> Result<Claims, TokenError> {
    check_for(&Expected::default(), changes)
}

fn check_for(expected: &Expected, changes: &Value) -> Result<Claims, TokenError> {
    let mut claims = json!({"documents": "team/*", "level": "read", "exp": NOW_S + 60});
    for (claim, value) in changes.as_object().expect("an object") {
        claims[claim] = value.clone();
    }
    serde_json::from_value::<RawClaims>(claims).expect("an object").check(expected, NOW_S)
}

fn refused_claim(changes: &Value) -> &'static str {
    match check(changes) {
        Err(TokenError::Claim { claim, .. } | TokenError::Missing(claim)) => claim,
        other => panic!("{changes}: {other:?}"),
    }
}

#[test]
fn all_claims_are_taken_as_they_stand() {
    let claims = check(&json!({
        "sub": "ann", "name": "Ann \u{1f58b}", "color": "#2F5fc4", "jti": "t1", "iat": NOW_S,
        "documents": ["notes", r"a\*b"], "level": "admin", "exp": NOW_S + 1, "another": {},
    }));
    let claims = claims.expect("accepted");
    assert_eq!(claims.subject.as_deref(), Some("ann"));
    assert_eq!(claims.name.as_deref(), Some("Ann \u{1f58b}"));
    assert_eq!(claims.color.as_deref(), Some("#2F5fc4"));
    assert_eq!(claims.token_id.as_deref(), Some("t1"));
    assert_eq!(claims.issued_at_s, Some(NOW_S));
    assert_eq!(claims.expires_at_s, NOW_S + 1);
    let level = |name| claims.level_in(&DocumentId::parse(name).expect("a valid name"));
    assert_eq!(level("notes"), Level::Admin);
    assert_eq!(level("a*b"), Level::Admin);
    assert_eq!(level("axb"), Level::None);
}

#[test]
fn claims_of_a_wrong_type_or_shape_are_refused() {
    let long = "x".repeat(TOKEN_TEXT_BYTES_MAX + 1);
    for (claim, wrong) in [
        ("exp", json!(["1", "", null, true, [], {}, [NOW_S + 60]])),
        ("nbf", json!(["1", null, false])),
        ("iat", json!(["1", null, {}])),
        ("level", json!([0, null, "", "none", "Read", "reader", "owner", ["read"], true])),
        ("documents", json!([[], [1], null, "", [""], ["a", null], {"a": 1}, true, "a\u{0}"])),
        ("documents", json!([r"a\b", ["*", r"\"], "x".repeat(1025)])),
        ("sub", json!([{}, null, 7, "", ["ann"], "a\nb", "a\u{7f}", long])),
        ("name", json!([{}, null, false, "", "\u{0}", long])),
        ("jti", json!([null, 0, "", long])),
        ("color", json!(["red", "#fff", "#12345g", "#1234567", "123456", "", null, 0])),
        ("aud", json!([null, 1, {}, [1]])),
    ] {
        for value in wrong.as_array().expect("a list") {
            assert_eq!(refused_claim(&json!({ claim: value })), claim, "{value}");
        }
    }
    assert_eq!(refused_claim(&json!({"exp": 0, "level": "none"})), "level");
}

#[test]
fn expiry_level_and_documents_must_be_there() {
    let whole = json!({"documents": "*", "level": "read", "exp": NOW_S + 1});
    for claim in ["documents", "level", "exp"] {
        let mut claims = whole.clone();
        claims.as_object_mut().expect("an object").remove(claim);
        let raw: RawClaims = serde_json::from_value(claims).expect("an object");
        let checked = raw.check(&Expected::default(), NOW_S);
        assert_eq!(checked, Err(TokenError::Missing(claim)));
    }
}

#[test]
fn a_token_ends_at_its_second_and_may_begin_a_little_early() {
    let expired = Err(TokenError::Expired);
    assert_eq!(check(&json!({"exp": NOW_S})), expired);
    assert_eq!(check(&json!({"exp": NOW_S as f64 + 0.9})), expired);
    assert_eq!(check(&json!({"exp": -1})), expired);
    assert_eq!(check(&json!({"exp": 0})), expired);
    assert!(check(&json!({"exp": NOW_S + 1})).is_ok());
    assert!(check(&json!({"exp": NOW_S as f64 + 1.5})).is_ok());
    for claim in ["nbf", "iat"] {
        assert!(check(&json!({ claim: NOW_S + 30 })).is_ok());
        assert_eq!(check(&json!({ claim: NOW_S + 31 })), Err(TokenError::Future(claim)));
        assert!(check(&json!({ claim: -5.5 })).is_ok());
    }
}

#[test]
fn a_time_beyond_all_calendars_can_still_be_counted_with() {
    for exp in [json!(u64::MAX), json!(1e300), json!(TIME_S_MAX + 1)] {
        let claims = check(&json!({ "exp": exp })).expect("accepted");
        assert_eq!(claims.expires_at_s, TIME_S_MAX);
    }
}

#[test]
fn only_an_otherwise_good_token_is_called_expired() {
    let old = NOW_S - 1;
    assert!(check(&json!({"exp": old})).is_err_and(TokenError::is_expired));
    for other in [
        json!({"exp": old, "aud": "elsewhere"}),
        json!({"exp": old, "nbf": NOW_S + 60}),
        json!({"exp": old, "color": "red"}),
        json!({"exp": old, "sub": 1}),
    ] {
        assert!(!check(&other).expect_err("refused").is_expired(), "{other}");
    }
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    let nobody = Expected::default();
    let us = Expected { audience: Some("notes".into()), issuer: None };
    let aud = |aud: Value| json!({ "aud": aud });
    assert!(check_for(&us, &aud(json!("notes"))).is_ok());
    assert!(check_for(&us, &aud(json!(["others", "notes"]))).is_ok());
    assert_eq!(check_for(&us, &json!({})), Err(TokenError::Missing("aud")));
    for other in [json!("Notes"), json!("notes/"), json!([]), json!(["others"]), json!("")] {
        assert_eq!(check_for(&us, &aud(other)), Err(TokenError::Audience));
    }
    assert_eq!(check_for(&nobody, &aud(json!("notes"))), Err(TokenError::Audience));
    assert_eq!(check_for(&nobody, &aud(json!([]))), Err(TokenError::Audience));
}

#[test]
fn a_token_from_somebody_else_is_refused() {
    let theirs = Expected { audience: None, issuer: Some("https://id.example".into()) };
    let iss = |iss: Value| json!({ "iss": iss });
    assert!(check_for(&theirs, &iss(json!("https://id.example"))).is_ok());
    assert_eq!(check_for(&theirs, &json!({})), Err(TokenError::Missing("iss")));
    let other = check_for(&theirs, &iss(json!("https://id.example/")));
    assert_eq!(other, Err(TokenError::Issuer));
    assert!(check_for(&theirs, &iss(json!(["https://id.example"]))).is_err());
    assert!(check(&iss(json!("anybody"))).is_ok());
    assert!(check(&iss(json!(7))).is_err());
}

#[test]
fn what_is_no_token_is_refused_before_it_is_read() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let with_header = |header: &str| format!("{}.e30.c2ln", part(header));
    assert!(Parts::split(&with_header(r#"{"alg":"HS256"}"#)).is_ok());
    let too_long = "x".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(Parts::split(&too_long).err(), Some(TokenError::TooLong));
    for token in [
        "",
        ".",
        "..",
        "a",
        "a.b",
        "share-0123456789abcdefghijkl",
        "eyJhbGciOiJIUzI1NiJ9=.e30.c2ln",
        &with_header("{}"),
        &with_header("[]"),
        &with_header(r#"["HS256"]"#),
        &with_header(r#"{"alg":null}"#),
        &with_header(r#"{"alg":["HS256"]}"#),
        &with_header(r#"{"alg":"HS256","alg":"none"}"#),
        &with_header(r#"{"alg":"HS256","kid":7}"#),
        &with_header(r#"{"alg":"HS256","kid":null}"#),
    ] {
        assert_eq!(Parts::split(token).err(), Some(TokenError::Malformed), "{token}");
    }
    for crit in ["[]", r#"["b64"]"#, "null", "0"] {
        let token = with_header(&format!(r#"{{"alg":"HS256","crit":{crit}}}"#));
        assert_eq!(Parts::split(&token).err(), Some(TokenError::Critical), "{crit}");
    }
}

#[test]
fn claims_that_are_no_object_or_stand_there_twice_are_refused() {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    for claims in [r#"{"exp":1,"exp":9999999999}"#, "\"text\"", "{", "[]", "{\"exp\":1e999}"] {
        let token = format!("{header}.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let parts = Parts::split(&token).expect("three parts");
        assert_eq!(parts.claims().err(), Some(TokenError::Claims), "{claims}");
    }
    let four_parts = format!("{header}.e30.e30.c2ln");
    assert!(Parts::split(&four_parts).expect("read from both ends").claims().is_err());
}
