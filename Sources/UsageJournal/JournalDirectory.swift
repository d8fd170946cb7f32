import Glibc
import Identity

/// The directory that a journal lives in, and the small files beside its segments.
struct JournalDirectory: Sendable {
    let path: String

    var quarantinePath: String { path + "/quarantine" }
    var durableMarkPath: String { path + "/durable" }

    func segmentPath(_ number: Int64) -> String { "\(path)/\(JournalDirectory.segmentName(number))" }

    /// `0000000001.seg`.
    static func segmentName(_ number: Int64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ".seg"
    }

    /// The numbers of all segments, ascending.
    func segments() throws(JournalError) -> [Int64] {
        try names().compactMap { name in
            guard name.hasSuffix(".seg"), let number = Int64(name.dropLast(4)), number >= 1 else { return nil }
            return name == JournalDirectory.segmentName(number) ? number : nil
        }.sorted()
    }

    func names() throws(JournalError) -> [String] {
        guard let stream = opendir(path) else { throw .system(call: "opendir", path: path, code: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    /// Makes the directory and those above it.
    func make() throws(JournalError) {
        var parent = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            parent += (parent.isEmpty || parent.hasSuffix("/") ? "" : "/") + part
            try makeOne(parent)
        }
    }

    private func makeOne(_ path: String) throws(JournalError) {
        guard mkdir(path, 0o700) == 0 else {
            guard errno == EEXIST || errno == EISDIR else { throw .system(call: "mkdir", path: path, code: errno) }
            return
        }
        // A directory whose name is not synced takes all that is in it along when the power goes.
        do throws(FileFault) { try DirectoryHandle.synchronize(path + "/..") } catch { throw JournalError(error) }
    }

    /// Copies bytes of a segment aside; false when the copy is already there.
    func quarantine(_ range: QuarantinedRange, suffix: String) throws(JournalError) -> Bool {
        try makeOne(quarantinePath)
        let stem = JournalDirectory.segmentName(range.segment).dropLast(4)
        let copy = "\(quarantinePath)/\(stem)-\(range.offset)-\(range.length).\(suffix)"
        guard access(copy, F_OK) != 0 else { return false }
        let window = try SegmentWindow(directory: self, number: range.segment)
        var bytes: [UInt8] = []
        var offset = range.offset
        while offset < range.offset + range.length {
            let count = Int(min(1 << 20, range.offset + range.length - offset))
            guard try window.load(at: offset, count: count) else { break }
            bytes += window.bytes(at: offset, count: count)
            offset += Int64(count)
        }
        try write(bytes, to: copy, within: quarantinePath)
        return true
    }

    /// Replaces a small file so that after a crash either the old or the new one is there, whole.
    func write(_ bytes: [UInt8], to path: String, within parent: String) throws(JournalError) {
        let temporary = path + ".tmp"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(call: "open", path: temporary, code: errno) }
        let file = SystemFile(descriptor: descriptor, path: temporary)
        defer { file.close() }
        do throws(FileFault) {
            try file.write(bytes, at: 0)
            guard fsync(descriptor) == 0 else { throw FileFault(call: "fsync", path: temporary, code: errno) }
            try SystemFiles().rename(temporary, to: path)
            try DirectoryHandle.synchronize(parent)
        } catch {
            throw JournalError(error)
        }
    }

    /// The text of a small file without its line end; nil when there is none.
    func text(_ name: String) throws(JournalError) -> String? {
        let path = "\(path)/\(name)"
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw .system(call: "open", path: path, code: errno) }
            return nil
        }
        defer { Glibc.close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &buffer, buffer.count)
        guard count >= 0 else { throw .system(call: "read", path: path, code: errno) }
        return String(decoding: buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}

extension JournalDirectory {
    /// The journal's id; nil when the directory is new.
    func readID() throws(JournalError) -> JournalID? {
        guard let text = try text("journal.id") else { return nil }
        guard let id = JournalID(text) else {
            throw .damaged("\(path)/journal.id does not hold a journal id; restore it from the database's list")
        }
        return id
    }

    func write(_ id: JournalID) throws(JournalError) {
        try write(Array("\(id)\n".utf8), to: "\(path)/journal.id", within: path)
    }

    /// The last epoch; 0 when the directory is new.
    func readEpoch() throws(JournalError) -> Int64 {
        guard let text = try text("epoch") else { return 0 }
        guard let epoch = Int64(text), epoch >= 0 else {
            throw .damaged("\(path)/epoch does not hold a number; write the last epoch known to the database into it")
        }
        return epoch
    }

    func writeEpoch(_ epoch: Int64) throws(JournalError) {
        try write(Array("\(epoch)\n".utf8), to: "\(path)/epoch", within: path)
    }
}

/// Holds the directory for one process; the kernel lets go when the process dies. Who writes the journal and who
/// ingests it have a lock each.
struct DirectoryLock: Sendable {
    /// How long a lock may still be held by a process that is just ending, or by one between its fork and its exec.
    private static let attemptsMax = 40
    private static let pauseMicroseconds: UInt32 = 25_000

    private let descriptor: Int32

    init(_ directory: JournalDirectory, file: String = "lock") throws(JournalError) {
        let path = directory.path + "/" + file
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(call: "open", path: path, code: errno) }
        var attempts = 1
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            if code == EWOULDBLOCK, attempts < Self.attemptsMax {
                attempts += 1
                usleep(Self.pauseMicroseconds)
                continue
            }
            Glibc.close(descriptor)
            guard code == EWOULDBLOCK else { throw .system(call: "flock", path: path, code: code) }
            let holder = try directory.text(file).flatMap { $0.isEmpty ? nil : "process \($0)" }
            throw .locked(directory: directory.path, holder: holder ?? "process not known")
        }
        // For the message above only: the lock itself is the kernel's.
        ftruncate(descriptor, 0)
        let text = Array("\(getpid())\n".utf8)
        _ = pwrite(descriptor, text, text.count, 0)
    }

    func release() { Glibc.close(descriptor) }
}
