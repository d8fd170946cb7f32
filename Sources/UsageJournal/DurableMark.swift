import Glibc
import Identity
import Synchronization

/// How far a journal is synced: a page of memory that its writer and a follower in another process share, through the
/// file `durable` beside the segments.
///
/// Setting it costs no system call. It is set after a sync, so whatever a loss of power leaves of it names nothing that
/// the disk does not have.
final class DurableMark: Sendable {
    private static let bytes = 4096
    private static let magic: UInt64 = 0x544F_4C4C_4D41_524B  // "TOLLMARK"

    /// Words of the page, in the machine's own byte order: both processes run on it.
    private enum Word: Int {
        case magic, epoch, position, oldestNeeded
    }

    nonisolated(unsafe) private let page: UnsafeMutablePointer<Atomic<UInt64>>
    private let path: String
    private let inode: ino_t

    /// The writer's: made anew with each opening of the journal.
    init(writing directory: JournalDirectory, epoch: Int64, position: JournalPosition, oldestNeeded: Int64)
        throws(JournalError)
    {
        try Self.make(in: directory)
        path = directory.durableMarkPath
        (page, inode) = try Self.map(directory, O_RDWR, PROT_READ | PROT_WRITE)
        set(position: position, oldestNeeded: oldestNeeded)
        // Last, so that who sees this epoch sees its position.
        store(UInt64(epoch), as: .epoch)
    }

    /// A follower's.
    init(reading directory: JournalDirectory) throws(JournalError) {
        path = directory.durableMarkPath
        (page, inode) = try Self.map(directory, O_RDONLY, PROT_READ)
        guard load(.magic) == Self.magic else {
            throw .damaged(
                "\(directory.durableMarkPath) is no mark of a journal: remove it, and start gateway and ingest again")
        }
    }

    deinit { munmap(page, Self.bytes) }

    /// Whether the file is gone, or another one, so that nobody writes this page any more.
    var isReplaced: Bool {
        var status = stat()
        return stat(path, &status) != 0 || status.st_ino != inode
    }

    var epoch: Int64 { Int64(clamping: load(.epoch)) }

    var position: JournalPosition {
        let packed = load(.position)
        return JournalPosition(segment: Int64(packed >> 32), offset: Int64(packed & 0xFFFF_FFFF))
    }

    /// The oldest segment that a recovery would have to read.
    var oldestNeeded: Int64 { Int64(clamping: load(.oldestNeeded)) }

    func set(position: JournalPosition, oldestNeeded: Int64) {
        // Segments have at most 1 GiB, and one a second makes 2^32 in 136 years.
        assert(position.segment >> 32 == 0 && position.offset >> 32 == 0, "a position that does not fit into 64 bits")
        store(UInt64(clamping: oldestNeeded), as: .oldestNeeded)
        store(UInt64(position.segment) << 32 | UInt64(position.offset), as: .position)
    }

    private func load(_ word: Word) -> UInt64 { page[word.rawValue].load(ordering: .acquiring) }

    private func store(_ value: UInt64, as word: Word) { page[word.rawValue].store(value, ordering: .releasing) }

    /// Whole from the beginning, and kept: a follower has it mapped.
    private static func make(in directory: JournalDirectory) throws(JournalError) {
        guard access(directory.durableMarkPath, F_OK) != 0 else { return }
        var page = [UInt8](repeating: 0, count: bytes)
        withUnsafeBytes(of: magic) { page.replaceSubrange(..<8, with: $0) }
        try directory.write(page, to: directory.durableMarkPath, within: directory.path)
    }

    private static func map(
        _ directory: JournalDirectory, _ flags: Int32, _ protection: Int32
    ) throws(JournalError) -> (page: UnsafeMutablePointer<Atomic<UInt64>>, inode: ino_t) {
        let path = directory.durableMarkPath
        let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(call: "open", path: path, code: errno) }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(call: "fstat", path: path, code: errno) }
        // A page behind the end of its file cannot be read.
        guard status.st_size >= off_t(bytes) else {
            throw .damaged("\(path) is cut short: remove it, and start gateway and ingest again")
        }
        guard let page = mmap(nil, bytes, protection, MAP_SHARED, descriptor, 0), page != MAP_FAILED else {
            throw .system(call: "mmap", path: path, code: errno)
        }
        return (page.bindMemory(to: Atomic<UInt64>.self, capacity: bytes / 8), status.st_ino)
    }
}
