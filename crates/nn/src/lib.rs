//! Layers for transformer encoders in Burn.
//!
//! A [`SequenceBatch`] has sequences of token ids end to end, without padding. Layers compute all rows of it, or those that a
//! [`TokenSelection`] names. [`Mode`] says whether dropout is active, and with which seed.
//!
//! [`TransformerEncoder`] has what all encoders share, from the order of the layers to [`Pooling`]; [`ParamRoles`] says which part
//! of a model a parameter belongs to.
//!
//! The layers are [`embedding`], [`Linear`] with a [`Lora`] adapter, [`attention`] with [`rotary_embedding`], [`LayerNorm`], [`Activation`], [`dropout`] and
//! [`tied_projection`]; [`AdamWRates`] and [`clip_grad_norm`] are the kernels of the optimizer. Each is a fused kernel with its derivative on the CPU (feature `flex`), also on the CPU of a host
//! (feature `remote`), and consists of Burn's operations on all other backends. The module `kernels` makes this choice; no
//! layer and no model does.
#![deny(missing_docs, missing_debug_implementations)]

mod activation;
mod attention;
mod batch;
mod device_layout;
mod dropout;
mod embedding;
mod encoder;
mod error;
mod indices;
pub mod init;
mod int8;
mod kernels;
mod layout;
mod linear;
mod lora;
mod mode;
mod norm;
mod optimizer;
mod padded;
mod pooling;
#[cfg(all(feature = "flex", feature = "remote"))]
pub mod remote;
mod roles;
mod rotary;
mod selection;

pub use activation::Activation;
pub use attention::attention;
pub use batch::{InputLimits, SequenceBatch};
pub use dropout::dropout;
pub use embedding::{embedding, tied_projection};
pub use encoder::{TransformerEncoder, is_tracked};
pub use error::{ErrorKind, NnError};
pub use indices::Indices;
pub use int8::Int8Matrix;
pub use kernels::{AdamWRates, AttentionOptions, RelativePositions, join_halves, on_pool, throttle};
pub use linear::Linear;
pub use lora::{Lora, LoraConfig, NamedLinear, merge_adapters};
pub use mode::Mode;
pub use norm::LayerNorm;
pub use optimizer::clip_grad_norm;
pub use pooling::{Embedding, Pooling};
pub use roles::{ParamInfo, ParamRole, ParamRoles, layer_role};
pub use rotary::rotary_embedding;
pub use selection::TokenSelection;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
