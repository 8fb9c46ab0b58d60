/// Encodes bytes as lowercase hex digits.
pub fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// Decodes hex digits. Ignores white space and lines that start with `#`.
///
/// # Panics
/// If the rest is not pairs of hex digits.
pub fn unhex(text: &str) -> Vec<u8> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits: String = lines.flat_map(str::split_whitespace).collect();
    base16ct::mixed::decode_vec(digits).expect("hex")
}

/// Formats a MAC address: six pairs of hex digits with colons.
pub fn address(bytes: [u8; 6]) -> String {
    bytes.map(|byte| hex(&[byte])).join(":")
}
