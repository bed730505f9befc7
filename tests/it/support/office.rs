//! Whoever issues tokens for a server under test.

use std::path::PathBuf;
use std::sync::Arc;

use coscribe::access::{Claims, Keys, Level, Pattern};
use coscribe::clock;
use coscribe::config::{Auth, Config};
use tempfile::TempDir;

use super::Server;

/// Holds a secret.
pub struct Office {
    directory: TempDir,
    keys: Keys,
}

impl Office {
    /// One with a secret of its own.
    pub fn new() -> Self {
        Self::with_secret("a secret that is only known to the tests")
    }

    /// One with this secret.
    pub fn with_secret(secret: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the secret");
        let file = directory.path().join("secret");
        std::fs::write(&file, secret).expect("a file for the secret");
        let auth = Auth { secret_files: vec![file], ..Auth::default() };
        let keys = Keys::load(&auth).expect("a secret that is long enough");
        Self { directory, keys }
    }

    /// A server that trusts this office and nobody else.
    pub fn server(&self, change: impl FnOnce(&mut Config)) -> Server {
        Server::start(|config| {
            config.auth.secret_files = vec![self.secret_file()];
            change(config);
        })
    }

    /// Where the secret is.
    pub fn secret_file(&self) -> PathBuf {
        self.directory.path().join("secret")
    }

    /// A token for an hour.
    pub fn token(&self, subject: &str, documents: &str, level: Level) -> String {
        self.token_for(subject, documents, level, 3600)
    }

    /// A token that ends so many seconds from now.
    pub fn token_for(&self, subject: &str, documents: &str, level: Level, seconds: i64) -> String {
        let now_s = clock::unix_s();
        self.sign(&Claims {
            subject: Some(Arc::from(subject)),
            name: None,
            color: None,
            documents: vec![Pattern::parse(documents).expect("a pattern")],
            level,
            expires_at_s: now_s.saturating_add_signed(seconds),
            issued_at_s: Some(now_s),
            token_id: None,
        })
    }

    /// A token of any kind.
    pub fn sign(&self, claims: &Claims) -> String {
        self.keys.sign(claims).expect("a token")
    }
}
