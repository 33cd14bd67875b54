//! When two texts are equal: after normalisation of Unicode, case and white space.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// Returns the group of each text: equal texts have the same number, and groups are numbered by their first text.
///
/// Two texts are equal if they are equal after Unicode normalisation (NFKC), case folding, and collapsing white space.
pub fn text_groups<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    pair_groups(texts.into_iter().map(|text| (text, None)), false)
}

/// Returns the group of each text or text pair, as [`text_groups`]: pairs are equal if their first and their second texts are
/// equal. If pairs are `symmetric`, a pair is also equal to the pair with exchanged texts.
pub fn pair_groups<'a>(texts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>, symmetric: bool) -> Vec<usize> {
    let mut groups: HashMap<String, usize> = HashMap::new();
    let mut normal = String::new();
    texts
        .into_iter()
        .map(|(text, text_pair)| {
            normalise_pair(text, text_pair, symmetric, &mut normal);
            let next = groups.len();
            *groups.entry(normal.clone()).or_insert(next)
        })
        .collect()
}

/// Writes the normalised text, or both texts of a pair separated by a line end, which a normalised text does not contain. If
/// pairs are `symmetric`, the texts are in alphabetical order.
pub(crate) fn normalise_pair(text: &str, text_pair: Option<&str>, symmetric: bool, normal: &mut String) {
    normalise(text, normal);
    let Some(text_pair) = text_pair else { return };
    let mut second = String::new();
    normalise(text_pair, &mut second);
    if symmetric && second < *normal {
        std::mem::swap(normal, &mut second);
    }
    normal.push('\n');
    normal.push_str(&second);
}

/// Writes the normalised text: words without case, separated by single spaces.
pub(crate) fn normalise(text: &str, normal: &mut String) {
    normal.clear();
    let folded: String = match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        // Folding may undo the normalisation.
        false => text.nfkc().flat_map(fold).nfkc().collect(),
    };
    for word in folded.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(word);
    }
}

/// Returns a character without case, as Unicode's full case folding: `ẞ`, `ß` and `SS` are `ss`, and `Σ` and `ς` are `σ`.
fn fold(char: char) -> impl Iterator<Item = char> {
    // The dotless i, whose upper case is that of i, is a letter of its own.
    let is_folded = char != 'ı';
    let kept = (!is_folded).then_some(char);
    let folded = is_folded.then(|| char.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase));
    kept.into_iter().chain(folded.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::{normalise, text_groups};

    #[test]
    fn texts_are_normalised_as_documented() {
        let mut normal = String::from("left over");
        // " ".join(normalize("NFKC", normalize("NFKC", text).casefold()).split()), by Python's unicodedata.
        for (text, expected) in [
            (" A\u{a0}\tb \r\n C ", "a b c"),
            ("\u{3000}\n", ""),
            ("ÄÖ ΣΑΣ ẞ", "äö σασ ss"),
            ("a b", "a b"),
            ("cafe\u{301} ＡＢＣ ﬁn ½", "café abc fin 1⁄2"),
            ("İı", "i\u{307}ı"),
        ] {
            normalise(text, &mut normal);
            assert_eq!(normal, expected, "{text:?}");
        }
    }

    #[test]
    fn groups_are_numbered_by_their_first_text() {
        assert_eq!(text_groups(["b", "a", " B", "", "A\n", "c", " "]), [0, 1, 0, 2, 1, 3, 2]);
    }
}
