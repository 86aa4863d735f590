//! What a disk may hold after the power failed: the log of `disk.c` up to some moment, where only
//! what was flushed is certain.
//!
//! The rules are those of POSIX, stricter than most file systems: a flush makes the content of one
//! file durable, not its name; names are durable when their folder was flushed. Of what was not
//! flushed anything may be there: a write or not, in any order, whole or some of its sectors. What
//! a failed flush should have made durable is lost for good, though programs still read it until
//! the machine goes down: so does Linux, and a later flush that succeeds says nothing about it.
//! Names alone come and go in order, as in every journalling file system.

use std::collections::{BTreeMap, HashMap};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{dice::Dice, disk::Change};

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What is not flushed yet.
#[derive(Debug, Clone)]
enum Edit {
    Write { offset: usize, data: Vec<u8> },
    Size(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    /// What programs read.
    content: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Edit>,
}

#[derive(Debug, Clone)]
enum Naming {
    Put { name: String, inode: u64 },
    Remove { name: String },
    Rename { from: String, to: String },
    Link { from: String, to: String },
}

type Names = BTreeMap<String, u64>;

/// The disk at one moment: what is certain and what is not.
#[derive(Debug, Default)]
pub struct Image {
    files: HashMap<u64, File>,
    names: Names,
    pending: Vec<Naming>,
}

/// What happens to changes that were not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of them are lost.
    Everything,
    /// They are all there: the process died, not the machine.
    Nothing,
    /// Of some files the last ones are lost.
    Late,
    /// Each whole write is lost or not.
    Writes,
    /// Each sector of each write is lost or not.
    Sectors,
}

impl Loss {
    pub const ALL: [Loss; 5] =
        [Loss::Everything, Loss::Nothing, Loss::Late, Loss::Writes, Loss::Sectors];
}

impl Image {
    /// Goes one change on.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Create { inode, name } => {
                self.files.insert(*inode, File::default());
                self.pending.push(Naming::Put { name: name.clone(), inode: *inode });
            }
            Change::Write { inode, offset, data } => {
                let edit = Edit::Write { offset: *offset, data: data.clone() };
                self.edit(*inode, edit);
            }
            Change::Truncate { inode, size } => self.edit(*inode, Edit::Size(*size)),
            Change::Failed { inode } => self.file(*inode).pending.clear(),
            Change::Sync { inode } => {
                let file = self.file(*inode);
                for edit in std::mem::take(&mut file.pending) {
                    put(&mut file.durable, &edit);
                }
            }
            Change::Folder => {
                for naming in std::mem::take(&mut self.pending) {
                    rename(&mut self.names, &naming);
                }
            }
            Change::Unlink { name } => self.pending.push(Naming::Remove { name: name.clone() }),
            Change::Rename { from, to } => {
                self.pending.push(Naming::Rename { from: from.clone(), to: to.clone() });
            }
            Change::Link { from, to } => {
                self.pending.push(Naming::Link { from: from.clone(), to: to.clone() });
            }
            Change::Remark(_) => {}
        }
    }

    fn edit(&mut self, inode: u64, edit: Edit) {
        let file = self.file(inode);
        put(&mut file.content, &edit);
        file.pending.push(edit);
    }

    fn file(&mut self, inode: u64) -> &mut File {
        self.files.get_mut(&inode).expect("a file is created before it is changed")
    }

    /// Writes what survives a power failure at this moment into an empty folder.
    pub fn survive(&self, loss: Loss, dice: &mut Dice, folder: &Path) {
        let mut names = self.names.clone();
        let kept = match loss {
            Loss::Everything => 0,
            Loss::Nothing => self.pending.len(),
            _ => dice.below(self.pending.len() + 1),
        };
        for naming in &self.pending[..kept] {
            rename(&mut names, naming);
        }
        // Sometimes little gets lost, sometimes much.
        let odds = [10, 50, 90][dice.below(3)];
        for (name, inode) in names {
            let file = &self.files[&inode];
            let is_whole = loss == Loss::Nothing;
            let mut content = if is_whole { &file.content } else { &file.durable }.clone();
            let cuts = [file.pending.len(), dice.below(file.pending.len() + 1)];
            let cut = cuts[dice.below(2)];
            for (at, edit) in file.pending.iter().enumerate() {
                match loss {
                    Loss::Late if at < cut => put(&mut content, edit),
                    Loss::Late => {}
                    Loss::Everything | Loss::Nothing => {}
                    Loss::Writes if dice.below(100) < odds => put(&mut content, edit),
                    Loss::Writes => {}
                    Loss::Sectors => put_sectors(&mut content, edit, odds, dice),
                }
            }
            let file = folder.join(name);
            std::fs::write(&file, content).unwrap();
            // Modes are not recorded; the program makes its files for their owner only.
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn put(content: &mut Vec<u8>, edit: &Edit) {
    match edit {
        Edit::Size(size) => content.resize(*size, 0),
        Edit::Write { offset, data } => {
            let end = offset + data.len();
            content.resize(content.len().max(end), 0);
            content[*offset..end].copy_from_slice(data);
        }
    }
}

fn put_sectors(content: &mut Vec<u8>, edit: &Edit, odds: usize, dice: &mut Dice) {
    let Edit::Write { offset, data } = edit else {
        if dice.below(100) < odds {
            put(content, edit);
        }
        return;
    };
    let mut at = *offset;
    while at < offset + data.len() {
        let end = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(offset + data.len());
        if dice.below(100) < odds {
            let data = data[at - offset..end - offset].to_vec();
            put(content, &Edit::Write { offset: at, data });
        }
        at = end;
    }
}

fn rename(names: &mut Names, naming: &Naming) {
    match naming {
        Naming::Put { name, inode } => {
            names.insert(name.clone(), *inode);
        }
        Naming::Remove { name } => {
            names.remove(name);
        }
        Naming::Link { from, to } => {
            if let Some(inode) = names.get(from).copied() {
                names.insert(to.clone(), inode);
            }
        }
        Naming::Rename { from, to } => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
    }
}

#[test]
fn only_what_was_flushed_is_certain() {
    let mut image = Image::default();
    let write = |byte| Change::Write { inode: 7, offset: 0, data: vec![byte; 1024] };
    image.apply(&Change::Create { inode: 7, name: "a".into() });
    image.apply(&write(1));
    let survives = |image: &Image, loss, seed| {
        let folder = tempfile::tempdir().unwrap();
        image.survive(loss, &mut Dice::new(seed), folder.path());
        std::fs::read(folder.path().join("a")).ok()
    };
    assert_eq!(survives(&image, Loss::Everything, 1), None);
    assert_eq!(survives(&image, Loss::Nothing, 1), Some(vec![1; 1024]));
    image.apply(&Change::Sync { inode: 7 });
    assert_eq!(survives(&image, Loss::Everything, 1), None, "its name is not durable");
    image.apply(&Change::Folder);
    image.apply(&write(2));
    assert_eq!(survives(&image, Loss::Everything, 1), Some(vec![1; 1024]));
    image.apply(&Change::Failed { inode: 7 });
    image.apply(&Change::Sync { inode: 7 });
    assert_eq!(survives(&image, Loss::Everything, 1), Some(vec![1; 1024]), "lost for good");
    assert_eq!(survives(&image, Loss::Nothing, 1), Some(vec![2; 1024]), "and still read");
    image.apply(&write(3));
    let torn = |seed| survives(&image, Loss::Sectors, seed).unwrap();
    assert!((0..50).any(|seed| torn(seed)[0] != torn(seed)[1023]));
}
