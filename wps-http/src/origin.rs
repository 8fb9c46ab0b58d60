//! The rules on Host, Origin and Sec-Fetch-Site: which web pages may use the API.
//!
//! Any web page in the world can make a browser in the home network send a POST without a body to
//! the device (cross-site request forgery). And if an attacker lets a domain name resolve to the
//! address of the device, the attacker's page has the same origin as the device (DNS rebinding).
//! Browsers do not send `Sec-Fetch-Site` over plain HTTP, so `Origin` and `Host` must be enough.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::request::{Field, Request};

/// The scheme of the API's URLs, and so of the origin of its own page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`, with default port 80.
    #[default]
    Http,
    /// `https://`, with default port 443: behind a proxy that terminates TLS.
    Https,
}

/// The host names under which the API can be reached, in addition to IP addresses and `localhost`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowedHosts<'a> {
    /// The host name and further names (`device.fritz.box`). A name without a dot also allows the
    /// same name with `.local`.
    pub names: &'a [&'a str],
    /// The scheme under which the API is served.
    pub scheme: Scheme,
}

/// The reason why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// There is not exactly one Host, there is more than one Origin, or a header is not valid HTTP:
    /// 400.
    #[error("the Host, Origin or Content-Length is missing, repeated or invalid")]
    Malformed,
    /// The Host is not a name of the device: 404.
    #[error("the Host is not a name of the device")]
    ForeignHost,
    /// A page of another site sent the request: 404.
    #[error("a page of another site sent the request")]
    ForeignOrigin,
}

impl OriginError {
    /// All variants, in the order of their definition.
    pub const ALL: &'static [Self] = &[Self::Malformed, Self::ForeignHost, Self::ForeignOrigin];
}

/// Checks the Host, Origin and Sec-Fetch-Site headers of a request.
///
/// [`handle`](crate::handle) calls this itself. It is public for the additional routes of an
/// application, which need the same protection.
///
/// # Errors
/// [`OriginError`], which provides the [response](OriginError::response).
pub fn check_origin(
    request: &Request<'_>,
    allowed_hosts: &AllowedHosts<'_>,
) -> Result<(), OriginError> {
    let Field::Once(host) = request.host else { return Err(OriginError::Malformed) };
    let host = Authority::parse(host).ok_or(OriginError::Malformed)?;
    if request.length_invalid || !matches_target(request, &host, allowed_hosts.scheme) {
        return Err(OriginError::Malformed);
    }
    let origin = match request.origin {
        Field::Missing => None,
        Field::Once(origin) => Some(origin),
        Field::Repeated => return Err(OriginError::Malformed),
    };
    if !allowed_hosts.contains(&host) {
        return Err(OriginError::ForeignHost);
    }
    let is_own_page = origin.is_none_or(|origin| allowed_hosts.scheme.is_origin(origin, &host));
    if !is_own_page || request.is_cross_site {
        return Err(OriginError::ForeignOrigin);
    }
    Ok(())
}

/// Returns whether the target names no host, or the same one as the Host header (RFC 9112, 3.2.2).
fn matches_target(request: &Request<'_>, host: &Authority<'_>, scheme: Scheme) -> bool {
    request.target_authority().is_none_or(|(_, authority)| {
        Authority::parse(authority.as_bytes()).is_some_and(|target| scheme.matches(&target, host))
    })
}

impl AllowedHosts<'_> {
    fn contains(&self, host: &Authority<'_>) -> bool {
        match host.host {
            // Safe from DNS rebinding: no name was resolved.
            Host::Address(_) => true,
            Host::Name(name) => {
                let matches = |allowed: &&str| {
                    let allowed = allowed.strip_suffix('.').unwrap_or(allowed);
                    name.eq_ignore_ascii_case(allowed)
                        || !allowed.contains('.') && is_local_name_of(name, allowed)
                };
                name.eq_ignore_ascii_case("localhost") || self.names.iter().any(matches)
            }
        }
    }
}

/// Returns whether `name` is `label.local`.
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

    /// Returns whether two authorities have the same host and port.
    fn matches(self, one: &Authority<'_>, other: &Authority<'_>) -> bool {
        let port = |authority: &Authority<'_>| authority.port.unwrap_or(self.port());
        one.host.matches(&other.host) && port(one) == port(other)
    }

    /// Returns whether `origin` is the origin of a page served from `host`. `null` never is.
    fn is_origin(self, origin: &[u8], host: &Authority<'_>) -> bool {
        let parts = str::from_utf8(origin).ok().and_then(|origin| origin.split_once("://"));
        let Some((scheme, authority)) = parts else { return false };
        scheme.eq_ignore_ascii_case(self.name())
            && Authority::parse(authority.as_bytes())
                .is_some_and(|origin| self.matches(&origin, host))
    }
}

/// `host[:port]`, as in the Host and Origin headers (RFC 9110, 7.2).
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
        if name.is_empty() || !name.bytes().all(is_reg_name_byte) {
            return None;
        }
        Some(match name.parse::<Ipv4Addr>() {
            Ok(address) => Self::Address(address.into()),
            Err(_) => Self::Name(name),
        })
    }

    fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one == other,
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (Self::Address(_), Self::Name(_)) | (Self::Name(_), Self::Address(_)) => false,
        }
    }
}

/// Returns whether a `reg-name` of RFC 3986, 3.2.2 may contain the byte.
fn is_reg_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}
