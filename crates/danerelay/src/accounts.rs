//! The names of users and groups, wherever the system keeps them: in local files, or in a remote directory, which may
//! take a while to answer.

use nix::unistd::{Gid, Group, Uid, User};

/// The user's name.
pub(crate) fn user(uid: u32) -> Option<String> {
    let found = User::from_uid(Uid::from_raw(uid)).ok()??;
    Some(found.name)
}

/// The group's name.
pub(crate) fn group(gid: u32) -> Option<String> {
    let found = Group::from_gid(Gid::from_raw(gid)).ok()??;
    Some(found.name)
}

/// Whether there is a user of this name.
pub(crate) fn is_user(name: &str) -> bool {
    User::from_name(name).is_ok_and(|found| found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_numbers() {
        assert_eq!(user(0).as_deref(), Some("root"));
        assert_eq!(group(0).as_deref(), Some("root"));
        assert_eq!(user(u32::MAX - 7), None);
        assert!(is_user("root"));
        assert!(!is_user("no such user"));
    }
}
