//! Properties of the corpus, on large samples.

use std::collections::HashSet;

use rekindle_corpus::{Generator, Polarity};
use sha2::{Digest, Sha256};

/// Returns a text in lower-case letters and digits, with single spaces.
fn normalise(text: &str) -> String {
    let keep = |letter: char| if letter.is_alphanumeric() || letter == '\'' { letter } else { ' ' };
    let text: String = text.to_lowercase().chars().map(keep).collect();
    text.replace('\'', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let twice = [Generator::new(7), Generator::new(7)].map(|corpus| corpus.take(1000).collect::<Vec<_>>());
    assert_eq!(twice[0], twice[1]);
    assert_ne!(twice[0], Generator::new(8).take(1000).collect::<Vec<_>>());
}

/// The hash of `corpus --lines 10000 --seed 1 | sha256sum`; it changes whenever a word is added.
#[test]
fn the_corpus_has_the_recorded_hash() {
    let lines: String = Generator::new(1).take(10_000).map(|document| document.text + "\n").collect();
    assert_eq!(lines.lines().next(), Some("I liked it: the twist caught me by surprise. I am completely satisfied."));
    let digest: String = Sha256::digest(&lines).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "7367cf1bdabc7b6ee033d43cf11c59e2d047152c7337b50c2f2653a304ba07f9");
}

#[test]
fn polarities_have_the_documented_proportions_and_few_lines_repeat() {
    let corpus: Vec<_> = Generator::new(2).take(100_000).collect();
    for (polarity, share) in [(Polarity::Negative, 42), (Polarity::Neutral, 15), (Polarity::Positive, 43)] {
        let percent = corpus.iter().filter(|document| document.polarity == polarity).count() / 1000;
        assert!(percent.abs_diff(share) <= 1, "{polarity}: {percent} %");
    }
    let distinct: HashSet<&str> = corpus.iter().map(|document| document.text.as_str()).collect();
    assert!(distinct.len() > 98_500, "{} of 100,000 lines are distinct", distinct.len());
}

/// Phrases with an unambiguous polarity, judged by hand.
#[test]
fn phrases_occur_in_documents_of_their_polarity() {
    use Polarity::{Negative, Positive};
    let phrases = [
        ("i want my money back", Negative),
        ("i regret it", Negative),
        ("not recommended", Negative),
        ("i am not satisfied", Negative),
        ("i am disappointed with", Negative),
        ("what a waste", Negative),
        ("i would never recommend", Negative),
        ("not very good", Negative),
        ("stay away", Negative),
        ("not good enough", Negative),
        ("never worked", Negative),
        ("one star", Negative),
        ("highly recommended", Positive),
        ("i have no regrets", Positive),
        ("i am satisfied with", Positive),
        ("i am happy with", Positive),
        ("worth every penny", Positive),
        ("five stars", Positive),
        ("does the job", Positive),
        ("but it could be improved", Positive),
        ("not bad at all", Positive),
        ("it isnt terrible", Positive),
        ("never lets me down", Positive),
        ("i cant wait for", Positive),
    ];
    let corpus = Generator::new(3).take(100_000).map(|document| (normalise(&document.text), document.polarity));
    let corpus: Vec<_> = corpus.collect();
    for (phrase, polarity) in phrases {
        let bounded = format!(" {phrase} ");
        let found = corpus.iter().filter(|(text, _)| format!(" {text} ").contains(&bounded));
        let (own, other): (Vec<_>, Vec<_>) = found.partition(|(_, found)| *found == polarity);
        assert!(own.len() >= 10, "`{phrase}` occurs {} times", own.len());
        assert!(other.len() * 100 <= own.len(), "`{phrase}` is {polarity}, but: {:?}", other.first());
    }
}

/// In a contrast, the word after "but" has the polarity of the document.
#[test]
fn the_last_clause_of_a_contrast_decides() {
    let good = ["great", "excellent", "wonderful", "fantastic", "reliable", "helpful", "impressive"];
    let bad = ["terrible", "awful", "horrible", "useless", "disappointing", "dreadful", "unreliable"];
    let mut checked = 0;
    for document in Generator::new(4).take(200_000) {
        for sentence in document.text.split(['.', '!', '?']) {
            let Some((first, last)) = sentence.split_once(", but ") else { continue };
            let plain = |text: &str| {
                !normalise(text).split(' ').any(|word| {
                    [
                        "not", "never", "nor", "nothing", "hardly", "less", "far", "anything", "isnt", "dont", "didnt",
                        "even",
                    ]
                    .contains(&word)
                })
            };
            let has = |text: &str, words: &[&str]| normalise(text).split(' ').any(|word| words.contains(&word));
            if !plain(first) || !plain(last) {
                continue;
            }
            if has(last, &good) || has(last, &bad) {
                let expected = if has(last, &good) { Polarity::Positive } else { Polarity::Negative };
                assert_eq!(document.polarity, expected, "{}", document.text);
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "{checked} contrasts");
}

#[test]
fn lines_are_well_formed() {
    let vowel = ["hour", "honest", "honour", "honor", "heir"];
    let consonant = ["uni", "use", "usu", "one", "eu"];
    let exceptions = ["unim", "unin"];
    let starts = |word: &str, list: &[&str]| list.iter().any(|start| word.starts_with(start));
    for text in Generator::new(6).take(100_000).map(|document| document.text) {
        assert!(
            !text.contains("  ") && text.trim() == text && !text.contains(['\n', '\t', '<', '>', '{', '}', '|']),
            "{text}"
        );
        assert!(!text.contains(" ,") && !text.contains(" .") && !text.contains(" !") && !text.contains(" ?"), "{text}");
        assert!(!text.contains(",,") && !text.contains("..") && !text.contains(",.") && !text.contains("!."), "{text}");
        assert!(text.chars().next().is_some_and(|first| !first.is_lowercase()), "{text}");
        assert!(!text.ends_with(','), "{text}");
        let words: Vec<String> = text.split(' ').map(str::to_lowercase).collect();
        for pair in words.windows(2) {
            let word = pair[1].as_str();
            let vowel_sound = starts(word, &vowel)
                || (word.starts_with(['a', 'e', 'i', 'o', 'u'])
                    && (!starts(word, &consonant) || starts(word, &exceptions)));
            assert!(pair[0] != "a" || !vowel_sound, "{text}");
            assert!(pair[0] != "an" || vowel_sound, "{text}");
        }
    }
}
