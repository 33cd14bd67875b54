//! Inflection of English verbs and nouns.

/// The tense of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tense {
    Present,
    Past,
}

/// The form of the entry in a slot. The first word of a verb phrase and the last word of a noun phrase are inflected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Base,
    S,
    Ed,
    En,
    Ing,
    Plural,
    /// In the document's tense, after "it".
    It,
    /// In the document's tense, after "they".
    They,
    /// In the document's tense, after "I".
    I,
}

impl Form {
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "" => Self::Base,
            "s" => Self::S,
            "ed" => Self::Ed,
            "en" => Self::En,
            "ing" => Self::Ing,
            "pl" => Self::Plural,
            "t" => Self::It,
            "tp" => Self::They,
            "i" => Self::I,
            _ => return None,
        })
    }
}

/// Base, past, participle.
const IRREGULAR: &[(&str, &str, &str)] = &[
    ("be", "was", "been"),
    ("become", "became", "become"),
    ("begin", "began", "begun"),
    ("bend", "bent", "bent"),
    ("break", "broke", "broken"),
    ("bring", "brought", "brought"),
    ("build", "built", "built"),
    ("buy", "bought", "bought"),
    ("cannot", "could not", "could not"),
    ("catch", "caught", "caught"),
    ("choose", "chose", "chosen"),
    ("come", "came", "come"),
    ("cost", "cost", "cost"),
    ("cut", "cut", "cut"),
    ("do", "did", "done"),
    ("draw", "drew", "drawn"),
    ("drink", "drank", "drunk"),
    ("drive", "drove", "driven"),
    ("eat", "ate", "eaten"),
    ("fall", "fell", "fallen"),
    ("feel", "felt", "felt"),
    ("find", "found", "found"),
    ("fit", "fit", "fit"),
    ("fly", "flew", "flown"),
    ("forget", "forgot", "forgotten"),
    ("freeze", "froze", "frozen"),
    ("get", "got", "got"),
    ("give", "gave", "given"),
    ("go", "went", "gone"),
    ("grow", "grew", "grown"),
    ("hang", "hung", "hung"),
    ("have", "had", "had"),
    ("hear", "heard", "heard"),
    ("hit", "hit", "hit"),
    ("hold", "held", "held"),
    ("hurt", "hurt", "hurt"),
    ("keep", "kept", "kept"),
    ("know", "knew", "known"),
    ("lead", "led", "led"),
    ("leave", "left", "left"),
    ("let", "let", "let"),
    ("lose", "lost", "lost"),
    ("make", "made", "made"),
    ("mean", "meant", "meant"),
    ("meet", "met", "met"),
    ("pay", "paid", "paid"),
    ("put", "put", "put"),
    ("quit", "quit", "quit"),
    ("read", "read", "read"),
    ("ride", "rode", "ridden"),
    ("rise", "rose", "risen"),
    ("run", "ran", "run"),
    ("say", "said", "said"),
    ("see", "saw", "seen"),
    ("sell", "sold", "sold"),
    ("send", "sent", "sent"),
    ("set", "set", "set"),
    ("shine", "shone", "shone"),
    ("show", "showed", "shown"),
    ("shut", "shut", "shut"),
    ("sleep", "slept", "slept"),
    ("speak", "spoke", "spoken"),
    ("spend", "spent", "spent"),
    ("stand", "stood", "stood"),
    ("steal", "stole", "stolen"),
    ("stick", "stuck", "stuck"),
    ("stink", "stank", "stunk"),
    ("swear", "swore", "sworn"),
    ("take", "took", "taken"),
    ("teach", "taught", "taught"),
    ("tear", "tore", "torn"),
    ("tell", "told", "told"),
    ("think", "thought", "thought"),
    ("throw", "threw", "thrown"),
    ("understand", "understood", "understood"),
    ("upset", "upset", "upset"),
    ("wake", "woke", "woken"),
    ("wear", "wore", "worn"),
    ("win", "won", "won"),
    ("write", "wrote", "written"),
];

/// Verbs that double their last letter, as exceptions of the rule in `doubled`.
const DOUBLING: &[&str] =
    &["admit", "regret", "refer", "prefer", "permit", "forget", "begin", "upset", "fulfil", "cancel", "quit"];

/// Returns `words` in a form.
pub(crate) fn inflect(words: &str, form: Form, tense: Tense) -> String {
    if form == Form::Plural {
        return match words.rsplit_once(' ') {
            Some((before, noun)) => format!("{before} {}", plural(noun)),
            None => plural(words),
        };
    }
    let (adverb, words) = match words.split_once(' ') {
        Some((adverb @ ("never" | "just" | "hardly"), words)) => (format!("{adverb} "), words),
        _ => (String::new(), words),
    };
    let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
    let space = if rest.is_empty() { "" } else { " " };
    format!("{adverb}{}{space}{rest}", conjugate(verb, form, tense))
}

fn conjugate(verb: &str, form: Form, tense: Tense) -> String {
    match (form, tense) {
        (Form::I, Tense::Present) if verb == "be" => "am".into(),
        (Form::They, Tense::Present) if verb == "be" => "are".into(),
        (Form::They, Tense::Past) if verb == "be" => "were".into(),
        (Form::Ing, _) => gerund(verb),
        (Form::En, _) => participle(verb),
        (Form::S, _) | (Form::It, Tense::Present) => third_person(verb),
        (Form::Ed, _) | (Form::It | Form::They | Form::I, Tense::Past) => past(verb),
        (Form::Base | Form::Plural | Form::They | Form::I, _) => verb.into(),
    }
}

fn third_person(verb: &str) -> String {
    match verb {
        "be" => "is".into(),
        "cannot" => verb.into(),
        "have" => "has".into(),
        "do" | "go" => format!("{verb}es"),
        _ => with_s(verb),
    }
}

fn plural(noun: &str) -> String {
    match noun {
        "person" => "people".into(),
        "child" => "children".into(),
        "knife" => "knives".into(),
        "shelf" => "shelves".into(),
        "potato" | "tomato" => format!("{noun}es"),
        "software" | "food" | "bread" | "pasta" | "sushi" | "series" => noun.into(),
        _ => with_s(noun),
    }
}

fn with_s(word: &str) -> String {
    if let Some(stem) = after_consonant(word, 'y') {
        format!("{stem}ies")
    } else if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        format!("{word}es")
    } else {
        format!("{word}s")
    }
}

fn past(verb: &str) -> String {
    match IRREGULAR.iter().find(|(base, ..)| *base == verb) {
        Some((_, past, _)) => (*past).into(),
        None => with_ed(verb),
    }
}

fn participle(verb: &str) -> String {
    match IRREGULAR.iter().find(|(base, ..)| *base == verb) {
        Some((.., participle)) => (*participle).into(),
        None => with_ed(verb),
    }
}

fn with_ed(verb: &str) -> String {
    if verb.ends_with('e') {
        format!("{verb}d")
    } else if let Some(stem) = after_consonant(verb, 'y') {
        format!("{stem}ied")
    } else {
        format!("{}ed", doubled(verb))
    }
}

fn gerund(verb: &str) -> String {
    if let Some(stem) = verb.strip_suffix("ie") {
        return format!("{stem}ying");
    }
    match verb.strip_suffix('e') {
        Some(stem) if verb != "be" && !verb.ends_with("ee") => format!("{stem}ing"),
        _ => format!("{}ing", doubled(verb)),
    }
}

/// Returns the word without its last letter, if this is `last` after a consonant.
fn after_consonant(word: &str, last: char) -> Option<&str> {
    word.strip_suffix(last).filter(|stem| stem.ends_with(|letter| !is_vowel(letter)))
}

/// Returns the verb with its last letter doubled if English doubles it: one syllable, one vowel, one consonant.
fn doubled(verb: &str) -> String {
    let mut backwards = verb.chars().rev();
    let (last, vowel, before) = (backwards.next(), backwards.next(), backwards.next());
    let closed = last.is_some_and(|letter| !is_vowel(letter) && !"wxy".contains(letter))
        && vowel.is_some_and(is_vowel)
        && before.is_none_or(|letter| !is_vowel(letter));
    let syllables = verb.chars().filter(|&letter| is_vowel(letter)).count();
    match last {
        Some(last) if (closed && syllables == 1) || DOUBLING.contains(&verb) => {
            format!("{verb}{last}")
        }
        _ => verb.into(),
    }
}

fn is_vowel(letter: char) -> bool {
    "aeiou".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::{Form, Tense, inflect};

    #[test]
    fn verbs_and_nouns_are_inflected() {
        use Form::{Ed, En, I, Ing, It, Plural, S, They};
        let cases = [
            ("keep failing", S, "keeps failing"),
            ("keep failing", Ed, "kept failing"),
            ("fall apart", Ing, "falling apart"),
            ("break", En, "broken"),
            ("stop working", Ed, "stopped working"),
            ("regret", Ing, "regretting"),
            ("freeze", Ed, "froze"),
            ("crash", S, "crashes"),
            ("annoy everyone", S, "annoys everyone"),
            ("carry", Ed, "carried"),
            ("need", Ing, "needing"),
            ("waste", Ing, "wasting"),
            ("lie to me", Ing, "lying to me"),
            ("be a joy", It, "was a joy"),
            ("be", They, "were"),
            ("be", I, "was"),
            ("become slow", They, "became slow"),
            ("search engine", Plural, "search engines"),
            ("never let me down", S, "never lets me down"),
            ("battery", Plural, "batteries"),
        ];
        for (words, form, expected) in cases {
            assert_eq!(inflect(words, form, Tense::Past), expected);
        }
        assert_eq!(inflect("be", I, Tense::Present), "am");
        assert_eq!(inflect("be", They, Tense::Present), "are");
        assert_eq!(inflect("work well", They, Tense::Present), "work well");
        assert_eq!(inflect("work well", It, Tense::Present), "works well");
    }
}
