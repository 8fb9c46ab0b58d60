//! Unescapes JSON strings (RFC 8259, 7), because `serde-json-core` does it incompletely.
//!
//! It does not support surrogate pairs, in which Python encodes the characters above U+FFFF, and it
//! accepts control characters.

use core::iter;
use core::str::Chars;

use serde_json_core::str::EscapedStr;

/// Returns the characters of a string, with `None` in place of each invalid one.
pub(crate) fn characters(text: EscapedStr<'_>) -> impl Iterator<Item = Option<char>> {
    let mut rest = text.0.chars();
    iter::from_fn(move || {
        Some(match rest.next()? {
            '\\' => unescape(&mut rest),
            '\0'..' ' => None,
            plain => Some(plain),
        })
    })
}

/// Decodes an escape sequence after its backslash. Returns `None` if it is invalid.
fn unescape(rest: &mut Chars<'_>) -> Option<char> {
    match rest.next()? {
        plain @ ('"' | '\\' | '/') => Some(plain),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'u' => match code_unit(rest)? {
            high @ 0xd800..0xdc00 if rest.next()? == '\\' && rest.next()? == 'u' => {
                char::decode_utf16([high, code_unit(rest)?]).next()?.ok()
            }
            alone => char::from_u32(alone.into()),
        },
        _ => None,
    }
}

/// Parses four hex digits as a UTF-16 code unit.
fn code_unit(rest: &mut Chars<'_>) -> Option<u16> {
    (0..4).try_fold(0, |unit, _| Some(unit << 4 | rest.next()?.to_digit(16)? as u16))
}
