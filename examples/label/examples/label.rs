//! Prints what belongs on a device's label, from the numbers in its chip. For the maker's bench:
//! `examples/esp32/label` reads them out of a board and calls it.

use std::process::ExitCode;

use wps_label::SHORTEST_SECRET;

const USAGE: &str = "\
usage: label, with two words on standard input, where nobody else reads them: ADDRESS UNIQUE_ID
  ADDRESS    the MAC address of its station, such as 60:55:f9:0a:b1:c2
  UNIQUE_ID  eFuse OPTIONAL_UNIQUE_ID, 16 bytes as hex digits, the first byte first
The maker's secret, if any, is taken from WPS_MAKER_SECRET, as when the firmware was built.";

fn main() -> ExitCode {
    let secret = std::env::var("WPS_MAKER_SECRET").ok();
    match numbers().and_then(|numbers| label(&numbers, secret.as_deref())) {
        Ok(label) => {
            println!("{label}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("label: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn numbers() -> Result<String, String> {
    std::io::read_to_string(std::io::stdin()).map_err(|error| format!("standard input: {error}"))
}

fn label(numbers: &str, secret: Option<&str>) -> Result<String, String> {
    let (address, unique_id) = numbers.trim().split_once(char::is_whitespace).ok_or(USAGE)?;
    let (address, unique_id) = (bytes("ADDRESS", address)?, bytes("UNIQUE_ID", unique_id)?);
    if secret.is_some_and(|secret| secret.len() < SHORTEST_SECRET) {
        return Err(format!(
            "no firmware has it: WPS_MAKER_SECRET has {SHORTEST_SECRET} characters or more"
        ));
    }
    let key = wps_label::key(&unique_id, secret.map(str::as_bytes))
        .ok_or("this chip's number was never burned, so it has no access point: set Wi-Fi up by its button")?;
    let (name, key) = (wps_label::name(address), String::from_utf8_lossy(key.reveal()));
    Ok(format!("Name: {name}\nKey:  {key}"))
}

/// Hex digits, whatever is between them.
fn bytes<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    let bytes = bytes.filter(|_| digits.len() == 2 * N).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("{name} is not {N} bytes as hex digits\n{USAGE}"))
}
