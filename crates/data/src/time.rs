//! When an example was made: a number, or a date or date-time of ISO 8601.

use std::cmp::Ordering;
use std::fmt;

use time::{Date, Duration, Month, PrimitiveDateTime};

/// The time of an example. Times are compared with times of the same [kind](Self::kind).
#[derive(Clone, Copy, Debug)]
pub struct Time(Value);

#[derive(Clone, Copy, Debug)]
enum Value {
    /// A finite number, such as a year or the seconds since 1970.
    Number(f64),
    /// A date, which is its midnight, or a date-time without a time zone.
    Local(PrimitiveDateTime),
    /// A date-time with a time zone, in UTC.
    Zoned(PrimitiveDateTime),
}

impl Time {
    /// Parses a number, or a date or date-time of ISO 8601 in its extended format: `2024-03`, `2024-03-01`, `2024-03-01T12:30`,
    /// `2024-03-01 12:30:05.25`, each time also with a zone (`Z`, `+01:00`).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            // Zeros of either sign are equal.
            return number.is_finite().then_some(Self(Value::Number(number + 0.0)));
        }
        let end = text.find(['T', 't', ' ']).unwrap_or(text.len());
        let (date, clock) = (&text[..end], text.get(end + 1..));
        let mut parts = date.split('-');
        let (year, month) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?);
        let day = match parts.next() {
            Some(day) => digits(day, 2)?,
            None if clock.is_none() => 1,
            None => return None,
        };
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date = Date::from_calendar_date(year.try_into().ok()?, month, day.try_into().ok()?).ok()?;
        if parts.next().is_some() {
            return None;
        }
        let midnight = PrimitiveDateTime::new(date, time::Time::MIDNIGHT);
        let Some(clock) = clock else { return Some(Self(Value::Local(midnight))) };
        let (clock, offset) = zone(clock)?;
        let passed = passed(clock.trim_end())?;
        Some(Self(match offset {
            Some(offset) => Value::Zoned(midnight.checked_add(passed)?.checked_sub(offset)?),
            None => Value::Local(midnight.checked_add(passed)?),
        }))
    }

    /// Returns what kind of time it is, in words.
    pub fn kind(self) -> &'static str {
        match self.0 {
            Value::Number(_) => "a number",
            Value::Local(_) => "a date without a time zone",
            Value::Zoned(_) => "a date with a time zone",
        }
    }
}

/// Returns a number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Separates a time of day from its zone, which is the time ahead of UTC.
fn zone(clock: &str) -> Option<(&str, Option<Duration>)> {
    if let Some(utc) = clock.strip_suffix(['Z', 'z']) {
        return Some((utc, Some(Duration::ZERO)));
    }
    let Some(sign) = clock.rfind(['+', '-']) else { return Some((clock, None)) };
    let (hours, minutes) = match &clock[sign + 1..] {
        hours if hours.len() == 2 => (digits(hours, 2)?, 0),
        zone if zone.len() == 4 && zone.is_ascii() => (digits(&zone[..2], 2)?, digits(&zone[2..], 2)?),
        zone => zone.split_once(':').and_then(|(hours, minutes)| Some((digits(hours, 2)?, digits(minutes, 2)?)))?,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = Duration::minutes(i64::from(hours * 60 + minutes));
    Some((&clock[..sign], Some(if clock[sign..].starts_with('-') { -ahead } else { ahead })))
}

/// Returns the time since midnight of `12:30`, `12:30:05` or `12:30:05.25`.
fn passed(clock: &str) -> Option<Duration> {
    let mut parts = clock.splitn(3, ':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (seconds, fraction) = match parts.next() {
        Some(seconds) => seconds.split_once(['.', ',']).map_or((seconds, None), |(whole, part)| (whole, Some(part))),
        None => ("00", None),
    };
    let seconds = digits(seconds, 2)?;
    let nanos = match fraction {
        Some(fraction) if !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{fraction:0<9}")[..9].parse().ok()?
        }
        Some(_) => return None,
        None => 0,
    };
    // ISO 8601 has the end of a day, and leap seconds.
    let is_end = (hours, minutes, seconds, nanos) == (24, 0, 0, 0);
    if !is_end && (hours > 23 || minutes > 59 || seconds > 60) {
        return None;
    }
    let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
    Some(Duration::seconds(seconds) + Duration::nanoseconds(nanos))
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Value::Number(a), Value::Number(b)) => a.total_cmp(&b),
            (Value::Local(a), Value::Local(b)) | (Value::Zoned(a), Value::Zoned(b)) => a.cmp(&b),
            _ => self.kind().cmp(other.kind()),
        }
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Time {}

/// Writes a number, a date, or a date-time of ISO 8601.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (moment, zone) = match self.0 {
            Value::Number(number) => return write!(f, "{number}"),
            Value::Local(moment) => (moment, ""),
            Value::Zoned(moment) => (moment, "Z"),
        };
        let (year, month, day) = moment.to_calendar_date();
        write!(f, "{year:04}-{:02}-{day:02}", u8::from(month))?;
        let (hour, minute, second, nanos) = moment.as_hms_nano();
        if zone.is_empty() && (hour, minute, second, nanos) == (0, 0, 0, 0) {
            return Ok(());
        }
        write!(f, "T{hour:02}:{minute:02}:{second:02}")?;
        if nanos > 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        f.write_str(zone)
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn numbers_and_dates_are_read_and_written() {
        for (text, expected) in [
            ("2024", "2024"),
            (" 1.5e3 ", "1500"),
            ("-0", "0"),
            ("2024-03", "2024-03-01"),
            ("2024-02-29", "2024-02-29"),
            ("2024-03-01T00:00", "2024-03-01"),
            ("2024-03-01 12:30:05,250", "2024-03-01T12:30:05.25"),
            ("2024-03-01T24:00", "2024-03-02"),
            ("2024-03-01T00:30:00Z", "2024-03-01T00:30:00Z"),
            ("2024-03-01t00:30+01:00", "2024-02-29T23:30:00Z"),
            ("2024-03-01T00:30:00-0530", "2024-03-01T06:00:00Z"),
            ("2024-03-01 00:00:00.000 +00", "2024-03-01T00:00:00Z"),
        ] {
            assert_eq!(Time::parse(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
        let wrong = [
            "",
            "nan",
            "inf",
            "soon",
            "1.3.2024",
            "03/01/2024",
            "2024-3-1",
            "2023-02-29",
            "2024-13",
            "2024-03T12:00",
            "2024-03-01T",
            "2024-03-01T25:00",
            "2024-03-01T12",
            "2024-03-01T12:60",
            "2024-03-01T12:00:61",
            "2024-03-01T12:00:00.",
            "2024-03-01T12:00+1",
            "2024-03-01T12:00+24:00",
            "2024-03-01-05",
            "２０２４-03-01",
        ];
        for text in wrong {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_a_kind_are_ordered() {
        let ordered = |texts: &[&str]| {
            let times: Vec<Time> = texts.iter().map(|text| Time::parse(text).expect("a time")).collect();
            times.windows(2).all(|pair| pair[0] < pair[1] && pair[0].kind() == pair[1].kind())
        };
        assert!(ordered(&["-3", "0", "9", "10"]));
        assert!(ordered(&["0999-12-31", "2024-02-29", "2024-02-29T00:00:01", "2024-03-01"]));
        assert!(ordered(&["2024-03-01T01:00+02:00", "2024-02-29T23:30Z", "2024-02-29T20:00-05"]));
    }
}
