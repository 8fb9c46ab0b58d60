//! A client's side of Digest authentication, by RFC 7616.

use md5::Md5;
use sha2::{Digest, Sha256};
use wps_testkit::hex;

/// The fields of a client's response to a challenge.
#[derive(Clone)]
pub struct DigestClient {
    pub user: &'static str,
    pub realm: &'static str,
    pub password: &'static str,
    pub algorithm: &'static str,
    pub nonce: String,
    pub nc: u32,
    pub qop: &'static str,
    pub uri: &'static str,
}

impl DigestClient {
    /// Creates a client with the usual fields, and no user name.
    pub fn with_nonce(password: &'static str, nonce: &str) -> Self {
        let (realm, uri, nonce) = ("gadget", "/api/v1/wifi/wps", nonce.to_owned());
        let algorithm = "SHA-256";
        Self { user: "", realm, password, algorithm, nonce, nc: 1, qop: "auth", uri }
    }

    /// Returns the value of the Authorization header.
    pub fn header(&self, method: &str) -> String {
        let Self { user, realm, password, algorithm, nonce, nc, qop, uri } = self;
        let hash = if *algorithm == "SHA-256" { hash::<Sha256> } else { hash::<Md5> };
        let mut secret = hash(&format!("{user}:{realm}:{password}"));
        if algorithm.ends_with("sess") {
            secret = hash(&format!("{secret}:{nonce}:0a4f113b"));
        }
        let request = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{secret}:{nonce}:{nc:08x}:0a4f113b:{qop}:{request}"));
        // As curl and browsers do.
        let user = user.replace('\\', r"\\").replace('"', r#"\""#);
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm={algorithm}, qop={qop}, nc={nc:08x}, cnonce=\"0a4f113b\", \
             response=\"{response}\""
        )
    }
}

/// Returns the nonce of a challenge.
pub fn nonce(challenge: &str) -> &str {
    challenge.split_once("nonce=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a nonce")
}

fn hash<D: Digest>(text: &str) -> String {
    hex(&D::digest(text))
}
