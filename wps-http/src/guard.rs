//! Who may call: the rules on Host, Origin and Sec-Fetch-Site.
//!
//! A POST without a body can be sent by any web page in the world from the browser of somebody at
//! home (cross-site request forgery), and a name that its owner points at the device makes that page
//! a page of the device (DNS rebinding). Browsers leave `Sec-Fetch-Site` away on plain HTTP, so
//! `Origin` and `Host` must suffice alone.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::request::{Field, Request};

/// How the API is served, which is how a page of its own begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`, port 80 unless given.
    #[default]
    Http,
    /// `https://`, port 443 unless given: behind something that ends TLS.
    Https,
}

/// The names under which the API answers, beside IP addresses and `localhost`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Site<'a> {
    /// The host name and further names (`device.fritz.box`). One without a dot stands for its
    /// `.local` name too.
    pub names: &'a [&'a str],
    /// How it is served.
    pub scheme: Scheme,
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No Host, more than one, more than one Origin, or one that is not what HTTP says: 400.
    Malformed,
    /// The Host is none of the device's names: 404.
    ForeignHost,
    /// It was sent by a page of another site: 404.
    ForeignOrigin,
}

/// Whether a request may be served at all. [`handle`](crate::handle) asks this by itself; it is here
/// for further routes of an application, which need the same protection.
///
/// # Errors
/// [`Denied`], which has an [answer](Denied::answer).
pub fn guard(request: &Request<'_>, site: &Site<'_>) -> Result<(), Denied> {
    let Field::Once(host) = request.host else { return Err(Denied::Malformed) };
    let host = Authority::parse(host).ok_or(Denied::Malformed)?;
    if request.length_invalid || !matches_target(request, &host, site.scheme) {
        return Err(Denied::Malformed);
    }
    let origin = match request.origin {
        Field::Missing => None,
        Field::Once(origin) => Some(origin),
        Field::Repeated => return Err(Denied::Malformed),
    };
    if !site.answers_to(&host) {
        return Err(Denied::ForeignHost);
    }
    let own = origin.is_none_or(|origin| site.scheme.is_origin(origin, &host));
    if !own || request.from_elsewhere {
        return Err(Denied::ForeignOrigin);
    }
    Ok(())
}

/// A target that names its host must name the same one (RFC 9112, 3.2.2).
fn matches_target(request: &Request<'_>, host: &Authority<'_>, scheme: Scheme) -> bool {
    request.target_authority().is_none_or(|(_, authority)| {
        Authority::parse(authority.as_bytes()).is_some_and(|target| scheme.same(&target, host))
    })
}

impl Site<'_> {
    fn answers_to(&self, host: &Authority<'_>) -> bool {
        match host.host {
            // Cannot be rebound: no name was looked up.
            Host::Address(_) => true,
            Host::Name(name) => {
                let is = |own: &&str| {
                    let own = own.strip_suffix('.').unwrap_or(own);
                    name.eq_ignore_ascii_case(own)
                        || !own.contains('.') && is_local_name_of(name, own)
                };
                name.eq_ignore_ascii_case("localhost") || self.names.iter().any(is)
            }
        }
    }
}

fn is_local_name_of(name: &str, label: &str) -> bool {
    match name.split_once('.') {
        Some((first, rest)) => {
            first.eq_ignore_ascii_case(label) && rest.eq_ignore_ascii_case("local")
        }
        None => false,
    }
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn same(self, one: &Authority<'_>, other: &Authority<'_>) -> bool {
        let port = |authority: &Authority<'_>| authority.port.unwrap_or(self.port());
        one.host.same(&other.host) && port(one) == port(other)
    }

    /// Whether `origin` is a page served from `host`. `null` is not.
    fn is_origin(self, origin: &[u8], host: &Authority<'_>) -> bool {
        let parts = str::from_utf8(origin).ok().and_then(|origin| origin.split_once("://"));
        let Some((scheme, authority)) = parts else { return false };
        scheme.eq_ignore_ascii_case(self.name())
            && Authority::parse(authority.as_bytes()).is_some_and(|origin| self.same(&origin, host))
    }
}

/// `host[:port]`, as Host and Origin have it (RFC 9110, 7.2).
struct Authority<'a> {
    host: Host<'a>,
    port: Option<u16>,
}

enum Host<'a> {
    Address(IpAddr),
    /// Without the trailing dot of a fully qualified name.
    Name(&'a str),
}

impl<'a> Authority<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (address, rest) = bracketed.split_once(']')?;
                let address = address.parse::<Ipv6Addr>().ok()?;
                let port = if rest.is_empty() { "" } else { rest.strip_prefix(':')? };
                (Host::Address(address.into()), port)
            }
            None => {
                let (name, port) = text.split_once(':').unwrap_or((text, ""));
                (Host::parse(name)?, port)
            }
        };
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { host, port })
    }
}

impl<'a> Host<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return None;
        }
        Some(match name.parse::<Ipv4Addr>() {
            Ok(address) => Self::Address(address.into()),
            Err(_) => Self::Name(name),
        })
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one == other,
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (Self::Address(_), Self::Name(_)) | (Self::Name(_), Self::Address(_)) => false,
        }
    }
}

/// `reg-name` of RFC 3986, 3.2.2.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}
