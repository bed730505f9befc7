//! Presence tells the truth: what a login says about a person stands in what others see of it.
//!
//! Editors show `user.name` and `user.color` of a state. Where the login has them they take the
//! place of what the client says. The key `coscribe` of a state is the server's alone: it holds the
//! login's subject, and nobody without a login can have it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::value::{RawValue, to_raw_value};

use crate::id::User;

/// Where editors look for a person.
const USER: &str = "user";

/// The server's own key.
const RESERVED: &str = "coscribe";

/// How deep a state may be nested. Stock clients write states anew with a recursion, and would fail
/// at what they have read.
const DEPTH_MAX: usize = 32;

/// Why a state is not shown to anybody.
#[derive(Debug)]
pub(super) struct NotShown;

impl From<serde_json::Error> for NotShown {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// The fields of a JSON object, as they were written.
type Fields<'a> = BTreeMap<String, Cow<'a, RawValue>>;

/// A state as others may see it. A state that is no object has no place for a person and stays as it
/// is.
///
/// # Errors
/// The state is not JSON, or nested too deep.
pub(super) fn truthful<'a>(state: &'a str, user: Option<&User>) -> Result<Cow<'a, str>, NotShown> {
    if depth(state) > DEPTH_MAX {
        return Err(NotShown);
    }
    let user = user.filter(|user| **user != User::default());
    // With an escape in it, a key may be ours without looking like it.
    let may_be_ours = state.contains(RESERVED) || state.contains('\\');
    if !state.trim_start().starts_with('{') || (user.is_none() && !may_be_ours) {
        serde_json::from_str::<IgnoredAny>(state)?;
        return Ok(Cow::Borrowed(state));
    }
    let mut fields: Fields<'_> = serde_json::from_str(state)?;
    let lied = fields.remove(RESERVED).is_some();
    if user.is_none() && !lied {
        return Ok(Cow::Borrowed(state));
    }
    if let Some(user) = user {
        let said = fields.get(USER).map_or("", |said| said.get());
        // What is no object there is nobody's name.
        let mut person: Fields<'_> = serde_json::from_str(said).unwrap_or_default();
        let mut named = false;
        for (key, value) in [("name", &user.name), ("color", &user.color)] {
            if let Some(value) = value {
                person.insert(key.to_owned(), Cow::Owned(to_raw_value(&**value)?));
                named = true;
            }
        }
        if named {
            let person = to_raw_value(&person)?;
            fields.insert(USER.to_owned(), Cow::Owned(person));
        }
        if let Some(subject) = &user.subject {
            let ours = to_raw_value(&BTreeMap::from([("subject", &**subject)]))?;
            fields.insert(RESERVED.to_owned(), Cow::Owned(ours));
        }
    }
    Ok(Cow::Owned(serde_json::to_string(&fields)?))
}

/// Brackets that are open at the same time, at most; what stands in texts does not count.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' if !in_text => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn user(subject: Option<&str>, name: Option<&str>, color: Option<&str>) -> User {
        User {
            subject: subject.map(Into::into),
            name: name.map(Into::into),
            color: color.map(Into::into),
        }
    }

    fn seen(state: &str, user: Option<&User>) -> Value {
        let seen = truthful(state, user).expect("JSON");
        serde_json::from_str(&seen).expect("JSON")
    }

    #[test]
    fn the_logins_name_takes_the_place_of_the_clients() {
        let ann = user(Some("u1"), Some("Ann"), Some("#102030"));
        let said = r#"{"user":{"name":"Bo","color":"red","colorLight":"pink"},"cursor":{"at":1}}"#;
        let person = json!({ "name": "Ann", "color": "#102030", "colorLight": "pink" });
        let expected =
            json!({ "user": person, "cursor": { "at": 1 }, "coscribe": { "subject": "u1" } });
        assert_eq!(seen(said, Some(&ann)), expected);
        assert_eq!(seen("{}", Some(&ann))["user"]["name"], "Ann");
        assert_eq!(seen(r#"{"user":"Bo"}"#, Some(&ann))["user"]["name"], "Ann");
    }

    #[test]
    fn what_the_login_does_not_say_stays_the_clients() {
        let nameless = user(Some("u1"), None, None);
        let said = r#"{"user":{"name":"Bo"}}"#;
        let expected = json!({ "user": { "name": "Bo" }, "coscribe": { "subject": "u1" } });
        assert_eq!(seen(said, Some(&nameless)), expected);
        assert_eq!(truthful(said, None).expect("JSON"), said);
    }

    #[test]
    fn nobody_gives_himself_a_subject() {
        for said in [
            r#"{"coscribe":{"subject":"root"},"x":1}"#,
            r#"{"\u0063oscribe":{"subject":"root"},"x":1}"#,
            r#"{"coscribe":1,"coscribe":{"subject":"root"},"x":1}"#,
        ] {
            assert_eq!(seen(said, None), json!({ "x": 1 }), "{said}");
            let named = user(None, Some("Ann"), None);
            assert_eq!(seen(said, Some(&named)), json!({ "x": 1, "user": { "name": "Ann" } }));
        }
    }

    #[test]
    fn a_state_that_clients_could_not_write_is_not_shown() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(truthful(&nested(DEPTH_MAX), None).is_ok());
        assert!(truthful(&nested(DEPTH_MAX + 1), None).is_err());
        assert!(truthful(&nested(60_000), None).is_err());
        let text = format!(r#"{{"text":"\"{}"}}"#, nested(100));
        assert!(truthful(&text, None).is_ok(), "brackets in a text are no nesting");
    }

    #[test]
    fn what_is_no_object_has_no_person_and_what_is_no_json_is_refused() {
        let ann = user(Some("u1"), Some("Ann"), None);
        assert_eq!(truthful("[1]", Some(&ann)).expect("JSON"), "[1]");
        for broken in ["{", "{\"a\":}", "", "{} x", "nope"] {
            assert!(truthful(broken, Some(&ann)).is_err(), "{broken}");
            assert!(truthful(broken, None).is_err(), "{broken}");
        }
    }
}
