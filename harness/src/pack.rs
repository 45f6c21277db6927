//! Compressed evidence: a file `x` may lie on disk as `x.gz` instead, and whoever opens `x` need not know.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

/// The end of the name of a compressed file.
const END: &str = "gz";
/// The end of the name of one that is not complete yet.
const PART: &str = "gz.part";

/// Whether a file's name says that it is compressed.
pub fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == END)
}

/// Where the file `path` lies, as it is or compressed, if it is there.
pub fn find(path: &Path) -> Option<PathBuf> {
    [path.to_owned(), with_end(path, END)].into_iter().find(|path| path.is_file())
}

/// Opens the file `path`, as it is or compressed.
pub fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let found = find(path).unwrap_or_else(|| path.to_owned());
    let file = BufReader::new(File::open(&found)?);
    if is_packed(&found) { Ok(Box::new(MultiGzDecoder::new(file))) } else { Ok(Box::new(file)) }
}

/// Puts the compressed file in the place of `path`. At any moment one of them is there whole.
pub fn pack(path: &Path) -> std::io::Result<()> {
    let part = with_end(path, PART);
    let written = write(path, &part);
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
        return written;
    }
    std::fs::rename(&part, with_end(path, END))?;
    std::fs::remove_file(path)
}

fn write(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut packed = GzEncoder::new(File::create(to)?, Compression::default());
    std::io::copy(&mut File::open(from)?, &mut packed)?;
    packed.finish()?.sync_all()
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let text = "{\"at\":1}\n".repeat(1000);
        std::fs::write(&path, &text).unwrap();
        for packed in [false, true] {
            if packed {
                pack(&path).unwrap();
                assert!(!path.exists() && find(&path).unwrap().metadata().unwrap().len() < 200);
            }
            let mut read = String::new();
            open(&path).unwrap().read_to_string(&mut read).unwrap();
            assert!(read == text, "packed: {packed}");
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_packed_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert_eq!(open(&path).err().unwrap().kind(), std::io::ErrorKind::NotFound);
        assert!(pack(&path).is_err());
        assert_eq!((find(&path), folder.path().read_dir().unwrap().count()), (None, 0));
    }
}
