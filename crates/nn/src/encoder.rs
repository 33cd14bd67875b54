//! What all encoders have in common: embeddings, and a stack of layers over them.

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::batch::SequenceBatch;
use crate::kernels::join_halves;
use crate::lora::NamedLinear;
use crate::mode::Mode;
use crate::pooling::{Embedding, Pooling};
use crate::roles::ParamRole;
use crate::selection::TokenSelection;

/// An encoder without a head. A model family provides its embeddings and its layers; the order of the computation, which
/// layers need no autodiff graph, and pooling are the same for all.
pub trait TransformerEncoder: Module + Sync {
    /// Returns the number of layers.
    fn num_layers(&self) -> usize;

    /// Returns the hidden states before the first layer.
    ///
    /// # Shapes
    /// - output: `[tokens, dim]`
    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2>;

    /// Returns the output of a layer, counted from 0.
    ///
    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[rows, dim]`, the rows of `selection`
    fn layer(
        &self,
        index: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2>;

    /// Returns the last hidden states from the output of the last layer: the same, unless a norm follows.
    ///
    /// # Shapes
    /// - hidden: `[rows, dim]`
    /// - output: `[rows, dim]`
    fn last_hidden_state(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden
    }

    /// Returns the number of layers before the first weight that autodiff tracks; `None` if one of the embeddings, or of a
    /// table that all layers share, is tracked.
    fn frozen_layers(&self) -> Option<usize>;

    /// Returns the role of a parameter by its name in the encoder.
    fn role(&self, name: &str) -> ParamRole;

    /// Returns the linear layers that can get an adapter, in the order of the data.
    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>>;

    /// Returns the [targets](crate::LoraConfig::target_modules) of adapters by default: the projections of queries and values.
    fn lora_targets(&self) -> &'static [&'static str];

    /// Returns whether autodiff tracks no weight of the layers and of what is below them.
    fn is_frozen(&self) -> bool {
        self.frozen_layers() == Some(self.num_layers())
    }

    /// The last hidden states of the tokens of `selection`.
    ///
    /// The last layer computes keys and values for every token and everything else for these rows only, which gives the same
    /// numbers for a fraction of that layer's work.
    ///
    /// Layers before the first tracked weight build no autodiff graph. On the CPU they compute the two halves of a batch in
    /// parallel.
    ///
    /// # Shapes
    /// - output: `[rows, dim]`, as [`TokenSelection`] says
    fn forward(&self, batch: &SequenceBatch, selection: TokenSelection, mode: Mode) -> Tensor<2> {
        let layers = self.num_layers();
        let frozen = self.frozen_layers();
        let bottom = if frozen.is_some() { mode.frozen() } else { mode };
        let frozen = frozen.unwrap_or(0);
        let hidden = self.first_layers(batch, frozen, selection, bottom, frozen < layers);
        self.last_hidden_state(self.layers(frozen..layers, hidden, batch, selection, mode))
    }

    /// The hidden states of all tokens after the first layers of a frozen encoder, without dropout: what
    /// [`forward_from`](Self::forward_from) reads.
    ///
    /// # Shapes
    /// - output: `[tokens, dim]`
    fn hidden_states(&self, batch: &SequenceBatch, layers: usize) -> Tensor<2> {
        self.first_layers(batch, layers, TokenSelection::All, Mode::Eval, false)
    }

    /// The last hidden states of the tokens of `selection`, as [`forward`](Self::forward) returns them, from the
    /// [hidden states](Self::hidden_states) after the first `from` layers, which must be frozen and without dropout.
    ///
    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[rows, dim]`, as [`TokenSelection`] says
    fn forward_from(
        &self,
        from: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        batch.upload(false, true);
        let frozen = self.frozen_layers().unwrap_or(0).max(from);
        let hidden = self.layers(from..frozen, hidden, batch, selection, mode.frozen());
        self.last_hidden_state(self.layers(frozen..self.num_layers(), hidden, batch, selection, mode))
    }

    /// The output of the first `count` layers, which need no autodiff graph; further layers follow if it `continues`.
    ///
    /// # Shapes
    /// - output: `[tokens, dim]`; of all layers `[rows, dim]`, the rows of `selection`
    fn first_layers(
        &self,
        batch: &SequenceBatch,
        count: usize,
        selection: TokenSelection,
        mode: Mode,
        continues: bool,
    ) -> Tensor<2> {
        let start = |batch, mode: Mode| {
            let hidden = self.embeddings(batch, mode.at(self.num_layers()));
            self.layers(0..count, hidden, batch, selection, mode)
        };
        match batch.halves().filter(|_| count > 0) {
            Some((first, second)) => {
                [first, second].into_iter().for_each(|half| half.upload(true, !continues));
                if continues {
                    batch.upload(false, true);
                }
                let (first, second) =
                    join_halves(batch.device(), || start(first, mode.at(0)), || start(second, mode.at(1)));
                Tensor::cat(vec![first, second], 0)
            }
            None => {
                batch.upload(true, true);
                start(batch, mode)
            }
        }
    }

    /// The output of some of the layers. `selection` applies to the last one of the model.
    ///
    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[rows, dim]`
    fn layers(
        &self,
        range: Range<usize>,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let last = self.num_layers() - 1;
        range.fold(hidden, |hidden, index| {
            let selection = if index == last { selection } else { TokenSelection::All };
            self.layer(index, hidden, batch, selection, mode.at(index))
        })
    }

    /// The pooled last hidden states of each sequence.
    ///
    /// # Shapes
    /// - output: `[sequences, dim]`
    fn pool(&self, batch: &SequenceBatch, pooling: Pooling, mode: Mode) -> Tensor<2> {
        let selection = pooling.selection();
        pooling.pool(batch, self.forward(batch, selection, mode), selection)
    }

    /// The embedding of each sequence.
    ///
    /// # Shapes
    /// - output: `[sequences, dim]`
    fn embed(&self, batch: &SequenceBatch, embedding: Embedding, mode: Mode) -> Tensor<2> {
        let Embedding { pooling, layers, .. } = embedding;
        embedding.finish(Tensor::cat(self.pool_layers(batch, &[pooling], &[layers], mode), 1))
    }

    /// The pooled hidden states of each sequence, averaged over the last layers: for each pooling, for each number of layers.
    ///
    /// If no weight is tracked, the two halves of a batch are computed in parallel on the CPU.
    ///
    /// # Shapes
    /// - output: `[sequences, dim]` each
    fn pool_layers(&self, batch: &SequenceBatch, poolings: &[Pooling], layers: &[usize], mode: Mode) -> Vec<Tensor<2>> {
        if let [0 | 1] = layers {
            let selection = match poolings.contains(&Pooling::Mean) {
                true => TokenSelection::All,
                false => TokenSelection::First,
            };
            let hidden = self.forward(batch, selection, mode);
            return poolings.iter().map(|pooling| pooling.pool(batch, hidden.clone(), selection)).collect();
        }
        match batch.halves().filter(|_| self.is_frozen()) {
            Some((first, second)) => {
                [first, second].into_iter().for_each(|half| half.upload(true, true));
                let average = |half, place| averages(self, half, poolings, layers, mode.at(place));
                let (first, second) = join_halves(batch.device(), || average(first, 0), || average(second, 1));
                first.into_iter().zip(second).map(|(first, second)| Tensor::cat(vec![first, second], 0)).collect()
            }
            None => {
                batch.upload(true, true);
                averages(self, batch, poolings, layers, mode)
            }
        }
    }
}

/// The averages of [`TransformerEncoder::pool_layers`].
fn averages<E: TransformerEncoder>(
    encoder: &E,
    batch: &SequenceBatch,
    poolings: &[Pooling],
    layers: &[usize],
    mode: Mode,
) -> Vec<Tensor<2>> {
    let (count, all) = (encoder.num_layers(), TokenSelection::All);
    let most = layers.iter().copied().max().unwrap_or(1).clamp(1, count);
    let mut hidden = encoder.embeddings(batch, mode.at(count));
    // By layer, from the first that is averaged, then by pooling.
    let mut pooled: Vec<Vec<Tensor<2>>> = Vec::with_capacity(most);
    for index in 0..count {
        hidden = encoder.layer(index, hidden, batch, all, mode.at(index));
        if index + 1 == count {
            hidden = encoder.last_hidden_state(hidden);
        }
        if index >= count - most {
            pooled.push(poolings.iter().map(|pooling| pooling.pool(batch, hidden.clone(), all)).collect());
        }
    }
    let average = |(pooling, layers): (usize, usize)| {
        let layers = layers.clamp(1, most);
        let parts = pooled[most - layers..].iter().map(|layer| layer[pooling].clone());
        parts.reduce(|sum, part| sum + part).map(|sum| sum / layers as f32)
    };
    let pairs = (0..poolings.len()).flat_map(|pooling| layers.iter().map(move |&layers| (pooling, layers)));
    pairs.filter_map(average).collect()
}

/// Returns whether autodiff tracks a weight of a module.
pub fn is_tracked(module: &impl Module) -> bool {
    struct Visitor(bool);
    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.val().is_require_grad();
        }
    }
    let mut visitor = Visitor(false);
    module.visit(&mut visitor);
    visitor.0
}
