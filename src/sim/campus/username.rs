//! User names and addresses, each unique on the campus.

use std::collections::HashSet;

use fastrand::Rng;
use unicode_normalization::UnicodeNormalization;

/// Names given out so far.
#[derive(Default, Debug)]
pub struct Usernames(HashSet<String>);

impl Usernames {
    /// A UH user name: two letters of the given name, three of the family name, four digits.
    pub fn uh(&mut self, rng: &mut Rng, given: &str, family: &str) -> String {
        let stem = format!("{}{}", letters(given, 2), letters(family, 3));
        self.take(|| format!("{stem}{:04}", rng.u16(..10_000)))
    }

    /// A local user name of the institution: three letters and some digits.
    pub fn local(&mut self, rng: &mut Rng, given: &str, family: &str) -> String {
        let stem = format!("{}{}", letters(given, 1), letters(family, 2));
        self.take(|| format!("{stem}{:03}", rng.u16(..2000)))
    }

    /// A full-name address.
    pub fn email(&mut self, given: &str, family: &str, domain: &str) -> String {
        let (given, family) = (words(given), words(family));
        let mut next = 1;
        self.take(|| {
            let suffix = if next == 1 { String::new() } else { format!(".{next}") };
            next += 1;
            format!("{given}.{family}{suffix}@{domain}")
        })
    }

    fn take(&mut self, mut make: impl FnMut() -> String) -> String {
        loop {
            let name = make();
            if self.0.insert(name.clone()) {
                return name;
            }
        }
    }
}

fn letters(name: &str, count: usize) -> String {
    fold(name).chars().filter(char::is_ascii_lowercase).chain("xxx".chars()).take(count).collect()
}

fn words(name: &str) -> String {
    let kept = fold(name).replace(' ', ".");
    kept.chars().filter(|letter| letter.is_ascii_lowercase() || matches!(letter, '.' | '-')).collect()
}

/// Lower-case ASCII, as user names are made of.
fn fold(name: &str) -> String {
    let lower = name.to_lowercase();
    let special = lower.replace('ø', "o").replace('æ', "ae").replace('ł', "l").replace('ı', "i");
    special.nfd().filter(char::is_ascii).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern_and_never_repeat() {
        let (mut rng, mut names) = (Rng::with_seed(3), Usernames::default());
        let first = names.uh(&mut rng, "Øyvind", "Ås");
        assert_eq!((first.len(), &first[..5]), (9, "oyasx"));
        let seen: HashSet<String> = (0..300).map(|_| names.local(&mut rng, "Zoë", "O'Neill")).collect();
        assert_eq!(seen.len(), 300);
        assert!(seen.iter().all(|name| name.starts_with("zon")));
        assert_eq!(names.email("Ann-Kristin", "Lie Nygård", "x.example"), "ann-kristin.lie.nygard@x.example");
        assert_eq!(names.email("Ann-Kristin", "Lie Nygård", "x.example"), "ann-kristin.lie.nygard.2@x.example");
    }
}
