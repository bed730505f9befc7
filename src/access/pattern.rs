//! Which documents a token speaks of: names with stars.
//!
//! Matching takes time that grows with the length of the name and of the pattern, never with their
//! product: a token is read before anybody knows whether its bearer means well.

use std::fmt;

use crate::id::{DOCUMENT_NAME_BYTES_MAX, DocumentId};

/// The longest pattern in bytes, an escaped character counted once; so every name can be a pattern.
pub const PATTERN_BYTES_MAX: usize = DOCUMENT_NAME_BYTES_MAX;

/// A set of document names.
///
/// `*` stands for any run of characters, also for none and also for slashes; `\*` and `\\` stand for
/// a star and a backslash; everything else for itself, byte for byte. Source: `docs/tokens.md`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// What stands between the stars, unescaped; one more than there are stars.
    parts: Box<[Box<str>]>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It would match no document.
    #[error("a pattern must not be empty")]
    Empty,
    /// Longer than [`PATTERN_BYTES_MAX`].
    #[error("a pattern is over the limit of {max} bytes", max = PATTERN_BYTES_MAX)]
    TooLong,
    /// No document has a NUL in its name.
    #[error("a pattern must not contain a NUL character")]
    Nul,
    /// A backslash in front of something else than a star or a backslash.
    #[error("in a pattern a backslash stands only in front of * or another backslash")]
    Escape,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > 2 * PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        if text.contains('\0') {
            return Err(PatternError::Nul);
        }
        let parts = split_at_stars(text)?;
        let bytes = parts.iter().map(String::len).sum::<usize>() + parts.len() - 1;
        if bytes > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let parts = parts.into_iter().map(String::into_boxed_str).collect();
        Ok(Self { text: text.into(), parts })
    }

    /// The pattern that matches this document and no other.
    pub fn only(document: &DocumentId) -> Self {
        let name = document.as_str();
        let text = name.replace('\\', "\\\\").replace('*', "\\*");
        Self { text: text.into(), parts: [name.into()].into() }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the document is meant.
    pub fn matches(&self, document: &DocumentId) -> bool {
        let name = document.as_str();
        let [first, between @ .., last] = &*self.parts else {
            return *name == *self.parts[0];
        };
        // The first place where a part fits leaves the most room for those after it.
        let Some(rest) = name.strip_prefix(&**first) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**last) else { return false };
        for part in between {
            let Some((_, after)) = rest.split_once(&**part) else { return false };
            rest = after;
        }
        true
    }

    /// Whether every document is meant, as by `*`.
    pub fn is_everything(&self) -> bool {
        self.parts.len() > 1 && self.parts.iter().all(|part| part.is_empty())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text.escape_debug())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn split_at_stars(text: &str) -> Result<Vec<String>, PatternError> {
    let mut parts = vec![];
    let mut part = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => parts.push(std::mem::take(&mut part)),
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '\\')) => part.push(escaped),
                _ => return Err(PatternError::Escape),
            },
            other => part.push(other),
        }
    }
    parts.push(part);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).expect("a valid pattern")
    }

    fn matches(text: &str, name: &str) -> bool {
        pattern(text).matches(&DocumentId::parse(name).expect("a valid name"))
    }

    #[test]
    fn a_star_is_any_run_of_characters() {
        for (text, name) in [
            ("*", "a"),
            ("*", "a/b/c"),
            ("**", "a"),
            ("team/*", "team/"),
            ("team/*", "team/a/b"),
            ("*/notes", "a/b/notes"),
            ("a*b*c", "abc"),
            ("a*b*c", "a-b-b-c-c"),
            ("*ab*ab*", "xabyabz"),
            ("a**b", "ab"),
            ("*\u{e9}*", "caf\u{e9}s"),
            ("notes", "notes"),
            (" a", " a"),
        ] {
            assert!(matches(text, name), "{text} must match {name}");
        }
        for (text, name) in [
            ("team/*", "team"),
            ("team/*", "xteam/a"),
            ("team/*", "Team/a"),
            ("notes", "notes2"),
            ("notes", "my notes"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            ("*ab*ab*", "xaby"),
            ("a*b*c", "acb"),
            ("a?", "ab"),
            ("[a]", "a"),
            ("\u{e9}", "e\u{301}"),
        ] {
            assert!(!matches(text, name), "{text} must not match {name}");
        }
    }

    #[test]
    fn stars_and_backslashes_can_be_meant_literally() {
        assert!(matches(r"a\*b", "a*b"));
        assert!(!matches(r"a\*b", "axb"));
        assert!(matches(r"a\\b", r"a\b"));
        assert!(matches(r"a\\*", r"a\xyz"));
        assert!(matches(r"\*\**", "**and more"));
        assert!(!matches(r"\*\**", "*and more"));
        for text in [r"\", r"a\", r"\a", r"a\b*", r"\\\"] {
            assert_eq!(Pattern::parse(text), Err(PatternError::Escape), "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert_eq!(Pattern::parse(""), Err(PatternError::Empty));
        assert_eq!(Pattern::parse("a\0*"), Err(PatternError::Nul));
        let longest = "x".repeat(PATTERN_BYTES_MAX);
        assert!(Pattern::parse(&longest).is_ok());
        assert_eq!(Pattern::parse(&format!("{longest}*")), Err(PatternError::TooLong));
        assert_eq!(
            Pattern::parse(&r"\*".repeat(PATTERN_BYTES_MAX + 1)),
            Err(PatternError::TooLong)
        );
    }

    #[test]
    fn any_name_can_be_written_as_a_pattern() {
        let stars = "*".repeat(DOCUMENT_NAME_BYTES_MAX);
        for name in ["notes", "a*b", r"a\b", r"\*", "*", &stars] {
            let document = DocumentId::parse(name).expect("a valid name");
            let only = Pattern::only(&document);
            assert!(only.matches(&document) && !only.is_everything());
            assert!(!only.matches(&DocumentId::parse("another").expect("a valid name")));
            assert_eq!(Pattern::parse(only.as_str()), Ok(only));
        }
    }

    #[test]
    fn only_stars_are_everything() {
        assert!(pattern("*").is_everything());
        assert!(pattern("***").is_everything());
        for text in ["*a", "a*", r"\*", "a", "* *"] {
            assert!(!pattern(text).is_everything(), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_almost_fits_is_given_up_quickly() {
        // With backtracking this would not end: each star could stand for any run of the name.
        let name = "a".repeat(DOCUMENT_NAME_BYTES_MAX);
        let text = format!("{}b*", "a*".repeat(PATTERN_BYTES_MAX / 2 - 1));
        assert!(!matches(&text, &name));
    }
}
