//! `coscribe token`: makes tokens and explains them.
//!
//! Prints a token and nothing else, so that a script can take what it prints. Reads a token from
//! standard input only: an argument would stand in the shell's history and in the list of processes.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::access::{Claims, Keys, Level, Pattern, TOKEN_BYTES_MAX, peek};
use crate::clock;
use crate::config::Auth;

/// Claims that are times.
const TIMES: [&str; 3] = ["exp", "iat", "nbf"];

/// Make a token that says who somebody is and what they may do, or explain one
///
/// A server with the same secret accepts the token until it expires:
/// `coscribe serve --auth-secret-file FILE`. Anybody who has the token may do what it says, so give
/// it a short life and send it over https only.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  openssl rand -hex 32 > secret; chmod 600 secret
  coscribe token --secret-file secret --subject ann --name Ann --level write --documents 'team/*'
  coscribe token --secret-file secret --level read --documents notes --documents plans --expires 10m
  coscribe token --inspect < token                        what does it say?
  coscribe token --inspect --secret-file secret < token   and is it accepted?

In --documents, * is any run of characters, slashes too; \\* is a star.")]
pub(super) struct Token {
    /// The file with the secret (HS256), as the server has it
    #[arg(long, value_name = "FILE", required_unless_present = "inspect")]
    secret_file: Option<PathBuf>,
    /// Who it is for: the person's id in your application
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// The name that others see beside the cursor
    #[arg(long)]
    name: Option<String>,
    /// The cursor's colour, as '#2f5fc4'
    #[arg(long, value_name = "#RRGGBB")]
    color: Option<String>,
    /// What may be done in the documents
    #[arg(long, value_enum, required_unless_present = "inspect")]
    level: Option<Level>,
    /// Which documents: a name or a pattern as 'team/*'; may be given again
    #[arg(
        long,
        value_name = "PATTERN",
        value_parser = Pattern::parse,
        required_unless_present = "inspect"
    )]
    documents: Vec<Pattern>,
    /// How long it is accepted, as 30s, 10m, 1h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    expires: Duration,
    /// The audience, where the server's auth.audience asks for one
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// The issuer, where the server's auth.issuer asks for one
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// A name for the token itself, by which it can be revoked
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Explain the token on standard input; with a key, also say whether it is accepted (else the
    /// exit status is 1)
    #[arg(long, conflicts_with_all = ["subject", "name", "color", "level", "documents", "id"])]
    inspect: bool,
    /// With --inspect: a PEM file with a public key
    #[arg(long, value_name = "FILE", conflicts_with = "level")]
    public_key_file: Option<PathBuf>,
    /// With --inspect: a file with a JSON Web Key Set
    #[arg(long, value_name = "FILE", conflicts_with = "level")]
    jwks_file: Option<PathBuf>,
}

/// Makes or explains.
pub(super) fn run(token: Token) -> anyhow::Result<()> {
    if !token.inspect {
        super::say(&format!("{}\n", token.mint()?))?;
        return Ok(());
    }
    if std::io::stdin().is_terminal() {
        eprintln!("Paste the token, then press Enter and Ctrl-D.");
    }
    let mut text = String::new();
    let more_than_enough = 2 * TOKEN_BYTES_MAX as u64;
    std::io::stdin().take(more_than_enough).read_to_string(&mut text).context("cannot read")?;
    let explained = token.explain(text.trim())?;
    super::say(&format!("{}\n", serde_json::to_string_pretty(&explained)?))?;
    if let Some(why) = explained.why {
        bail!("the token is not accepted: {why}");
    }
    Ok(())
}

/// A token in words for people.
#[derive(Debug, Serialize)]
struct Explained {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Token {
    fn mint(self) -> anyhow::Result<String> {
        let keys = Keys::load(&self.auth())?;
        let now_s = clock::unix_s();
        let text = |text: Option<String>| text.map(Arc::from);
        let claims = Claims {
            subject: text(self.subject),
            name: text(self.name),
            color: text(self.color),
            documents: self.documents,
            level: self.level.context("--level is missing")?,
            expires_at_s: now_s.saturating_add(self.expires.as_secs()),
            issued_at_s: Some(now_s),
            token_id: text(self.id),
        };
        Ok(keys.sign(&claims)?)
    }

    fn explain(&self, token: &str) -> anyhow::Result<Explained> {
        ensure!(!token.is_empty(), "there is no token on standard input");
        let keys = Keys::load(&self.auth())?;
        let (header, mut claims) = peek(token).context("that is not a JWT")?;
        for name in TIMES {
            if let Some(time) = claims.get(name).and_then(rfc3339) {
                claims.insert(format!("{name} (UTC)"), time.into());
            }
        }
        let verdict = (!keys.is_empty()).then(|| keys.verify(token, clock::unix_s()));
        Ok(Explained {
            header,
            claims,
            accepted: verdict.as_ref().map(Result::is_ok),
            why: verdict.and_then(Result::err).map(|e| e.to_string()),
        })
    }

    fn auth(&self) -> Auth {
        let jwks = self.jwks_file.as_ref().map(|path| path.to_string_lossy().into_owned());
        Auth {
            secret_files: self.secret_file.clone().into_iter().collect(),
            public_key_files: self.public_key_file.clone().into_iter().collect(),
            jwks: jwks.unwrap_or_default(),
            audience: self.audience.clone().unwrap_or_default(),
            issuer: self.issuer.clone().unwrap_or_default(),
            ..Auth::default()
        }
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time >= Duration::from_secs(1) => Ok(time),
        Ok(_) => Err("it must be at least a second".to_owned()),
        Err(_) => Err("a time is a number and a unit, as 30s, 10m, 1h or 7d".to_owned()),
    }
}

/// The time that a number of seconds means; nothing when it is none, or after the year 9999.
fn rfc3339(seconds: &Value) -> Option<String> {
    let since_1970 = Duration::try_from_secs_f64(seconds.as_f64()?.floor()).ok()?;
    let time = UNIX_EPOCH.checked_add(since_1970)?;
    let is_printable = since_1970.as_secs() < 253_402_300_800;
    is_printable.then(|| humantime::format_rfc3339_seconds(time).to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::id::DocumentId;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        token: Token,
    }

    /// The command with the words of `line`, and with a good secret where it says SECRET.
    fn token(line: &str, secret: &std::path::Path) -> Result<Token, clap::Error> {
        let secret = secret.to_str().expect("a path in UTF-8");
        let words = std::iter::once("token").chain(line.split_whitespace());
        let words = words.map(|word| if word == "SECRET" { secret } else { word });
        Line::try_parse_from(words).map(|line| line.token)
    }

    fn secret() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "0123456789abcdef0123456789abcdef\n").expect("written");
        file
    }

    const MINT: &str = "--secret-file SECRET --subject ann --name Ann --color #2f5fc4 --level read \
        --documents team/* --documents notes --expires 10m --id t1 --audience notes --issuer wiki";

    #[test]
    fn a_token_says_what_was_asked_for_and_is_accepted() {
        let secret = secret();
        let mint = token(MINT, secret.path()).expect("a valid command");
        let keys = Keys::load(&mint.auth()).expect("a good secret");
        let before_s = clock::unix_s();
        let text = mint.mint().expect("a token");
        let claims = keys.verify(&text, clock::unix_s()).expect("an accepted token");
        assert_eq!(claims.subject.as_deref(), Some("ann"));
        assert_eq!(claims.name.as_deref(), Some("Ann"));
        assert_eq!(claims.color.as_deref(), Some("#2f5fc4"));
        assert_eq!(claims.token_id.as_deref(), Some("t1"));
        assert!(claims.expires_at_s >= before_s + 600);
        let level = |name| claims.level_in(&DocumentId::parse(name).expect("a valid name"));
        assert_eq!(level("team/a"), Level::Read);
        assert_eq!(level("notes"), Level::Read);
        assert_eq!(level("others"), Level::None);
    }

    #[test]
    fn inspecting_shows_times_and_says_why_a_token_is_not_accepted() {
        let (ours, theirs) = (secret(), secret());
        std::fs::write(theirs.path(), "another secret, as long as the first").expect("written");
        let text = token(MINT, ours.path()).expect("a valid command").mint().expect("a token");
        let explain = |line: &str, secret: &std::path::Path| {
            token(line, secret).expect("a valid command").explain(&text).expect("a token")
        };

        let unchecked = explain("--inspect", ours.path());
        assert_eq!(unchecked.header["alg"], "HS256");
        assert_eq!(unchecked.claims["sub"], "ann");
        let expires = unchecked.claims["exp (UTC)"].as_str().expect("a time");
        assert!(expires.starts_with("20") && expires.ends_with('Z'), "{expires}");
        assert_eq!((unchecked.accepted, unchecked.why), (None, None));

        let names = "--inspect --secret-file SECRET --audience notes";
        assert_eq!(explain(names, ours.path()).accepted, Some(true));
        let refused = explain("--inspect --secret-file SECRET", ours.path());
        assert_eq!(refused.why.as_deref(), Some("the token is for another audience (aud)"));
        let refused = explain(names, theirs.path());
        assert_eq!(refused.accepted, Some(false));
        assert_eq!(refused.why.as_deref(), Some("the signature is wrong"));
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        let secret = secret();
        for line in [
            "--secret-file SECRET --documents a",
            "--secret-file SECRET --level read",
            "--level read --documents a",
            "--secret-file SECRET --level none --documents a",
            "--secret-file SECRET --level owner --documents a",
            r"--secret-file SECRET --level read --documents a\b",
            "--secret-file SECRET --level read --documents a --expires 0s",
            "--secret-file SECRET --level read --documents a --expires 10",
            "--secret-file SECRET --level read --documents a --expires never",
            "--secret-file SECRET --level read --documents a --jwks-file f",
            "--inspect --level read",
        ] {
            assert!(token(line, secret.path()).is_err(), "{line}");
        }
        let red = "--secret-file SECRET --level read --documents a --color red";
        let refused = token(red, secret.path()).expect("a valid command").mint();
        assert!(refused.expect_err("no colour").to_string().contains("#rrggbb"));
        let inspect = token("--inspect", secret.path()).expect("a valid command");
        for text in ["", "abc", "a.b.c", "e30.W10.c2ln"] {
            assert!(inspect.explain(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_what_is_a_time_is_shown_as_one() {
        for (seconds, time) in [
            (serde_json::json!(0), Some("1970-01-01T00:00:00Z")),
            (serde_json::json!(1_795_420_800.9), Some("2026-11-23T08:00:00Z")),
            (serde_json::json!(-1), None),
            (serde_json::json!(1e300), None),
            (serde_json::json!(253_402_300_800_u64), None),
            (serde_json::json!("1"), None),
        ] {
            assert_eq!(rfc3339(&seconds).as_deref(), time, "{seconds}");
        }
    }
}
