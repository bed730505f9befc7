//! Every setting, with its default, its unit, and what happens at a limit.
//!
//! Order, later wins: defaults, the TOML file, `COSCRIBE_*` variables, flags. All of them name the
//! same keys: `limits.frame_bytes_max` in the file is `COSCRIBE_LIMITS_FRAME_BYTES_MAX` in the
//! environment and `--set limits.frame_bytes_max=…` on the command line. What is wrong is listed in
//! one go. `coscribe.example.toml` shows the defaults; a test compares it with this file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::level::Level;

/// In front of every environment variable that is a setting.
const ENV_PREFIX: &str = "COSCRIBE_";

/// Variables with the prefix that other parts of the project read.
const ENV_OTHERS: [&str; 3] = ["COSCRIBE_CONFIG", "COSCRIBE_BIN", "COSCRIBE_WEB"];

/// All settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to serve on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The SQLite file; made when it is not there.
    pub database: PathBuf,
    /// When other people see an update: after it is on disk, or after it is in the log.
    pub durability: Durability,
    /// What people without a login may do.
    pub anonymous: Anonymous,
    /// Web origins whose pages may open a socket, beside the server's own (`https://wiki.example`).
    pub allowed_origins: Vec<String>,
    /// How people reach the server, where that is not `http://` and the `Host` that they ask for:
    /// `https://notes.example`. In front of the addresses that the server gives out. Empty: as asked.
    pub public_url: String,
    /// Tokens: which are accepted.
    pub auth: Auth,
    /// Proxies in front of the server.
    pub proxy: Proxy,
    /// How much of the past is kept.
    pub history: History,
    /// Logging.
    pub log: Log,
    /// Intervals and deadlines.
    pub timing: Timing,
    /// Limits.
    pub limits: Limits,
}

/// When an update is published; it is acknowledged from disk in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// After the fsync: what anyone has seen survives a power cut.
    #[default]
    Disk,
    /// After the write, before the fsync: what anyone has seen survives the death of the process,
    /// and what was acknowledged survives a power cut.
    Process,
}

/// What people without a login may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// Write where only this machine can connect; elsewhere the server does not start.
    Auto,
    /// Nothing.
    None,
    /// Read, and show a cursor.
    Read,
    /// Read and comment.
    Comment,
    /// Read and write.
    Write,
}

/// Which tokens are accepted. Without a key of any kind everybody is anonymous and tokens are not
/// looked at; with one, a token that is not accepted is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Files with a secret each, for tokens signed with HS256. The first one signs; the others are
    /// still accepted, so that a secret can be changed while its tokens are about.
    pub secret_files: Vec<PathBuf>,
    /// PEM files with a public key each: Ed25519 (EdDSA), RSA (RS256) or P-256 (ES256).
    pub public_key_files: Vec<PathBuf>,
    /// Where a JSON Web Key Set is: an https address, an http address of this machine, or a file.
    /// Empty: nowhere.
    pub jwks: String,
    /// The key set is read again this often, and when a token names a key that is not in it.
    pub jwks_refresh_s: u64,
    /// What tokens must name as their audience (`aud`). Empty: tokens that name one are refused.
    pub audience: String,
    /// What tokens must name as their issuer (`iss`). Empty: it is not looked at.
    pub issuer: String,
}

impl Auth {
    /// Whether there is a key of any kind.
    pub fn has_keys(&self) -> bool {
        !(self.secret_files.is_empty() && self.public_key_files.is_empty() && self.jwks.is_empty())
    }
}

/// Proxies in front of the server. Nobody else's word is taken for what they say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Addresses (`10.0.0.7`) or networks (`10.0.0.0/8`) of proxies, whose `X-Forwarded-For` says where
    /// a request is from. Empty: there are none.
    pub addresses: Vec<String>,
    /// The header in which these proxies name the user whom they have signed in. They must remove it
    /// from what comes from outside. Empty: they sign nobody in.
    pub user_header: String,
    /// The header in which they give the name that others see. Empty: there is none.
    pub name_header: String,
    /// What users whom they have signed in may do, in every document.
    pub level: Level,
}

/// How much of the past is kept. Versions and what comes after the last one kept can always be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Days for which every edit is kept; of older ones, one moment for each author and hour. 0: for
    /// ever.
    pub keep_edits_days: u32,
    /// Days for which hours are kept; of what is older, one moment for each author and day. 0: for
    /// ever.
    pub keep_hours_days: u32,
    /// Bytes of the past of documents that are kept in memory, for those who read it again.
    pub cache_bytes_max: usize,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What is logged: `error`, `warn`, `info`, `debug`, or a `tracing` filter.
    pub filter: String,
    /// One line of text or one JSON object an event, on standard error.
    pub format: LogFormat,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Intervals and deadlines, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The longest that a crowded document gathers updates before it writes and publishes them. It is
    /// short for few (1.3 ms for 4 sessions, 17 ms for 50, 20 ms for 60 to 1,400, 28 ms for 2,000),
    /// and somebody who writes alone is not delayed. With 0 it does not gather.
    pub flush_interval_max_ms: u64,
    /// The longest that a crowded document gathers cursor movements.
    pub awareness_interval_max_ms: u64,
    /// A document without anybody in it is unloaded after this time.
    pub idle_timeout_ms: u64,
    /// A socket is pinged this often.
    pub ping_interval_ms: u64,
    /// A socket from which nothing at all came for this time is dropped.
    pub peer_timeout_ms: u64,
    /// A client to which nothing was sent for this time gets a harmless filler, because stock
    /// clients reconnect after 30 s of silence and do not count pings.
    pub filler_interval_ms: u64,
    /// As `filler_interval_ms`, for y-sweet clients: they reconnect 3 s after they have asked whether
    /// something is saved and heard nothing.
    pub y_sweet_filler_interval_ms: u64,
    /// A Hocuspocus socket that has opened no document by then is closed with 4408.
    pub login_timeout_ms: u64,
    /// A request head that has not arrived by then ends the connection.
    pub request_timeout_ms: u64,
    /// A large message that is not complete by then ends its socket with 4408.
    pub frame_timeout_ms: u64,
    /// Ending waits this long for documents and sockets before it gives up on them.
    pub shutdown_timeout_ms: u64,
}

/// Limits. At each the caller gets a clear error in its own protocol and nobody else notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one WebSocket message. Over it: close 1009.
    pub frame_bytes_max: usize,
    /// Bytes of all messages over 64 KiB that are being received or handled. At it: the sockets that
    /// send them are not read until there is room.
    pub large_frames_bytes_max: usize,
    /// Bytes of one update. Over it: not applied, answered negatively.
    pub update_bytes_max: usize,
    /// Bytes of a document's encoded state. At it: further updates are answered negatively.
    pub document_bytes_max: usize,
    /// Subdocument references in one update. Over it: not applied, answered negatively.
    pub update_subdocuments_max: usize,
    /// Sessions in one document. At it: further ones are denied.
    pub document_sessions_max: usize,
    /// Documents open on one Hocuspocus socket. At it: further ones are denied.
    pub connection_documents_max: usize,
    /// Sockets in all. At it: the upgrade is answered with 503.
    pub connections_max: usize,
    /// Sockets from one network address (one IPv4 address, or one /64 of IPv6). At it: the upgrade is
    /// answered with 429.
    pub address_connections_max: usize,
    /// Logins and requests a second from one network address, in the long run. Over it: 429, or the
    /// login is denied.
    pub address_logins_per_s_max: u32,
    /// Logins and requests from one network address that may come at once.
    pub address_logins_burst_max: u32,
    /// Sessions of one user, in all documents. At it: further ones are denied.
    pub user_sessions_max: usize,
    /// Frames on a Hocuspocus socket before it has opened a document. Over it: close 4205.
    pub unauthenticated_frames_max: u32,
    /// Bytes on a Hocuspocus socket before it has opened a document. Over it: close 4205.
    pub unauthenticated_bytes_max: usize,
    /// Documents that a Hocuspocus socket may be denied before it has opened one. Over it: close 4205.
    pub unauthenticated_documents_max: usize,
    /// Bytes of the body of a request. Over it: 413.
    pub request_bytes_max: usize,
    /// Share links of one document that are neither expired nor revoked. At it: no further one.
    pub document_links_max: u32,
    /// Versions of one document. At it: no further one. Those that are made after sessions go by
    /// themselves, the oldest first, when they are over 100.
    pub document_versions_max: u32,
    /// Revocations in all. At it: no further one.
    pub revocations_max: u32,
    /// Documents in memory. At it: further ones are denied until others are idle.
    pub documents_live_max: usize,
    /// Messages a second from one socket, with a burst of four seconds' worth. Over it: the socket
    /// is read more slowly.
    pub connection_messages_per_s_max: u32,
    /// Bytes a second from one socket, with a burst of four seconds' worth. Over it: the socket is
    /// read more slowly.
    pub connection_bytes_per_s_max: u32,
    /// Frames that cannot be read on one y-websocket socket. Over it: close 4400, or 1003 for text.
    pub unreadable_frames_max: u32,
    /// Bytes waiting to be sent on one socket. Over it: no more updates are queued; when the queue
    /// is empty the session gets one difference with everything it lacks.
    pub outbox_bytes_max: usize,
    /// Messages waiting in one document's mailbox. At it: the sockets that fill it are not read.
    pub mailbox_len: usize,
    /// Bytes of updates that wait for the log in one document. At it: its writers' sockets are not
    /// read; while the log fails: further updates are answered negatively and asked for again.
    pub waiting_bytes_max: usize,
    /// Bytes of one client's awareness state. Over it: the state is ignored.
    pub awareness_state_bytes_max: usize,
    /// Client ids that one session may introduce to awareness. Over it: the state is ignored.
    pub session_awareness_clients_max: usize,
    /// Awareness states that one document tells in a second, counted once for each session that is
    /// told. Over it: who comes and who goes is told at once, cursors move less often.
    pub document_awareness_per_s_max: usize,
    /// Updates that wait to be written in all documents. At it: documents wait.
    pub log_queue_len: usize,
    /// Bytes written to the log in one transaction.
    pub log_batch_bytes_max: usize,
    /// Log rows after which a snapshot is taken.
    pub snapshot_rows: u64,
    /// Bytes of log after which a snapshot is taken (at least the size of the last snapshot).
    pub snapshot_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4110)),
            database: PathBuf::from("coscribe.db"),
            durability: Durability::Disk,
            anonymous: Anonymous::Auto,
            allowed_origins: Vec::new(),
            public_url: String::new(),
            auth: Auth::default(),
            proxy: Proxy::default(),
            history: History::default(),
            log: Log {
                filter: "info,actix_server=warn,actix_http=off".into(),
                format: LogFormat::Text,
            },
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { keep_edits_days: 0, keep_hours_days: 0, cache_bytes_max: 64 << 20 }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            secret_files: Vec::new(),
            public_key_files: Vec::new(),
            jwks: String::new(),
            jwks_refresh_s: 300,
            audience: String::new(),
            issuer: String::new(),
        }
    }
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            user_header: String::new(),
            name_header: String::new(),
            level: Level::Write,
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            flush_interval_max_ms: 50,
            awareness_interval_max_ms: 200,
            idle_timeout_ms: 60_000,
            ping_interval_ms: 20_000,
            peer_timeout_ms: 50_000,
            filler_interval_ms: 12_000,
            y_sweet_filler_interval_ms: 1_500,
            login_timeout_ms: 10_000,
            request_timeout_ms: 10_000,
            frame_timeout_ms: 60_000,
            shutdown_timeout_ms: 8_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 16 << 20,
            large_frames_bytes_max: 32 << 20,
            update_bytes_max: 16 << 20,
            document_bytes_max: 128 << 20,
            update_subdocuments_max: 1_000,
            document_sessions_max: 10_000,
            connection_documents_max: 1_000,
            connections_max: 20_000,
            address_connections_max: 10_000,
            address_logins_per_s_max: 500,
            address_logins_burst_max: 20_000,
            user_sessions_max: 1_000,
            unauthenticated_frames_max: 1_000,
            unauthenticated_bytes_max: 5 << 20,
            unauthenticated_documents_max: 100,
            request_bytes_max: 16 << 20,
            document_links_max: 1_000,
            document_versions_max: 10_000,
            revocations_max: 100_000,
            documents_live_max: 10_000,
            connection_messages_per_s_max: 25_000,
            connection_bytes_per_s_max: 64 << 20,
            unreadable_frames_max: 100,
            outbox_bytes_max: 1 << 20,
            mailbox_len: 256,
            waiting_bytes_max: 8 << 20,
            awareness_state_bytes_max: 64 << 10,
            session_awareness_clients_max: 32,
            document_awareness_per_s_max: 2_500_000,
            log_queue_len: 1_024,
            log_batch_bytes_max: 8 << 20,
            snapshot_rows: 5_000,
            snapshot_bytes: 1 << 20,
        }
    }
}

/// Everything that is wrong with the settings, one line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Puts the layers on top of each other and checks the result.
    ///
    /// `set` holds `key=value` pairs as flags give them; `env` all variables of the environment.
    ///
    /// # Errors
    /// Lists everything that is wrong, with the place it came from.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        set: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let mut table = default_table();
        if let Some(path) = file {
            merge_file(&mut table, path, &mut faults);
        }
        merge_env(&mut table, env, &mut faults);
        for (key, value) in set {
            if let Err(fault) = set_key(&mut table, key, value) {
                faults.push(fault);
            }
        }
        if let Some(fault) = listen_fault(&table) {
            faults.push(fault);
        }
        if !faults.is_empty() {
            return Err(ConfigError(faults));
        }
        let config: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| ConfigError(vec![e.message().to_owned()]))?;
        config.check()?;
        Ok(config)
    }

    /// The settings as a TOML file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every setting can be written as TOML")
    }

    fn check(&self) -> Result<(), ConfigError> {
        let (timing, limits) = (&self.timing, &self.limits);
        let mut faults = Vec::new();
        let mut require = |holds: bool, rule: &str| {
            if !holds {
                faults.push(rule.to_owned());
            }
        };
        require(limits.frame_bytes_max >= 1_024, "limits.frame_bytes_max must be at least 1024");
        require(
            limits.update_bytes_max <= limits.frame_bytes_max,
            "limits.update_bytes_max must not be over limits.frame_bytes_max",
        );
        require(
            limits.large_frames_bytes_max >= limits.frame_bytes_max + 1_024,
            "limits.large_frames_bytes_max must be over limits.frame_bytes_max",
        );
        require(limits.mailbox_len >= 1, "limits.mailbox_len must be at least 1");
        require(limits.log_queue_len >= 1, "limits.log_queue_len must be at least 1");
        require(limits.outbox_bytes_max >= 1, "limits.outbox_bytes_max must be at least 1");
        require(limits.waiting_bytes_max >= 1, "limits.waiting_bytes_max must be at least 1");
        require(
            limits.connection_messages_per_s_max >= 1 && limits.connection_bytes_per_s_max >= 1,
            "limits.connection_messages_per_s_max and connection_bytes_per_s_max must be at least 1",
        );
        require(
            (1..timing.peer_timeout_ms).contains(&timing.ping_interval_ms),
            "timing.ping_interval_ms must be at least 1 and under timing.peer_timeout_ms",
        );
        require(timing.filler_interval_ms >= 1, "timing.filler_interval_ms must be at least 1");
        require(
            timing.y_sweet_filler_interval_ms >= 1,
            "timing.y_sweet_filler_interval_ms must be at least 1",
        );
        require(
            limits.request_bytes_max >= 1_024,
            "limits.request_bytes_max must be at least 1024",
        );
        require(
            self.public_url.is_empty()
                || self.public_url.starts_with("http://")
                || self.public_url.starts_with("https://"),
            "public_url must begin with http:// or https://",
        );
        require(
            self.proxy.user_header.is_empty() || !self.proxy.addresses.is_empty(),
            "proxy.user_header needs proxy.addresses: whose word is taken for it",
        );
        require(
            self.history.keep_hours_days == 0
                || (1..self.history.keep_hours_days).contains(&self.history.keep_edits_days),
            "history.keep_hours_days needs a smaller history.keep_edits_days that is not 0",
        );
        require(
            (10..=86_400).contains(&self.auth.jwks_refresh_s),
            "auth.jwks_refresh_s must be between 10 and 86400",
        );
        if faults.is_empty() { Ok(()) } else { Err(ConfigError(faults)) }
    }
}

/// The library's own words do not say which setting is meant.
fn listen_fault(table: &toml::Table) -> Option<String> {
    let listen = table.get("listen")?.as_str()?;
    let example = Config::default().listen;
    listen
        .parse::<SocketAddr>()
        .is_err()
        .then(|| format!("listen must be an address and a port, as {example}, not {listen:?}"))
}

fn default_table() -> toml::Table {
    toml::Table::try_from(Config::default()).expect("the defaults can be written as TOML")
}

fn merge_file(table: &mut toml::Table, path: &Path, faults: &mut Vec<String>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => return faults.push(format!("cannot read {}: {e}", path.display())),
    };
    match text.parse::<toml::Table>() {
        Ok(layer) => merge_table(table, layer, path, "", faults),
        Err(e) => faults.push(format!("{}: {e}", path.display())),
    }
}

fn merge_table(
    table: &mut toml::Table,
    layer: toml::Table,
    path: &Path,
    within: &str,
    faults: &mut Vec<String>,
) {
    for (key, value) in layer {
        let name = format!("{within}{key}");
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(layer)) => {
                merge_table(inner, layer, path, &format!("{name}."), faults);
            }
            (Some(slot), value) if slot.same_type(&value) => *slot = value,
            (Some(slot), value) => faults.push(format!(
                "{}: {name} must be of type {}, not {}",
                path.display(),
                slot.type_str(),
                value.type_str()
            )),
            (None, _) => faults.push(format!("{}: there is no setting {name}", path.display())),
        }
    }
}

fn merge_env(
    table: &mut toml::Table,
    env: impl Iterator<Item = (String, String)>,
    faults: &mut Vec<String>,
) {
    let keys = leaf_keys(table, "");
    for (variable, value) in env {
        let Some(name) = variable.strip_prefix(ENV_PREFIX) else { continue };
        if ENV_OTHERS.contains(&variable.as_str()) {
            continue;
        }
        let key = keys.iter().find(|key| key.replace('.', "_").to_ascii_uppercase() == name);
        let merged = match key {
            Some(key) => {
                set_key(table, key, &value).map_err(|fault| format!("{variable}: {fault}"))
            }
            None => Err(format!("{variable} is not a setting; `coscribe config` lists them")),
        };
        if let Err(fault) = merged {
            faults.push(fault);
        }
    }
}

/// `a.b` for every value that is not a table.
fn leaf_keys(table: &toml::Table, within: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => keys.extend(leaf_keys(inner, &format!("{within}{key}."))),
            _ => keys.push(format!("{within}{key}")),
        }
    }
    keys
}

/// Sets one key to a value written as text; the default's type says how to read it.
fn set_key(table: &mut toml::Table, key: &str, text: &str) -> Result<(), String> {
    let unknown = || format!("there is no setting {key}; `coscribe config` lists them");
    let (path, leaf) = match key.rsplit_once('.') {
        Some((path, leaf)) => (Some(path), leaf),
        None => (None, key),
    };
    let table = match path {
        Some(path) => table.get_mut(path).and_then(|v| v.as_table_mut()).ok_or_else(unknown)?,
        None => table,
    };
    let slot = table.get_mut(leaf).ok_or_else(unknown)?;
    *slot = match slot {
        toml::Value::Integer(_) => toml::Value::Integer(
            text.replace('_', "")
                .parse()
                .map_err(|_| format!("{key} must be a number, not {text:?}"))?,
        ),
        toml::Value::Array(_) => toml::Value::Array(
            text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(Into::into).collect(),
        ),
        toml::Value::String(_) => toml::Value::String(text.to_owned()),
        _ => return Err(unknown()),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env() -> impl Iterator<Item = (String, String)> {
        std::iter::empty()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn later_layers_win() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("c.toml");
        std::fs::write(
            &file,
            "listen = \"127.0.0.1:1\"\n[limits]\nmailbox_len = 1\noutbox_bytes_max = 10\n",
        )
        .expect("a file");
        let env = [
            pair("COSCRIBE_LIMITS_MAILBOX_LEN", "2"),
            pair("COSCRIBE_ALLOWED_ORIGINS", "https://a.example, https://b.example"),
            pair("COSCRIBE_BIN", "ignored"),
            pair("PATH", "ignored"),
        ];
        let set = [pair("limits.mailbox_len", "3"), pair("durability", "process")];
        let config = Config::load(Some(&file), env.into_iter(), &set).expect("valid settings");
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.limits.mailbox_len, 3);
        assert_eq!(config.limits.outbox_bytes_max, 10);
        assert_eq!(config.durability, Durability::Process);
        assert_eq!(config.allowed_origins, ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn everything_that_is_wrong_is_listed_with_its_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("c.toml");
        std::fs::write(&file, "lissten = 1\n[limits]\nmailbox_len = \"x\"\n").expect("a file");
        let env = [pair("COSCRIBE_LIMITS_MAILBOX", "2")];
        let set = [pair("timing.nope", "3"), pair("limits.mailbox_len", "many")];
        let faults = Config::load(Some(&file), env.into_iter(), &set).expect_err("faults").0;
        assert_eq!(faults.len(), 5, "{faults:?}");
        for part in ["lissten", "must be of type integer", "MAILBOX is not", "timing.nope", "many"]
        {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part}: {faults:?}");
        }
    }

    #[test]
    fn values_that_contradict_each_other_are_refused() {
        let set = [
            pair("timing.ping_interval_ms", "90000"),
            pair("limits.frame_bytes_max", "9"),
            pair("auth.jwks_refresh_s", "0"),
        ];
        let faults = Config::load(None, no_env(), &set).expect_err("faults").0;
        assert_eq!(faults.len(), 4, "{faults:?}");
    }

    #[test]
    fn the_example_file_shows_the_defaults() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("coscribe.example.toml");
        let config = Config::load(Some(&example), no_env(), &[]).expect("a valid example");
        assert_eq!(config, Config::default());
        let text = std::fs::read_to_string(&example).expect("the example");
        for key in leaf_keys(&default_table(), "") {
            let leaf = key.rsplit('.').next().unwrap_or(&key);
            assert!(text.contains(&format!("\n{leaf} = ")), "the example does not show {key}");
        }
    }
}
