//! The encoder: embeddings and layers.

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use crate::attention::Rows;
use crate::config::DistilBertConfig;
use crate::dropout::Mode;
use crate::embeddings::Embeddings;
use crate::input::TokenBatch;
use crate::layer::TransformerBlock;

/// The stack of transformer layers.
#[derive(Module, Debug)]
pub struct Transformer {
    /// `n_layers` layers, in the order of the data.
    pub layer: Vec<TransformerBlock>,
}

/// DistilBERT without a head (Sanh et al., 2019).
#[derive(Module, Debug)]
pub struct DistilBertModel {
    /// Words and positions.
    pub embeddings: Embeddings,
    /// The layers.
    pub transformer: Transformer,
}

impl DistilBertModel {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let layer = (0..config.n_layers).map(|_| TransformerBlock::new(config, device)).collect();
        Self { embeddings: Embeddings::new(config, device), transformer: Transformer { layer } }
    }

    /// The last hidden state, of every token, of each sentence's first, or of those that were picked.
    ///
    /// The last layer computes keys and values for every token, and all else for these rows alone: the same numbers, for
    /// a fraction of that layer's work.
    ///
    /// Layers whose weights are untracked run without a graph; the first tracked one begins it. On the CPU the frozen
    /// layers before it take the two halves of a batch side by side.
    ///
    /// # Shapes
    /// - output: `[tokens, dim]`, or as many rows as [`Rows`] says
    pub fn forward(&self, batch: &TokenBatch, rows: Rows, mode: Mode) -> Tensor<2> {
        let layers = self.transformer.layer.len();
        let frozen = self.frozen_layers();
        let bottom = if frozen.is_some() { mode.frozen() } else { mode };
        let frozen = frozen.unwrap_or(0);
        let start = |batch, mode: Mode| {
            let hidden = self.embeddings.forward(batch, mode.at(layers));
            self.layers(0..frozen, hidden, batch, rows, mode)
        };
        let halves = batch.halves().filter(|_| frozen > 0);
        let hidden = match halves {
            Some((first, second)) => {
                [first, second].into_iter().for_each(|half| half.send(true, frozen == layers));
                if frozen < layers {
                    batch.send(false, true);
                }
                let (first, second) =
                    both(batch.device(), || start(first, bottom.at(0)), || start(second, bottom.at(1)));
                Tensor::cat(vec![first, second], 0)
            }
            None => {
                batch.send(true, true);
                start(batch, bottom)
            }
        };
        self.layers(frozen..layers, hidden, batch, rows, mode)
    }

    /// Some of the layers. `rows` concerns the last one of the model.
    fn layers(&self, span: Range<usize>, hidden: Tensor<2>, batch: &TokenBatch, rows: Rows, mode: Mode) -> Tensor<2> {
        let last = self.transformer.layer.len() - 1;
        span.fold(hidden, |hidden, index| {
            let rows = if index == last { rows } else { Rows::All };
            self.transformer.layer[index].forward(hidden, batch, rows, mode.at(index))
        })
    }

    /// Whether no weight of the base is tracked.
    pub fn is_frozen(&self) -> bool {
        self.frozen_layers() == Some(self.transformer.layer.len())
    }

    /// How many layers run before the first tracked weight; `None` where the embeddings are tracked.
    fn frozen_layers(&self) -> Option<usize> {
        let tracked = |module: &dyn Fn(&mut Tracked)| {
            let mut seen = Tracked(false);
            module(&mut seen);
            seen.0
        };
        if tracked(&|seen| self.embeddings.visit(seen)) {
            return None;
        }
        let frozen = |layer: &&TransformerBlock| !tracked(&|seen| layer.visit(seen));
        Some(self.transformer.layer.iter().take_while(frozen).count())
    }
}

/// Whether a module holds a tracked weight.
struct Tracked(bool);

impl ModuleVisitor for Tracked {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 |= param.val().is_require_grad();
    }
}

#[cfg(feature = "flex")]
use crate::host::both;

#[cfg(not(feature = "flex"))]
fn both<T>(_: &Device, first: impl FnOnce() -> T, second: impl FnOnce() -> T) -> (T, T) {
    (first(), second())
}
