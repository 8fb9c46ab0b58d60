//! Prints the text of a device's label from the numbers in its chip. `examples/esp32/label` reads
//! these numbers from a board and runs this program.

use std::process::ExitCode;

use wps_label::MIN_SECRET_LEN;

const USAGE: &str = "\
usage: label, with two words on standard input, hidden from other users: ADDRESS UNIQUE_ID
  ADDRESS    the MAC address of its station, such as 60:55:f9:0a:b1:c2
  UNIQUE_ID  eFuse OPTIONAL_UNIQUE_ID, 16 bytes as hex digits, the first byte first
The manufacturer's secret, if any, is in WPS_MAKER_SECRET, as when the firmware was built.";

fn main() -> ExitCode {
    let secret = std::env::var("WPS_MAKER_SECRET").ok();
    match read_numbers().and_then(|numbers| label(&numbers, secret.as_deref())) {
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

fn read_numbers() -> Result<String, String> {
    std::io::read_to_string(std::io::stdin()).map_err(|error| format!("standard input: {error}"))
}

fn label(numbers: &str, secret: Option<&str>) -> Result<String, String> {
    let (address, unique_id) = numbers.trim().split_once(char::is_whitespace).ok_or(USAGE)?;
    let (address, unique_id) = (parse_hex("ADDRESS", address)?, parse_hex("UNIQUE_ID", unique_id)?);
    if secret.is_some_and(|secret| secret.len() < MIN_SECRET_LEN) {
        return Err(format!(
            "WPS_MAKER_SECRET is too short for any firmware: it needs {MIN_SECRET_LEN} characters"
        ));
    }
    let key = wps_label::key(&unique_id, secret.map(str::as_bytes))
        .ok_or("this chip's number was never programmed, so it has no access point: set up Wi-Fi with its button")?;
    let (name, key) = (wps_label::name(address), String::from_utf8_lossy(key.reveal()));
    Ok(format!("Name: {name}\nKey:  {key}"))
}

/// Parses hex digits, with any separators between them.
fn parse_hex<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let mut bytes = [0; N];
    match base16ct::mixed::decode(digits, &mut bytes) {
        Ok(decoded) if decoded.len() == N => Ok(bytes),
        Ok(_) | Err(_) => Err(format!("{name} is not {N} bytes as hex digits\n{USAGE}")),
    }
}
