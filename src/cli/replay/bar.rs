//! A line that shows how far a replay is.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::clock::Clock;

/// How often the progress is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Characters of the progress bar.
const BAR_WIDTH: usize = 30;

/// A line on standard error that shows how far it is, where that is a terminal.
pub(super) struct Bar {
    clock: Clock,
    all: usize,
    drawn: std::cell::Cell<Option<Duration>>,
}

impl Bar {
    pub fn new(all: usize) -> Self {
        let drawn = if std::io::stderr().is_terminal() { Some(Duration::ZERO) } else { None };
        Self { clock: Clock::new(), all, drawn: drawn.into() }
    }

    /// Shows that so many edits are done, if it is time to.
    pub fn draw(&self, done: usize) {
        let now = self.clock.now();
        let Some(drawn) = self.drawn.get() else { return };
        if now < drawn + DRAW_EVERY {
            return;
        }
        self.drawn.set(Some(now));
        let full = BAR_WIDTH * done / self.all.max(1);
        let rate = done as f64 / now.as_secs_f64();
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR_WIDTH.saturating_sub(full)));
        show(&format!("\r[{bar}] {done} of {} edits, {rate:.0}/s\x1b[K", self.all));
    }

    /// Leaves the line empty.
    pub fn clear(&self) {
        if self.drawn.get().is_some() {
            show("\r\x1b[K");
        }
    }
}

/// Writes onto standard error, where that is a terminal.
pub(super) fn show(text: &str) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let mut err = std::io::stderr();
    // A terminal that has gone away needs no progress.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
