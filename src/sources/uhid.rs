//! UH-IDs: UUIDs, keyed in lower case.

use reconcile_state::Key;

/// The key of a UH-ID in any case; `None` for what is no UUID in its usual form (8-4-4-4-12).
pub fn key(text: &str) -> Option<Key> {
    let fits = text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    fits.then(|| Key::new(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uhid_is_a_uuid_in_any_case() {
        let lower = "0b7c4e1a-5d2f-4a60-9c3b-1f2e3d4c5b6a";
        assert_eq!(key(lower), Some(Key::new(lower)));
        assert_eq!(key(&lower.to_uppercase()), Some(Key::new(lower)));
        for odd in ["", "x", &lower[1..], &lower.replace('-', "0"), &lower.replace('a', "g"), &format!("{lower} ")] {
            assert_eq!(key(odd), None, "{odd}");
        }
    }
}
