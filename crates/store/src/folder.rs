//! A folder of this machine as a source.
//!
//! **Invariant:** what becomes a bundle is a copy: nothing of it changes when the folder does. Links are refused, wherever they lead: of
//! what they lead to nobody said that it may be served. Version control's own folders are left out.

use crate::bundle::{Bundle, Writer};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind};
use crate::path::BundlePath;
use crate::store::Store;
use nix::fcntl::OFlag;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// What is never part of an app.
const LEFT_OUT: [&str; 3] = [".git", ".hg", ".svn"];

/// Copies a folder into a bundle.
pub(crate) fn copy(store: &Arc<Store>, folder: &Path, cancel: &Cancel) -> Result<Bundle, Error> {
    if !folder.is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("{} is not a folder; check its name", folder.display()),
        ));
    }
    let mut writer = store.writer()?;
    let mut waiting = vec![String::new()];
    let mut seen = 0;
    while let Some(sub) = waiting.pop() {
        seen += 1;
        if seen > store.limits().files {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "there are more than {} folders; deploy a smaller one",
                    store.limits().files
                ),
            ));
        }
        copy_level(&mut writer, folder, &sub, &mut waiting, cancel)?;
    }
    writer.finish()
}

fn copy_level(
    writer: &mut Writer,
    folder: &Path,
    sub: &str,
    waiting: &mut Vec<String>,
    cancel: &Cancel,
) -> Result<(), Error> {
    let level = folder.join(sub);
    let failed = |error| Error::disk("read", &level, &error);
    for entry in fs::read_dir(&level).map_err(failed)? {
        cancel.check()?;
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let mut path = match sub {
            "" => Vec::new(),
            _ => format!("{sub}/").into_bytes(),
        };
        path.extend_from_slice(name.as_encoded_bytes());
        let path = BundlePath::new(&path)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            waiting.push(path.as_str().to_owned());
        } else if kind.is_file() {
            writer.add(&path, &mut open(&entry.path())?, cancel)?;
        } else {
            return Err(irregular(path.as_str(), kind.is_symlink()));
        }
    }
    Ok(())
}

/// The error for what is neither a file nor a folder.
pub(crate) fn irregular(path: &str, is_link: bool) -> Error {
    let what = match is_link {
        true => "a symbolic link; replace it with the file it leads to, or remove it",
        false => "neither a file nor a folder; remove it",
    };
    Error::new(ErrorKind::Refused, format!("\"{path}\" is {what}"))
}

/// Opens a file that has been looked at, and may have been replaced since: neither follows a link nor waits for a pipe.
fn open(path: &Path) -> Result<File, Error> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .map_err(|error| Error::disk("read", path, &error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        _ => Err(irregular(&path.display().to_string(), false)),
    }
}
