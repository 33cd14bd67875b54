//! Spaces, capital letters, "a" and "an".

/// Returns a text with single spaces, a capital letter at the beginning of every sentence, and correct articles.
pub(crate) fn finish(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut finished = String::with_capacity(text.len());
    let mut opens = true;
    for (index, &word) in words.iter().enumerate() {
        if index > 0 {
            finished.push(' ');
        }
        let article = matches!(word, "a" | "A");
        let vowel = article && words.get(index + 1).is_some_and(|next| sounds_like_a_vowel(next));
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            finished.push(if opens { first.to_ascii_uppercase() } else { first });
        }
        finished.push_str(letters.as_str());
        if vowel {
            finished.push('n');
        }
        opens = word.ends_with(['.', '!', '?']);
    }
    finished
}

/// Returns whether a word is repeated directly, except "had had".
pub(crate) fn stutters(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    words
        .windows(2)
        .any(|pair| pair[0].eq_ignore_ascii_case(pair[1].trim_end_matches(['.', ',', '!', '?'])) && pair[0] != "had")
}

fn sounds_like_a_vowel(word: &str) -> bool {
    const CONSONANT: [&str; 11] = ["uniq", "unit", "univ", "unif", "unio", "use", "usu", "uti", "eu", "one", "once"];
    const VOWEL: [&str; 4] = ["hour", "honest", "hono", "heir"];
    let word = word.to_ascii_lowercase();
    let begins = |list: &[&str]| list.iter().any(|start| word.starts_with(start));
    begins(&VOWEL) || (word.starts_with(['a', 'e', 'i', 'o', 'u']) && !begins(&CONSONANT))
}

#[cfg(test)]
mod tests {
    use super::{finish, stutters};

    #[test]
    fn repeated_words_are_found() {
        assert!(stutters("It is so so."));
        assert!(!stutters("I had had it. It is fine."));
    }

    #[test]
    fn spaces_capitals_and_articles_are_corrected() {
        assert_eq!(
            finish("it is  a honest app.  what a useful, a unusual idea! a"),
            "It is an honest app. What a useful, an unusual idea! A"
        );
        assert_eq!(
            finish("a unique tool, a uninspired tool, a one-off"),
            "A unique tool, an uninspired tool, a one-off"
        );
    }
}
