//! Reads secrets from the first line of a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// How many bytes to read: the longest secret (64 bytes), a line break, and one more byte, so that
/// a longer secret is noticed.
const READ_MAX: u64 = 64 + 1 + 2;

/// Reads the first line of the file that was given with `flag`.
///
/// # Errors
/// If the file cannot be read, or if other users can read it.
pub(crate) fn first_line(path: &Path, flag: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let error = || format!("cannot read {shown}; see {flag}");
    let mode = fs::metadata(path).with_context(error)?.permissions().mode();
    if mode & 0o007 != 0 {
        bail!("others can read {shown}: run `chmod 600 {shown}`, it holds a password");
    }
    let mut text = read(path).with_context(error)?;
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    text.truncate(end);
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    Ok(text)
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Large enough from the start: a buffer that grows leaves copies of the secret behind.
    let mut text = Zeroizing::new(Vec::with_capacity(256));
    File::open(path)?.take(READ_MAX).read_to_end(&mut text)?;
    Ok(text)
}
