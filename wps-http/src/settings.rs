//! `/api/v1/wifi/sta/settings`: the station's network set by hand, for routers without WPS.

use heapless::Vec;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json_core::from_slice_escaped;
use serde_json_core::str::EscapedStr;
use wps_core::{Cause, Credentials, Mode, Passphrase, Phase, Settings, Ssid, TaskKind};
use zeroize::Zeroizing;

use crate::View;
use crate::json::characters;
use crate::request::Request;
use crate::response::Response;
use crate::system::{Hex, Shown};

/// Of the settings that the API shows, which it never does of the password.
#[derive(Serialize)]
struct Station<'a> {
    enable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Shown<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<Hex<'a>>,
}

pub(crate) fn answer<'b>(view: &View<'_>, buffer: &'b mut [u8]) -> Response<'b> {
    let Some(status) = view.status else { return Response::busy(buffer) };
    let name = status.network.as_ref();
    let station = Station {
        enable: status.mode == Mode::Station,
        name: name.map(Shown::Borrowed),
        name_hex: name.and_then(Hex::unless_exact),
    };
    Response::json(&station, buffer)
}

/// What a change does with the settings that are there.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    /// PUT: what is not given stays.
    Update,
    /// POST: everything is given.
    Overwrite,
    /// DELETE: the station is off, and its network forgotten.
    Forget,
}

/// Why the settings cannot be changed.
pub(crate) enum Unchanged {
    MediaType,
    /// With a sentence that says what to do.
    Body(&'static str),
    Busy(Option<Cause>),
}

impl Unchanged {
    pub(crate) fn answer(self, buffer: &mut [u8]) -> Response<'_> {
        match self {
            Self::MediaType => Response::not_json(buffer),
            Self::Body(detail) => Response::problem(400, detail, buffer),
            Self::Busy(None) => Response::busy(buffer),
            Self::Busy(Some(cause)) => Response::refused(TaskKind::Configure.advice(cause), buffer),
        }
    }
}

/// The settings that a request asks for.
pub(crate) fn change(
    verb: Verb,
    request: &Request<'_>,
    view: &View<'_>,
) -> Result<Settings, Unchanged> {
    let (enable, network) = match verb {
        Verb::Forget => (false, None),
        Verb::Overwrite => Wanted::of(request)?.whole()?,
        Verb::Update => Wanted::of(request)?.beside(before(view)?)?,
    };
    match (enable, network) {
        (true, Some(network)) => Ok(Settings::Station { network }),
        (true, None) if view.has_platform => Ok(Settings::Platform),
        (true, None) => Err(Unchanged::Body("Send the network's name and password, too.")),
        (false, remembered) => Ok(match before(view)? {
            Settings::AccessPoint { access_point, .. } => {
                Settings::AccessPoint { access_point: access_point.clone(), remembered }
            }
            Settings::Platform | Settings::Station { .. } | Settings::Off { .. } => {
                Settings::Off { remembered }
            }
        }),
    }
}

fn before<'a>(view: &View<'a>) -> Result<&'a Settings, Unchanged> {
    let restoring = view.status.filter(|status| status.phase == Phase::Restoring);
    view.settings.ok_or_else(|| Unchanged::Busy(restoring.and_then(|status| status.trouble)))
}

/// The fields of a request that were given.
struct Wanted {
    enable: Option<bool>,
    name: Option<Ssid>,
    /// None inside: an open network.
    password: Option<Option<Passphrase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(default, deserialize_with = "given")]
    enable: Option<bool>,
    #[serde(borrow, default, deserialize_with = "given")]
    name: Option<EscapedStr<'a>>,
    #[serde(borrow, default, deserialize_with = "given")]
    name_hex: Option<EscapedStr<'a>>,
    #[serde(borrow, default, deserialize_with = "given")]
    password: Option<EscapedStr<'a>>,
}

/// A field may be left out, but it is never `null`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

const NOT_OURS: &str = r#"Send a JSON object such as {"enable":true,"name":"Home","password":"its password"}, without further fields."#;
const NAME: &str =
    "Give a name of 1 to 32 bytes, or in its place name_hex: the same in hex digits.";
const PASSWORD: &str = "Give a password of 8 to 63 characters, none of them a control character, \
                        or 64 hex digits; an empty one for an open network.";
const ONE: &str = "Send at least one of enable, name and password.";
const ITS_NAME: &str = "Send the network's name, too.";
const ITS_PASSWORD: &str =
    "Send the password of this network, too; an empty one if the network is open.";

impl Wanted {
    fn of(request: &Request<'_>) -> Result<Self, Unchanged> {
        if !request.may_be_json() {
            return Err(Unchanged::MediaType);
        }
        Self::parse(request.body).map_err(Unchanged::Body)
    }

    fn parse(body: &[u8]) -> Result<Self, &'static str> {
        // The buffer is for the names of the fields; values are unescaped below.
        let (body, _) = from_slice_escaped::<Body<'_>>(body, &mut [0; 16]).map_err(|_| NOT_OURS)?;
        let name = match (body.name, body.name_hex) {
            (None, None) => None,
            (Some(text), None) => Some(Ssid::new(&text_of::<32>(text, NAME)?)),
            (None, Some(digits)) => Some(Ssid::new(&unhex(digits.0).ok_or(NAME)?)),
            (Some(_), Some(_)) => return Err(NAME),
        };
        let password = match body.password {
            Some(EscapedStr("")) => Some(None),
            Some(text) => {
                let bytes = text_of::<64>(text, PASSWORD)?;
                Some(Some(Passphrase::new(&bytes).map_err(|_| PASSWORD)?))
            }
            None => None,
        };
        let name = name.transpose().map_err(|_| NAME)?;
        Ok(Self { enable: body.enable, name, password })
    }

    /// Everything must be given.
    fn whole(self) -> Result<(bool, Option<Credentials>), Unchanged> {
        match (self.enable, self.name, self.password) {
            (Some(enable), Some(ssid), Some(passphrase)) => {
                Ok((enable, Some(Credentials { ssid, passphrase })))
            }
            _ => Err(Unchanged::Body(
                "Send enable, name and password, all three; PUT changes single fields.",
            )),
        }
    }

    /// What is not given stays as it was before.
    fn beside(self, before: &Settings) -> Result<(bool, Option<Credentials>), Unchanged> {
        let enable = match (self.enable, &self.name, &self.password) {
            (None, None, None) => return Err(Unchanged::Body(ONE)),
            (enable, _, _) => enable.unwrap_or(before.mode() == Mode::Station),
        };
        let network = match (self.name, self.password, before.network()) {
            (Some(ssid), Some(passphrase), _) => Some(Credentials { ssid, passphrase }),
            (Some(ssid), None, Some(known)) if ssid == known.ssid => Some(known.clone()),
            (Some(_), None, _) => return Err(Unchanged::Body(ITS_PASSWORD)),
            (None, Some(passphrase), Some(known)) => {
                Some(Credentials { ssid: known.ssid.clone(), passphrase })
            }
            (None, Some(_), None) => return Err(Unchanged::Body(ITS_NAME)),
            (None, None, known) => known.cloned(),
        };
        Ok((enable, network))
    }
}

fn unhex(digits: &str) -> Option<Vec<u8, 32>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    let mut bytes = Vec::new();
    for pair in pairs {
        bytes.push(byte(pair)?).ok()?;
    }
    rest.is_empty().then_some(bytes)
}

/// The bytes of a string; `too_long` if there are more than `N`.
fn text_of<const N: usize>(
    text: EscapedStr<'_>,
    too_long: &'static str,
) -> Result<Zeroizing<Vec<u8, N>>, &'static str> {
    let mut bytes = Zeroizing::new(Vec::new());
    for character in characters(text) {
        let mut utf8 = [0; 4];
        let utf8 = character.ok_or(NOT_OURS)?.encode_utf8(&mut utf8);
        bytes.extend_from_slice(utf8.as_bytes()).map_err(|_| too_long)?;
    }
    Ok(bytes)
}
