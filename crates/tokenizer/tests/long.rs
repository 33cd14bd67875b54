//! Texts of ten megabytes: only as much as fits into the maximum length is tokenized.

use std::path::Path;

use rekindle_tokenizer::Tokenizer;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokenizer");

#[test]
fn ten_megabytes_take_bounded_memory() {
    // Memory is counted on this thread.
    tokenizers::utils::parallelism::set_parallelism(false);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(Path::new(FIXTURES).join("vocab.txt"), folder.path().join("vocab.txt")).expect("copied");
    let tokenizer = Tokenizer::from_folder(folder.path()).expect("a tokenizer");
    let ids = |text: &str| tokenizer.encode(text, 512).expect("ids");
    for part in ["good film, ", "!", "中文", "é!", "[MASK]", "a\u{301} "] {
        let text = part.repeat((10 << 20) / part.len());
        let (mut one, mut many) = (Vec::new(), Vec::new());
        let taken = allocation_counter::measure(|| {
            one = ids(&text);
            many = tokenizer.encode_all(&[&text], 512).expect("ids");
        })
        .bytes_max;
        assert!(taken < 32 << 20, "{part:?} took {taken} bytes");
        // The first hundredth has more tokens than fit; `pieces_all` tokenizes it completely.
        let begin = &text[..text.floor_char_boundary(text.len() / 100)];
        let whole = &tokenizer.pieces_all(&[begin]).expect("pieces")[0];
        assert!(one.len() == 512 && one[1..511] == whole[..510] && many[0] == one, "{part:?}");
    }
}
