//! JSON, as far as a rehearsal reads it.

use std::iter::Peekable;
use std::str::Chars;

/// A value of JSON.
#[derive(Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a value, with nothing behind it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader(text.chars().peekable());
        let value = reader.value()?;
        match reader.next_token() {
            None => Ok(value),
            Some(other) => Err(format!("no JSON: `{other}` behind the value")),
        }
    }

    /// Reads one value per line.
    pub fn lines(text: &str) -> Result<Vec<Self>, String> {
        text.lines().map(Self::parse).collect()
    }

    /// Returns the value at a path of fields and positions, for example `approaches.0.accuracy`; null if there is none.
    pub fn at(&self, path: &str) -> &Self {
        path.split('.').fold(self, |value, step| match value {
            Self::Object(fields) => {
                fields.iter().find(|(name, _)| name == step).map_or(&Self::Null, |(_, value)| value)
            }
            Self::List(values) => step.parse().ok().and_then(|at: usize| values.get(at)).unwrap_or(&Self::Null),
            _ => &Self::Null,
        })
    }

    /// Returns a number, NaN for other values.
    pub fn number(&self) -> f64 {
        if let Self::Number(number) = self { *number } else { f64::NAN }
    }

    /// Returns a text, empty for other values.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// Returns the values of a list, none for other values.
    pub fn list(&self) -> &[Self] {
        if let Self::List(values) = self { values } else { &[] }
    }
}

/// Writes a text as JSON.
pub fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        control if control < ' ' => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn value(&mut self) -> Result<Json, String> {
        match self.next_token() {
            Some('{') => Ok(Json::Object(self.series('}', |reader| {
                let name = reader.value()?;
                reader.expect(':')?;
                Ok((name.text().to_owned(), reader.value()?))
            })?)),
            Some('[') => Ok(Json::List(self.series(']', Self::value)?)),
            Some('"') => self.text().map(Json::Text),
            Some(first) => self.word(first),
            None => Err("no JSON: it ends too early".into()),
        }
    }

    /// Reads what stands between commas, up to `end`.
    fn series<T>(&mut self, end: char, read: impl Fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut values = Vec::new();
        while self.0.next_if(|next| next.is_whitespace()).is_some() {}
        if self.0.next_if_eq(&end).is_some() {
            return Ok(values);
        }
        loop {
            values.push(read(self)?);
            match self.next_token() {
                Some(',') => {}
                Some(next) if next == end => return Ok(values),
                other => return Err(format!("no JSON: {other:?} instead of a comma or `{end}`")),
            }
        }
    }

    fn text(&mut self) -> Result<String, String> {
        let mut units: Vec<u16> = Vec::new();
        loop {
            let unit = match self.0.next().ok_or("no JSON: a string has no end")? {
                '"' => return String::from_utf16(&units).map_err(|_| "no JSON: half of a surrogate pair".into()),
                '\\' => match self.0.next() {
                    Some('u') => {
                        let digits: String = self.0.by_ref().take(4).collect();
                        u16::from_str_radix(&digits, 16).map_err(|_| format!("no JSON: the escape `\\u{digits}`"))?
                    }
                    Some('n') => 10,
                    Some('r') => 13,
                    Some('t') => 9,
                    Some('b') => 8,
                    Some('f') => 12,
                    Some(itself @ ('"' | '\\' | '/')) => itself as u16,
                    other => return Err(format!("no JSON: the escape {other:?}")),
                },
                character => {
                    units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
                    continue;
                }
            };
            units.push(unit);
        }
    }

    /// Reads a number, `true`, `false` or `null`.
    fn word(&mut self, first: char) -> Result<Json, String> {
        let mut word = String::from(first);
        while let Some(next) = self.0.next_if(|next| next.is_alphanumeric() || "+-.".contains(*next)) {
            word.push(next);
        }
        match word.as_str() {
            "null" => Ok(Json::Null),
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            _ if word.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
                word.parse().map(Json::Number).map_err(|_| format!("no JSON: the number `{word}`"))
            }
            _ => Err(format!("no JSON: `{word}`")),
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.next_token() {
            Some(next) if next == wanted => Ok(()),
            other => Err(format!("no JSON: {other:?} instead of `{wanted}`")),
        }
    }

    /// Returns the next character that is no white space.
    fn next_token(&mut self) -> Option<char> {
        self.0.find(|next| !next.is_whitespace())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_their_path() {
        let json =
            Json::parse(r#" {"a": [1, {"b": "x\n\u00e9\ud83d\ude00\"é"}, []], "c": {}, "d": -1.5e-3, "e": null} "#);
        let json = json.expect("JSON");
        assert_eq!(json.at("a.1.b").text(), "x\né😀\"é");
        assert_eq!((json.at("a").list().len(), json.at("d").number()), (3, -0.0015));
        assert_eq!((json.at("a.2"), json.at("c.x")), (&Json::List(vec![]), &Json::Null));
        assert_eq!(Json::parse(&quoted("a \"b\"\t\\")), Ok(Json::Text("a \"b\"\t\\".into())));
    }

    #[test]
    fn other_text_is_an_error() {
        for text in ["", "{", "[1,]", "[1 2]", "{\"a\" 1}", "\"a", "1 2", "tru", "NaN", "\"\\ud800\"", "\"\\x\""] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
