//! The channels that a card may use, from the kernel (nl80211). wpa_supplicant does not report them
//! over D-Bus.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// The longest wait for a reply. The kernel answers at once.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest datagram of the kernel, in bytes.
const MAX_DATAGRAM: usize = 65536;

// `linux/netlink.h`
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Flags in the type of an attribute.
const NLA_TYPE_MASK: u16 = 0x3fff;
// `linux/genetlink.h`
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
// `linux/nl80211.h`
const NL80211_CMD_GET_WIPHY: u8 = 1;
const NL80211_ATTR_IFINDEX: u16 = 3;
const NL80211_ATTR_WIPHY_BANDS: u16 = 22;
const NL80211_ATTR_SPLIT_WIPHY_DUMP: u16 = 174;
const NL80211_BAND_ATTR_FREQS: u16 = 1;
const NL80211_FREQUENCY_ATTR_FREQ: u16 = 1;
const NL80211_FREQUENCY_ATTR_DISABLED: u16 = 2;

/// The length of the headers of netlink and generic netlink, in bytes.
const HEADER_LENGTH: usize = 20;

/// Returns the frequencies that the card of `interface` may use in this country, in MHz.
pub(super) fn frequencies(interface: &str) -> io::Result<Vec<u16>> {
    let index = Path::new("/sys/class/net").join(interface).join("ifindex");
    let index: u32 =
        std::fs::read_to_string(index)?.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
    let family = request(
        GENL_ID_CTRL,
        CTRL_CMD_GETFAMILY,
        NLM_F_REQUEST,
        &[(CTRL_ATTR_FAMILY_NAME, b"nl80211\0")],
    )?;
    let family = family.iter().find_map(|message| {
        let (_, value) = attributes(message).find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID)?;
        Some(u16::from_ne_bytes(value.try_into().ok()?))
    });
    let family = family.ok_or(io::ErrorKind::InvalidData)?;
    let messages = request(
        family,
        NL80211_CMD_GET_WIPHY,
        NLM_F_REQUEST | NLM_F_DUMP,
        &[(NL80211_ATTR_IFINDEX, &index.to_ne_bytes()), (NL80211_ATTR_SPLIT_WIPHY_DUMP, &[])],
    )?;
    Ok(messages.iter().flat_map(|message| allowed_frequencies(message)).collect())
}

/// Returns the frequencies in the attributes of a message. The kernel distributes the channels over
/// several messages.
fn allowed_frequencies(message: &[u8]) -> Vec<u16> {
    let inside = |outer, kind| attributes(outer).filter(move |(it, _)| *it == kind);
    let bands = inside(message, NL80211_ATTR_WIPHY_BANDS).flat_map(|(_, bands)| attributes(bands));
    let channels = bands
        .flat_map(|(_, band)| inside(band, NL80211_BAND_ATTR_FREQS))
        .flat_map(|(_, channels)| attributes(channels));
    let allowed = channels.filter_map(|(_, channel)| {
        let is_disabled = inside(channel, NL80211_FREQUENCY_ATTR_DISABLED).next().is_some();
        let (_, frequency) = inside(channel, NL80211_FREQUENCY_ATTR_FREQ).next()?;
        let frequency = u32::from_ne_bytes(frequency.try_into().ok()?);
        u16::try_from(frequency).ok().filter(|_| !is_disabled)
    });
    allowed.collect()
}

/// Sends a request to the kernel. Returns the attributes of each message of the reply.
fn request(
    family: u16,
    command: u8,
    flags: u16,
    attributes: &[(u16, &[u8])],
) -> io::Result<Vec<Vec<u8>>> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::GENERIC),
    )?;
    set_socket_timeout(&kernel, Timeout::Recv, Some(REPLY_TIMEOUT))?;
    send(&kernel, &encode(family, command, flags, attributes), SendFlags::empty())?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut found = Vec::new();
    loop {
        let (length, _) = recv(&kernel, &mut *buffer, RecvFlags::empty())?;
        for (kind, message) in messages(buffer.get(..length).unwrap_or_default()) {
            match kind {
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return Err(error(message)),
                _ => found.push(message.get(HEADER_LENGTH..).unwrap_or_default().to_vec()),
            }
        }
        if flags & NLM_F_DUMP == 0 {
            return Ok(found);
        }
    }
}

/// Returns the error in a message with one.
fn error(message: &[u8]) -> io::Error {
    let number = message.get(16..20).and_then(|it| it.try_into().ok()).map(i32::from_ne_bytes);
    io::Error::from_raw_os_error(number.unwrap_or_default().saturating_neg())
}

/// Encodes a request.
fn encode(family: u16, command: u8, flags: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![command, 1, 0, 0]; // version 1
    for (kind, value) in attributes {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(family.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]); // no sequence number; the kernel knows the port
    message.extend(body);
    message
}

/// Splits a datagram into its messages, each with its type and its header. Stops at the first one
/// that is cut short.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (length, header) = rest.split_first_chunk::<4>()?;
        let kind = u16::from_ne_bytes(*header.first_chunk()?);
        let length = usize::try_from(u32::from_ne_bytes(*length)).ok().filter(|it| *it >= 16)?;
        let message = rest.get(..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, message))
    })
}

/// Splits attributes. Stops at the first one that is cut short.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (&[a, b, c, d], _) = rest.split_first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & NLA_TYPE_MASK, value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Encodes attributes, as the kernel does.
    fn nested(attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let attributes: Vec<_> = attributes.iter().map(|(kind, it)| (*kind, &**it)).collect();
        encode(0, 0, 0, &attributes).split_off(HEADER_LENGTH)
    }

    fn channel(frequency: u32, is_disabled: bool) -> Vec<u8> {
        let frequency = (NL80211_FREQUENCY_ATTR_FREQ, frequency.to_ne_bytes().to_vec());
        let disabled = (NL80211_FREQUENCY_ATTR_DISABLED, Vec::new());
        nested(&[frequency, disabled][..1 + usize::from(is_disabled)])
    }

    #[test]
    fn disabled_channels_are_left_out() {
        let band = |channels: &[(u32, bool)]| {
            let channels = channels.iter().zip(0..);
            let channels: Vec<_> =
                channels.map(|((mhz, disabled), at)| (at, channel(*mhz, *disabled))).collect();
            // 0x8000: the flag of nested attributes.
            nested(&[(NL80211_BAND_ATTR_FREQS | 0x8000, nested(&channels)), (2, vec![1, 2, 3])])
        };
        let bands = [(0, band(&[(2412, false), (2484, true)])), (1, band(&[(5180, false)]))];
        let message = nested(&[(1, vec![9; 5]), (NL80211_ATTR_WIPHY_BANDS, nested(&bands))]);
        assert_eq!(allowed_frequencies(&message), [2412, 5180]);
        assert!(allowed_frequencies(&nested(&[(1, vec![9; 5])])).is_empty());
    }

    #[test]
    fn a_datagram_has_several_messages() {
        let both = [encode(20, 1, 0, &[(3, &[7])]), encode(NLMSG_DONE, 0, 0, &[])].concat();
        let kinds: Vec<_> = messages(&both).map(|(kind, it)| (kind, it.len())).collect();
        assert_eq!(kinds, [(20, 28), (NLMSG_DONE, 20)]);
        let refused = [&[0; 16][..], &(-13_i32).to_ne_bytes()].concat();
        assert_eq!(error(&refused).kind(), io::ErrorKind::PermissionDenied);
    }

    proptest! {
        #[test]
        fn any_reply_parses_without_a_panic(bytes: Vec<u8>) {
            let _ = allowed_frequencies(&bytes);
            messages(&bytes).for_each(|(_, message)| drop(error(message)));
            let _ = allowed_frequencies(&nested(&[(NL80211_ATTR_WIPHY_BANDS, bytes)]));
        }
    }
}
