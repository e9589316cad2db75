//! Targets for what the store reads of others: `source`, `archive`, `bucket`, `repository`, `bundle`.

use rille_store::git::listing;
use rille_store::s3::xml;
use rille_store::tar::{self, Counted};
use rille_store::{BundlePath, Cancel, Error, Index, Limits, Module, Reference, Source, record};
use std::io::Read;
use std::path::{Component, Path};

/// Target `source`: what is a source has nothing in it that a program, a URL or a line would take for something else; it is the same when it is
/// written out and read again.
pub fn source(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(source) = Source::parse(text) {
        let written = source.to_string();
        assert!(!written.contains(char::is_control));
        match &source {
            Source::Folder(_) => {}
            Source::Git(git) => {
                assert!(!git.host.starts_with('-') && git.path.starts_with('/'));
                assert!(git.user.as_ref().is_none_or(|user| !user.starts_with('-')));
                plain_reference(git.reference.as_ref());
                plain_folder(git.folder.as_ref());
            }
            Source::GitHub(github) => {
                assert!(
                    ![&github.owner, &github.repository]
                        .iter()
                        .any(|name| name.contains(['/', '?', '#', '%']) || name.starts_with('.'))
                );
                plain_reference(github.reference.as_ref());
                plain_folder(github.folder.as_ref());
            }
            Source::S3(s3) => plain_folder(s3.folder.as_ref()),
        }
        // With `dir:` in front a path of the longest is too long.
        if written.len() <= 2048 {
            assert_eq!(Source::parse(&written).as_ref(), Ok(&source));
        }
    }
    if let Some(Ok(module)) = Module::parse(text) {
        plain_reference(module.repository.reference.as_ref());
        plain_path(&module.file);
    }
}

fn plain_reference(reference: Option<&Reference>) {
    if let Some(reference) = reference {
        let name = reference.as_str();
        assert!(
            !name.starts_with('-')
                && !name.contains("..")
                && !name.contains([' ', '\\', '^', '~', ':'])
        );
        assert_eq!(Reference::new(name).as_ref(), Ok(reference));
    }
}

fn plain_folder(folder: Option<&BundlePath>) {
    if let Some(folder) = folder {
        plain_path(folder);
    }
}

/// The path stays below the folder it is joined to.
fn plain_path(path: &BundlePath) {
    let joined = path.below(Path::new("/state"));
    let rest = joined.strip_prefix("/state").expect("below the folder");
    assert!(
        rest.components()
            .all(|part| matches!(part, Component::Normal(_)))
    );
    assert_eq!(rest.to_str(), Some(path.as_str()));
    assert!(!path.as_str().contains(['\\', '\0', '\n']));
}

const BLOCK: usize = 512;

/// Target `archive`: files of an archive stay below the bundle and are not longer than the archive. Checksums are mended, as chance makes none.
pub fn archive(data: &[u8]) {
    read_archive(data);
    let mut mended = data.to_vec();
    for block in mended
        .chunks_exact_mut(BLOCK)
        .filter(|block| block[257..262] == *b"ustar")
    {
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    read_archive(&mended);
}

fn read_archive(data: &[u8]) {
    let folder = BundlePath::new(b"app").expect("a path");
    for folder in [None, Some(&folder)] {
        let mut bytes = 0;
        let mut take = |path: &BundlePath, contents: &mut dyn Read| -> Result<(), Error> {
            plain_path(path);
            let mut piece = [0; 100];
            while let Ok(count @ 1..) = contents.read(&mut piece) {
                bytes += count;
            }
            Ok(())
        };
        let mut from = Counted::new(data, data.len() as u64);
        // What is refused is refused; what matters is how.
        let _ = tar::read(&mut from, folder, &mut take, &Cancel::default());
        assert!(bytes <= data.len());
    }
}

/// Target `bucket`: an answer of S3 does not grow when it is read; a listing that goes on says how.
pub fn bucket(data: &[u8]) {
    if let Some(page) = xml::parse_page(data) {
        assert!(page.next.as_ref().is_none_or(|token| !token.is_empty()));
        let bytes: usize = page
            .objects
            .iter()
            .map(|object| object.key.len() + object.etag.len() + object.modified.len())
            .sum();
        assert!(bytes <= data.len() && page.objects.len() <= data.len());
    }
    let refusal = xml::parse_refusal(data);
    assert!(refusal.code.len() + refusal.message.len() <= data.len());
}

/// Target `repository`: what is taken of git's listings may go into command lines and files.
pub fn repository(data: &[u8]) {
    let candidates = ["refs/heads/main", "refs/tags/main"].map(str::to_owned);
    if let Some(wanted) = listing::choose(data, &candidates) {
        assert!(
            matches!(wanted.commit.len(), 40 | 64)
                && wanted.commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        );
        assert!(candidates.contains(&wanted.name));
    }
    let limits = Limits {
        files: 10,
        file_bytes: 1000,
        total_bytes: 2000,
        ..Limits::default()
    };
    if let Ok(blobs) = listing::parse(data, &limits) {
        assert!(blobs.len() <= limits.files);
        assert!(blobs.iter().map(|blob| blob.size).sum::<u64>() <= limits.total_bytes);
        for blob in blobs {
            plain_path(&blob.path);
            assert!(
                blob.object.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && blob.size <= limits.file_bytes
            );
        }
    }
}

/// Target `bundle`: an index and a record of an app have one text only.
pub fn bundle(data: &[u8]) {
    let limits = Limits {
        files: 10,
        file_bytes: 1000,
        total_bytes: 2000,
        ..Limits::default()
    };
    if let Some(index) = Index::parse(data, &limits) {
        assert_eq!(index.text(), data);
        assert!(index.files().len() <= limits.files && index.bytes() <= limits.total_bytes);
        index.files().for_each(|(path, _)| plain_path(path));
    }
    if let Some(versions) = record::parse(data) {
        assert_eq!(record::write(&versions), data);
    }
    // Chance makes no hash: the lines of a record alone, with the right one in front.
    let hash = rille_store::Hash::of(data);
    let whole = [format!("rille-app 1 {hash}\n").as_bytes(), data].concat();
    if let Some(versions) = record::parse(&whole) {
        assert_eq!(record::write(&versions), whole);
    }
}
