//! The spelling of labels.

use std::borrow::Cow;

/// The largest exponent of ten that is written out; labels beyond are names.
const EXPONENT: i64 = 400;

/// Returns the one spelling of a label, whatever file it comes from.
///
/// Surrounding white space is removed. Numbers of equal value are one label: `01`, `+1`, `1.0` and `1e0` are `1`, `-0` is
/// `0`, and `.50` is `0.5`. `True` and `TRUE` are `true`, likewise `false`. All other labels are unchanged.
pub fn canonical_label(label: &str) -> Cow<'_, str> {
    let label = label.trim();
    if let Some(number) = decimal(label) {
        return if number == label { Cow::Borrowed(label) } else { Cow::Owned(number) };
    }
    match ["true", "false"].into_iter().find(|name| label.eq_ignore_ascii_case(name)) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Borrowed(label),
    }
}

/// Returns whether a label is a number.
pub(crate) fn is_number(label: &str) -> bool {
    decimal(label.trim()).is_some()
}

/// Returns the number that a label is, if a model can predict it: it is finite in single precision.
pub(crate) fn value_of(label: &str) -> Option<f64> {
    label.parse().ok().filter(|value: &f64| (*value as f32).is_finite())
}

/// Returns a decimal number without sign `+`, exponent, and unnecessary zeros, if `text` is one.
fn decimal(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        b'0'..=b'9' | b'.' => (false, text),
        _ => return None,
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, whole(exponent)?),
        None => (unsigned, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [before, after].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The position of the point in the digits, which may be in front of or behind them.
    let point = before.len() as i64 + exponent;
    let digit = |position: i64| usize::try_from(position).ok().and_then(|index| digits.as_bytes().get(index));
    let digits_at = |from: i64, to: i64| -> String {
        (from..to).map(|position| digit(position).map_or('0', |&byte| char::from(byte))).collect()
    };
    let integer = digits_at(0.min(point), point);
    let fraction = digits_at(point, digits.len() as i64);
    let (integer, fraction) = (integer.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let sign = if negative && !(integer.is_empty() && fraction.is_empty()) { "-" } else { "" };
    let integer = if integer.is_empty() { "0" } else { integer };
    Some(if fraction.is_empty() { format!("{sign}{integer}") } else { format!("{sign}{integer}.{fraction}") })
}

/// Returns an exponent of moderate size.
fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|exponent: &i64| is_whole && exponent.abs() <= EXPONENT)
}

#[cfg(test)]
mod tests {
    use super::canonical_label;

    #[test]
    fn numbers_of_equal_value_are_one_label() {
        for (spellings, expected) in [
            (&["1", "01", "+1", "1.0", "1.", "1e0", " 1 ", "10E-1", "0.1e1", "001.000"][..], "1"),
            (&["0", "0.0", "-0", "+0.00", "0e5", ".0", "000"], "0"),
            (&["0.5", ".5", "5e-1", "0.50", "+00.5"], "0.5"),
            (&["-12.25", "-1225e-2", "-0012.250"], "-12.25"),
            (&["100", "1e2", "1E+2", "1.00e2"], "100"),
            (&["18446744073709551615", "+18446744073709551615.0"], "18446744073709551615"),
            (&["true", "True", "TRUE"], "true"),
            (&["false", "False"], "false"),
        ] {
            for spelling in spellings {
                assert_eq!(canonical_label(spelling), expected, "{spelling}");
            }
        }
    }

    #[test]
    fn names_are_unchanged() {
        for name in
            ["1,000", "1_0", "e5", "1e", "1e9999", ".", "-", "+", "1-2", "v1.0", "0x1", "inf", "NaN", "Pos", "٣"]
        {
            assert_eq!(canonical_label(name), name);
        }
    }
}
