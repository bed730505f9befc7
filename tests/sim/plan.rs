//! What kind of world a seed is: drawn once, so that seeds differ in character and not only in luck.

use std::time::Duration;

use coscribe::config::Config;
use coscribe::document::core::CoreLimits;
use fastrand::Rng;

/// What can happen at all. The same seed is another run in another family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Everybody keeps their rights, and nobody comes through y-sweet.
    Steady,
    /// Rights change while people are connected, the document is deleted and comes back, and
    /// y-sweet clients are among the others.
    Guarded,
    /// As before, and the deleted document is purged and made again, while people hold copies of it.
    Reborn,
}

/// The character of one run. Weights are relative to each other; 0 is never.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Stock clients.
    pub clients: usize,
    /// Random steps before everything is allowed to settle.
    pub steps: usize,
    /// Appends are answered before they are on disk.
    pub process_durability: bool,
    /// Of the core.
    pub limits: CoreLimits,
    /// Bytes that one outbox holds.
    pub outbox_bytes_max: usize,
    /// Of 100 connections, so many are read slowly.
    pub slow_readers: u8,
    /// How often each thing happens.
    pub weights: Weights,
}

/// How often each thing happens.
#[derive(Debug, Clone)]
pub struct Weights {
    /// A client edits.
    pub edit: u32,
    /// A client edits very often in a row.
    pub burst: u32,
    /// A client changes its awareness.
    pub cursor: u32,
    /// A client that is away connects.
    pub connect: u32,
    /// A connection is lost with what was on it.
    pub lose: u32,
    /// A client leaves politely.
    pub leave: u32,
    /// The server hears that a connection is gone.
    pub notice: u32,
    /// A frame arrives at the server.
    pub up: u32,
    /// A client reads a frame.
    pub down: u32,
    /// The store does something.
    pub store: u32,
    /// Of 100 appends, so many fail.
    pub append_failures: u8,
    /// The store begins or ends to fail always.
    pub outage: u32,
    /// Time passes until something is due.
    pub time: u32,
    /// The process dies, or the machine loses its power.
    pub crash: u32,
    /// Somebody wants everything in the log.
    pub flush: u32,
    /// The hub asks an idle document to end.
    pub retire: u32,
    /// Somebody sends what no client should.
    pub hostile: u32,
    /// Somebody may write, or may no longer.
    pub rights: u32,
    /// Somebody loses all rights.
    pub revoke: u32,
    /// The document is deleted.
    pub delete: u32,
    /// A client asks again whether everything is saved.
    pub checkpoint: u32,
    /// A deleted document is purged, which frees its name.
    pub purge: u32,
    /// A client's device brings an old copy after the first sync.
    pub late_copy: u32,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(rng: &mut Rng, family: Family) -> Self {
        let mut plan = Self::draw_steady(rng);
        if family == Family::Reborn {
            plan.draw_reborn(rng);
        }
        if family == Family::Guarded {
            let weights = &mut plan.weights;
            weights.rights = *pick(rng, &[2, 6, 20, 100]);
            weights.revoke = *pick(rng, &[0, 1, 3]);
            weights.delete = *pick(rng, &[0, 0, 1]);
            weights.checkpoint = *pick(rng, &[0, 4]);
            if rng.u8(..4) == 0 {
                plan.keep_everybody_on_a_bad_disk();
            }
        }
        plan
    }

    fn draw_reborn(&mut self, rng: &mut Rng) {
        let weights = &mut self.weights;
        weights.rights = *pick(rng, &[0, 0, 6]);
        weights.delete = *pick(rng, &[2, 6]);
        weights.purge = *pick(rng, &[20, 100]);
        weights.late_copy = *pick(rng, &[0, 2]);
        weights.checkpoint = *pick(rng, &[0, 4]);
    }

    /// Nobody goes and appends take long and fail, so that rights change while something is on its
    /// way that comes back: nobody starts anew meanwhile, which would cover what was forgotten.
    fn keep_everybody_on_a_bad_disk(&mut self) {
        self.weights = Weights {
            append_failures: 50,
            store: 10,
            edit: 10,
            connect: 6,
            lose: 0,
            leave: 0,
            revoke: 0,
            crash: 0,
            hostile: 0,
            ..self.weights.clone()
        };
    }

    fn draw_steady(rng: &mut Rng) -> Self {
        let clients = rng.usize(2..=5);
        let mut limits = CoreLimits::new(&Config::default());
        limits.lint.update_bytes_max = 4_000;
        limits.presence.state_bytes_max = 100;
        limits.presence.session_clients_max = 8;
        // Enough for everybody, not for everybody's dead connections.
        limits.sessions_max = *pick(rng, &[1_000, 1_000, clients + 1]);
        limits.waiting_bytes_max = *pick(rng, &[8 << 20, 8 << 20, 200, 30]);
        limits.refusals_max = *pick(rng, &[100, 2]);
        limits.snapshot_rows = *pick(rng, &[5_000, 20, 3]);
        limits.snapshot_bytes = *pick(rng, &[1 << 20, 500]);
        limits.flush_interval_max = Duration::from_millis(*pick(rng, &[20, 1]));
        Self {
            clients,
            steps: *pick(rng, &[60, 150, 150, 300]),
            process_durability: rng.u8(..3) == 0,
            limits,
            outbox_bytes_max: *pick(rng, &[1 << 20, 2_000, 200, 40]),
            slow_readers: *pick(rng, &[0, 20, 60]),
            weights: Weights {
                edit: *pick(rng, &[10, 30, 60]),
                burst: *pick(rng, &[0, 0, 0, 1]),
                cursor: *pick(rng, &[0, 4, 20]),
                connect: *pick(rng, &[2, 6, 20, 60]),
                lose: *pick(rng, &[0, 1, 5]),
                leave: *pick(rng, &[0, 1, 5, 20]),
                notice: *pick(rng, &[1, 10, 60]),
                up: *pick(rng, &[20, 100]),
                down: *pick(rng, &[20, 100]),
                store: *pick(rng, &[10, 40, 100]),
                append_failures: *pick(rng, &[0, 0, 5, 30]),
                outage: *pick(rng, &[0, 0, 2]),
                time: *pick(rng, &[10, 40]),
                crash: *pick(rng, &[0, 0, 1, 3]),
                flush: *pick(rng, &[0, 1]),
                retire: *pick(rng, &[1, 20]),
                hostile: *pick(rng, &[0, 0, 0, 4, 20]),
                rights: 0,
                revoke: 0,
                delete: 0,
                checkpoint: 0,
                purge: 0,
                late_copy: 0,
            },
        }
    }
}

/// One of these.
pub fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}
