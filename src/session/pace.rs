//! How fast one socket may send: a bucket that fills at a steady rate and holds some seconds' worth.
//!
//! A socket that is over its rate is not refused anything; it is read more slowly.

use std::time::Duration;

/// Seconds' worth that may come at once.
const BURST_S: f64 = 4.0;

/// One rate.
#[derive(Debug)]
pub(super) struct Pace {
    per_s: f64,
    left: f64,
    filled_at: Duration,
}

impl Pace {
    pub(super) fn new(per_s: u32, now: Duration) -> Self {
        let per_s = f64::from(per_s);
        Self { per_s, left: per_s * BURST_S, filled_at: now }
    }

    /// Takes an amount, and returns how long to wait before reading on.
    pub(super) fn take(&mut self, amount: f64, now: Duration) -> Duration {
        let filled = (now.saturating_sub(self.filled_at)).as_secs_f64() * self.per_s;
        self.filled_at = now;
        self.left = (self.left + filled).min(self.per_s * BURST_S) - amount;
        if self.left >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(-self.left / self.per_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut pace = Pace::new(10, Duration::ZERO);
        for _ in 0..40 {
            assert_eq!(pace.take(1.0, Duration::ZERO), Duration::ZERO);
        }
        assert_eq!(pace.take(1.0, Duration::ZERO), Duration::from_millis(100));
        let later = Duration::from_secs(1);
        assert_eq!(pace.take(9.0, later), Duration::ZERO);
        assert_eq!(pace.take(1.0, later), Duration::from_millis(100));
    }
}
