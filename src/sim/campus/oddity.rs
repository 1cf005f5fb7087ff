//! What is odd about a few people: gaps and contradictions that real directories hold.

/// One oddity; a person has at most one. The share is in thousandths of all people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Oddity {
    /// No `sn`. 2.
    NoSurname,
    /// No `givenName`. 2.
    NoGivenName,
    /// Neither `idautoPersonAffiliation` nor `idautoPersonAffiliations`. 2.
    NoAffiliation,
    /// No user name but in `idautoPersonUserNameMV`. 2.
    OnlyUserNameMv,
    /// Upper-case letters in System1ID. 5.
    UpperCaseUsername,
    /// Blanks after `givenName` and `sn`. 4.
    TrailingBlanks,
    /// Names in decomposed form: letters followed by combining marks. 3.
    DecomposedName,
    /// Primary organisation tuple with too few fields. 3.
    MalformedUnit,
    /// Entitlement written `Moodle`. 4.
    MixedCaseEntitlement,
    /// Student number shared with one other person of the same oddity. 2, in pairs.
    SharedStudentNumber,
    /// System2ID shared with one other person of the same oddity. 2, in pairs.
    SharedEmail,
    /// No row in MetaVault. 5.
    NoVaultRow,
    /// Rows in MetaVault, no entry in Portal LDAP. 5.
    NoDirectoryEntry,
    /// Three rows in MetaVault that do not agree. 10.
    SeveralVaultRows,
}

impl Oddity {
    /// All of them, with their share in thousandths.
    pub const SHARES: [(Self, usize); 14] = [
        (Self::NoSurname, 2),
        (Self::NoGivenName, 2),
        (Self::NoAffiliation, 2),
        (Self::OnlyUserNameMv, 2),
        (Self::UpperCaseUsername, 5),
        (Self::TrailingBlanks, 4),
        (Self::DecomposedName, 3),
        (Self::MalformedUnit, 3),
        (Self::MixedCaseEntitlement, 4),
        (Self::SharedStudentNumber, 2),
        (Self::SharedEmail, 2),
        (Self::NoVaultRow, 5),
        (Self::NoDirectoryEntry, 5),
        (Self::SeveralVaultRows, 10),
    ];

    /// How many of so many people have it: shares are rounded, pairs stay whole.
    pub fn count(self, people: usize) -> usize {
        let share = Self::SHARES.iter().find(|(oddity, _)| *oddity == self).map_or(0, |(_, share)| *share);
        let count = (people * share + 500) / 1000;
        if self.in_pairs() { count / 2 * 2 } else { count }
    }

    /// Whether it takes two people.
    pub fn in_pairs(self) -> bool {
        matches!(self, Self::SharedStudentNumber | Self::SharedEmail)
    }
}
