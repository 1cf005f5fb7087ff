//! Who runs this, for the journal: the account as the system knows it. What the environment says of it is what
//! whoever set it wanted, so it only stands beside.

use nix::unistd::{Uid, User};

use super::io::Io;

/// So much of what the environment says is kept.
const MOST: usize = 64;

/// The account this process runs under: `reconcile (uid 998)`.
pub(super) fn account() -> String {
    let uid = Uid::current();
    // An account without an entry, as in a container, has no name.
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    named(uid.as_raw(), name.as_deref())
}

fn named(uid: u32, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// Who consents: the account, and whoever is said to be behind `sudo`.
pub(super) fn who(io: &Io<'_>) -> String {
    let said = (io.environment)("SUDO_USER").unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(MOST).collect();
    if said.is_empty() { io.account.clone() } else { format!("{}, SUDO_USER={said}", io.account) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample::World;

    #[test]
    fn the_account_is_the_systems_and_not_the_environments() {
        let uid = Uid::current().as_raw();
        assert!(account().ends_with(&format!("uid {uid})")) || account() == format!("uid {uid}"), "{}", account());
        assert_eq!(
            (named(998, Some("reconcile")), named(4711, None)),
            ("reconcile (uid 998)".into(), "uid 4711".into())
        );
    }

    #[tokio::test]
    async fn who_is_behind_sudo_stands_beside_and_nothing_else_is_believed() {
        let who = async |environment: &[(&'static str, &'static str)]| {
            let mut world = World { environment: environment.to_vec(), ..World::default() };
            world.with(async |io: &mut Io<'_>| super::who(io)).await
        };
        assert_eq!(who(&[("USER", "somebody"), ("LOGNAME", "else"), ("SUDO_USER", "")]).await, "operator (uid 1000)");
        assert_eq!(who(&[("SUDO_USER", "kari\n")]).await, "operator (uid 1000), SUDO_USER=kari");
    }
}
