//! Times counted in buckets, so that twenty million a second cost nothing to keep.

use crate::bench::round;

/// Buckets of each power of two: a quantile is at most 1.6 % too high.
const STEPS: u64 = 64;
/// Up to 2^36 units, which is twenty hours.
const BUCKETS: usize = 31 * STEPS as usize;

/// How often each time was measured. A unit is 1,024 ns.
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    /// Nothing measured yet.
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }
}

impl Histogram {
    /// Counts one time.
    #[inline]
    pub fn add(&mut self, ns: u64) {
        let bucket = bucket(ns >> 10).min(BUCKETS - 1);
        self.buckets[bucket] += 1;
        self.count += 1;
    }

    /// How many times were measured.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time, in ms, that a share of `part` (0 to 1) of all did not exceed; `None` of none.
    pub fn quantile_ms(&self, part: f64) -> Option<f64> {
        let wanted = ((self.count as f64 * part).ceil() as u64).max(1);
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= wanted {
                return Some(round(end_of(bucket as u64) as f64 * 1.024e-3));
            }
        }
        None
    }
}

fn bucket(units: u64) -> usize {
    let shift = u64::from((units | STEPS).ilog2() - STEPS.ilog2());
    (shift * STEPS + (units >> shift)) as usize
}

/// The first unit that is no longer in a bucket.
fn end_of(bucket: u64) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    (bucket - shift * STEPS + 1) << shift
}

/// What can be wrong without showing: that quantiles are what they are said to be.
pub fn check() {
    let mut histogram = Histogram::default();
    assert_eq!(histogram.quantile_ms(0.5), None, "nothing measured");
    for ms in 1..=1000_u64 {
        histogram.add(ms * 1_000_000);
    }
    assert_eq!(histogram.count(), 1000);
    for (part, ms) in [(0.001, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
        let got = histogram.quantile_ms(part).expect("a thousand");
        assert!(got >= ms * 0.999 && got <= ms * 1.017, "quantile {part} is {got} ms, not {ms}");
    }
    for units in (0..200_000).chain([1 << 30, (1 << 36) - 1]) {
        let end = end_of(bucket(units) as u64);
        assert!(end > units && end <= units + 1 + units / STEPS, "{units} is in a bucket to {end}");
    }
}
