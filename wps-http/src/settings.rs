//! `/api/v1/wifi/sta/settings`: sets the station's network by hand, for routers without WPS.

use heapless::Vec;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json_core::from_slice_escaped;
use serde_json_core::str::EscapedStr;
use wps_core::{Cause, Credentials, Mode, Passphrase, Phase, Secret, Settings, Ssid, TaskKind};
use zeroize::Zeroizing;

use crate::View;
use crate::json::characters;
use crate::request::Request;
use crate::response::Response;
use crate::system::{Displayed, Hex};

/// The settings that a GET returns. The password is never one of them.
#[derive(Serialize)]
struct Station<'a> {
    enable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Displayed<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<Hex<'a>>,
    /// Who keeps the network. Left out without a network, and while the device is not idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_by: Option<&'static str>,
}

pub(crate) fn response<'b>(view: &View<'_>, buffer: &'b mut [u8]) -> Response<'b> {
    let Some(status) = view.status else { return Response::busy(buffer) };
    let name = status.network.as_ref();
    let station = Station {
        enable: status.mode == Mode::Station,
        name: name.map(Displayed::Borrowed),
        name_hex: name.and_then(Hex::if_not_utf8),
        kept_by: view.settings.and_then(Settings::network).map(kept_by),
    };
    Response::json(&station, buffer)
}

/// Returns who keeps the network of the device: its record, or the platform.
pub(crate) fn kept_by(network: &Credentials) -> &'static str {
    match network.secret {
        Secret::Open | Secret::Key(_) => "record",
        Secret::Kept(_) => "platform",
    }
}

/// How a request changes the current settings.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// PUT: changes the given fields and keeps the others.
    Update,
    /// POST: replaces all fields, which must all be given.
    Overwrite,
    /// DELETE: switches the station off and forgets its network.
    Forget,
}

/// The reason why the settings cannot be changed.
pub(crate) enum ChangeError {
    MediaType,
    /// The body is invalid. The sentence says what to do.
    Body(&'static str),
    /// A task is in progress. With the cause of the last failure while settings are being restored.
    Busy(Option<Cause>),
}

impl ChangeError {
    pub(crate) fn response(self, buffer: &mut [u8]) -> Response<'_> {
        match self {
            Self::MediaType => Response::not_json(buffer),
            Self::Body(detail) => Response::problem(400, detail, buffer),
            Self::Busy(None) => Response::busy(buffer),
            Self::Busy(Some(cause)) => Response::refused(TaskKind::Configure.advice(cause), buffer),
        }
    }
}

/// Returns the settings after the change that a request asks for.
pub(crate) fn changed(
    change: Change,
    request: &Request<'_>,
    view: &View<'_>,
) -> Result<Settings, ChangeError> {
    let (enable, network) = match change {
        Change::Forget => (false, None),
        Change::Overwrite => {
            GivenFields::from_request(request)?.all().map_err(|_| ChangeError::Body(NOT_ALL))?
        }
        // A request that does not depend on the current settings is left to the machine.
        Change::Update => match GivenFields::from_request(request)?.all() {
            Ok(all) => all,
            Err(some) => some.merge_with(current_settings(view)?)?,
        },
    };
    match (enable, network) {
        (true, Some(network)) => Ok(Settings::Station { network }),
        (true, None) if view.has_platform => Ok(Settings::Platform),
        (true, None) => Err(ChangeError::Body("Send the network's name and password, too.")),
        (false, remembered) => Ok(match current_settings(view)? {
            Settings::AccessPoint { access_point, .. } => {
                Settings::AccessPoint { access_point: access_point.clone(), remembered }
            }
            Settings::Platform | Settings::Station { .. } | Settings::Off { .. } => {
                Settings::Off { remembered }
            }
        }),
    }
}

fn current_settings<'a>(view: &View<'a>) -> Result<&'a Settings, ChangeError> {
    let restoring = view.status.filter(|status| status.phase == Phase::Restoring);
    view.settings.ok_or_else(|| ChangeError::Busy(restoring.and_then(|status| status.trouble)))
}

/// The fields given in the body of a request.
struct GivenFields {
    enable: Option<bool>,
    name: Option<Ssid>,
    password: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(default, deserialize_with = "non_null")]
    enable: Option<bool>,
    #[serde(borrow, default, deserialize_with = "non_null")]
    name: Option<EscapedStr<'a>>,
    #[serde(borrow, default, deserialize_with = "non_null")]
    name_hex: Option<EscapedStr<'a>>,
    #[serde(borrow, default, deserialize_with = "non_null")]
    password: Option<EscapedStr<'a>>,
}

/// Deserializes a field that may be left out, but not be `null`.
fn non_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    field: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

const INVALID_BODY: &str = r#"Send a JSON object such as {"enable":true,"name":"Home","password":"its password"}, without further fields."#;
const INVALID_NAME: &str =
    "Give a name of 1 to 32 bytes, or in its place name_hex: the same in hex digits.";
const INVALID_PASSWORD: &str = "Give a password of 8 to 63 characters, none of them a control \
                                character, or 64 hex digits; an empty one for an open network.";
const NOT_ALL: &str = "Send enable, name and password, all three; PUT changes single fields.";
const NOTHING_GIVEN: &str = "Send at least one of enable, name and password.";
const NAME_MISSING: &str = "Send the network's name, too.";
const PASSWORD_MISSING: &str =
    "Send the password of this network, too; an empty one if the network is open.";

impl GivenFields {
    fn from_request(request: &Request<'_>) -> Result<Self, ChangeError> {
        if !request.may_be_json() {
            return Err(ChangeError::MediaType);
        }
        Self::parse(request.body).map_err(ChangeError::Body)
    }

    fn parse(body: &[u8]) -> Result<Self, &'static str> {
        // The buffer is for the names of the fields; values are unescaped below.
        let parsed = from_slice_escaped::<Body<'_>>(body, &mut [0; 16]);
        let (body, _) = parsed.map_err(|_| INVALID_BODY)?;
        let name = match (body.name, body.name_hex) {
            (None, None) => None,
            (Some(text), None) => Some(Ssid::new(&unescape::<32>(text, INVALID_NAME)?)),
            (None, Some(digits)) => {
                let mut bytes = [0; 32];
                let bytes = base16ct::mixed::decode(digits.0, &mut bytes);
                Some(Ssid::new(bytes.map_err(|_| INVALID_NAME)?))
            }
            (Some(_), Some(_)) => return Err(INVALID_NAME),
        };
        let password = match body.password {
            Some(EscapedStr("")) => Some(Secret::Open),
            Some(text) => {
                let bytes = unescape::<64>(text, INVALID_PASSWORD)?;
                Some(Secret::Key(Passphrase::new(&bytes).map_err(|_| INVALID_PASSWORD)?))
            }
            None => None,
        };
        let name = name.transpose().map_err(|_| INVALID_NAME)?;
        Ok(Self { enable: body.enable, name, password })
    }

    /// Returns whether the station is on, and its network.
    ///
    /// # Errors
    /// The given fields if not all are given.
    fn all(self) -> Result<(bool, Option<Credentials>), Self> {
        match self {
            Self { enable: Some(enable), name: Some(ssid), password: Some(secret) } => {
                Ok((enable, Some(Credentials { ssid, secret })))
            }
            some => Err(some),
        }
    }

    /// Returns whether the station is on, and its network. Fields that are not given are taken from
    /// `current`.
    fn merge_with(self, current: &Settings) -> Result<(bool, Option<Credentials>), ChangeError> {
        let enable = match (self.enable, &self.name, &self.password) {
            (None, None, None) => return Err(ChangeError::Body(NOTHING_GIVEN)),
            (enable, _, _) => enable.unwrap_or(current.mode() == Mode::Station),
        };
        let network = match (self.name, self.password, current.network()) {
            (Some(ssid), Some(secret), _) => Some(Credentials { ssid, secret }),
            (Some(ssid), None, Some(known)) if ssid == known.ssid => Some(known.clone()),
            // Another network is neither open, nor does it have this key or identifier.
            (Some(_), None, _) => return Err(ChangeError::Body(PASSWORD_MISSING)),
            (None, Some(secret), Some(known)) => {
                Some(Credentials { ssid: known.ssid.clone(), secret })
            }
            (None, Some(_), None) => return Err(ChangeError::Body(NAME_MISSING)),
            (None, None, known) => known.cloned(),
        };
        Ok((enable, network))
    }
}

/// Returns the bytes of a JSON string, or the error `too_long` if there are more than `N`.
fn unescape<const N: usize>(
    text: EscapedStr<'_>,
    too_long: &'static str,
) -> Result<Zeroizing<Vec<u8, N>>, &'static str> {
    let mut bytes = Zeroizing::new(Vec::new());
    for character in characters(text) {
        let mut utf8 = [0; 4];
        let utf8 = character.ok_or(INVALID_BODY)?.encode_utf8(&mut utf8);
        bytes.extend_from_slice(utf8.as_bytes()).map_err(|_| too_long)?;
    }
    Ok(bytes)
}
