//! How long a crowded document gathers updates between two flushes.
//!
//! Only the second flush within an interval waits, so a lone writer among many readers is never
//! delayed. Every flush is a frame to every session: the interval keeps the frames of one document
//! at 3,000 a second up to 60 sessions and at 72,000 up to 3,500, however many of them type.

use std::time::Duration;

/// Each session makes the interval longer by this much, as long as it is short.
pub(super) const PER_SESSION: Duration = Duration::from_micros(333);

/// The interval stays at this, which nobody notices, until the frames of the crowd would be too many.
const COMFORTABLE: Duration = Duration::from_millis(20);

/// From there each session makes it longer by this much: 2,000 gather for 28 ms. One core writes
/// somewhat more frames than that; what people wait is the interval and the time of a flush.
const PER_SESSION_OF_A_CROWD: Duration = Duration::from_micros(14);

/// Shorter waits are not worth a timer.
const WORTH_A_TIMER: Duration = Duration::from_millis(1);

/// The time between two flushes of a document with so many sessions; zero where it need not gather.
///
/// `per_session` is [`PER_SESSION`] but in tests; the interval is never longer than `max`.
pub(super) fn interval(sessions: usize, per_session: Duration, max: Duration) -> Duration {
    let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
    let short = per_session.saturating_mul(sessions).min(COMFORTABLE);
    let long = PER_SESSION_OF_A_CROWD.saturating_mul(sessions);
    let interval = short.max(long).min(max);
    if interval < WORTH_A_TIMER { Duration::ZERO } else { interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_millis(50);

    fn micros(sessions: usize, max: Duration) -> u128 {
        interval(sessions, PER_SESSION, max).as_micros()
    }

    #[test]
    fn a_few_do_not_wait_and_a_crowd_gathers_up_to_the_limit() {
        let expected = [
            (0, 0),
            (3, 0),
            (4, 1_332),
            (50, 16_650),
            (60, 19_980),
            (61, 20_000),
            (1_000, 20_000),
            (2_000, 28_000),
            (3_500, 49_000),
            (3_600, 50_000),
            (usize::MAX, 50_000),
        ];
        for (sessions, interval) in expected {
            assert_eq!(micros(sessions, MAX), interval, "{sessions} sessions");
        }
        assert_eq!(micros(50, Duration::from_millis(5)), 5_000);
        assert_eq!(micros(50, Duration::ZERO), 0, "0 switches gathering off");
    }

    #[test]
    fn frames_are_bounded_and_more_sessions_never_wait_less() {
        for sessions in 4..=3_500 {
            let interval = micros(sessions, MAX);
            let frames = sessions as u128 * 1_000_000 / interval;
            let bound = if sessions <= 60 { 3_010 } else { 72_000 };
            assert!(frames <= bound, "{frames} frames a second to {sessions} sessions");
            assert!(interval >= micros(sessions - 1, MAX), "{sessions} sessions wait less");
        }
    }
}
