//! Counters, and their text format for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bounds of histograms of times, in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of the histogram of texts per batch.
const TEXTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// Bounds of the histogram of tokens per batch.
const TOKENS: &[f64] = &[16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0];

/// The status that is counted for a request whose client was gone before its response; nginx's number.
pub(crate) const CLIENT_GONE: u16 = 499;

/// What the server has done since it started.
pub(crate) struct Metrics {
    /// By path and status.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    durations: Histogram,
    waits: Histogram,
    inferences: Histogram,
    batch_texts: Histogram,
    batch_tokens: Histogram,
    /// By model, and whether it succeeded.
    reloads: Mutex<BTreeMap<(String, bool), u64>>,
}

impl Metrics {
    pub fn new() -> Self {
        Self {
            requests: Mutex::default(),
            durations: Histogram::new(SECONDS),
            waits: Histogram::new(SECONDS),
            inferences: Histogram::new(SECONDS),
            batch_texts: Histogram::new(TEXTS),
            batch_tokens: Histogram::new(TOKENS),
            reloads: Mutex::default(),
        }
    }

    /// Counts a request. The path is one of the server's, so that clients cannot make the table grow.
    pub fn request(&self, path: &'static str, status: u16, duration: Duration) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((path, status)).or_default() += 1;
        self.durations.record(duration.as_secs_f64());
    }

    /// Counts how long a request waited for its first batch.
    pub fn waited(&self, duration: Duration) {
        self.waits.record(duration.as_secs_f64());
    }

    /// Counts a batch.
    pub fn batch(&self, texts: usize, tokens: usize, duration: Duration) {
        self.batch_texts.record(texts as f64);
        self.batch_tokens.record(tokens as f64);
        self.inferences.record(duration.as_secs_f64());
    }

    /// Counts a reload.
    pub fn reload(&self, model: &str, succeeded: bool) {
        *self.reloads.lock().unwrap_or_else(PoisonError::into_inner).entry((model.into(), succeeded)).or_default() += 1;
    }

    /// Returns all metrics in the text format of Prometheus, with the current `queue` and `connections`.
    pub fn render(&self, queue: usize, connections: usize) -> String {
        let mut out = String::new();
        family(&mut out, "requests_total", "counter", "Requests by path and status; 499: the client was gone.");
        for ((path, status), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            line(&mut out, "requests_total", &format!("{{path=\"{path}\",status=\"{status}\"}}"), count);
        }
        self.durations.render(&mut out, "request_duration_seconds", "Time from a request's head to its response.");
        self.waits.render(&mut out, "queue_wait_seconds", "Time that a request waited for its first batch.");
        self.inferences.render(&mut out, "inference_duration_seconds", "Time that a batch took.");
        self.batch_texts.render(&mut out, "batch_texts", "Texts per batch; the sum counts all texts.");
        self.batch_tokens.render(&mut out, "batch_tokens", "Tokens per batch; the sum counts all tokens.");
        family(&mut out, "queue_texts", "gauge", "Texts that wait or are computed.");
        line(&mut out, "queue_texts", "", &queue);
        family(&mut out, "connections", "gauge", "Open connections.");
        line(&mut out, "connections", "", &connections);
        family(&mut out, "reloads_total", "counter", "Reloads by model and result.");
        for ((model, succeeded), count) in self.reloads.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let result = if *succeeded { "success" } else { "failure" };
            let labels = format!("{{model=\"{}\",result=\"{result}\"}}", escape(model));
            line(&mut out, "reloads_total", &labels, count);
        }
        out
    }
}

/// Counts of values up to each of some bounds.
struct Histogram {
    bounds: &'static [f64],
    /// The number of values in each bucket, the last without a bound.
    counts: Vec<AtomicU64>,
    /// The sum of the values, in millionths.
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    fn record(&self, value: f64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e6).round() as u64, Ordering::Relaxed);
    }

    fn render(&self, out: &mut String, name: &str, help: &str) {
        family(out, name, "histogram", help);
        let bounds = self.bounds.iter().map(f64::to_string).chain(["+Inf".into()]);
        let mut total = 0;
        for (bound, count) in bounds.zip(&self.counts) {
            total += count.load(Ordering::Relaxed);
            line(out, &format!("{name}_bucket"), &format!("{{le=\"{bound}\"}}"), &total);
        }
        line(out, &format!("{name}_sum"), "", &(self.sum.load(Ordering::Relaxed) as f64 / 1e6));
        line(out, &format!("{name}_count"), "", &total);
    }
}

// Writing to a string does not fail.

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP rekindle_{name} {help}\n# TYPE rekindle_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: &impl std::fmt::Display) {
    let _ = writeln!(out, "rekindle_{name}{labels} {value}");
}

/// Escapes the value of a label.
fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_each_bound() {
        let metrics = Metrics::new();
        metrics.request("/predict", 200, Duration::from_millis(5));
        metrics.request("/predict", 200, Duration::from_secs(20));
        metrics.batch(3, 64, Duration::ZERO);
        metrics.reload("a\"b", false);
        let text = metrics.render(2, 1);
        for line in [
            "rekindle_requests_total{path=\"/predict\",status=\"200\"} 2",
            "rekindle_request_duration_seconds_bucket{le=\"0.0025\"} 0",
            "rekindle_request_duration_seconds_bucket{le=\"0.005\"} 1",
            "rekindle_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "rekindle_request_duration_seconds_sum 20.005",
            "rekindle_request_duration_seconds_count 2",
            "rekindle_batch_texts_bucket{le=\"4\"} 1",
            "rekindle_batch_tokens_sum 64",
            "rekindle_queue_texts 2",
            "rekindle_reloads_total{model=\"a\\\"b\",result=\"failure\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
