//! What the server counts, with unit and meaning; shown at `/metrics` for Prometheus.
//!
//! Document names are never labels: they are secrets to whoever does not have the link.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::store::StoreStats;

/// All counters of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Sockets that are open.
    pub connections: Gauge,
    /// Documents in memory.
    pub documents_loaded: Gauge,
    /// Messages that clients sent.
    pub messages_received: Counter,
    /// Their bytes.
    pub bytes_received: Counter,
    /// Messages written to clients.
    pub messages_sent: Counter,
    /// Their bytes.
    pub bytes_sent: Counter,
    /// Replies published to all sessions of a document.
    pub published: Counter,
    /// Times that a session's outbox was full and it had to catch up later.
    pub stalls: Counter,
    /// Updates put into quarantine.
    pub quarantined: Counter,
    /// Edits that carried text over which had lost its place.
    pub carried: Counter,
    /// Texts kept beside their document, because their line is gone.
    pub rescued: Counter,
    /// Snapshots written and verified.
    pub snapshots: Counter,
    /// Documents that failed and were read again from the log.
    pub panics: Counter,
    /// Upgrades, logins and frames that were refused.
    pub refused: Counter,
    /// Seconds to read a document from the log.
    pub load_seconds: Histogram,
    log_commits: Gauge<u64, std::sync::atomic::AtomicU64>,
    log_rows: Gauge<u64, std::sync::atomic::AtomicU64>,
    log_bytes: Gauge<u64, std::sync::atomic::AtomicU64>,
    log_failures: Gauge<u64, std::sync::atomic::AtomicU64>,
    log_queued: Gauge,
    log_commit_seconds: Gauge<f64, std::sync::atomic::AtomicU64>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("coscribe"),
            connections: Gauge::default(),
            documents_loaded: Gauge::default(),
            messages_received: Counter::default(),
            bytes_received: Counter::default(),
            messages_sent: Counter::default(),
            bytes_sent: Counter::default(),
            published: Counter::default(),
            stalls: Counter::default(),
            quarantined: Counter::default(),
            carried: Counter::default(),
            rescued: Counter::default(),
            snapshots: Counter::default(),
            panics: Counter::default(),
            refused: Counter::default(),
            load_seconds: Histogram::new(exponential_buckets(0.001, 4.0, 8)),
            log_commits: Gauge::default(),
            log_rows: Gauge::default(),
            log_bytes: Gauge::default(),
            log_failures: Gauge::default(),
            log_queued: Gauge::default(),
            log_commit_seconds: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    /// The text that Prometheus reads.
    pub fn render(&self, log: StoreStats) -> String {
        self.log_commits.set(log.commits);
        self.log_rows.set(log.rows);
        self.log_bytes.set(log.bytes);
        self.log_failures.set(log.failures);
        self.log_queued.set(i64::try_from(log.queued).unwrap_or(i64::MAX));
        self.log_commit_seconds.set(log.commit_time.as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Sockets that are open", self.connections.clone());
        let help = "Documents in memory";
        registry.register("documents_loaded", help, self.documents_loaded.clone());
        let help = "Messages that clients sent";
        registry.register("messages_received", help, self.messages_received.clone());
        let help = "Bytes that clients sent";
        registry.register("bytes_received", help, self.bytes_received.clone());
        let help = "Messages written to clients";
        registry.register("messages_sent", help, self.messages_sent.clone());
        registry.register("bytes_sent", "Bytes written to clients", self.bytes_sent.clone());
        let help = "Replies published to all sessions of a document";
        registry.register("published", help, self.published.clone());
        let help = "Times that a slow reader lost its queue and caught up later";
        registry.register("stalls", help, self.stalls.clone());
        registry.register("quarantined", "Updates put into quarantine", self.quarantined.clone());
        let help = "Edits that carried text over which had lost its place";
        registry.register("text_carried", help, self.carried.clone());
        let help = "Texts kept beside their document, because their line is gone";
        registry.register("text_rescued", help, self.rescued.clone());
        registry.register("snapshots", "Snapshots written and verified", self.snapshots.clone());
        let help = "Documents that failed and were read again from the log";
        registry.register("document_panics", help, self.panics.clone());
        registry.register("refused", "Upgrades and logins refused", self.refused.clone());
        let help = "Seconds to read a document from the log";
        registry.register("load_seconds", help, self.load_seconds.clone());
        registry.register("log_commits", "Transactions of the log", self.log_commits.clone());
        registry.register("log_rows", "Updates written to the log", self.log_rows.clone());
        registry.register("log_bytes", "Bytes of those updates", self.log_bytes.clone());
        registry.register("log_failures", "Transactions that failed", self.log_failures.clone());
        let help = "Requests that wait for the log writer";
        registry.register("log_queued", help, self.log_queued.clone());
        let help = "Seconds spent in transactions of the log";
        registry.register("log_commit_seconds", help, self.log_commit_seconds.clone());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
