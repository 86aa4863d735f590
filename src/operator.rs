//! Who operates this process, for the audit trail.

use std::os::unix::fs::MetadataExt as _;

/// Most characters of a login name.
const NAME_CHARS_MAX: usize = 64;
/// What the kernel says when nobody logged in: a service.
const NOBODY_LOGGED_IN: u32 = u32::MAX;

/// Login name of whoever started this process: the user who logged in, also behind `sudo` and `su`;
/// where nobody did, as with services, the user the process runs as.
pub fn login() -> String {
    let logged_in = std::fs::read_to_string("/proc/self/loginuid").ok();
    let logged_in = logged_in.and_then(|uid| uid.trim().parse().ok());
    let logged_in = logged_in.filter(|uid: &u32| *uid != NOBODY_LOGGED_IN);
    let runs_as = || std::fs::metadata("/proc/self").ok().map(|process| process.uid());
    match logged_in.or_else(runs_as) {
        Some(uid) => {
            let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
            name_of(&users, uid).unwrap_or_else(|| format!("uid {uid}"))
        }
        // No such system: what the shell says.
        None => plain(&std::env::var("USER").unwrap_or_default()),
    }
}

/// The name of a user in the lines of a passwd file.
fn name_of(users: &str, uid: u32) -> Option<String> {
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    named.map(plain).filter(|name| !name.is_empty())
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(name_of(users, 0).as_deref(), Some("root"));
        assert_eq!(name_of(users, 1000).as_deref(), Some("anna"));
        assert_eq!(name_of(users, 7), None);
        assert!(!login().is_empty());
    }
}
