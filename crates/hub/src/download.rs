//! Which files of a repository make up a model, and their download into the cache.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::cache::{self, CONFIG, INDEX, MODULES, OPTIONAL, PICKLES, TOKENIZERS, WEIGHTS};
use super::client::{Client, Fault, Listing};
use super::failure::Failure;
use super::transfer::{RemoteFile, defect};
use super::{Download, HubError, HubOptions};

/// Downloads what is still missing of the model `id` and then points the branch `main` at it.
pub(super) fn download(
    id: &str,
    options: &HubOptions,
    progress: &mut dyn FnMut(Download<'_>),
) -> Result<PathBuf, HubError> {
    let session = Session::open(id, options)?;
    session.fetch_needed(CONFIG, progress)?;
    session.fetch_tokenizer(progress)?;
    session.fetch_weights(progress)?;
    session.fetch_modules(progress)?;
    session.publish()
}

/// The download of one commit of one repository.
struct Session<'a> {
    failure: Failure<'a>,
    options: &'a HubOptions,
    client: Client<'a>,
    listing: Listing,
    snapshot: PathBuf,
}

impl<'a> Session<'a> {
    /// Requests the newest commit and the list of its files, which also shows whether the hub can be reached.
    fn open(id: &'a str, options: &'a HubOptions) -> Result<Self, HubError> {
        let failure = Failure { id, options };
        // The HTTP client would quote the token in its error about an invalid header.
        if options.token().is_some_and(|token| !token.chars().all(|c| c.is_ascii_graphic())) {
            return Err(failure.unauthorized(
                "the token has characters other than printable ASCII; check HF_TOKEN or the token file",
            ));
        }
        let client = Client::new(options).map_err(|fault| failure.fault("the repository", fault))?;
        let listing = client.list(id).map_err(|fault| match fault {
            Fault::Silent => {
                failure.unreachable(format!("no answer within {} s", options.answer_timeout.as_secs_f32()))
            }
            Fault::Cut(error) => failure.unreachable(error.to_string()),
            fault => failure.fault("the repository", fault),
        })?;
        // The commit becomes the name of a folder.
        if !cache::is_plain_name(&listing.sha) {
            return Err(failure.unexpected("its commit is not the name of a commit"));
        }
        let snapshot = cache::snapshot_folder(&options.cache, id, &listing.sha);
        Ok(Self { failure, options, client, listing, snapshot })
    }

    fn fetch_needed(&self, file: &str, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf, HubError> {
        if self.listing.has(file) { self.fetch_file(file, progress) } else { Err(self.failure.not_found(file)) }
    }

    fn fetch_tokenizer(&self, progress: &mut dyn FnMut(Download<'_>)) -> Result<(), HubError> {
        if !TOKENIZERS.iter().any(|files| files.iter().all(|file| self.listing.has(file))) {
            return Err(self.failure.not_found(&TOKENIZERS.map(|files| files.join(" and ")).join(" or ")));
        }
        for file in TOKENIZERS.into_iter().flatten().copied().chain(OPTIONAL) {
            if self.listing.has(file) {
                self.fetch_file(file, progress)?;
            }
        }
        Ok(())
    }

    fn fetch_weights(&self, progress: &mut dyn FnMut(Download<'_>)) -> Result<(), HubError> {
        if self.listing.has(WEIGHTS) || !self.listing.has(INDEX) {
            return match PICKLES.into_iter().find(|file| self.listing.has(file) && !self.listing.has(WEIGHTS)) {
                Some(file) => Err(HubError::Pickle { id: self.failure.id.to_owned(), file }),
                None => self.fetch_needed(WEIGHTS, progress).map(drop),
            };
        }
        let index = self.fetch_file(INDEX, progress)?;
        let bytes = fs::read(&index).map_err(|source| HubError::Io { path: index, source })?;
        let shards = cache::shards(&bytes)
            .ok_or_else(|| self.failure.unexpected(format!("{INDEX} does not list files of weights")))?;
        for shard in &shards {
            self.fetch_needed(shard, progress)?;
        }
        Ok(())
    }

    /// Fetches the modules of sentence-transformers, which say how the model pools and normalises.
    fn fetch_modules(&self, progress: &mut dyn FnMut(Download<'_>)) -> Result<(), HubError> {
        if !self.listing.has(MODULES) {
            return Ok(());
        }
        let list = self.fetch_file(MODULES, progress)?;
        let bytes = fs::read(&list).map_err(|source| HubError::Io { path: list, source })?;
        let files = cache::module_files(&bytes)
            .ok_or_else(|| self.failure.unexpected(format!("{MODULES} does not list modules and their folders")))?;
        files.iter().try_for_each(|file| self.fetch_needed(file, progress).map(drop))
    }

    /// Makes sure that `file` lies in the snapshot with the right content.
    fn fetch_file(&self, file: &str, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf, HubError> {
        let link = self.snapshot.join(file);
        // A file that an earlier call left there is checked again, for the cache may have been damaged since.
        if link.is_file() && self.is_intact(&link)? {
            return Ok(link);
        }
        // What is left now is a link to nothing, over which the new link could not be made.
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).map_err(|source| HubError::Io { path: link.clone(), source })?;
        }
        let blobs = cache::repo_folder(&self.options.cache, self.failure.id).join("blobs");
        fs::create_dir_all(&blobs).map_err(|source| HubError::Io { path: blobs.clone(), source })?;
        let remote = RemoteFile {
            client: &self.client,
            // Pinning the commit keeps the files of one model together if the branch moves in between.
            url: self.client.url(self.failure.id, &self.listing.sha, file),
            commit: &self.listing.sha,
            blobs,
            link: &link,
            folders: file.matches('/').count(),
        };
        let mut report = |done_bytes, size: Option<u64>| {
            progress(Download { file, done_bytes, total_bytes: size.unwrap_or(done_bytes) })
        };
        remote.download(&mut report).map_err(|fault| self.failure.fault(file, fault))?;
        Ok(link)
    }

    /// Whether a file that an earlier call linked to is still what the hub announced. If it is not, deletes its content.
    fn is_intact(&self, link: &Path) -> Result<bool, HubError> {
        let io = |source| HubError::Io { path: link.to_owned(), source };
        let blob = link.canonicalize().map_err(io)?;
        let name = blob.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let intact = defect(&blob, name, None).map_err(io)?.is_none();
        if !intact {
            fs::remove_file(&blob).map_err(|source| HubError::Io { path: blob.clone(), source })?;
        }
        Ok(intact)
    }

    /// Makes the snapshot the one that `main` stands for, now that it is whole.
    fn publish(&self) -> Result<PathBuf, HubError> {
        let refs = cache::repo_folder(&self.options.cache, self.failure.id).join("refs");
        let (new, main) = (refs.join("main.new"), refs.join("main"));
        let write = || -> io::Result<()> {
            fs::create_dir_all(&refs)?;
            let mut file = File::create(&new)?;
            file.write_all(self.listing.sha.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &main)
        };
        write().map_err(|source| HubError::Io { path: main.clone(), source })?;
        Ok(self.snapshot.clone())
    }
}
