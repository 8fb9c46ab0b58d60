//! Encoders of what routers send: attributes, elements and credentials.

/// The element ID of vendor elements.
const VENDOR: u8 = 0xdd;
/// The start of a vendor element with WPS attributes: the OUI and its type.
const WPS: [u8; 4] = [0x00, 0x50, 0xf2, 0x04];

/// The authentication type of an open network.
pub const OPEN: u16 = 0x01;
/// The authentication type WPA-PSK.
pub const WPA_PSK: u16 = 0x02;
/// The authentication type of WEP with a shared key.
pub const SHARED: u16 = 0x04;
/// The authentication type WPA2-Enterprise.
pub const WPA2_ENTERPRISE: u16 = 0x10;
/// The authentication type WPA2-PSK.
pub const WPA2_PSK: u16 = 0x20;

/// The encryption type of an open network.
pub const NONE: u16 = 1;
/// The encryption type WEP.
pub const WEP: u16 = 2;
/// The encryption type TKIP.
pub const TKIP: u16 = 4;
/// The encryption type AES.
pub const AES: u16 = 8;

/// Encodes a WPS attribute.
///
/// # Panics
/// If the value is longer than an attribute can be.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("short");
    [&kind.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
}

/// Encodes an information element.
///
/// # Panics
/// If the body is longer than an element can be.
pub fn element(id: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("fits one element");
    [&[id, length], body].concat()
}

/// Encodes a vendor element that carries WPS attributes, or a part of them.
///
/// # Panics
/// If the attributes do not fit into one element.
pub fn wps_element(attributes: &[u8]) -> Vec<u8> {
    element(VENDOR, &[&WPS, attributes].concat())
}

/// Returns the attributes of a router in pairing mode: a registrar is selected, by push button.
pub fn pressed() -> Vec<u8> {
    [attribute(0x1041, &[1]), attribute(0x1012, &[0, 4])].concat()
}

/// Returns the elements of an access point with WPS. All bytes of its UUID are the same.
///
/// # Panics
/// If the name does not fit into an element.
pub fn elements(ssid: &[u8], uuid: Option<u8>, is_pressed: bool) -> Vec<u8> {
    let attributes = [
        attribute(0x104a, &[0x10]), // version 1
        attribute(0x1044, &[2]),    // configured
        if is_pressed { pressed() } else { vec![] },
        uuid.map_or(vec![], |byte| attribute(0x1047, &[byte; 16])),
    ];
    [element(0, ssid), wps_element(&attributes.concat())].concat()
}

/// Returns the elements of an access point with WPS that was never set up.
///
/// # Panics
/// If the name does not fit into an element.
pub fn unconfigured_elements(ssid: &[u8]) -> Vec<u8> {
    let attributes = [attribute(0x104a, &[0x10]), attribute(0x1044, &[1])];
    [element(0, ssid), wps_element(&attributes.concat())].concat()
}

/// A credential as a router sends it. Its sub-attributes have the order of hostapd.
#[derive(Clone, Copy, Debug)]
pub struct SentCredential<'a> {
    /// The name of the network.
    pub ssid: &'a [u8],
    /// The authentication types, for example [`WPA2_PSK`].
    pub authentication: u16,
    /// The encryption types, for example [`AES`].
    pub encryption: u16,
    /// The key, or `None` to leave the attribute out.
    pub key: Option<&'a [u8]>,
}

impl<'a> SentCredential<'a> {
    /// Creates the credential of a WPA2 network, or of an open one if there is no key.
    pub fn new(ssid: &'a [u8], key: Option<&'a [u8]>) -> Self {
        let (authentication, encryption) =
            if key.is_some() { (WPA2_PSK, AES) } else { (OPEN, NONE) };
        Self { ssid, authentication, encryption, key }
    }

    /// Encodes the content of the Credential attribute.
    pub fn sub_attributes(&self) -> Vec<u8> {
        [
            attribute(0x1026, &[1]),
            attribute(0x1045, self.ssid),
            attribute(0x1003, &self.authentication.to_be_bytes()),
            attribute(0x100f, &self.encryption.to_be_bytes()),
            self.key.map_or(vec![], |key| attribute(0x1027, key)),
            attribute(0x1020, &[2, 0, 0, 0, 1, 0]),
        ]
        .concat()
    }

    /// Encodes the Credential attribute.
    pub fn bytes(&self) -> Vec<u8> {
        attribute(0x100e, &self.sub_attributes())
    }
}
