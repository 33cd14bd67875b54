//! Text to token ids and batches, as transformers prepares them for BERT-like encoders.
