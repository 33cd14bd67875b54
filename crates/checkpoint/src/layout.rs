//! How the files of a model family name its tensors: data that a model crate provides.

/// The names of a model family's tensors in files, and what follows from them.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The prefix of the encoder's parameters. They must be in the checkpoint, in the model's shape; parameters of a head may
    /// be missing or differ, and are then initialized.
    pub encoder: &'static str,
    /// The prefix of parameters of the encoder that may be missing nevertheless, as those of a head: of a pooler.
    pub pooler: Option<&'static str>,
    /// A parameter of the encoder, for the message about a file of another model.
    pub example: &'static str,
    /// The name maps. A file uses the first that [applies](NameMap::markers) to it, and its own names if none does.
    pub names: &'static [NameMap],
    /// The ends of the names of tensors that are not weights: files may contain them, and no model reads them.
    pub ignored: &'static [&'static str],
    /// Pairs of a tensor that files may contain and the parameter that the model uses in its place.
    pub tied: &'static [(&'static str, &'static str)],
}

/// A translation of the names in a file to the names of parameters.
#[derive(Clone, Copy, Debug)]
pub struct NameMap {
    /// The map applies to a file in which a name starts with one of these; to every file if there are none.
    pub markers: &'static [&'static str],
    /// A prefix that is removed first, where a name has it.
    pub prefix: &'static str,
    /// Pairs of patterns, a name in the file and the name of the parameter; the first that matches decides. In a pattern,
    /// `*` stands for one component of a name and a final `**` for all remaining ones.
    pub rules: &'static [(&'static str, &'static str)],
}

impl Layout {
    /// The map for a file with these names.
    pub(crate) fn map_for<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Option<&NameMap> {
        self.names.iter().find(|map| {
            map.markers.is_empty() || names.clone().any(|name| map.markers.iter().any(|mark| name.starts_with(mark)))
        })
    }

    /// Whether a parameter belongs to the encoder.
    pub(crate) fn is_encoder(&self, name: &str) -> bool {
        name.starts_with(self.encoder) && !self.pooler.is_some_and(|pooler| name.starts_with(pooler))
    }

    /// Whether a tensor is not a weight.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        self.ignored.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }
}

impl NameMap {
    /// The name of the parameter that a file calls `name`.
    pub fn parameter(&self, name: &str) -> String {
        let bare = name.strip_prefix(self.prefix).unwrap_or(name);
        self.rules.iter().find_map(|(from, to)| rewrite(bare, from, to)).unwrap_or_else(|| name.into())
    }
}

/// The name rewritten from one pattern to another, if it matches the first.
fn rewrite(name: &str, from: &str, to: &str) -> Option<String> {
    let mut components = name.split('.');
    let mut captured = Vec::new();
    for pattern in from.split('.') {
        match pattern {
            "**" => {
                let rest: Vec<&str> = components.by_ref().collect();
                captured.push(rest.join("."));
                if rest.is_empty() {
                    return None;
                }
            }
            "*" => captured.push(components.next()?.to_string()),
            literal if components.next() == Some(literal) => {}
            _ => return None,
        }
    }
    if components.next().is_some() {
        return None;
    }
    let mut captured = captured.into_iter();
    let fill = |pattern: &str| if pattern.starts_with('*') { captured.next() } else { Some(pattern.to_string()) };
    Some(to.split('.').map(fill).collect::<Option<Vec<_>>>()?.join("."))
}

/// The current name of a LayerNorm's tensor, which old files call `gamma` and `beta`.
pub(crate) fn modern(name: &str) -> String {
    match (name.strip_suffix(".gamma"), name.strip_suffix(".beta")) {
        (Some(stem), _) => format!("{stem}.weight"),
        (_, Some(stem)) => format!("{stem}.bias"),
        _ => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_components() {
        assert_eq!(rewrite("a.0.x.bias", "a.*.x.*", "b.*.y.*").as_deref(), Some("b.0.y.bias"));
        assert_eq!(rewrite("a.0.1.x.bias", "a.*.x.*", "b.*.y.*"), None);
        assert_eq!(rewrite("a.x.y.z", "a.**", "b.c.**").as_deref(), Some("b.c.x.y.z"));
        assert_eq!(rewrite("ab.x", "a.**", "b.**"), None);
        assert_eq!(rewrite("a", "a.**", "b.**"), None);
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let map = NameMap { markers: &["net."], prefix: "net.", rules: &[("kept", "kept"), ("**", "other.**")] };
        assert_eq!(map.parameter("net.kept"), "kept");
        assert_eq!(map.parameter("net.a.b"), "other.a.b");
        let none = NameMap { markers: &[], prefix: "", rules: &[] };
        assert_eq!(none.parameter("a.b"), "a.b");
    }

    #[test]
    fn old_names_of_layer_norms_become_current() {
        assert_eq!(modern("embeddings.LayerNorm.gamma"), "embeddings.LayerNorm.weight");
        assert_eq!(modern("embeddings.LayerNorm.beta"), "embeddings.LayerNorm.bias");
        assert_eq!(modern("classifier.bias"), "classifier.bias");
    }
}
