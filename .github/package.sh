#!/usr/bin/env bash
# Packages the command `rekindle` for a target triple: target/release-archives/rekindle-VERSION-TARGET.tar.gz (.zip on Windows) with
# its SHA-256 sum beside it. `cargo binstall` finds the program by this name (crates/cli/Cargo.toml).
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: package.sh TARGET}
version=$(cargo pkgid --package rekindle-cli | sed 's/.*[#@]//')
built=${CARGO_TARGET_DIR:-target}
out=$built/release-archives
name=rekindle-$version-$target

cargo build --locked --release --package rekindle-cli --target "$target"
mkdir -p "$out"
rm -rf "${out:?}/$name"*
mkdir "$out/$name"
case $target in
  *windows*) program=rekindle.exe ;;
  *) program=rekindle ;;
esac
cp "$built/$target/release/$program" README.md LICENSE-MIT LICENSE-APACHE "$out/$name/"
cp -r "$built/dist" "$out/$name/doc" # man pages and completions, by `cargo xtask dist`

cd "$out"
case $target in
  *windows*) archive=$name.zip && 7z a -bd "$archive" "$name" >/dev/null ;;
  *) archive=$name.tar.gz && tar -czf "$archive" "$name" ;;
esac
if command -v sha256sum >/dev/null; then
  sha256sum "$archive" >"$archive.sha256"
else
  shasum -a 256 "$archive" >"$archive.sha256"
fi
echo "$out/$archive"
