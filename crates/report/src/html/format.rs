//! Numbers as a reader wants them.

use maud::{Markup, html};
use time::OffsetDateTime;

use crate::results::Estimate;

/// A score, a loss or a probability: four digits.
pub(super) fn score(value: f64) -> String {
    minus(format!("{value:.4}"))
}

/// A difference, with its sign.
pub(super) fn difference(value: f64) -> String {
    minus(format!("{value:+.4}"))
}

/// A true minus, which is as wide as a plus; and no sign before a 0.
pub(super) fn minus(number: String) -> String {
    match number.trim_start_matches(['-', '+']) {
        zero if !zero.contains(|digit| matches!(digit, '1'..='9')) => zero.into(),
        _ => number.replace('-', "−"),
    }
}

/// A p value: two or three digits that mean something.
pub(super) fn p_value(value: Option<f64>) -> String {
    match value {
        None => "–".into(),
        Some(p) if p < 0.001 => "< 0.001".into(),
        Some(p) if p < 0.1 => format!("{p:.3}"),
        Some(p) => format!("{p:.2}"),
    }
}

/// Both ends of an interval.
pub(super) fn interval(ends: Option<(f64, f64)>) -> String {
    ends.map_or_else(|| "no interval".into(), |(low, high)| format!("{} to {}", score(low), score(high)))
}

/// What was counted, and how much of it.
pub(super) fn counted(n: usize, method: &str) -> String {
    let unit = if method.contains("corrected") { "fold" } else { "sentence" };
    format!("{} {unit}{}", thousands(n as u64), if n == 1 { "" } else { "s" })
}

/// A mean, with a sign that refers to a remark, and below it its interval.
pub(super) fn estimate(estimate: &Estimate, remark: &str) -> Markup {
    html! {
        span.mean { (score(estimate.mean)) (remark) }
        " " span.interval { (interval(estimate.interval)) }
    }
}

/// `66955010` as `66,955,010`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// A share in percent.
pub(super) fn percent(part: usize, whole: usize) -> String {
    match part as f64 / whole.max(1) as f64 * 100.0 {
        100.0 => "100 %".into(),
        share => format!("{share:.2} %"),
    }
}

/// Seconds, by the units in which one would say them.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        _ if seconds < 9.995 => format!("{seconds:.2} s"),
        _ if seconds < 99.95 => format!("{seconds:.1} s"),
        0..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Bytes in binary units.
pub(super) fn bytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 { format!("{mebibytes:.0} MiB") } else { format!("{:.2} GiB", mebibytes / 1024.0) }
}

/// Seconds since 1970 as a day and a time.
pub(super) fn date(seconds: u64) -> Option<String> {
    let moment = i64::try_from(seconds).ok().filter(|&seconds| seconds > 0)?;
    let moment = OffsetDateTime::from_unix_timestamp(moment).ok()?;
    Some(format!("{}, {:02}:{:02} UTC", moment.date(), moment.hour(), moment.minute()))
}

/// The first `most` characters, and a sign where there are more.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.into(),
    }
}
