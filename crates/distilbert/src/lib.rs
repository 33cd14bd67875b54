//! DistilBERT in Burn: configuration, model, and safetensors in and out under transformers' names.
