//! The time of a measurement, and the generator's own share of it.

use std::fs;
use std::time::{Duration, Instant};

/// Time since a moment.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago the start was.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// The same in ns.
    #[inline]
    pub fn ns(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }

    /// The same in s.
    pub fn s(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// CPU time of the generator's one thread, in s.
pub fn own_cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns = stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok());
    ns.unwrap_or_default() / 1e9
}
