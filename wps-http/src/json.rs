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

/// Returns whether `text` is one complete object and nothing else. Brackets that are nested more
/// than 127 deep, as in serde_json, are refused: there is one bit for each.
pub(crate) fn is_object(text: &str) -> bool {
    end_of_object(text).is_some_and(str::is_empty)
}

/// Returns what follows an object and the white space after it.
fn end_of_object(text: &str) -> Option<&str> {
    // One bit for each open bracket, the innermost last: 1 for an object. The 1 in front marks the
    // end.
    let mut open = 0b11_u128;
    let mut rest = skip_space(skip_space(text).strip_prefix('{')?);
    let mut is_first = true;
    while open != 1 {
        let is_object = open & 1 == 1;
        if let Some(text) = rest.strip_prefix(if is_object { '}' } else { ']' }) {
            (open, is_first, rest) = (open >> 1, false, skip_space(text));
            continue;
        }
        if !is_first {
            rest = skip_space(rest.strip_prefix(',')?);
        }
        if is_object {
            rest = skip_space(skip_space(skip_string(rest)?).strip_prefix(':')?);
        }
        is_first = rest.starts_with(['{', '[']);
        if is_first {
            if open.leading_zeros() == 0 {
                return None;
            }
            open = open << 1 | u128::from(rest.starts_with('{'));
            rest = rest.get(1..)?;
        } else {
            rest = skip_scalar(rest)?;
        }
        rest = skip_space(rest);
    }
    Some(rest)
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches(SPACE)
}

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Returns what follows a string, or `None` if the text does not begin with a valid one.
fn skip_string(text: &str) -> Option<&str> {
    let text = text.strip_prefix('"')?;
    let (string, text) = text.split_at_checked(end_of_string(text)?)?;
    let is_valid = characters(EscapedStr(string)).all(|it| it.is_some());
    is_valid.then_some(text.strip_prefix('"')?)
}

/// Returns what follows a string, number or literal name.
fn skip_scalar(text: &str) -> Option<&str> {
    if text.starts_with('"') {
        return skip_string(text);
    }
    let end = text.find([',', '}', ']']).unwrap_or(text.len());
    let (scalar, rest) = text.split_at_checked(end)?;
    let scalar = scalar.trim_end_matches(SPACE);
    (matches!(scalar, "true" | "false" | "null") || is_number(scalar)).then_some(rest)
}

fn is_number(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (text, exponent) = split(text, &['e', 'E']);
    let (integer, fraction) = split(text, &['.']);
    let is_exponent = |text: &str| is_digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    is_digits(integer)
        && (integer == "0" || !integer.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(is_exponent)
}

/// Splits a text at the first of these characters, if it contains one.
fn split<'a>(text: &'a str, at: &[char]) -> (&'a str, Option<&'a str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Returns the members of a [valid object](is_object): each name, and its value as it is written.
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
