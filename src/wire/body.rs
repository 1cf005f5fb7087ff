//! The body of an answer, in pieces. A report of everybody is one answer of many megabytes: in one piece it would need
//! twice its length while it grows, and all of it until the last row is read.

use std::collections::VecDeque;
use std::fmt;
use std::io::Read;

use memchr::memmem;
use serde::de::DeserializeOwned;

/// Longest piece, in bytes. Nearly every answer is one.
const PIECE: usize = 256 << 10;

/// What came after the head of an answer.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// None is empty.
    pieces: VecDeque<Vec<u8>>,
    length: usize,
}

/// What it says is people's data, or a token.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.length)
    }
}

impl Body {
    /// Adds bytes at its end.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            let room = self.pieces.back().map_or(0, |last| PIECE.saturating_sub(last.len()));
            if room == 0 {
                self.pieces.push_back(Vec::new());
                continue;
            }
            let (some, rest) = bytes.split_at(room.min(bytes.len()));
            if let Some(last) = self.pieces.back_mut() {
                last.extend_from_slice(some);
            }
            bytes = rest;
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All of it, where it is short.
    fn short(&self) -> Option<&[u8]> {
        match self.pieces.len() {
            0 => Some(&[]),
            1 => Some(&self.pieces[0]),
            _ => None,
        }
    }

    /// The first byte that is no white space.
    pub fn first(&self) -> Option<u8> {
        self.pieces.iter().flatten().copied().find(|byte| !byte.is_ascii_whitespace())
    }

    /// Whether these bytes stand in it anywhere. They are no longer than a piece.
    pub fn mentions(&self, word: &[u8]) -> bool {
        let within = self.pieces.iter().any(|piece| memmem::find(piece, word).is_some());
        let seams = self.pieces.iter().zip(self.pieces.iter().skip(1));
        let around = |(one, next): (&Vec<u8>, &Vec<u8>)| {
            let (end, start) = (one.len().saturating_sub(word.len()), word.len().min(next.len()));
            memmem::find(&[&one[end..], &next[..start]].concat(), word).is_some()
        };
        within || seams.into_iter().any(around)
    }

    /// What it says; of a long one each piece is given back once it was read.
    ///
    /// # Errors
    /// It is no JSON, or not what is asked for.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        match self.short() {
            Some(bytes) => serde_json::from_slice(bytes),
            None => serde_json::from_reader(Pieces::of(self.pieces)),
        }
    }

    /// What it says, for a first look.
    ///
    /// # Errors
    /// It is no JSON, or not what is asked for.
    pub fn look<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self.short() {
            Some(bytes) => serde_json::from_slice(bytes),
            None => serde_json::from_reader(Pieces::of(&self.pieces)),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        let mut body = Self::default();
        body.extend(&bytes);
        body
    }
}

/// What is left of a body that is read.
struct Pieces<I: Iterator> {
    now: Option<I::Item>,
    rest: I,
    at: usize,
}

impl<I: Iterator> Pieces<I> {
    fn of(pieces: impl IntoIterator<IntoIter = I>) -> Self {
        let mut rest = pieces.into_iter();
        Self { now: rest.next(), rest, at: 0 }
    }
}

impl<I: Iterator<Item: AsRef<[u8]>>> Read for Pieces<I> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        while let Some(piece) = &self.now {
            let left = &piece.as_ref()[self.at..];
            if !left.is_empty() {
                let count = left.len().min(to.len());
                to[..count].copy_from_slice(&left[..count]);
                self.at += count;
                return Ok(count);
            }
            (self.now, self.at) = (self.rest.next(), 0);
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_the_same_in_one_piece_and_in_many() {
        for words in [0_usize, 1, 40_000, 90_000] {
            let said: Vec<String> = (0..words).map(|n| format!("ø{n}")).collect();
            let bytes = serde_json::to_vec(&said).unwrap();
            for chunk in [1009, PIECE, usize::MAX] {
                let mut body = Body::default();
                bytes.chunks(chunk).for_each(|some| body.extend(some));
                assert_eq!((body.len(), body.is_empty(), body.first()), (bytes.len(), false, Some(b'[')));
                assert_eq!(body.short().is_some(), bytes.len() <= PIECE);
                assert_eq!(body, Body::from(bytes.clone()));
                assert_eq!(body.look::<Vec<String>>().unwrap(), said);
                assert_eq!(body.json::<Vec<String>>().unwrap(), said);
            }
        }
        assert!(Body::from(vec![b' '; 3 * PIECE]).first().is_none());
        assert!(Body::from(vec![b' '; 3 * PIECE]).json::<Vec<String>>().unwrap_err().is_eof());
        assert_eq!((Body::default().short(), Body::default().first()), (Some(&[][..]), None));
    }

    #[test]
    fn what_a_body_says_is_not_shown() {
        assert_eq!(format!("{:?}", Body::from(b"token".to_vec())), "Body(5 bytes)");
    }

    #[test]
    fn a_word_is_found_wherever_it_stands() {
        for at in [0, 100, PIECE - 5, PIECE - 4, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE - 5] {
            let mut bytes = vec![b'x'; 3 * PIECE];
            bytes[at..at + 5].copy_from_slice(b"\"err\"");
            assert!(Body::from(bytes).mentions(b"\"err\""), "{at}");
        }
        assert!(!Body::from(vec![b'x'; 3 * PIECE]).mentions(b"\"err\"") && !Body::default().mentions(b"x"));
    }

    #[test]
    fn a_long_body_that_ends_early_or_is_something_else_is_told_as_a_short_one() {
        let mut bytes = serde_json::to_vec(&vec!["word"; 60_000]).unwrap();
        assert!(Body::from(bytes.clone()).json::<Vec<u64>>().unwrap_err().is_data());
        bytes.pop();
        assert!(Body::from(bytes).json::<Vec<String>>().unwrap_err().is_eof());
    }
}
