//! The names of groups.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The groups of the machine.
const GROUPS: &str = "/etc/group";
/// The number that the kernel shows for a group that does not exist in this user namespace, as with
/// systemd's `PrivateUsers`.
const UNMAPPED: u32 = 65534;

/// Returns the group of the file, or of the nearest folder above it that this process sees. Returns
/// `None` if it does not see which group that is.
pub(crate) fn of_nearest(path: &Path) -> Option<String> {
    let metadata = path.ancestors().find_map(|it| it.symlink_metadata().ok())?;
    name(metadata.gid(), &fs::read_to_string(GROUPS).unwrap_or_default())
}

/// Returns the name of a group, or its number if these `groups` do not have it.
fn name(id: u32, groups: &str) -> Option<String> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    };
    let name = groups.lines().find_map(entry);
    (id != UNMAPPED).then(|| name.unwrap_or_else(|| id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_or_a_number() {
        let groups = "root:x:0:\nnot a group\nnetdev:x:102:anna,ben\nnogroup:x:65534:\n";
        assert_eq!(name(0, groups).as_deref(), Some("root"));
        assert_eq!(name(102, groups).as_deref(), Some("netdev"));
        assert_eq!(name(103, groups).as_deref(), Some("103"));
        assert_eq!(name(65534, groups), None);
    }

    #[test]
    fn a_file_that_is_hidden_counts_as_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let hidden = folder.path().join("folder/file");
        assert_eq!(of_nearest(&hidden), of_nearest(folder.path()));
        assert!(of_nearest(&hidden).is_some());
    }
}
