//! `POST /api/v1/wifi/wps`: starts a pairing, with any router or with one access point.
//!
//! Only a body that declares itself as JSON is read, and only its member `bssid`. Other bodies are
//! ignored, because a start needs none. But damaged JSON may have named a router: it is refused.

use heapless::String;
use serde_json_core::str::EscapedStr;
use wps_core::wsc::Bssid;

use crate::Action;
use crate::json::{characters, is_object, members};
use crate::request::Request;

const NOT_AN_OBJECT: &str =
    r#"Send a JSON object such as {"bssid":"02:00:00:00:01:00"}, or no body."#;
const INVALID_BSSID: &str = "Give as bssid the address of one access point, such as \
                             02:00:00:00:01:00, or leave it out to pair with any router.";

/// Returns the start that a request asks for.
///
/// # Errors
/// A sentence that says what to do if the body or the access point is invalid.
pub(crate) fn action(request: &Request<'_>) -> Result<Action, &'static str> {
    if !request.is_json() || request.body.is_empty() {
        return Ok(Action::Start);
    }
    let body = str::from_utf8(request.body).ok().filter(|body| is_object(body));
    let is_bssid = |(name, _): &(EscapedStr<'_>, &str)| {
        characters(EscapedStr(name.0)).eq("bssid".chars().map(Some))
    };
    let mut given = members(body.ok_or(NOT_AN_OBJECT)?).filter(is_bssid);
    match (given.next(), given.next()) {
        (None, _) => Ok(Action::Start),
        (Some((_, value)), None) => bssid(value).map(Action::StartWith).ok_or(INVALID_BSSID),
        (Some(_), Some(_)) => Err(INVALID_BSSID),
    }
}

/// Parses a JSON string as an address, with colons, or without them as in the results of a scan.
fn bssid(value: &str) -> Option<Bssid> {
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::<17>::new();
    for character in characters(EscapedStr(value)) {
        text.push(character?).ok()?;
    }
    let mut bytes = [0; 6];
    let is_plain = base16ct::mixed::decode(&text, &mut bytes).is_ok_and(|it| it.len() == 6);
    if is_plain { Some(Bssid(bytes)) } else { text.parse().ok() }
}
