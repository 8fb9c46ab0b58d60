//! What `serde-json-core` lacks: strings are unescaped completely (RFC 8259, 7), and an object may
//! have unknown members.
//!
//! It does not support surrogate pairs, in which Python encodes the characters above U+FFFF, and it
//! accepts control characters. It skips unknown values by recursion, so a body of many brackets
//! would exhaust a small stack.

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

/// Returns the members of an object: each name, and its value as it is written. Ends at the first
/// mistake, and checks the values only as far as necessary to find their ends.
pub(crate) fn members(object: &str) -> impl Iterator<Item = (EscapedStr<'_>, &str)> {
    let mut rest = object.trim_ascii_start().strip_prefix('{');
    iter::from_fn(move || {
        let text = rest.take()?.trim_ascii_start().strip_prefix('"')?;
        let (name, text) = text.split_at_checked(end_of_string(text)?)?;
        let text = text.strip_prefix('"')?.trim_ascii_start().strip_prefix(':')?;
        let (value, text) = text.split_at_checked(end_of_value(text)?)?;
        rest = text.strip_prefix(',');
        Some((EscapedStr(name), value.trim_ascii()))
    })
}

/// Returns the place of the quote that ends a string, whose first quote is not part of `text`.
fn end_of_string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

/// Returns the place of the comma or brace that follows a member's value.
fn end_of_value(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.as_bytes().get(at)? {
            b'"' => at += 1 + end_of_string(text.get(at + 1..)?)?,
            b',' | b'}' if depth == 0 => return Some(at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
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
