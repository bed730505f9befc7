//! The only place that asks what time it is.
//!
//! Monotonic time follows tokio's clock, so that a test can pause and advance it; wall-clock time
//! is written down, and compared with nothing but the times in tokens and share links, which other
//! machines understand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Time since a start of its own, for deadlines and intervals.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at zero.
    #[expect(clippy::new_without_default, reason = "a clock that starts is not a default value")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Time since the clock started; never goes back.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment at which this clock shows `time`.
    pub fn instant(&self, time: Duration) -> Instant {
        self.start + time
    }
}

/// Wall-clock time in milliseconds since 1970 (UTC); 0 where the machine's clock is before that.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn unix_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Wall-clock time in seconds since 1970 (UTC), as tokens count it.
pub fn unix_s() -> u64 {
    u64::try_from(unix_ms() / 1_000).unwrap_or_default()
}
