//! The levels, from nothing to administering.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What somebody may do in a document. Each level includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Not even learn whether it exists. Never given by a token or a link, so no flag takes it.
    #[value(skip)]
    None,
    /// Read it, and show a cursor.
    Read,
    /// Write beside it, not in it; until there are comments this is the same as reading.
    Comment,
    /// Change it.
    Write,
    /// Delete it, and say who else may do what.
    Admin,
}

/// The word is not a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a level is none, read, comment, write or admin")]
pub struct UnknownLevel;

impl Level {
    /// The word for it, as it stands in tokens, in the database and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Comment => "comment",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        [Self::None, Self::Read, Self::Comment, Self::Write, Self::Admin]
            .into_iter()
            .find(|level| level.as_str() == word)
            .ok_or(UnknownLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_include_the_ones_before_them() {
        let rising = [Level::None, Level::Read, Level::Comment, Level::Write, Level::Admin];
        assert!(rising.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn words_are_taken_exactly_and_mean_the_same_everywhere() {
        for level in [Level::None, Level::Read, Level::Comment, Level::Write, Level::Admin] {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(serde_json::json!(level), serde_json::json!(level.as_str()));
            if let Some(value) = level.to_possible_value() {
                assert_eq!(value.get_name(), level.as_str());
            }
        }
        for word in ["", "Read", " read", "reader", "owner", "0"] {
            assert_eq!(word.parse::<Level>(), Err(UnknownLevel), "{word:?}");
        }
    }
}
