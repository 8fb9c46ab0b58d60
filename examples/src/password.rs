//! The password of the page and the API, from a file or the environment. It is never on the command
//! line, which every user of the machine can read.

use std::env;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use anyhow::Context;
use wps_http::Password;
use zeroize::Zeroizing;

use crate::secret::first_line;

const VARIABLE: &str = "WPSD_PASSWORD";

/// Returns the password, or `None` if none is set. A file takes precedence over the environment.
pub(crate) fn password(file: Option<&Path>) -> anyhow::Result<Option<Password>> {
    let (text, source) = match (file, env::var_os(VARIABLE)) {
        (Some(file), _) => {
            (first_line(file, "--password-file")?, format!("the first line of {}", file.display()))
        }
        (None, Some(value)) => (Zeroizing::new(value.into_vec()), VARIABLE.to_owned()),
        (None, None) => return Ok(None),
    };
    let password = Password::new(&text)
        .with_context(|| format!("{source} is not a password: a password has 1 to 64 bytes"))?;
    Ok(Some(password))
}
