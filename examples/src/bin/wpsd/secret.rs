//! Secrets come from files, which hold them in their first line.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// The longest secret is 64 bytes; one more, and a line break, so that a longer one is noticed.
const LONGEST: u64 = 64 + 1 + 2;

/// Reads the first line of the file that `flag` names; refused where others may read it, too.
pub(crate) fn first_line(path: &Path, flag: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let cannot = || format!("cannot read {shown}; see {flag}");
    let mode = fs::metadata(path).with_context(cannot)?.permissions().mode();
    if mode & 0o007 != 0 {
        bail!("others can read {shown}: run `chmod 600 {shown}`, it holds a password");
    }
    let mut text = read(path).with_context(cannot)?;
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    text.truncate(end);
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    Ok(text)
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // As big as it gets, so that no copy is left behind where it grew.
    let mut text = Zeroizing::new(Vec::with_capacity(256));
    File::open(path)?.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}
