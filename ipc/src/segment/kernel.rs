//! Segment files in the kernel: the protocol's operations, making a file, and looking at one.

use super::codec::{Birth, Contents, Reader, encode};
use super::error::{Fault, SegmentError};
use super::layout::{Header, LIFECYCLE_BYTE, MAGIC, STATE_RETIRED};
use super::lifecycle::Files;
use super::spec::{Plan, SegmentSpec};
use crate::ring::geometry::PAGE;
use crate::system::{file, lock, process};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, open, statat, unlink};
use rustix::io::Errno;
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The kernel's [`Files`]: one path, and how long to be patient about it.
#[derive(Debug)]
pub struct NamedFile {
    path: PathBuf,
    access: OFlags,
    /// Whose it must be.
    owner: u32,
    patience: Duration,
    since: Instant,
    pauses: Cell<u32>,
}

impl NamedFile {
    /// Attempts on `path` that together last `patience`, counted from now.
    pub fn new(path: PathBuf, patience: Duration) -> Self {
        let (access, owner) = (OFlags::RDWR, rustix::process::geteuid().as_raw());
        Self { path, access, owner, patience, since: Instant::now(), pauses: Cell::new(0) }
    }

    /// The same, on a file that is only read, perhaps another user's.
    pub fn to_read(path: PathBuf, owner: u32, patience: Duration) -> Self {
        Self { access: OFlags::RDONLY, owner, ..Self::new(path, patience) }
    }

    fn system(&self, action: &'static str) -> impl FnOnce(io::Error) -> SegmentError {
        SegmentError::system(&self.path, action)
    }
}

impl Files for NamedFile {
    type File = File;
    type Error = SegmentError;

    fn open(&self) -> Result<Option<File>, SegmentError> {
        let Some(file) = open_file(&self.path, self.access)? else { return Ok(None) };
        check_owned_by(self.owner, &file, &self.path)?;
        Ok(Some(file))
    }

    fn link(&self, file: &File) -> Result<bool, SegmentError> {
        file::link(file, &self.path).map_err(self.system("give it its name"))
    }

    fn unlink(&self, _: &File) -> Result<(), SegmentError> {
        unlink(&self.path).map_err(io::Error::from).map_err(self.system("remove its name"))
    }

    fn lock_shared(&self, file: &File) -> Result<bool, SegmentError> {
        // Another user's segment is not ours to keep in use.
        if self.owner != rustix::process::geteuid().as_raw() {
            return Ok(true);
        }
        lock::try_lock(file, LIFECYCLE_BYTE, lock::Mode::Shared).map_err(self.system("lock it"))
    }

    fn lock_exclusive(&self, file: &File) -> Result<bool, SegmentError> {
        // The kernel refuses it on a file that is only read: others have to remove it.
        if self.access == OFlags::RDONLY {
            return Ok(false);
        }
        lock::try_lock(file, LIFECYCLE_BYTE, lock::Mode::Exclusive).map_err(self.system("lock it"))
    }

    fn linked(&self, file: &File) -> Result<bool, SegmentError> {
        let own = fstat(file).map_err(io::Error::from).map_err(self.system("inspect it"))?;
        match statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.system("inspect it")(error.into())),
        }
    }

    fn retired(&self, file: &File) -> Result<bool, SegmentError> {
        // In a file that is no segment, that word means something else.
        let (page, _) = read_header(file).map_err(self.system("read its header"))?;
        let header = Reader(&page);
        let magic = header.u64(offset_of!(Header, magic));
        Ok(magic == MAGIC && header.u32(offset_of!(Header, state)) == STATE_RETIRED)
    }

    fn retire(&self, file: &File) -> Result<(), SegmentError> {
        file.write_all_at(&STATE_RETIRED.to_le_bytes(), offset_of!(Header, state) as u64)
            .map_err(self.system("retire it"))
    }

    fn pause(&self) -> Result<(), SegmentError> {
        let waited = self.since.elapsed();
        if waited > self.patience {
            return Err(SegmentError::Busy { path: self.path.clone(), waited });
        }
        // 16 µs at first, 1 ms in the end.
        let pauses = self.pauses.get();
        std::thread::sleep(Duration::from_micros(16 << pauses.min(6)));
        self.pauses.set(pauses + 1);
        Ok(())
    }
}

/// Opens whatever has this name; `None` if nothing has.
///
/// Whatever that may lead to: follows no link, waits for no device, adopts no terminal.
pub(super) fn open_file(path: &Path, access: OFlags) -> Result<Option<File>, SegmentError> {
    let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let no_file = |kind| SegmentError::invalid(path)(not_regular(kind));
    match open(path, access | OFlags::CLOEXEC | careful, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP) => Err(no_file(FileType::Symlink)),
        Err(Errno::ISDIR) => Err(no_file(FileType::Directory)),
        Err(Errno::NXIO) => Err(no_file(FileType::Socket)),
        Err(error) => {
            let own = rustix::process::geteuid().as_raw();
            let owner = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| stat.st_uid);
            Err(match owner {
                Ok(owner) if error == Errno::ACCESS && owner != own => {
                    SegmentError::Foreign { path: path.to_owned(), owner, own }
                }
                _ => SegmentError::system(path, "open it")(error.into()),
            })
        }
    }
}

/// What is wrong with anything but a regular file.
pub(super) fn not_regular(kind: FileType) -> Fault {
    Fault::NotASegment(match kind {
        FileType::Symlink => "it is a symbolic link".to_owned(),
        FileType::Directory => "it is a directory".to_owned(),
        FileType::Socket => "it is a socket or device".to_owned(),
        other => format!("it is not a regular file ({other:?})"),
    })
}

/// Refuses what is not a regular file of this user.
pub(super) fn check_owner(file: &File, path: &Path) -> Result<(), SegmentError> {
    check_owned_by(rustix::process::geteuid().as_raw(), file, path)
}

/// Refuses what is not a regular file of that user.
fn check_owned_by(own: u32, file: &File, path: &Path) -> Result<(), SegmentError> {
    let stat = fstat(file).map_err(io::Error::from);
    let stat = stat.map_err(SegmentError::system(path, "inspect it"))?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        return Err(SegmentError::invalid(path)(not_regular(kind)));
    }
    if stat.st_uid != own {
        return Err(SegmentError::Foreign { path: path.to_owned(), owner: stat.st_uid, own });
    }
    Ok(())
}

/// The first page, filled up with zeros, and how many bytes the file has.
pub(super) fn read_header(file: &File) -> io::Result<(Vec<u8>, u64)> {
    let size = file.metadata()?.len();
    let len = usize::try_from(size).unwrap_or(PAGE).min(PAGE);
    let mut page = vec![0; PAGE];
    match file.read_exact_at(&mut page[..len], 0) {
        // It was shrunk just now: what is missing reads as zeros.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        other => other?,
    }
    Ok((page, size))
}

/// Refuses a file in which there is no room for a header.
pub(super) fn check_length(size: u64) -> Result<(), Fault> {
    if size >= PAGE as u64 {
        return Ok(());
    }
    let why = format!("it has {size} bytes, the header of a segment alone has {PAGE}");
    Err(Fault::NotASegment(why))
}

/// The validated header.
pub(super) fn read_contents(file: &File, path: &Path) -> Result<Contents, SegmentError> {
    let header = read_header(file).map_err(SegmentError::system(path, "read its header"))?;
    let (page, size) = header;
    check_length(size)
        .and_then(|()| Contents::decode(&page, size))
        .map_err(SegmentError::invalid(path))
}

/// Refuses to treat a file as a segment, of whatever version, unless it says it is one.
pub(super) fn check_magic(file: &File, path: &Path) -> Result<(), SegmentError> {
    let header = read_header(file).map_err(SegmentError::system(path, "read its header"))?;
    let magic = Reader(&header.0).u64(offset_of!(Header, magic));
    if magic == MAGIC {
        return Ok(());
    }
    let why = format!("it begins with {magic:#018x}");
    Err(SegmentError::invalid(path)(Fault::NotASegment(why)))
}

/// A complete segment in `directory` that has no name yet.
pub(super) fn create_unnamed(
    directory: &Path,
    spec: &SegmentSpec<'_>,
    readable_by_others: bool,
) -> Result<File, SegmentError> {
    let file = file::unnamed(directory).map_err(|error| match Errno::from_io_error(&error) {
        // What kernels say whose file system has no unnamed files.
        Some(Errno::OPNOTSUPP | Errno::ISDIR) => {
            SegmentError::Unsupported { directory: directory.to_owned() }
        }
        _ => SegmentError::system(directory, "make a file in it")(error),
    })?;
    fill(&file, directory, spec)?;
    if readable_by_others {
        file::let_others_read(&file)
            .map_err(SegmentError::system(directory, "let others read a file in it"))?;
    }
    Ok(file)
}

/// That of a segment made now, by this process.
pub(super) fn birth(directory: &Path) -> Result<Birth, SegmentError> {
    let failed = SegmentError::system(directory, "draw a random number for a segment in it");
    Ok(Birth {
        instance: file::random_u128().map_err(failed)?,
        uid: rustix::process::geteuid().as_raw(),
        pid: std::process::id(),
        unix_ns: process::unix_nanoseconds(),
    })
}

/// Makes an empty file a segment.
pub(super) fn fill(
    file: &File,
    directory: &Path,
    spec: &SegmentSpec<'_>,
) -> Result<(), SegmentError> {
    let plan = Plan::new(spec)?;
    let failed = |action| SegmentError::system(directory, action);
    let no_space = |free| SegmentError::NoSpace {
        directory: directory.to_owned(),
        needed: plan.total_bytes,
        free,
    };
    let free = file::free_bytes(file).map_err(failed("find its free space"))?;
    // Asked first, so that a hopeless request does not fill the memory before it fails.
    if let Some(free) = free.filter(|&free| free < plan.total_bytes) {
        return Err(no_space(free));
    }
    file.set_len(plan.total_bytes).map_err(failed("set the size of a file in it"))?;
    file::preallocate(file, plan.total_bytes).map_err(|error| {
        if error.kind() == io::ErrorKind::StorageFull {
            no_space(free.unwrap_or(0))
        } else {
            failed("allocate a file in it")(error)
        }
    })?;
    let bytes = encode(spec, &plan, &birth(directory)?);
    let (magic, rest) = bytes.split_at(size_of_val(&MAGIC));
    let write = |bytes, offset| file.write_all_at(bytes, offset);
    write(rest, magic.len() as u64)
        .and_then(|()| write(magic, 0))
        .map_err(failed("write a file in it"))
}

/// Backs every byte with memory, if somebody made holes: touching one could kill the process.
pub(super) fn fill_holes(file: &File, path: &Path, total: u64) -> Result<(), SegmentError> {
    use std::os::unix::fs::MetadataExt;
    let failed = SegmentError::system(path, "inspect it");
    let allocated = file.metadata().map_err(failed)?.blocks().saturating_mul(512);
    if allocated >= total {
        return Ok(());
    }
    file::preallocate(file, total).map_err(SegmentError::system(path, "fill its holes"))
}

/// A program's name from its zero-padded bytes, without anything a terminal would act on.
pub(crate) fn program_text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    printable(&String::from_utf8_lossy(&bytes[..end]))
}

/// A text from a file that anybody may have written, without anything a terminal would act on.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
