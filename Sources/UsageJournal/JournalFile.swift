import Glibc

/// A call of the operating system that failed.
struct FileFault: Error, Hashable {
    let call: String
    let path: String
    let code: Int32

    /// The disk, or the process's table of open files, has no room: that may pass.
    var isLackOfRoom: Bool { [ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM].contains(code) }

    var description: String { "\(call) of \(path) failed: \(describe(errorCode: code))" }
}

/// One segment file being written. Tests put one in that fails.
protocol JournalFile: Sendable {
    var path: String { get }
    /// Writes all the bytes at `offset`.
    func write(_ bytes: [UInt8], at offset: Int64) throws(FileFault)
    /// Returns once all that was written is on the disk.
    func synchronize() throws(FileFault)
    func truncate(to size: Int64) throws(FileFault)
    func close()
}

/// What the writer asks of a file system. Tests put one in that fails.
protocol JournalFileSystem: Sendable {
    /// Makes a file whose `bytes` are allocated and read as zeros.
    func create(_ path: String, bytes: Int) throws(FileFault) -> any JournalFile
    func rename(_ old: String, to new: String) throws(FileFault)
    func remove(_ path: String)
}

/// The real one.
struct SystemFiles: JournalFileSystem {
    func create(_ path: String, bytes: Int) throws(FileFault) -> any JournalFile {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileFault(call: "open", path: path, code: errno) }
        var code = EINTR
        while code == EINTR { code = posix_fallocate(descriptor, 0, off_t(bytes)) }
        guard code == 0 else {
            Glibc.close(descriptor)
            unlink(path)
            throw FileFault(call: "fallocate", path: path, code: code)
        }
        return SystemFile(descriptor: descriptor, path: path)
    }

    func rename(_ old: String, to new: String) throws(FileFault) {
        guard Glibc.rename(old, new) == 0 else { throw FileFault(call: "rename", path: old, code: errno) }
    }

    func remove(_ path: String) { unlink(path) }
}

/// An open directory, whose sync makes the names in it last.
struct DirectoryHandle: Sendable {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws(FileFault) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFault(call: "open", path: path, code: errno) }
    }

    func synchronize() throws(FileFault) {
        guard fsync(descriptor) == 0 else { throw FileFault(call: "fsync", path: path, code: errno) }
    }

    func close() { Glibc.close(descriptor) }

    /// Opens, syncs and closes.
    static func synchronize(_ path: String) throws(FileFault) {
        let handle = try DirectoryHandle(path)
        defer { handle.close() }
        try handle.synchronize()
    }
}

/// A file descriptor and what is done with it.
struct SystemFile: JournalFile {
    let descriptor: Int32
    let path: String

    func write(_ bytes: [UInt8], at offset: Int64) throws(FileFault) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                pwrite(descriptor, raw.baseAddress.map { $0 + done }, raw.count - done, off_t(offset) + off_t(done))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFault(call: "write", path: path, code: errno)
            }
            // A disk that takes nothing and reports nothing would loop for ever.
            guard count > 0 else { throw FileFault(call: "write", path: path, code: ENOSPC) }
            done += count
        }
    }

    func synchronize() throws(FileFault) {
        // Not repeated when interrupted or failed: after a failed sync the kernel may have dropped the pages.
        guard fdatasync(descriptor) == 0 else { throw FileFault(call: "fdatasync", path: path, code: errno) }
    }

    func truncate(to size: Int64) throws(FileFault) {
        guard ftruncate(descriptor, off_t(size)) == 0 else {
            throw FileFault(call: "ftruncate", path: path, code: errno)
        }
    }

    func close() { Glibc.close(descriptor) }
}

/// What the operating system calls an error.
func describe(errorCode code: Int32) -> String {
    String(cString: strerror(code))
}

/// The machine's clock, in milliseconds since 1970.
func realMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}

/// Time that never steps back, in milliseconds.
func monotonicMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
