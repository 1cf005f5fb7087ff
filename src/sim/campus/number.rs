//! Identifiers: UH-IDs and national numbers that nobody can have.

use std::collections::HashSet;

use fastrand::Rng;
use jiff::civil::Date;

/// A UUID of version 4.
pub fn uhid(rng: &mut Rng) -> String {
    let [a, b] = [rng.u64(..), rng.u64(..)];
    let (a, b) = (a & !0xf000 | 0x4000, b & !(0b11 << 62) | 0b10 << 62);
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff)
}

/// Eleven digits of the synthetic series (month + 80) whose two check digits both fail, also under the
/// rule of 2032 (remainders 0 to 3 pass).
pub fn national_number(rng: &mut Rng, born: Date, taken: &mut HashSet<String>) -> String {
    loop {
        let start = format!("{:02}{:02}{:02}{:03}", born.day(), born.month() + 80, born.year() % 100, rng.u16(..1000));
        let failing = (0..100).map(|last| format!("{start}{last:02}")).find(|number| {
            let digits: Vec<u32> = number.chars().filter_map(|digit| digit.to_digit(10)).collect();
            remainder(&digits, FIRST) > 3 && remainder(&digits, SECOND) > 3
        });
        match failing {
            Some(number) if taken.insert(number.clone()) => return number,
            _ => {}
        }
    }
}

/// Weights of the first check, over digits 1 to 10.
const FIRST: &[u32] = &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1];
/// Weights of the second check, over all digits.
const SECOND: &[u32] = &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1];

fn remainder(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn national_numbers_are_synthetic_unique_and_fail_both_checks() {
        let (mut rng, mut taken) = (Rng::with_seed(1), HashSet::new());
        for _ in 0..500 {
            let number = national_number(&mut rng, date(1999, 12, 31), &mut taken);
            let digits: Vec<u32> = number.chars().map(|digit| digit.to_digit(10).unwrap()).collect();
            assert_eq!((digits.len(), &number[2..4]), (11, "92"));
            assert!(remainder(&digits, FIRST) > 3 && remainder(&digits, SECOND) > 3);
        }
        assert_eq!(taken.len(), 500);
        let real = [3, 1, 1, 2, 9, 9, 5, 6, 7, 1, 5];
        assert_eq!((remainder(&real, FIRST), remainder(&real, SECOND)), (0, 0), "the weights are the official ones");
    }

    #[test]
    fn uh_ids_are_version_four_uuids() {
        let id = uhid(&mut Rng::with_seed(7));
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
        assert!("89ab".contains(&id[19..20]));
    }
}
