//! Numbers for readers.

use maud::{Markup, html};
use time::OffsetDateTime;

use rekindle_results::Estimate;

/// Formats a score, a loss or a probability with four digits.
pub(crate) fn score(value: f64) -> String {
    minus(format!("{value:.4}"))
}

/// Formats a score that may be absent.
pub(crate) fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), score)
}

/// Formats a difference with its sign.
pub(crate) fn difference(value: f64) -> String {
    minus(format!("{value:+.4}"))
}

/// Replaces the hyphen by a minus sign, which is as wide as a plus, and removes the sign of 0.
pub(crate) fn minus(number: String) -> String {
    match number.trim_start_matches(['-', '+']) {
        zero if !zero.contains(|digit| matches!(digit, '1'..='9')) => zero.into(),
        _ => number.replace('-', "−"),
    }
}

/// Formats a p-value with two or three digits.
pub(crate) fn p_value(value: Option<f64>) -> String {
    match value {
        None => "–".into(),
        Some(p) if p < 0.001 => "< 0.001".into(),
        Some(p) if p < 0.1 => format!("{p:.3}"),
        Some(p) => format!("{p:.2}"),
    }
}

/// Formats both ends of an interval.
pub(crate) fn interval(ends: Option<(f64, f64)>) -> String {
    ends.map_or_else(|| "no interval".into(), |(low, high)| format!("{} to {}", score(low), score(high)))
}

/// Formats the number of folds or examples that an interval is computed over.
pub(crate) fn counted(n: usize, method: &str) -> String {
    let unit = if method.contains("corrected") { "fold" } else { "example" };
    format!("{} {unit}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// Formats a mean, followed by `remark`, above its confidence interval.
pub(crate) fn estimate(estimate: &Estimate, remark: &str) -> Markup {
    html! {
        span.mean { (score(estimate.mean)) (remark) }
        " " span.interval { (interval(estimate.interval)) }
    }
}

/// Formats a whole number with separators: `66955010` as `66,955,010`.
pub fn thousands(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// Formats a fraction as a percentage.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    match part as f64 / whole.max(1) as f64 * 100.0 {
        100.0 => "100 %".into(),
        share => format!("{share:.2} %"),
    }
}

/// Formats a duration in seconds, minutes or hours.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        _ if seconds < 9.995 => format!("{seconds:.2} s"),
        _ if seconds < 99.95 => format!("{seconds:.1} s"),
        0..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Formats bytes in binary units.
pub(crate) fn bytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 { format!("{mebibytes:.0} MiB") } else { format!("{:.2} GiB", mebibytes / 1024.0) }
}

/// Formats seconds since 1970 as a date and a time; `None` for 0.
pub(crate) fn date(seconds: u64) -> Option<String> {
    let moment = i64::try_from(seconds).ok().filter(|&seconds| seconds > 0)?;
    let moment = OffsetDateTime::from_unix_timestamp(moment).ok()?;
    Some(format!("{}, {:02}:{:02} UTC", moment.date(), moment.hour(), moment.minute()))
}

/// Returns the first `most` characters, with an ellipsis if there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 66_955_010].map(thousands), ["0", "999", "1,000", "66,955,010"]);
    }
}
