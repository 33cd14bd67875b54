//! What is read of texts that are longer than the maximum length.

use std::fmt;
use std::str::FromStr;

/// The field of `tokenizer_config.json` with the setting for long texts.
pub(crate) const LONG_TEXTS: &str = "long_texts";

/// What is read of a text that is longer than the maximum length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongTexts {
    /// Its first tokens; with the setting `truncation_side: left` of the tokenizer, its last ones.
    #[default]
    Truncate,
    /// Its first and its last tokens, in the proportion of 128 to 382 (Sun et al., 2019).
    HeadTail,
    /// All tokens, in windows of the maximum length: the outputs of the windows are pooled to one output.
    Windows {
        /// The tokens that overlap between a window and the next.
        stride: usize,
        /// How the outputs of the windows are pooled.
        pool: WindowPool,
    },
}

/// How the outputs of the windows of a text become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WindowPool {
    /// Their mean.
    #[default]
    Mean,
    /// The maximum of each logit or feature.
    Max,
}

const EXPECTED: &str = "expected truncate, head-tail or windows[:stride=N][:pool=mean|max]";

impl FromStr for LongTexts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let (mut stride, mut pool) = (None, None);
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let is_repeated = match key {
                "stride" => {
                    stride.replace(value.parse().map_err(|_| "expected stride=N, a number of tokens")?).is_some()
                }
                "pool" => {
                    let value = match value {
                        "mean" => WindowPool::Mean,
                        "max" => WindowPool::Max,
                        _ => return Err("expected pool=mean or pool=max".into()),
                    };
                    pool.replace(value).is_some()
                }
                _ => return Err(format!("unknown option `{part}`; {EXPECTED}")),
            };
            if is_repeated {
                return Err(format!("`{key}` is given twice"));
            }
        }
        match name {
            "windows" => Ok(Self::Windows { stride: stride.unwrap_or(0), pool: pool.unwrap_or_default() }),
            "truncate" | "head-tail" if stride.is_some() || pool.is_some() => {
                Err(format!("`{name}` has no options; {EXPECTED}"))
            }
            "truncate" => Ok(Self::Truncate),
            "head-tail" => Ok(Self::HeadTail),
            _ => Err(EXPECTED.into()),
        }
    }
}

impl fmt::Display for LongTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncate => f.write_str("truncate"),
            Self::HeadTail => f.write_str("head-tail"),
            Self::Windows { stride, pool } => write!(f, "windows:stride={stride}:pool={pool}"),
        }
    }
}

impl fmt::Display for WindowPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Max => "max",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_written() {
        for (text, expected, shown) in [
            ("truncate", LongTexts::Truncate, "truncate"),
            ("head-tail", LongTexts::HeadTail, "head-tail"),
            ("windows", LongTexts::Windows { stride: 0, pool: WindowPool::Mean }, "windows:stride=0:pool=mean"),
            (
                "windows:pool=max:stride=7",
                LongTexts::Windows { stride: 7, pool: WindowPool::Max },
                "windows:stride=7:pool=max",
            ),
        ] {
            let read: LongTexts = text.parse().expect(text);
            assert_eq!((read, &*read.to_string(), shown.parse()), (expected, shown, Ok(expected)));
        }
        for (text, expected) in [
            ("", "expected truncate"),
            ("window", "expected truncate"),
            ("windows:", "unknown option ``"),
            ("windows:size=3", "unknown option `size=3`"),
            ("windows:stride=-1", "expected stride=N"),
            ("windows:stride", "expected stride=N"),
            ("windows:pool=median", "pool=mean or pool=max"),
            ("windows:stride=1:stride=2", "`stride` is given twice"),
            ("head-tail:stride=1", "`head-tail` has no options"),
            ("truncate:pool=max", "`truncate` has no options"),
        ] {
            let error = text.parse::<LongTexts>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
