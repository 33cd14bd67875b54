//! The fields of a request's body.

use rekindle_infer::OutputFunction;
use serde_json::{Map, Value};

use crate::app::Text;
use crate::body::kind;
use crate::failure::Failure;
use crate::limits::Limits;

/// The fields of a JSON object that are not read yet. What is left at the end is an error, so that no field is ignored.
pub(super) struct Fields {
    fields: Map<String, Value>,
    /// The object's place, for messages: empty, or `parameters.`.
    place: &'static str,
}

impl Fields {
    pub fn new(fields: Map<String, Value>) -> Self {
        Self { fields, place: "" }
    }

    /// Removes a field; `null` is as good as none.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.swap_remove(name).filter(|value| !value.is_null())
    }

    /// Removes a field whose `null` has a meaning of its own.
    pub fn take_nullable(&mut self, name: &str) -> Option<Value> {
        self.fields.swap_remove(name)
    }

    /// Removes a string.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(name, "a string", &other)),
        }
    }

    /// Removes a boolean.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(self.expected(name, "true or false", &other)),
        }
    }

    /// Removes a number between 0 and 1.
    pub fn fraction(&mut self, name: &str) -> Result<Option<f64>, Failure> {
        const RANGE: &str = "a number between 0 and 1";
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => match number.as_f64().filter(|number| (0.0..=1.0).contains(number)) {
                Some(fraction) => Ok(Some(fraction)),
                None => Err(self.invalid(name, format!("expected {RANGE}, found {number}"))),
            },
            Some(other) => Err(self.expected(name, RANGE, &other)),
        }
    }

    /// Removes an object.
    pub fn object(&mut self, name: &'static str, place: &'static str) -> Result<Self, Failure> {
        match self.take(name) {
            None => Ok(Self { fields: Map::new(), place }),
            Some(Value::Object(fields)) => Ok(Self { fields, place }),
            Some(other) => Err(self.expected(name, "an object", &other)),
        }
    }

    /// Removes `function_to_apply`.
    pub fn function(&mut self) -> Result<Option<OutputFunction>, Failure> {
        const NAME: &str = "function_to_apply";
        let Some(name) = self.string(NAME)? else { return Ok(None) };
        match name.to_ascii_lowercase().as_str() {
            "softmax" => Ok(Some(OutputFunction::Softmax)),
            "sigmoid" => Ok(Some(OutputFunction::Sigmoid)),
            "none" => Ok(Some(OutputFunction::None)),
            _ => Err(self.invalid(NAME, format!("`{name}` is none of softmax, sigmoid, none"))),
        }
    }

    /// Checks that no field is left.
    pub fn finish(&self, known: &str) -> Result<(), Failure> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.invalid(name, format!("unknown field; expected {known}"))),
        }
    }

    pub fn expected(&self, name: &str, expected: &str, found: &Value) -> Failure {
        self.invalid(name, format!("expected {expected}, found {}", kind(found)))
    }

    fn invalid(&self, name: &str, reason: impl std::fmt::Display) -> Failure {
        Failure::invalid(format!("{}{name}: {reason}", self.place))
    }
}

/// The value of `inputs`.
pub(super) enum Inputs {
    /// A text or a pair of texts, whose response is a list of scores.
    One(Text),
    /// A list of them, whose response is a list of such lists.
    Many(Vec<Text>),
}

impl Inputs {
    pub fn parse(value: Option<Value>, limits: &Limits) -> Result<Self, Failure> {
        const TEXT: &str = "a text";
        let inputs = match value {
            None => return Err(Failure::invalid("inputs: missing; expected a text or a list of texts")),
            Some(Value::Array(values)) if values.is_empty() => {
                return Err(Failure::invalid("inputs: the list is empty; expected at least one text"));
            }
            Some(Value::Array(values)) if values.len() > limits.max_texts => {
                let (count, most) = (values.len(), limits.max_texts);
                return Err(Failure::too_large(format!("inputs: {count} texts are more than the {most} per request")));
            }
            Some(Value::Array(values)) => {
                let each = values.into_iter().enumerate();
                Self::Many(
                    each.map(|(index, value)| text(value, &format!("inputs[{index}]"))).collect::<Result<_, _>>()?,
                )
            }
            Some(value @ (Value::String(_) | Value::Object(_))) => Self::One(text(value, "inputs")?),
            Some(other) => {
                let found = kind(&other);
                return Err(Failure::invalid(format!("inputs: expected {TEXT} or a list of texts, found {found}")));
            }
        };
        match inputs.texts().iter().position(|text| chars(text) > limits.max_chars) {
            None => Ok(inputs),
            Some(index) => {
                let (most, found) = (limits.max_chars, chars(&inputs.texts()[index]));
                Err(Failure::too_large(format!(
                    "inputs[{index}]: {found} characters are more than the {most} per text"
                )))
            }
        }
    }

    fn texts(&self) -> &[Text] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

fn chars(text: &Text) -> usize {
    text.text.chars().count() + text.text_pair.as_ref().map_or(0, |text| text.chars().count())
}

/// Reads a text, `[text]`, `[text, text_pair]` or `{"text", "text_pair"}`.
fn text(value: Value, place: &str) -> Result<Text, Failure> {
    const EXPECTED: &str = "a string, a pair of strings or {\"text\", \"text_pair\"}";
    let expected = |found: &str| Failure::invalid(format!("{place}: expected {EXPECTED}, found {found}"));
    match value {
        Value::String(text) => Ok(Text { text, text_pair: None }),
        Value::Array(values) => {
            let strings = values.into_iter().map(|value| match value {
                Value::String(text) => Ok(text),
                other => Err(expected(&format!("a list with {}", kind(&other)))),
            });
            let mut strings = strings.collect::<Result<Vec<_>, _>>()?.into_iter();
            match (strings.next(), strings.next(), strings.len()) {
                (Some(text), text_pair, 0) => Ok(Text { text, text_pair }),
                (None, ..) => Err(expected("an empty list")),
                (.., more) => Err(expected(&format!("{} strings", more + 2))),
            }
        }
        Value::Object(fields) => {
            let mut fields = Fields::new(fields);
            let within = |failure: Failure| failure.within(place);
            let text = fields.string("text").map_err(within)?.ok_or_else(|| expected("an object without `text`"))?;
            let text_pair = fields.string("text_pair").map_err(within)?;
            fields.finish("`text`, `text_pair`").map_err(within)?;
            Ok(Text { text, text_pair })
        }
        other => Err(expected(kind(&other))),
    }
}
