//! What `serde-json-core` leaves to do with the strings of a JSON text (RFC 8259, 7): it does not know
//! surrogate pairs, which is how Python writes what is beyond the first 65,536 characters, and lets
//! control characters pass.

use core::iter;
use core::str::Chars;

use serde_json_core::str::EscapedStr;

/// The characters of a string; none in place of what is not allowed in one.
pub(crate) fn characters(text: EscapedStr<'_>) -> impl Iterator<Item = Option<char>> {
    let mut rest = text.0.chars();
    iter::from_fn(move || {
        Some(match rest.next()? {
            '\\' => escaped(&mut rest),
            '\0'..' ' => None,
            plain => Some(plain),
        })
    })
}

fn escaped(rest: &mut Chars<'_>) -> Option<char> {
    match rest.next()? {
        plain @ ('"' | '\\' | '/') => Some(plain),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'u' => match unit(rest)? {
            high @ 0xd800..0xdc00 if rest.next()? == '\\' && rest.next()? == 'u' => {
                char::decode_utf16([high, unit(rest)?]).next()?.ok()
            }
            alone => char::from_u32(alone.into()),
        },
        _ => None,
    }
}

/// Four hex digits.
fn unit(rest: &mut Chars<'_>) -> Option<u16> {
    (0..4).try_fold(0, |unit, _| Some(unit << 4 | rest.next()?.to_digit(16)? as u16))
}
