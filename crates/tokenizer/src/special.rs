//! Special tokens by their roles.

use tokenizers::{Encoding, Token, Tokenizer as Inner};

use crate::catch_panic::catch_panic;
use crate::class::Class;
use crate::role::Role;
use crate::settings::Settings;

/// The special tokens of a tokenizer.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpecialTokens {
    ids: [Option<u32>; Role::ALL.len()],
    /// The tokens before a text, and those after it.
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

impl SpecialTokens {
    /// The token of a role is the one that a file names; otherwise the first of these that the vocabulary has: the default of
    /// the class, what the parts of the tokenizer say, and an added token with the usual name.
    pub(crate) fn find(inner: &Inner, settings: &Settings, unknown: Option<String>, padding: Option<String>) -> Self {
        let (before, after) = around(inner).unwrap_or_default();
        let name = |id: Option<&u32>| id.and_then(|id| inner.id_to_token(*id));
        let id = |role: Role| {
            if let Some(token) = settings.named_token(role) {
                return inner.token_to_id(&token.content);
            }
            let by_class = settings.class.and_then(|class| class.default_token(role)).map(String::from);
            let by_parts = match role {
                Role::Unk => unknown.clone(),
                Role::Pad => padding.clone(),
                Role::Cls => name(before.first()),
                Role::Sep => name(after.last()),
                _ => None,
            };
            let usual = [Class::Bert, Class::Roberta].into_iter().filter(|_| matches!(role, Role::Pad | Role::Mask));
            let usual = usual.filter_map(|class| class.default_token(role)).map(String::from);
            let usual = usual.filter(|token| inner.get_added_vocabulary().get_vocab().contains_key(token));
            by_class.into_iter().chain(by_parts).chain(usual).find_map(|token| inner.token_to_id(&token))
        };
        Self { ids: Role::ALL.map(id), before, after }
    }

    /// The id of a role, if the vocabulary has such a token.
    pub(crate) fn id(&self, role: Role) -> Option<u32> {
        self.ids[role as usize]
    }

    /// The ids of all roles.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.ids.into_iter().flatten()
    }
}

/// The special tokens that the post-processor puts before and after a text.
fn around(inner: &Inner) -> Option<(Vec<u32>, Vec<u32>)> {
    let text = Encoding::from_tokens(vec![Token::new(0, String::new(), (0, 0))], 0);
    let whole = catch_panic(|| inner.post_process(text, None, true)).ok()?.ok()?;
    let (ids, special) = (whole.get_ids(), whole.get_special_tokens_mask());
    let place = special.iter().position(|special| *special == 0)?;
    Some((ids[..place].to_vec(), ids[place + 1..].to_vec()))
}
