//! What all scenarios need: a server, a crowd, names, and the cost of a stretch of time.

use anyhow::Result;

use crate::clock::{Stopwatch, own_cpu_s};
use crate::crowd::Crowd;
use crate::dialect::Dialect;
use crate::server::{Recipe, Server};

/// From this share of its core on the generator says that it was full.
const FULL: f64 = 0.95;
/// So does it when it typed this late (p99), in ms: others may have had its core.
const LATE_MS: f64 = 25.0;

/// What is measured, and how it is reached.
#[derive(Debug)]
pub struct Bench {
    /// How the server is started.
    pub recipe: Recipe,
    /// What it speaks.
    pub dialect: Dialect,
    /// In front of the document's name, or the whole path.
    pub path: String,
}

impl Bench {
    /// Starts the server with nothing in it.
    ///
    /// # Errors
    /// It does not start.
    pub fn server(&self) -> Result<Server> {
        Server::start(&self.recipe)
    }

    /// A crowd of nobody yet.
    ///
    /// # Errors
    /// The system gives no poll.
    pub fn crowd(&self) -> Result<Crowd> {
        Crowd::new(self.dialect, &self.path, self.recipe.port)
    }
}

/// A name that no earlier document of this run has.
pub fn new_name(what: &str) -> String {
    format!("{what}-{}", fastrand::u32(..))
}

/// Client ids as Yjs draws them, of 32 bits; those of one document follow each other.
pub fn new_clients() -> u64 {
    (1 << 30) + u64::from(fastrand::u32(..1 << 30))
}

/// Measures what a stretch of time costs the server and the generator.
pub struct Watch {
    since: Stopwatch,
    server_cpu_s: f64,
    own_cpu_s: f64,
    spun_ns: u64,
    deliveries: u64,
}

/// What it cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// How long it was, in s.
    pub seconds: f64,
    /// Share of one core that the server used; more than 1 where it has several.
    pub server_cpu: f64,
    /// Share of its core that the generator used, without what it waited.
    pub generator_cpu: f64,
    /// How late people typed because the generator was busy, p99, in ms.
    pub late_ms: f64,
    /// Updates seen by somebody else.
    pub deliveries: u64,
}

impl Watch {
    /// From now on.
    pub fn start(crowd: &Crowd, server: &Server) -> Self {
        Self {
            since: Stopwatch::start(),
            server_cpu_s: server.cpu_s(),
            own_cpu_s: own_cpu_s(),
            spun_ns: crowd.tally.spun,
            deliveries: crowd.tally.deliveries,
        }
    }

    /// Until now.
    pub fn end(&self, crowd: &Crowd, server: &Server) -> Cost {
        let seconds = self.since.s();
        let spun_s = (crowd.tally.spun - self.spun_ns) as f64 / 1e9;
        Cost {
            seconds,
            server_cpu: (server.cpu_s() - self.server_cpu_s) / seconds,
            generator_cpu: (own_cpu_s() - self.own_cpu_s - spun_s) / seconds,
            late_ms: crowd.tally.late.quantile_ms(0.99).unwrap_or_default(),
            deliveries: crowd.tally.deliveries - self.deliveries,
        }
    }
}

impl Cost {
    /// The server's CPU time for one update seen by one other person, in µs.
    pub fn us_per_update(&self) -> f64 {
        self.server_cpu * self.seconds * 1e6 / self.deliveries.max(1) as f64
    }

    /// Whether the generator had no time left.
    pub fn generator_full(&self) -> bool {
        self.generator_cpu >= FULL || self.late_ms >= LATE_MS
    }
}

/// Three digits after the point are more than was measured.
pub fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The middle one; 0 of none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
